//! Notices over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{ListingId, NoticeId, OrderId},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    service,
    store::{self, From as Start},
};
use crate::{
    auth::{
        Right,
        actor::{Acting, CanRead},
    },
    base::LangText,
    error::{Error, Result},
    http::{Json, Query, extract::page_limit},
    notify::kinds::{self, KINDS},
    state::AppState,
};

/// The operations of notices.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_notices))
        .routes(routes!(get_unread_notices))
        .routes(routes!(mark_notices_read))
        .routes(routes!(list_notice_kinds))
}

/// What your organisation was told.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "cursor": 4711, "id": "ntc_019352f0a1b27c3d8e4f5061728394a5", "kind": "revision.published",
    "title": "New data in “River levels”", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "data": {"listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "number": 3,
             "revision_id": "rev_019352f0a1b27c3d8e4f5061728394a5"},
    "occurred_at": "2026-11-21T10:00:00Z"
}))]
pub struct NoticeView {
    /// Ascends: who has read up to a cursor has missed nothing before it.
    pub cursor: i64,
    /// Its id, which is the `webhook-id` of the message that carries it.
    pub id: NoticeId,
    /// What happened; `GET /notices/kinds` lists the kinds.
    pub kind: String,
    /// The same in a sentence, in the reader's language.
    pub title: String,
    /// The listing it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_id: Option<ListingId>,
    /// The order it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The facts, as a webhook has them in `data`.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// When it happened.
    pub occurred_at: Timestamp,
}

impl NoticeView {
    pub(super) fn of(row: store::Row, language: &str) -> Result<Self> {
        let listing: LangText = serde_json::from_value(row.listing_title)?;
        let title = kinds::find(&row.kind).map(|kind| kind.title.in_language(language, listing.best(language)));
        Ok(Self {
            cursor: row.cursor,
            id: row.id,
            title: title.unwrap_or_else(|| row.kind.clone()),
            kind: row.kind,
            listing_id: row.listing_id,
            order_id: row.order_id,
            data: row.data,
            occurred_at: row.occurred_at,
        })
    }
}

/// A part of the log.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"items": [{
    "cursor": 4711, "id": "ntc_019352f0a1b27c3d8e4f5061728394a5", "kind": "revision.published",
    "title": "New data in “River levels”", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "data": {"listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "number": 3},
    "occurred_at": "2026-11-21T10:00:00Z"
}], "cursor": 4711, "has_more": false}))]
pub struct NoticePage {
    /// The notices.
    pub items: Vec<NoticeView>,
    /// Where this page ends: pass it as `after`, or as `before`, to go on in the same direction, now or next week.
    pub cursor: i64,
    /// There is more in that direction already.
    pub has_more: bool,
}

/// Which notices to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoticeQuery {
    /// The oldest first, after this cursor; 0 begins at the beginning.
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// The newest first, before this cursor. Without either, the newest come first.
    #[param(minimum = 0)]
    pub before: Option<i64>,
    /// Only of this kind.
    #[param(max_length = 64)]
    pub kind: Option<String>,
    /// The language of titles: en, da, zh-Hant or ja; your own where you don't say.
    #[param(max_length = 16)]
    pub lang: Option<String>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
}

impl NoticeQuery {
    fn start(&self) -> Result<Start> {
        match (self.after, self.before) {
            (Some(_), Some(_)) => Err(Error::invalid("after", "Give `after` or `before`, not both.")),
            (Some(cursor), None) if cursor >= 0 => Ok(Start::After(cursor)),
            (None, Some(cursor)) if cursor >= 0 => Ok(Start::Before(cursor)),
            (None, None) => Ok(Start::Before(i64::MAX)),
            (Some(_), None) => Err(Error::invalid("after", "Give the cursor of a notice, or 0.")),
            (None, Some(_)) => Err(Error::invalid("before", "Give the cursor of a notice.")),
        }
    }
}

