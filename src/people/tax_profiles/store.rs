//! Tax profiles in the database.

use std::collections::HashMap;

use entity::{Timestamp, ids::OrgId, organization, tax_profile};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use time::OffsetDateTime;

use super::model::TaxProfile;
use crate::{db::Tx, error::Result};

/// The versions of these organisations that were in force at an instant; nothing for one without any.
pub(super) async fn versions_at(
    conn: &impl ConnectionTrait,
    orgs: &[OrgId],
    at: OffsetDateTime,
) -> Result<HashMap<OrgId, tax_profile::Model>> {
    let rows = tax_profile::Entity::find()
        .filter(tax_profile::Column::OrganizationId.is_in(orgs.iter().copied()))
        .filter(tax_profile::Column::ValidFrom.lte(Timestamp(at)))
        .order_by_asc(tax_profile::Column::Version)
        .all(conn)
        .await?;
    // Later versions overwrite earlier ones.
    Ok(rows.into_iter().map(|row| (row.organization_id, row)).collect())
}

/// The profiles of these organisations that were in force at an instant; nothing for one without any.
///
/// # Errors
/// Those of the database, and a stored profile that can't be read.
pub async fn registered_at(
    conn: &impl ConnectionTrait,
    orgs: &[OrgId],
    at: OffsetDateTime,
) -> Result<HashMap<OrgId, TaxProfile>> {
    let rows = versions_at(conn, orgs, at).await?;
    rows.into_iter().map(|(org, row)| Ok((org, serde_json::from_value(row.profile)?))).collect()
}

/// The highest version of an organisation.
pub(super) async fn latest(conn: &impl ConnectionTrait, org: OrgId) -> Result<Option<tax_profile::Model>> {
    Ok(tax_profile::Entity::find()
        .filter(tax_profile::Column::OrganizationId.eq(org))
        .order_by_desc(tax_profile::Column::Version)
        .one(conn)
        .await?)
}

pub(super) async fn insert(tx: &Tx, row: tax_profile::Model) -> Result<()> {
    tax_profile::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Names and countries of these organisations.
pub(super) async fn organizations(
    conn: &impl ConnectionTrait,
    orgs: &[OrgId],
) -> Result<HashMap<OrgId, organization::Model>> {
    let rows = organization::Entity::find().filter(organization::Column::Id.is_in(orgs.iter().copied())).all(conn);
    Ok(rows.await?.into_iter().map(|row| (row.id, row)).collect())
}

/// The organisation that runs the exchange: the oldest one that may; nothing before it is created.
///
/// # Errors
/// Those of the database.
pub async fn operator_id(conn: &impl ConnectionTrait) -> Result<Option<OrgId>> {
    Ok(organization::Entity::find()
        .select_only()
        .column(organization::Column::Id)
        .filter(organization::Column::MayOperate.eq(true))
        .order_by_asc(organization::Column::Id)
        .into_tuple()
        .one(conn)
        .await?)
}
