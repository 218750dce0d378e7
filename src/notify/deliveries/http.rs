//! Webhook deliveries over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{NoticeId, WebhookDeliveryId, WebhookEndpointId},
    states::{WebhookDeliveryState, WebhookFailure},
    webhook_attempt, webhook_delivery,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{replay, service, store};
use crate::{
    auth::actor::{Acting, CanManage},
    base::page::Page,
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{Ids, page_cursor, page_limit},
    },
    notify::endpoints::store as endpoints,
    state::AppState,
};

/// The operations of webhook deliveries.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(test_webhook_endpoint))
        .routes(routes!(replay_webhook_endpoint))
        .routes(routes!(list_webhook_deliveries))
        .routes(routes!(get_webhook_delivery))
        .routes(routes!(retry_webhook_delivery))
}

/// A message on its way to an endpoint.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "whd_019352f0a1b27c3d8e4f5061728394a5", "message_id": "ntc_019352f0a1b27c3d8e4f5061728394a5",
    "kind": "revision.published", "notice_cursor": 4711, "replayed": false, "state": "pending", "attempts": 2,
    "last_status": 503, "next_try_at": "2026-11-21T10:05:12Z", "created_at": "2026-11-21T10:00:00Z"
}))]
pub struct WebhookDeliveryView {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// The `webhook-id` header: the same however often the message is sent.
    pub message_id: NoticeId,
    /// What it tells of.
    pub kind: String,
    /// The cursor of the notice it carries; absent for a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice_cursor: Option<i64>,
    /// It belongs to a replay.
    pub replayed: bool,
    /// Where it stands.
    pub state: WebhookDeliveryState,
    /// How often it was sent.
    pub attempts: i32,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<i32>,
    /// When it is sent next, if nothing before it in its lane waits longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<Timestamp>,
    /// When it was put in line.
    pub created_at: Timestamp,
    /// When it was delivered or given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

impl From<webhook_delivery::Model> for WebhookDeliveryView {
    fn from(row: webhook_delivery::Model) -> Self {
        Self {
            id: row.id,
            message_id: row.message_id,
            kind: row.kind,
            notice_cursor: row.notice_cursor,
            replayed: row.replay_no > 0,
            state: row.state,
            attempts: row.attempts,
            last_status: row.last_status,
            next_try_at: row.next_try_at,
            created_at: row.created_at,
            done_at: row.done_at,
        }
    }
}

/// How one attempt went.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "number": 1, "at": "2026-11-21T10:00:00Z", "status": 503, "latency_ms": 42, "answer": "Try later."
}))]
pub struct WebhookAttemptView {
    /// Counted from 1.
    pub number: i32,
    /// When it was over.
    pub at: Timestamp,
    /// The HTTP status, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// How long it took.
    pub latency_ms: i32,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<WebhookFailure>,
    /// The first 1024 bytes of the answer, as text.
    pub answer: String,
}

impl From<webhook_attempt::Model> for WebhookAttemptView {
    fn from(row: webhook_attempt::Model) -> Self {
        let webhook_attempt::Model { number, at, status, latency_ms, failure, answer, .. } = row;
        Self { number, at, status, latency_ms, failure, answer }
    }
}

/// A delivery with its attempts.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "whd_019352f0a1b27c3d8e4f5061728394a5", "message_id": "ntc_019352f0a1b27c3d8e4f5061728394a5",
    "kind": "revision.published", "notice_cursor": 4711, "replayed": false, "state": "delivered", "attempts": 1,
    "last_status": 204, "created_at": "2026-11-21T10:00:00Z", "done_at": "2026-11-21T10:00:01Z",
    "log": [{"number": 1, "at": "2026-11-21T10:00:01Z", "status": 204, "latency_ms": 42, "answer": ""}]
}))]
pub struct WebhookDeliveryLog {
    /// The delivery.
    #[serde(flatten)]
    pub delivery: WebhookDeliveryView,
    /// How each attempt went, the oldest first.
    pub log: Vec<WebhookAttemptView>,
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WebhookDeliveryQuery {
    /// Only in this state; `dead` are the dead letters.
    pub state: Option<WebhookDeliveryState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists the deliveries of a webhook endpoint, the newest first; what is done is kept for 30 days.
#[utoipa::path(get, path = "/webhook-endpoints/{id}/deliveries", tag = "notices", security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint"), WebhookDeliveryQuery),
    responses((status = 200, description = "Deliveries", body = Page<WebhookDeliveryView>)))]
