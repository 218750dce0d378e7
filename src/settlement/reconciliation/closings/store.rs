//! Closed months in the database.

use entity::{Timestamp, ids::AccountId, month_closing, seal};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::ExprTrait as _,
};
use time::OffsetDateTime;

use super::super::three_way::ThreeWay;
use crate::{
    base::{Currency, digest},
    db::Tx,
    error::Result,
};

/// One closed month.
pub async fn find(
    conn: &impl ConnectionTrait,
    month: &str,
    currency: Currency,
) -> Result<Option<month_closing::Model>> {
    Ok(month_closing::Entity::find_by_id((month.to_owned(), currency.code().to_owned())).one(conn).await?)
}

/// Closed months, the newest first.
pub async fn list(
    conn: &impl ConnectionTrait,
    before: Option<(String, String)>,
    limit: u64,
) -> Result<Vec<month_closing::Model>> {
    use month_closing::Column;
    let mut query =
        month_closing::Entity::find().order_by_desc(Column::Month).order_by_desc(Column::Currency).limit(limit);
    if let Some((month, currency)) = before {
        let same = Column::Month.eq(&month).and(Column::Currency.lt(currency));
        query = query.filter(Column::Month.lt(&month).or(same));
    }
    Ok(query.all(conn).await?)
}

/// The newest seal: its number and head.
pub async fn newest_seal(conn: &impl ConnectionTrait) -> Result<Option<(i64, String)>> {
    let newest = seal::Entity::find().order_by_desc(seal::Column::Number).one(conn).await?;
    Ok(newest.map(|row| (row.number, row.head)))
}

/// Freezes the sums of a month.
pub async fn insert(
    tx: &Tx,
    month: &str,
    sums: &ThreeWay,
    seal: (i64, String),
    by: Option<AccountId>,
    now: OffsetDateTime,
) -> Result<()> {
    let row = month_closing::ActiveModel {
        month: Set(month.to_owned()),
        currency: Set(sums.currency.code().to_owned()),
        sums: Set(serde_json::to_value(sums)?),
        sums_sha256: Set(digest::canonical_json_sha256(sums)?),
        seal_number: Set(seal.0),
        seal_head: Set(seal.1),
        closed_by: Set(by),
        closed_at: Set(Timestamp(now)),
    };
    month_closing::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(())
}