/// Lists what the organisation you act for was told, as far as your rights reach.
#[utoipa::path(get, path = "/notices", tag = "notices", security(("bearer" = [])), params(NoticeQuery),
    responses((status = 200, description = "Notices", body = NoticePage)))]
pub async fn list_notices(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<NoticeQuery>,
) -> Result<Json<NoticePage>> {
    let (start, limit) = (query.start()?, page_limit(query.limit)?);
    let kinds = service::visible(&actor, query.kind.as_deref())?;
    let language = service::language(&app, &actor, query.lang).await?;
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    let mut rows = store::list(app.db.read(), actor.org_id(), kinds, start, most + 1).await?;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let here = match start {
        Start::After(cursor) => cursor,
        Start::Before(_) => 0,
    };
    let cursor = rows.last().map_or(here, |row| row.cursor);
    let items = rows.into_iter().map(|row| NoticeView::of(row, &language)).collect::<Result<_>>()?;
    Ok(Json(NoticePage { items, cursor, has_more }))
}

/// How much is unread.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"count": 3, "is_more": false, "read_up_to": 4708, "newest": 4711}))]
pub struct UnreadNotices {
    /// Notices that you, or this API key, have not marked as read, up to 1000.
    pub count: u64,
    /// There are more than are counted.
    pub is_more: bool,
    /// You have read up to this cursor.
    pub read_up_to: i64,
    /// The cursor of the newest notice of the organisation; 0 without one.
    pub newest: i64,
}

impl From<service::Unread> for UnreadNotices {
    fn from(unread: service::Unread) -> Self {
        let service::Unread { count, is_more, read_up_to, newest } = unread;
        Self { count, is_more, read_up_to, newest }
    }
}

/// Counts the notices that you have not read.
#[utoipa::path(get, path = "/notices/unread", tag = "notices", security(("bearer" = [])),
    responses((status = 200, description = "How much is unread", body = UnreadNotices)))]
pub async fn get_unread_notices(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
) -> Result<Json<UnreadNotices>> {
    Ok(Json(service::unread(&app, &actor).await?.into()))
}

/// Up to where you have read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"cursor": 4711}))]
pub struct ReadNoticesIn {
    /// The cursor of the last notice you have read.
    #[schema(minimum = 0)]
    pub cursor: i64,
}

/// Marks all notices up to a cursor as read, by you alone. A mark never goes back.
#[utoipa::path(post, path = "/notices/read", tag = "notices", security(("bearer" = [])), request_body = ReadNoticesIn,
    responses((status = 200, description = "What is unread now", body = UnreadNotices)))]
pub async fn mark_notices_read(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Json(input): Json<ReadNoticesIn>,
) -> Result<(StatusCode, Json<UnreadNotices>)> {
    service::mark_read(&app, &actor, input.cursor).await?;
    Ok((StatusCode::OK, Json(service::unread(&app, &actor).await?.into())))
}

/// A kind of notice.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"kind": "revision.published", "right": "read", "data": ["revision_id", "number"]}))]
pub struct NoticeKindView {
    /// As notices and webhooks call it.
    pub kind: &'static str,
    /// What a member, or an API key, needs to see it.
    pub right: Right,
    /// What can be in `data`, besides `listing_id` and `order_id`.
    pub data: &'static [&'static str],
}

/// Every kind of notice.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"items": [{"kind": "revision.published", "right": "read", "data": ["revision_id", "number"]}]}))]
pub struct NoticeKinds {
    /// The kinds.
    pub items: Vec<NoticeKindView>,
}

/// Lists the kinds of notices there are.
#[utoipa::path(get, path = "/notices/kinds", tag = "notices",
    responses((status = 200, description = "The kinds", body = NoticeKinds)))]
pub async fn list_notice_kinds() -> Json<NoticeKinds> {
    let view = |kind: &kinds::Kind| NoticeKindView { kind: kind.name, right: kind.right, data: kind.facts };
    Json(NoticeKinds { items: KINDS.iter().map(view).collect() })
}
