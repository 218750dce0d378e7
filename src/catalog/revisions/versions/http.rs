//! Versions over HTTP: the changelog of a listing, and what an open revision would be.

use std::collections::HashMap;

use axum::extract::State;
use entity::{
    Timestamp,
    ids::{ListingId, RevisionId},
    revision,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    contract::Change,
    model::{Step, Version},
    service,
    store::{self, Changes},
};
use crate::{
    auth::actor::{Acting, CanRead, Visitor},
    base::page::Page,
    catalog::{
        listings,
        revisions::rows::{self, RowChangesView},
    },
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    limits,
    state::AppState,
};

/// The operations on versions.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_changelog)).routes(routes!(preview_version))
}

/// One version of a listing, and what it changed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "version": "2.0.0", "step": "major", "revision_id": "rev_019352f0a1b27c3d8e4f5061728394a5", "revision_number": 3,
    "published_at": "2026-11-21T10:05:00Z", "note": "Levels are text now, with the gauge's remark.",
    "reaches_older_grants_at": "2026-12-21T10:05:01Z", "changes_total": 1,
    "changes": [{
        "kind": "column_retyped", "step": "major", "file": "levels.csv", "column": "level_m", "from": "decimal",
        "to": "text"
    }],
    "rows": [{
        "file": "levels.csv", "key": ["station", "measured_at"], "state": "ready", "inserted": 144, "updated": 2,
        "deleted": 0
    }]
}))]
pub(super) struct ChangelogEntry {
    /// Major, minor and patch.
    version: String,
    /// What it is against the version before; `major` for the first.
    step: Step,
    revision_id: RevisionId,
    /// Counted from 1 within the listing.
    revision_number: i32,
    published_at: Timestamp,
    /// What changed, in the provider's words.
    note: String,
    /// From when on grants that were made on an older major get it; present for a major after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    reaches_older_grants_at: Option<Timestamp>,
    /// How many changes there are.
    changes_total: usize,
    /// The gravest of them, at most 2,000.
    changes: Vec<Change>,
    /// What became of the rows, of each table that has a key.
    rows: Vec<RowChangesView>,
}

impl ChangelogEntry {
    /// The entry of a revision that has a version.
    fn of(row: revision::Model, changes: Changes, rows: Vec<RowChangesView>) -> Option<Self> {
        let version = Version::of(&row)?;
        let step = match version {
            Version { minor: 0, patch: 0, .. } => Step::Major,
            Version { patch: 0, .. } => Step::Minor,
            Version { .. } => Step::Patch,
        };
        let is_breaking = step == Step::Major && version != Version::FIRST;
        Some(Self {
            version: version.to_string(),
            step,
            revision_id: row.id,
            revision_number: row.number,
            published_at: row.published_at.unwrap_or(row.created_at),
            note: row.note,
            reaches_older_grants_at: row.reaches_older_at.filter(|_| is_breaking),
            changes_total: changes.total,
            changes: changes.items,
            rows,
        })
    }
}

/// Which versions to list.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ChangelogQuery {
    /// Only versions after this one.
    #[param(example = "1.2.0")]
    since: Option<String>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists the versions of a listing, newest first, with what each changed by file and column.
