//! Organisations in the database.

use std::collections::HashMap;

use entity::{ids::OrgId, organization, states::ProviderKind};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QuerySelect as _,
    sea_query::{LockType, OnConflict},
};

use crate::{db::Tx, error::Result};

/// Adds an organisation; false when its short name is taken.
pub(super) async fn insert(tx: &Tx, row: organization::Model) -> Result<bool> {
    let inserted = organization::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(organization::Column::Slug).do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(inserted == 1)
}

/// Finds an organisation. Its name and kind are public; the caller decides who sees the rest.
pub(in crate::people) async fn find_public(
    conn: &impl ConnectionTrait,
    id: OrgId,
) -> Result<Option<organization::Model>> {
    Ok(organization::Entity::find_by_id(id).one(conn).await?)
}

/// What kind of provider each of these organisations is.
///
/// # Errors
/// Those of the database.
pub async fn provider_kinds(
    conn: &impl ConnectionTrait,
    ids: &[OrgId],
) -> Result<HashMap<OrgId, Option<ProviderKind>>> {
    let found: Vec<(OrgId, Option<ProviderKind>)> = organization::Entity::find()
        .select_only()
        .columns([organization::Column::Id, organization::Column::ProviderKind])
        .filter(organization::Column::Id.is_in(ids.iter().copied()))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(found.into_iter().collect())
}

/// Who runs the exchange.
///
/// # Errors
/// Those of the database.
pub async fn operators(conn: &impl ConnectionTrait) -> Result<Vec<OrgId>> {
    Ok(organization::Entity::find()
        .select_only()
        .column(organization::Column::Id)
        .filter(organization::Column::MayOperate.eq(true))
        .into_tuple()
        .all(conn)
        .await?)
}

/// Finds an organisation and makes other changes to it, its members, keys and invitations wait for
/// this transaction. (SQLite has one writer, so there they always wait.)
pub(crate) async fn lock(tx: &Tx, id: OrgId) -> Result<Option<organization::Model>> {
    Ok(organization::Entity::find_by_id(id).lock(LockType::NoKeyUpdate).one(tx.conn()).await?)
}

/// Writes an organisation's changed facts.
pub(super) async fn update(tx: &Tx, row: organization::Model) -> Result<()> {
    organization::Entity::update(row.into_active_model().reset_all()).exec(tx.conn()).await?;
    Ok(())
}
