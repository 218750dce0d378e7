//! Webhook endpoints over HTTP.

use axum::{
    extract::State,
    http::{StatusCode, header::HeaderName},
};
use entity::{
    Timestamp,
    ids::{ListingId, WebhookEndpointId},
    states::WebhookDisabled,
    webhook_endpoint,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    service::{self, EndpointChange, NewEndpoint},
    store,
};
use crate::{
    auth::actor::{Acting, CanManage},
    base::page::Page,
    error::{Error, Result},
    http::{
        Id, IfMatch, Json, PageQuery, Query,
        extract::{etag, page_cursor},
    },
    state::AppState,
};

/// The operations of webhook endpoints.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_webhook_endpoint, list_webhook_endpoints))
        .routes(routes!(get_webhook_endpoint, change_webhook_endpoint, delete_webhook_endpoint))
        .routes(routes!(rotate_webhook_secret))
}

/// An endpoint to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "url": "https://example.org/hooks/torv", "description": "Nightly import", "kinds": ["revision.published", "grant.ended"],
    "listing_ids": []
}))]
pub struct WebhookEndpointIn {
    /// Where messages are posted: an https address of the public internet.
    #[schema(max_length = 2000)]
    pub url: String,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub description: String,
    /// Which kinds of `GET /notices/kinds` it wants; all when empty.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Which listings it wants to hear of; all, and what is about none, when empty.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub listing_ids: Vec<ListingId>,
}

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"enabled": false}))]
pub struct WebhookEndpointPatch {
    /// Where messages are posted.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub url: Option<String>,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub description: Option<String>,
    /// Which kinds it wants; all when empty.
    #[serde(default)]
    pub kinds: Option<Vec<String>>,
    /// Which listings it wants to hear of; all when empty.
    #[serde(default)]
    #[schema(max_items = 100)]
    pub listing_ids: Option<Vec<ListingId>>,
    /// Switches it off or on. What was waiting then goes on; what happens while it is off is not sent, but can be replayed.
    #[serde(default)]
    pub enabled: Option<bool>,
}

/// An endpoint, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "whe_019352f0a1b27c3d8e4f5061728394a5", "url": "https://example.org/hooks/torv", "description": "Nightly import",
    "kinds": ["revision.published", "grant.ended"], "listing_ids": [], "enabled": true,
    "created_at": "2026-11-21T10:00:00Z"
}))]
pub struct WebhookEndpointView {
    /// Its id.
    pub id: WebhookEndpointId,
    /// Where messages are posted.
    pub url: String,
    /// What it is for.
    pub description: String,
    /// Which kinds it wants; all when empty.
    pub kinds: Vec<String>,
    /// Which listings it wants to hear of; all when empty.
    pub listing_ids: Vec<ListingId>,
    /// Whether messages are sent.
    pub enabled: bool,
    /// Why it is switched off, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<WebhookDisabled>,
    /// Since when every attempt has failed, if they do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<Timestamp>,
    /// Until when messages carry a signature with the secret before this one too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_secret_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl TryFrom<webhook_endpoint::Model> for WebhookEndpointView {
    type Error = Error;

    fn try_from(row: webhook_endpoint::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            url: row.url,
            description: row.description,
            kinds: serde_json::from_value(row.kinds)?,
            listing_ids: serde_json::from_value(row.listing_ids)?,
            enabled: row.disabled_reason.is_none(),
            disabled_reason: row.disabled_reason,
            failing_since: row.failing_since,
            previous_secret_until: row.previous_until,
            created_at: row.created_at,
        })
    }
}

/// An endpoint with its fresh secret. `Debug` is not derived.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "whe_019352f0a1b27c3d8e4f5061728394a5", "url": "https://example.org/hooks/torv", "description": "Nightly import",
    "kinds": [], "listing_ids": [], "enabled": true, "created_at": "2026-11-21T10:00:00Z",
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
}))]
pub struct WebhookEndpointSecret {
    /// The endpoint.
    #[serde(flatten)]
    pub endpoint: WebhookEndpointView,
    /// Messages are signed with it as Standard Webhooks says. It is shown this once.
    pub secret: String,
}

type Tagged<T> = ([(HeaderName, String); 1], Json<T>);