///
/// A revision gets its version a moment after it was published. Major: a file or column is gone, or of another type,
/// format, delimiter or encoding. Minor: something was added. Patch: only content changed.
#[utoipa::path(
    get, path = "/listings/{id}/changelog", tag = "catalogue", security((), ("bearer" = [])),
    params(("id" = ListingId, Path, description = "The listing"), ChangelogQuery),
    responses(
        (status = 200, description = "A page of versions", body = Page<ChangelogEntry>),
        (status = 422, description = "`since` is no version of this listing")
    )
)]
async fn get_changelog(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id<ListingId>,
    Query(query): Query<ChangelogQuery>,
) -> Result<Json<Page<ChangelogEntry>>> {
    let conn = app.db.read();
    listings::find_visible(conn, id, visitor.org_id()).await?;
    let (limit, before) = (page_limit(query.limit)?, page_cursor(query.cursor.as_deref())?);
    let after = match query.since.as_deref() {
        Some(since) => Some(find_number(&app, id, since).await?),
        None => None,
    };
    let found = store::changelog(conn, id, (after, before), limit).await?;
    let page = Page::from_rows(found, limit, |(row, _)| row.number);
    let ids: Vec<RevisionId> = page.items.iter().map(|(row, _)| row.id).collect();
    let mut compared: HashMap<RevisionId, Vec<RowChangesView>> = HashMap::new();
    for row in rows::of_revisions(conn, &ids).await? {
        compared.entry(row.revision_id).or_default().push(row.try_into()?);
    }
    let entries = page.items.into_iter().filter_map(|(row, changes)| {
        let rows = compared.remove(&row.id).unwrap_or_default();
        ChangelogEntry::of(row, changes, rows)
    });
    let items = entries.collect();
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

async fn find_number(app: &AppState, listing: ListingId, version: &str) -> Result<i32> {
    let version: Version = version.parse().map_err(|error| Error::invalid("since", format!("Here {error}.")))?;
    let found = store::number_of(app.db.read(), listing, version).await?;
    found.ok_or_else(|| Error::invalid("since", format!("This listing has no version {version}.")))
}

/// What an open revision would be if it were published now.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "revision_id": "rev_019352f0a1b27c3d8e4f5061728394a5", "ready": true, "pending_files": [], "previous": "1.4.2",
    "version": "2.0.0", "step": "major", "reaches_older_grants_at": "2026-12-21T10:05:00Z", "changes_total": 1,
    "changes": [{"kind": "column_removed", "step": "major", "file": "levels.csv", "column": "remark", "from": "text"}]
}))]
pub(super) struct VersionPreview {
    revision_id: RevisionId,
    /// False while files wait to be read; ask again in a moment.
    ready: bool,
    /// The files that wait.
    pending_files: Vec<String>,
    /// The version before; absent for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    /// What it would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    /// What it would be against the version before.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Step>,
    /// From when on those who were granted an older major would get it; present for a major after the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    reaches_older_grants_at: Option<Timestamp>,
    /// How many changes there are.
    changes_total: usize,
    /// The gravest of them, at most 2,000.
    changes: Vec<Change>,
}

impl From<service::Preview> for VersionPreview {
    fn from(preview: service::Preview) -> Self {
        let service::Preview { revision, judged, pending } = preview;
        let breaks = |judged: &&service::Judged| judged.step == Step::Major && judged.previous.is_some();
        Self {
            revision_id: revision.id,
            ready: judged.is_some(),
            pending_files: pending,
            previous: judged.as_ref().and_then(|judged| judged.previous).map(|version| version.to_string()),
            version: judged.as_ref().map(|judged| judged.version.to_string()),
            step: judged.as_ref().map(|judged| judged.step),
            reaches_older_grants_at: judged.as_ref().filter(breaks).map(|judged| judged.reaches_older_at),
            changes_total: judged.as_ref().map_or(0, |judged| judged.changes.len()),
            changes: judged
                .map_or_else(Vec::new, |judged| judged.changes.into_iter().take(limits::VERSION_CHANGES_MAX).collect()),
        }
    }
}

/// Tells which version an open revision would be if it were published now, and why.
#[utoipa::path(
    get, path = "/revisions/{id}/version-preview", tag = "catalogue", security(("bearer" = [])),
    params(("id" = RevisionId, Path, description = "The open revision")),
    responses(
        (status = 200, description = "The version it would be, once its files are read", body = VersionPreview),
        (status = 409, description = "It is published")
    )
)]
async fn preview_version(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<RevisionId>,
) -> Result<Json<VersionPreview>> {
    Ok(Json(service::preview(&app, actor.org_id(), id).await?.into()))
}
