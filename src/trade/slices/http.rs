//! What could not be made for slices, as the operator sees it.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{FileId, GrantId, SliceId},
    slice_task,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{queue, store};
use crate::{
    auth::actor::{CanEdit, CanRead, Operating},
    base::page::Page,
    error::Result,
    http::{Id, Json, PageQuery, Query, extract::page_cursor},
    state::AppState,
};

/// The operations on what is made for slices.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_slice_failures)).routes(routes!(retry_slice))
}

/// A slice that was bought, or an index that slices are counted from, that could not be made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "slc_019352f0a1b27c3d8e4f5061728394a5", "file_id": "fil_019352f0a1b27c3d8e4f5061728394a5",
    "grant_id": "grt_019352f0a1b27c3d8e4f5061728394a5", "attempts": 6, "created_at": "2026-11-22T10:00:00Z",
    "reason": "The exchange failed to make it several times. Its operator can tell why."
}))]
pub struct SliceFailureView {
    /// Its id, which the log names with the cause.
    id: SliceId,
    /// The file it is made from.
    file_id: FileId,
    /// Whose slice it is; absent for an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<GrantId>,
    /// How often it was tried.
    attempts: i32,
    /// What its buyer, or who asks for a quote, is told.
    reason: String,
    /// When it was asked for.
    created_at: Timestamp,
}

impl From<slice_task::Model> for SliceFailureView {
    fn from(row: slice_task::Model) -> Self {
        Self {
            id: row.id,
            file_id: row.file_id,
            grant_id: row.grant_id,
            attempts: row.attempts,
            reason: row.error.unwrap_or_default(),
            created_at: row.created_at,
        }
    }
}

/// Lists what could not be made for slices: those that were bought, and the indexes that quotes need. By id.
///
/// Try again once the cause is mended, or refund the order of the grant.
#[utoipa::path(get, path = "/slices/failures", tag = "trade", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "One page of failures", body = Page<SliceFailureView>)))]
async fn list_slice_failures(
    State(app): State<AppState>,
    Operating(_actor, _): Operating<CanRead>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<SliceFailureView>>> {
    let (limit, after) = (query.limit()?, page_cursor(query.cursor.as_deref())?);
    let rows = store::list_failed(app.db.read(), after, limit).await?;
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(SliceFailureView::from)))
}

/// Tries once more to make what failed.
#[utoipa::path(post, path = "/slices/{id}/retry", tag = "trade", security(("bearer" = [])),
    params(("id" = SliceId, Path, description = "From `GET /api/v1/slices/failures`")),
    responses((status = 204, description = "It will be tried again"),
        (status = 409, description = "It has not failed")))]
async fn retry_slice(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanEdit>,
    Id(id): Id<SliceId>,
) -> Result<StatusCode> {
    queue::retry_failed(&app, actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