pub async fn list_webhook_deliveries(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(endpoint): Id<WebhookEndpointId>,
    Query(query): Query<WebhookDeliveryQuery>,
) -> Result<Json<Page<WebhookDeliveryView>>> {
    let limit = page_limit(query.limit)?;
    let before = page_cursor(query.cursor.as_deref())?;
    let own = endpoints::find(app.db.read(), actor.org_id(), endpoint).await?;
    own.ok_or_else(|| Error::not_found("webhook endpoint"))?;
    let rows = store::list(app.db.read(), endpoint, query.state, before, limit + 1).await?;
    let page = Page::from_rows(rows, limit, |row: &webhook_delivery::Model| row.seq);
    Ok(Json(page.map(WebhookDeliveryView::from)))
}

/// Shows a delivery and how each of its attempts went.
#[utoipa::path(get, path = "/webhook-endpoints/{id}/deliveries/{delivery_id}", tag = "notices",
    security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint"),
           ("delivery_id" = WebhookDeliveryId, Path, description = "The delivery")),
    responses((status = 200, description = "The delivery", body = WebhookDeliveryLog)))]
pub async fn get_webhook_delivery(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Ids(endpoint, id): Ids<WebhookEndpointId, WebhookDeliveryId>,
) -> Result<Json<WebhookDeliveryLog>> {
    let row = service::find(&app, actor.org_id(), endpoint, id).await?;
    let attempts = store::attempts(app.db.read(), id).await?;
    let log = attempts.into_iter().map(WebhookAttemptView::from).collect();
    Ok(Json(WebhookDeliveryLog { delivery: row.into(), log }))
}

/// Puts a dead delivery, or one that waits for its next try, in line at once, with all its tries.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/deliveries/{delivery_id}/retry", tag = "notices",
    security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint"),
           ("delivery_id" = WebhookDeliveryId, Path, description = "The delivery")),
    responses((status = 202, description = "In line", body = WebhookDeliveryView),
              (status = 409, description = "It was delivered")))]
pub async fn retry_webhook_delivery(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Ids(endpoint, id): Ids<WebhookEndpointId, WebhookDeliveryId>,
) -> Result<(StatusCode, Json<WebhookDeliveryView>)> {
    let row = service::retry(&app, &actor, endpoint, id).await?;
    Ok((StatusCode::ACCEPTED, Json(row.into())))
}

/// Sends a message of the kind `webhook.test`, whatever kinds the endpoint wants.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/test", tag = "notices", security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint")),
    responses((status = 202, description = "On its way", body = WebhookDeliveryView),
              (status = 409, description = "It is switched off")))]
pub async fn test_webhook_endpoint(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(endpoint): Id<WebhookEndpointId>,
) -> Result<(StatusCode, Json<WebhookDeliveryView>)> {
    let row = service::send_test(&app, &actor, endpoint).await?;
    Ok((StatusCode::ACCEPTED, Json(row.into())))
}

/// From where a replay sends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"after": 4711}))]
pub struct WebhookReplayIn {
    /// The cursor of the last notice that is not sent again; 0 for all there ever were.
    #[schema(minimum = 0)]
    pub after: i64,
}

/// What a replay sends.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"after": 4711, "until": 4802}))]
pub struct WebhookReplayView {
    /// What is sent comes after this cursor.
    pub after: i64,
    /// The last cursor that is sent; what comes later is sent anyway.
    pub until: i64,
}

/// Sends all notices after a cursor once more, with the message ids they had: receivers that have them already can tell.
#[utoipa::path(post, path = "/webhook-endpoints/{id}/replay", tag = "notices", security(("bearer" = [])),
    params(("id" = WebhookEndpointId, Path, description = "The endpoint")), request_body = WebhookReplayIn,
    responses((status = 202, description = "Begun", body = WebhookReplayView),
              (status = 409, description = "It is switched off")))]
pub async fn replay_webhook_endpoint(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(endpoint): Id<WebhookEndpointId>,
    Json(input): Json<WebhookReplayIn>,
) -> Result<(StatusCode, Json<WebhookReplayView>)> {
    if input.after < 0 {
        return Err(Error::invalid("/after", "Give the cursor of a notice, or 0."));
    }
    let begun = replay::begin(&app, &actor, endpoint, input.after).await?;
    Ok((StatusCode::ACCEPTED, Json(WebhookReplayView { after: begun.after, until: begun.until })))
}
