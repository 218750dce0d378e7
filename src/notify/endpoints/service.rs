//! Making, changing and ending endpoints.

use entity::{
    Timestamp,
    ids::{ListingId, OrgId, WebhookEndpointId},
    states::WebhookDisabled,
    webhook_endpoint,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    model::{self, SigningSecret},
    store,
};
use crate::{
    auth::Actor,
    db::{
        Tx,
        outbox::{self, News},
    },
    error::{Check, Error, Problem, Result},
    limits,
    people::{audit, organizations},
    state::AppState,
};

/// An endpoint to be made, or what of it is to be changed.
#[derive(Debug, Clone)]
pub(super) struct NewEndpoint {
    pub url: String,
    pub description: String,
    pub kinds: Vec<String>,
    pub listing_ids: Vec<ListingId>,
}

/// What of an endpoint is to be changed.
#[derive(Debug, Clone, Default)]
pub(super) struct EndpointChange {
    pub url: Option<String>,
    pub description: Option<String>,
    pub kinds: Option<Vec<String>>,
    pub listing_ids: Option<Vec<ListingId>>,
    pub enabled: Option<bool>,
}

fn missing() -> Error {
    Error::not_found("webhook endpoint")
}

fn check(app: &AppState, new: &EndpointChange) -> Result<()> {
    let mut check = Check::new();
    if let Some(description) = &new.description {
        check.at_most(description, limits::WEBHOOK_DESCRIPTION_CHARS_MAX, "/description");
    }
    let (kinds, listings) = (new.kinds.as_deref().unwrap_or_default(), new.listing_ids.as_deref().unwrap_or_default());
    model::check_filter(&mut check, kinds, listings.len());
    check.done()?;
    new.url.as_deref().map_or(Ok(()), |url| model::check_url(url, &app.config.notify))
}

/// Makes an endpoint for the organisation acted for; returns it with its secret, which is shown this once.
///
/// # Errors
/// `Invalid`; `Conflict` when there are [`limits::WEBHOOK_ENDPOINTS_MAX`] already.
pub(super) async fn create(
    app: &AppState,
    actor: &Actor,
    new: NewEndpoint,
) -> Result<(webhook_endpoint::Model, SigningSecret)> {
    let NewEndpoint { url, description, kinds, listing_ids } = new;
    let as_change = EndpointChange {
        url: Some(url.clone()),
        description: Some(description.clone()),
        kinds: Some(kinds.clone()),
        listing_ids: Some(listing_ids.clone()),
        enabled: None,
    };
    check(app, &as_change)?;
    let (now, secret) = (app.clock.now(), SigningSecret::generate()?);
    let row = webhook_endpoint::Model {
        id: WebhookEndpointId::at(now),
        organization_id: actor.org_id(),
        url,
        description,
        kinds: json!(kinds),
        listing_ids: json!(listing_ids),
        sealed_secret: app.secrets.seal(secret.bytes())?,
        sealed_previous: None,
        previous_until: None,
        disabled_reason: None,
        failing_since: None,
        version: 1,
        replays: 0,
        created_at: Timestamp(now),
        deleted_at: None,
    };
    let actor = actor.clone();
    let row = app
        .db
        .write("notify.create_endpoint", move |tx| {
            let (row, actor) = (row.clone(), actor.clone());
            async move {
                organizations::lock(&tx, row.organization_id).await?;
                if store::count(&tx, row.organization_id).await? >= limits::WEBHOOK_ENDPOINTS_MAX {
                    let most = limits::WEBHOOK_ENDPOINTS_MAX;
                    return Err(Error::conflict(format!("There are {most} webhook endpoints, which is the most.")));
                }
                store::insert(&tx, row.clone()).await?;
                let detail = json!({"kinds": row.kinds, "listing_ids": row.listing_ids});
                audit::record(&tx, &actor, "webhook_endpoint.create", row.id, detail, now).await?;
                Ok((row, tx))
            }
        })
        .await?;
    Ok((row, secret))
}

