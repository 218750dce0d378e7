//! Saved means of payment in the database.

use entity::{
    Timestamp,
    ids::{OrgId, SavedMethodId},
    saved_method,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result, ports::payments::SavedMethod};

pub(super) async fn insert(tx: &Tx, row: saved_method::Model) -> Result<()> {
    saved_method::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// A means of payment of `owner`, whether it can be charged or not.
pub(super) async fn find(
    conn: &impl ConnectionTrait,
    owner: OrgId,
    id: SavedMethodId,
) -> Result<Option<saved_method::Model>> {
    Ok(saved_method::Entity::find_by_id(id).filter(saved_method::Column::OrganizationId.eq(owner)).one(conn).await?)
}

/// The means of payment of `owner` that can be charged, newest first.
pub(super) async fn list(conn: &impl ConnectionTrait, owner: OrgId) -> Result<Vec<saved_method::Model>> {
    Ok(saved_method::Entity::find()
        .filter(saved_method::Column::OrganizationId.eq(owner))
        .filter(saved_method::Column::MethodRef.is_not_null())
        .filter(saved_method::Column::RemovedAt.is_null())
        .order_by_desc(saved_method::Column::Id)
        .all(conn)
        .await?)
}

/// The processor's name for `owner`, where it keeps something of it already.
pub(super) async fn customer_of(conn: &impl ConnectionTrait, owner: OrgId, processor: &str) -> Result<Option<String>> {
    let known = saved_method::Entity::find()
        .select_only()
        .column(saved_method::Column::CustomerRef)
        .filter(saved_method::Column::OrganizationId.eq(owner))
        .filter(saved_method::Column::Processor.eq(processor))
        .filter(saved_method::Column::CustomerRef.is_not_null())
        .order_by_desc(saved_method::Column::Id);
    Ok(known.into_tuple::<Option<String>>().one(conn).await?.flatten())
}

/// Notes what the processor keeps; a second time changes nothing.
pub(super) async fn note_kept(tx: &Tx, id: SavedMethodId, kept: &SavedMethod) -> Result<()> {
    saved_method::Entity::update_many()
        .col_expr(saved_method::Column::CustomerRef, Expr::value(Some(kept.customer_ref.as_str())))
        .col_expr(saved_method::Column::MethodRef, Expr::value(Some(kept.method.as_str())))
        .col_expr(saved_method::Column::Label, Expr::value(Some(kept.label.as_str())))
        .filter(saved_method::Column::Id.eq(id))
        .filter(saved_method::Column::MethodRef.is_null())
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Removes a means of payment; false when it was removed before.
pub(super) async fn remove(tx: &Tx, id: SavedMethodId, now: OffsetDateTime) -> Result<bool> {
    let removed = saved_method::Entity::update_many()
        .col_expr(saved_method::Column::RemovedAt, Expr::value(Some(Timestamp(now))))
        .filter(saved_method::Column::Id.eq(id))
        .filter(saved_method::Column::RemovedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(removed.rows_affected == 1)
}
