//! Reconciliations that were run.

use entity::{
    Timestamp,
    ids::{AccountId, ReconciliationId},
    reconciliation,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use time::OffsetDateTime;

use super::{model::Report, service::Period};
use crate::{db::Tx, error::Result};

/// Keeps a report.
pub async fn insert(
    tx: &Tx,
    id: ReconciliationId,
    by: Option<AccountId>,
    period: Period,
    report: &Report,
    now: OffsetDateTime,
) -> Result<()> {
    let row = reconciliation::ActiveModel {
        id: Set(id),
        created_by: Set(by),
        created_at: Set(Timestamp(now)),
        from_at: Set(period.from),
        until_at: Set(period.until),
        difference_count: Set(i32::try_from(report.difference_count()).unwrap_or(i32::MAX)),
        report: Set(serde_json::to_value(report)?),
    };
    reconciliation::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// One that was run.
pub async fn find(conn: &impl ConnectionTrait, id: ReconciliationId) -> Result<Option<reconciliation::Model>> {
    Ok(reconciliation::Entity::find_by_id(id).one(conn).await?)
}

/// Those that were run, newest first.
pub async fn list(
    conn: &impl ConnectionTrait,
    before: Option<ReconciliationId>,
    limit: u64,
) -> Result<Vec<reconciliation::Model>> {
    let mut query = reconciliation::Entity::find().order_by_desc(reconciliation::Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(reconciliation::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}