fn shown(row: webhook_endpoint::Model) -> Result<Tagged<WebhookEndpointView>> {
    Ok((etag(row.version), Json(row.try_into()?)))
}

/// Makes a webhook endpoint. Messages follow Standard Webhooks; the secret they are signed with is in this answer alone.
#[utoipa::path(post, path = "/webhook-endpoints", tag = "notices", security(("bearer" = [])),
    request_body = WebhookEndpointIn,
    responses((status = 201, description = "Made", body = WebhookEndpointSecret),
              (status = 409, description = "The organisation has as many endpoints as it may")))]
pub async fn create_webhook_endpoint(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Json(input): Json<WebhookEndpointIn>,
) -> Result<(StatusCode, Json<WebhookEndpointSecret>)> {
    let WebhookEndpointIn { url, description, kinds, listing_ids } = input;
    let new = NewEndpoint { url, description, kinds, listing_ids };
    let (row, secret) = service::create(&app, &actor, new).await?;
    let answer = WebhookEndpointSecret { endpoint: row.try_into()?, secret: secret.shown() };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Lists the webhook endpoints of the organisation you act for.
#[utoipa::path(get, path = "/webhook-endpoints", tag = "notices", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "Endpoints", body = Page<WebhookEndpointView>)))]
pub async fn list_webhook_endpoints(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<WebhookEndpointView>>> {
    let limit = page.limit()?;
    let after = page_cursor(page.cursor.as_deref())?;
    let rows = store::list(app.db.read(), actor.org_id(), after, limit + 1).await?;
    let views = rows.into_iter().map(WebhookEndpointView::try_from).collect::<Result<_>>()?;
    Ok(Json(Page::from_rows(views, limit, |view: &WebhookEndpointView| view.id)))
}

/// Shows a webhook endpoint, without its secret.
#[utoipa::path(get, path = "/webhook-endpoints/{id}", tag = "notices", security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "The endpoint, with its ETag", body = WebhookEndpointView)))]
pub async fn get_webhook_endpoint(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(id): Id<WebhookEndpointId>,
) -> Result<Tagged<WebhookEndpointView>> {
    let row = store::find(app.db.read(), actor.org_id(), id).await?;
    shown(row.ok_or_else(|| Error::not_found("webhook endpoint"))?)
}

/// Changes a webhook endpoint, switches it off or on.
#[utoipa::path(patch, path = "/webhook-endpoints/{id}", tag = "notices", security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint"),
           ("If-Match" = String, Header, description = "The ETag you read")),
    request_body = WebhookEndpointPatch,
    responses((status = 200, description = "As it is now", body = WebhookEndpointView),
              (status = 412, description = "It was changed meanwhile"),
              (status = 428, description = "Without If-Match")))]
pub async fn change_webhook_endpoint(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(id): Id<WebhookEndpointId>,
    IfMatch(version): IfMatch,
    Json(input): Json<WebhookEndpointPatch>,
) -> Result<Tagged<WebhookEndpointView>> {
    let WebhookEndpointPatch { url, description, kinds, listing_ids, enabled } = input;
    let wish = EndpointChange { url, description, kinds, listing_ids, enabled };
    shown(service::change(&app, &actor, id, version, wish).await?)
}

/// Deletes a webhook endpoint; nothing more is sent to it.
#[utoipa::path(delete, path = "/webhook-endpoints/{id}", tag = "notices", security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint")),
    responses((status = 204, description = "Deleted")))]
pub async fn delete_webhook_endpoint(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(id): Id<WebhookEndpointId>,
) -> Result<StatusCode> {
    service::delete(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces the secret of a webhook endpoint. For a day, unless configured otherwise, messages carry two signatures: one
/// with the new secret and one with the old.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/rotate-secret", tag = "notices", security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint")),
    responses((status = 200, description = "The endpoint and its new secret", body = WebhookEndpointSecret)))]
pub async fn rotate_webhook_secret(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(id): Id<WebhookEndpointId>,
) -> Result<Json<WebhookEndpointSecret>> {
    let (row, secret) = service::rotate(&app, &actor, id).await?;
    Ok(Json(WebhookEndpointSecret { endpoint: row.try_into()?, secret: secret.shown() }))
}