/// Changes an endpoint that was read at `version`.
///
/// # Errors
/// `NotFound`, `EditedMeanwhile`, `Invalid`.
pub(super) async fn change(
    app: &AppState,
    actor: &Actor,
    id: WebhookEndpointId,
    version: i32,
    wish: EndpointChange,
) -> Result<webhook_endpoint::Model> {
    check(app, &wish)?;
    let EndpointChange { url, description, kinds, listing_ids, enabled } = wish;
    let detail = json!({"kinds": kinds, "listing_ids": listing_ids, "enabled": enabled, "moved": url.is_some()});
    edit(app, actor, id, "webhook_endpoint.change", detail, move |mut row| {
        if row.version != version {
            let detail = "Somebody else has changed this webhook endpoint. Read it again.";
            return Err(Error::new(Problem::EditedMeanwhile, detail));
        }
        row.url = url.clone().unwrap_or(row.url);
        row.description = description.clone().unwrap_or(row.description);
        row.kinds = kinds.as_ref().map_or(row.kinds, |kinds| json!(kinds));
        row.listing_ids = listing_ids.as_ref().map_or(row.listing_ids, |ids| json!(ids));
        match enabled {
            Some(true) => (row.disabled_reason, row.failing_since) = (None, None),
            Some(false) => row.disabled_reason = row.disabled_reason.or(Some(WebhookDisabled::Owner)),
            None => {}
        }
        Ok(row)
    })
    .await
}

/// Replaces the secret; the one before goes on signing beside it for a while.
///
/// # Errors
/// `NotFound`.
pub(super) async fn rotate(
    app: &AppState,
    actor: &Actor,
    id: WebhookEndpointId,
) -> Result<(webhook_endpoint::Model, SigningSecret)> {
    let secret = SigningSecret::generate()?;
    let sealed = app.secrets.seal(secret.bytes())?;
    let overlap = Duration::hours(i64::from(app.config.notify.webhook_secret_overlap_hours));
    let until = Timestamp(app.clock.now() + overlap);
    let row = edit(app, actor, id, "webhook_endpoint.rotate", json!({}), move |mut row| {
        row.sealed_previous = Some(std::mem::replace(&mut row.sealed_secret, sealed.clone()));
        row.previous_until = Some(until);
        Ok(row)
    })
    .await?;
    Ok((row, secret))
}

/// Ends an endpoint: its secrets are wiped and nothing more is sent.
///
/// # Errors
/// `NotFound`.
pub(super) async fn delete(app: &AppState, actor: &Actor, id: WebhookEndpointId) -> Result<()> {
    let now = Timestamp(app.clock.now());
    edit(app, actor, id, "webhook_endpoint.delete", json!({}), move |mut row| {
        row.deleted_at = Some(now);
        (row.sealed_secret, row.sealed_previous, row.previous_until) = (Vec::new(), None, None);
        Ok(row)
    })
    .await
    .map(drop)
}

async fn edit(
    app: &AppState,
    actor: &Actor,
    id: WebhookEndpointId,
    action: &'static str,
    detail: serde_json::Value,
    edit: impl Fn(webhook_endpoint::Model) -> Result<webhook_endpoint::Model> + Send + Sync + 'static,
) -> Result<webhook_endpoint::Model> {
    let (now, actor, edit) = (app.clock.now(), actor.clone(), std::sync::Arc::new(edit));
    app.db
        .write("notify.edit_endpoint", move |tx| {
            let (actor, detail, edit) = (actor.clone(), detail.clone(), edit.clone());
            async move {
                let row = store::lock(&tx, actor.org_id(), id).await?.ok_or_else(missing)?;
                let mut row = edit(row)?;
                row.version += 1;
                store::replace(&tx, row.clone()).await?;
                audit::record(&tx, &actor, action, id, detail, now).await?;
                Ok((row, tx))
            }
        })
        .await
}

/// What a message to this endpoint is signed with now: its secret, and the one before while that still holds.
///
/// # Errors
/// When they were sealed under another master secret.
pub(in crate::notify) fn secrets_of(
    app: &AppState,
    row: &webhook_endpoint::Model,
    now: OffsetDateTime,
) -> Result<Vec<SigningSecret>> {
    let previous = row.sealed_previous.as_ref().filter(|_| row.previous_until.is_some_and(|until| now < until.0));
    let unseal = |sealed: &Vec<u8>| app.secrets.unseal(sealed).map(SigningSecret::from_bytes);
    std::iter::once(&row.sealed_secret).chain(previous).map(unseal).collect()
}

/// Tells the owner that an endpoint was switched off, and why.
pub(in crate::notify) async fn announce_disabled(
    tx: &Tx,
    organization: OrgId,
    id: WebhookEndpointId,
    reason: WebhookDisabled,
    now: OffsetDateTime,
) -> Result<()> {
    let payload = json!({"webhook_endpoint_id": id, "organization_id": organization, "reason": reason});
    outbox::append(tx, vec![News { topic: id.to_string(), kind: "webhook_endpoint.disabled", payload }], now).await
}
