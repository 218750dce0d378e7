//! Keys of tables over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{Timestamp, ids::ListingId, row_changes, states::RowChangesState, table_key};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{service, store};
use crate::{
    auth::actor::{Acting, CanEdit, Visitor},
    base::page::Page,
    catalog::listings,
    error::Result,
    http::{Id, Json, extract::Ids},
    state::AppState,
};

/// The operations on keys of tables.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_row_keys)).routes(routes!(set_row_key, remove_row_key))
}

/// What became of the rows of a keyed table against the revision before.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "file": "levels.csv", "key": ["station", "measured_at"], "state": "ready", "inserted": 144, "updated": 2, "deleted": 0
}))]
pub struct RowChangesView {
    /// The file.
    pub file: String,
    /// The columns that rows are told apart by.
    pub key: Vec<String>,
    /// `pending` until they are compared, then `ready`, or `unavailable` with a reason.
    pub state: RowChangesState,
    /// Why they can't be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Rows with a new key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inserted: Option<i64>,
    /// Rows with a known key and other values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<i64>,
    /// Rows whose key is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<i64>,
}

impl TryFrom<row_changes::Model> for RowChangesView {
    type Error = crate::error::Error;

    fn try_from(row: row_changes::Model) -> Result<Self> {
        let known = |count: i64| (row.state == RowChangesState::Ready).then_some(count);
        Ok(Self {
            inserted: known(row.inserted),
            updated: known(row.updated),
            deleted: known(row.deleted),
            file: row.file_name,
            key: serde_json::from_value(row.columns)?,
            state: row.state,
            reason: row.reason,
        })
    }
}

/// The key of a table.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"file": "levels.csv", "columns": ["station", "measured_at"], "set_at": "2026-11-21T10:00:00Z"}))]
pub(super) struct RowKeyView {
    /// The file.
    file: String,
    /// The columns whose values, taken together, no two rows share.
    columns: Vec<String>,
    /// When it was set.
    set_at: Timestamp,
}

impl TryFrom<table_key::Model> for RowKeyView {
    type Error = crate::error::Error;

    fn try_from(row: table_key::Model) -> Result<Self> {
        Ok(Self { file: row.file_name, columns: serde_json::from_value(row.columns)?, set_at: row.keyed_at })
    }
}

/// The columns of a key.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RowKeyIn, example = json!({"columns": ["station", "measured_at"]}))]
struct RowKeyIn {
    /// The columns whose values, taken together, no two rows share.
    #[schema(min_items = 1, max_items = 16)]
    columns: Vec<String>,
}

/// Lists the tables of a listing whose rows are compared from revision to revision, with their keys, by file name.
#[utoipa::path(
    get, path = "/listings/{id}/row-keys", tag = "catalogue", security((), ("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing")),
    responses((status = 200, description = "All of them", body = Page<RowKeyView>))
)]
async fn list_row_keys(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id<ListingId>,
) -> Result<Json<Page<RowKeyView>>> {
    listings::find_visible(app.db.read(), id, visitor.org_id()).await?;
    let items = store::keys(app.db.read(), id).await?.into_iter().map(RowKeyView::try_from);
    Ok(Json(Page { items: items.collect::<Result<_>>()?, next_cursor: None }))
}

/// Names the columns by which the rows of a table are told apart, so that buyers can have changes alone.
///
/// Each revision is compared with the one before it, by CSV and JSON lines of up to 2 GiB; the newest hundred are
/// compared anew when the key changes. Buyers download what changed, or read it by Delta Sharing. A key that is not unique
/// gives no changes, and the changelog says so.
#[utoipa::path(
    put, path = "/listings/{id}/row-keys/{name}", tag = "catalogue", security(("bearer" = [])),
    request_body = RowKeyIn,
    params(
        ("id" = ListingId, Path, description = "The listing"),
        ("name" = String, Path, description = "The file's name, the same in every revision", example = "levels.csv")
    ),
    responses(
        (status = 200, description = "The key", body = RowKeyView),
        (status = 409, description = "The listing has too many keyed tables")
    )
)]
async fn set_row_key(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Ids(id, name): Ids<ListingId, String>,
    Json(input): Json<RowKeyIn>,
) -> Result<Json<RowKeyView>> {
    service::set_key(&app, actor, id, &name, input.columns).await?.try_into().map(Json)
}

/// Takes the key of a table away; its rows are not compared any more, and changes can't be downloaded.
#[utoipa::path(
    delete, path = "/listings/{id}/row-keys/{name}", tag = "catalogue", security(("bearer" = [])),
    params(
        ("id" = ListingId, Path, description = "The listing"),
        ("name" = String, Path, description = "The file's name", example = "levels.csv")
    ),
    responses((status = 204, description = "It has no key any more"))
)]
async fn remove_row_key(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Ids(id, name): Ids<ListingId, String>,
) -> Result<StatusCode> {
    service::remove_key(&app, actor, id, name).await?;
    Ok(StatusCode::NO_CONTENT)
}
