//! Making and revoking keys.

use entity::{
    Timestamp, api_key,
    ids::{AccountId, ApiKeyId},
};
use serde_json::json;
use time::Duration;

use super::store::{self, KEY_PREFIX, hash};
use crate::{
    auth::{Actor, Right, secrets::random_hex},
    error::{Check, Error, Result},
    limits,
    people::{audit, organizations},
    state::AppState,
};

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Right>,
    /// Days until it expires.
    pub expires_in_days: i64,
}

/// Makes a key for the organisation acted for; returns it with its secret, which is not kept.
///
/// # Errors
/// `Forbidden` for an API key, and for a scope the maker does not hold; `Invalid`; `Conflict` when
/// the organisation has [`limits::API_KEYS_MAX`] live keys.
pub async fn create_api_key(app: &AppState, actor: &Actor, new: NewApiKey) -> Result<(api_key::Model, String)> {
    let created_by = actor.person()?;
    let name = new.name.trim().to_owned();
    check(&name, &new)?;
    for scope in &new.scopes {
        actor.require(*scope)?;
    }
    let secret = format!("{KEY_PREFIX}{}", random_hex::<32>()?);
    let now = app.clock.now();
    let row = api_key::Model {
        id: ApiKeyId::at(now),
        organization_id: actor.org_id(),
        created_by,
        name,
        secret_hash: hash(&secret),
        scopes: json!(new.scopes),
        created_at: Timestamp(now),
        expires_at: Timestamp(now + Duration::days(new.expires_in_days)),
        revoked_at: None,
        last_used_at: None,
        grant_id: None,
    };
    let actor = actor.clone();
    let row = app
        .db
        .write("people.create_api_key", move |tx| {
            let (row, actor) = (row.clone(), actor.clone());
            async move {
                organizations::lock(&tx, row.organization_id).await?;
                let live = store::count_live(&tx, row.organization_id, now).await?;
                if live >= limits::API_KEYS_MAX {
                    return Err(Error::conflict(format!(
                        "{live} keys are in use, which is the most. Revoke one first."
                    )));
                }
                store::insert(&tx, row.clone()).await?;
                let detail = json!({"scopes": row.scopes, "expires_at": row.expires_at});
                audit::record(&tx, &actor, "api_key.create", row.id, detail, now).await?;
                Ok((row, tx))
            }
        })
        .await?;
    Ok((row, secret))
}

fn check(name: &str, new: &NewApiKey) -> Result<()> {
    let mut check = Check::new();
    check.name(name, limits::API_KEY_NAME_CHARS_MAX, "/name");
    let mut once = new.scopes.clone();
    once.sort_by_key(|right| *right as u8);
    once.dedup();
    check.require(!once.is_empty() && once.len() == new.scopes.len(), "/scopes", "Name at least one scope, each once.");
    let days_ok = (1..=limits::API_KEY_DAYS_MAX).contains(&new.expires_in_days);
    let advice = format!("Let it expire after 1 to {} days.", limits::API_KEY_DAYS_MAX);
    check.require(days_ok, "/expires_in_days", advice);
    check.done()
}

/// Whose keys an actor may see and revoke: owners all, other members their own.
///
/// # Errors
/// `Forbidden` for an API key without the right to keep members.
pub(super) fn maker_seen(actor: &Actor) -> Result<Option<AccountId>> {
    if actor.may(Right::Members) { Ok(None) } else { actor.person().map(Some) }
}

/// Revokes a key; it stops working at once.
///
/// # Errors
/// `NotFound` when there is no such key that still works and that the actor may see.
pub(super) async fn revoke_api_key(app: &AppState, actor: &Actor, id: ApiKeyId) -> Result<()> {
    let maker = maker_seen(actor)?;
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("people.revoke_api_key", move |tx| {
            let actor = actor.clone();
            async move {
                if !store::revoke(&tx, actor.org_id(), maker, id, now).await? {
                    return Err(Error::not_found("live API key"));
                }
                audit::record(&tx, &actor, "api_key.revoke", id, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}
