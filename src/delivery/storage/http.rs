//! Damaged files as the operator sees them.

use axum::extract::State;
use entity::{
    Timestamp,
    ids::FileId,
    states::{RenditionFormat, StorageFindingKind},
    storage_finding,
};
use serde::Serialize;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::store;
use crate::{
    auth::actor::{CanRead, Operating},
    base::page::Page,
    error::Result,
    http::{Json, PageQuery, Query, extract::page_cursor},
    state::AppState,
};

/// The operations on what is stored.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_storage_findings))
}

/// A stored file that is not what was stored.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "key": "a5/fil_019352f0a1b27c3d8e4f5061728394a5", "kind": "damaged",
    "file_id": "fil_019352f0a1b27c3d8e4f5061728394a5", "found_at": "2026-11-21T10:00:00Z"
}))]
pub(super) struct StorageFindingView {
    /// Its key in the store.
    key: String,
    kind: StorageFindingKind,
    /// The file it is, or was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<FileId>,
    /// The rendition it is; absent for the original.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<RenditionFormat>,
    found_at: Timestamp,
    /// When it was read again and was right, after it was put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    resolved_at: Option<Timestamp>,
}

impl From<storage_finding::Model> for StorageFindingView {
    fn from(row: storage_finding::Model) -> Self {
        Self {
            key: row.key,
            kind: row.kind,
            file_id: row.file_id,
            format: row.format,
            found_at: row.found_at,
            resolved_at: row.resolved_at,
        }
    }
}

/// Lists stored files that were found to be damaged or missing, those that still are first, by key.
///
/// Found by the slow re-reading of everything, or by a download, which is broken off then. Put the file back from a
/// copy; once it reads right again, the finding is resolved by itself.
#[utoipa::path(get, path = "/storage/findings", tag = "delivery", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "One page of findings", body = Page<StorageFindingView>)))]
async fn list_storage_findings(
    State(app): State<AppState>,
    Operating(_actor, _): Operating<CanRead>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<StorageFindingView>>> {
    let (limit, after) = (query.limit()?, page_cursor(query.cursor.as_deref())?);
    let rows = store::list_findings(app.db.read(), after, limit).await?;
    let page = Page::from_rows(rows, limit, |row| (row.resolved_at.is_some(), row.key.clone()));
    Ok(Json(page.map(StorageFindingView::from)))
}
