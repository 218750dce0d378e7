//! Bank accounts in the database.

use entity::{Timestamp, bank_account, ids::AccountId};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    sea_query::Expr,
};
use time::OffsetDateTime;
use torv_bank::CsvProfile;

use crate::{base::Currency, db::Tx, error::Result};

/// Stores a new account.
pub async fn insert(
    tx: &Tx,
    name: &str,
    number: &str,
    currency: Currency,
    profile: Option<&CsvProfile>,
    by: Option<AccountId>,
    now: OffsetDateTime,
) -> Result<()> {
    let row = bank_account::ActiveModel {
        name: Set(name.to_owned()),
        number: Set(number.to_owned()),
        currency: Set(currency.code().to_owned()),
        csv_profile: Set(profile.map(serde_json::to_value).transpose()?),
        created_at: Set(Timestamp(now)),
        created_by: Set(by),
        importing: Set(None),
    };
    bank_account::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Keeps another profile; false when there is no such account.
pub async fn set_profile(tx: &Tx, name: &str, profile: &CsvProfile) -> Result<bool> {
    let updated = bank_account::Entity::update_many()
        .col_expr(bank_account::Column::CsvProfile, Expr::value(serde_json::to_value(profile)?))
        .filter(bank_account::Column::Name.eq(name))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// One account.
pub async fn find(conn: &impl ConnectionTrait, name: &str) -> Result<Option<bank_account::Model>> {
    Ok(bank_account::Entity::find_by_id(name.to_owned()).one(conn).await?)
}

/// Every account, by name; an operator has few.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<bank_account::Model>> {
    Ok(bank_account::Entity::find().order_by_asc(bank_account::Column::Name).all(conn).await?)
}
