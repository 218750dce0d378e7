//! Keeping tax profiles.

use std::collections::HashMap;

use entity::{Timestamp, ids::OrgId, tax_profile};
use sea_orm::ConnectionTrait;
use serde_json::json;
use time::OffsetDateTime;

use super::{model::TaxProfile, store};
use crate::{
    auth::Actor,
    error::{Error, Result},
    people::{audit, organizations},
    state::AppState,
};

/// A profile with the version it is; version 0 is what the organisation's name and country say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The version, from 1 on; 0 where nobody gave one.
    pub version: i32,
    /// Since when.
    pub valid_from: Timestamp,
    /// What it says.
    pub profile: TaxProfile,
}

impl Known {
    fn of(row: tax_profile::Model) -> Result<Self> {
        let profile = serde_json::from_value(row.profile)?;
        Ok(Self { version: row.version, valid_from: row.valid_from, profile })
    }
}

/// The profiles that were in force at an instant; of an organisation without one, what its name and country say.
///
/// # Errors
/// Those of the database; `NotFound` for an organisation that does not exist.
pub async fn known_at(
    conn: &impl ConnectionTrait,
    orgs: &[OrgId],
    at: OffsetDateTime,
) -> Result<HashMap<OrgId, Known>> {
    let mut versions = store::versions_at(conn, orgs, at).await?;
    let missing: Vec<OrgId> = orgs.iter().copied().filter(|org| !versions.contains_key(org)).collect();
    let mut found = HashMap::new();
    if !missing.is_empty() {
        for (id, org) in store::organizations(conn, &missing).await? {
            let profile = TaxProfile::of_organization(&org.name, &org.country);
            found.insert(id, Known { version: 0, valid_from: org.created_at, profile });
        }
    }
    for (org, row) in versions.drain() {
        found.insert(org, Known::of(row)?);
    }
    let complete = orgs.iter().all(|org| found.contains_key(org));
    if complete { Ok(found) } else { Err(Error::not_found("organisation")) }
}

/// The profile in force now: for the organisation itself, and for the operator.
///
/// # Errors
/// `NotFound` for somebody else's organisation.
pub(super) async fn read(app: &AppState, actor: &Actor, org: OrgId) -> Result<Known> {
    if !actor.organization.may_operate {
        actor.require_own(org)?;
    }
    let mut found = known_at(app.db.read(), &[org], app.clock.now()).await?;
    found.remove(&org).ok_or_else(|| Error::not_found("organisation"))
}

/// Puts a further version in force, unless it says what the last one says.
///
/// # Errors
/// `NotFound` for somebody else's organisation; `Invalid` for values that need to be changed.
pub(super) async fn put(app: &AppState, actor: &Actor, org: OrgId, profile: TaxProfile) -> Result<Known> {
    actor.require_own(org)?;
    let profile = profile.checked()?;
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("people.put_tax_profile", move |tx| {
            let (actor, profile) = (actor.clone(), profile.clone());
            async move {
                // Versions are numbered one after the other, so changes wait for each other.
                organizations::lock(&tx, org).await?.ok_or_else(|| Error::not_found("organisation"))?;
                let last = store::latest(tx.conn(), org).await?.map(Known::of).transpose()?;
                if let Some(last) = last.as_ref().filter(|last| last.profile == profile) {
                    return Ok((last.clone(), tx));
                }
                let row = tax_profile::Model {
                    organization_id: org,
                    version: last.map_or(0, |last| last.version) + 1,
                    valid_from: Timestamp(now),
                    changed_by: actor.account_id,
                    profile: serde_json::to_value(&profile)?,
                };
                store::insert(&tx, row.clone()).await?;
                let detail = json!({"version": row.version});
                audit::record(&tx, &actor, "tax_profile.change", org, detail, now).await?;
                Ok((Known::of(row)?, tx))
            }
        })
        .await
}
