//! Fee rules in the database; append-only.

use entity::{Timestamp, fee_rule, ids::FeeRuleId};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
};
use time::OffsetDateTime;

use super::model::Sale;
use crate::{
    db::Tx,
    error::{Error, Result},
};

/// The rules in force at `at` that could be about one of these sales.
pub(in crate::trade) async fn rules_for(
    conn: &impl ConnectionTrait,
    sales: &[Sale],
    at: OffsetDateTime,
) -> Result<Vec<fee_rule::Model>> {
    use fee_rule::Column;
    let none_or = |column: Column, id: fn(&Sale) -> uuid::Uuid| {
        Condition::any().add(column.is_null()).add(column.is_in(sales.iter().map(id)))
    };
    Ok(fee_rule::Entity::find()
        .filter(Column::FromAt.lte(Timestamp(at)))
        .filter(none_or(Column::OrganizationId, |sale| sale.provider.0))
        .filter(none_or(Column::ListingId, |sale| sale.listing.0))
        .filter(none_or(Column::OfferId, |sale| sale.offer.0))
        .all(conn)
        .await?)
}

pub(super) async fn list(
    conn: &impl ConnectionTrait,
    before: Option<FeeRuleId>,
    limit: usize,
) -> Result<Vec<fee_rule::Model>> {
    let mut query =
        fee_rule::Entity::find().order_by_desc(fee_rule::Column::Id).limit(u64::try_from(limit).unwrap_or(u64::MAX));
    if let Some(before) = before {
        query = query.filter(fee_rule::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}

pub(super) async fn insert(tx: &Tx, rule: fee_rule::Model) -> Result<()> {
    fee_rule::Entity::insert(rule.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// The rule with this public id, which an idempotency key points at.
pub(super) async fn find(conn: &impl ConnectionTrait, id: &str) -> Result<fee_rule::Model> {
    let id: FeeRuleId = id.parse().map_err(Error::internal)?;
    fee_rule::Entity::find_by_id(id).one(conn).await?.ok_or_else(|| Error::not_found("fee rule"))
}
