//! Grants over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::extract::State;
use entity::{
    Timestamp, grant,
    ids::{GrantId, ListingId, OrderId, OrgId, RevisionId},
    states::{Coverage, GrantState, RenditionState},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{model::Reach, service, store};
use crate::{
    auth::actor::{Acting, CanBuy, CanEdit, CanRead},
    base::page::Page,
    catalog::revisions::versions::Released,
    error::{Check, Error, Result},
    http::{
        Id, Json, PageQuery, Query,
        extract::{page_cursor, page_limit},
    },
    limits,
    state::AppState,
    trade::{
        orders::http::Side,
        slices::{CutSlice, Slice, find_cuts},
    },
};

/// The routes of grants.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_grants))
        .routes(routes!(get_grant))
        .routes(routes!(list_grant_versions))
        .routes(routes!(accept_grant_version))
        .routes(routes!(revoke_grant))
}

/// A grant.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "grt_019352f0a1b27c3d8e4f5061728394a5", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
    "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "holder_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "provider_id": "org_019352f0a1b27c3d8e4f5061728394a6", "state": "active", "coverage": "while_active",
    "through_revision": 3, "licence_hash": "5f6a…", "starts_at": "2026-11-21T10:00:00Z", "ends_at": "2027-11-21T10:00:00Z"
}))]
pub struct GrantView {
    /// Its id.
    pub id: GrantId,
    /// The order it comes from.
    pub order_id: OrderId,
    /// What may be used.
    pub listing_id: ListingId,
    /// Who may use it.
    pub holder_id: OrgId,
    /// Who granted it.
    pub provider_id: OrgId,
    /// Whether it opens the door.
    pub state: GrantState,
    /// Which revisions it covers.
    pub coverage: Coverage,
    /// The newest revision when it was made.
    pub through_revision: i32,
    /// The terms: `GET /api/v1/licence-documents/{hash}`.
    pub licence_hash: String,
    /// From when on.
    pub starts_at: Timestamp,
    /// Until when; absent without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Why it ended; of a revoked one, in the provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// The newest major of the data that its holder accepted before its notice was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted_major: Option<i32>,
    /// What it opens, where that is a slice; absent for the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slice: Option<GrantSliceView>,
}

/// Whether the files of a slice can be downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SliceState {
    /// They are being cut out.
    Preparing,
    /// `GET /api/v1/grants/{id}/files` lists them.
    Ready,
    /// They can't be made; ask for a refund.
    Failed,
}

/// The slice that a grant opens.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "state": "ready", "progress_permille": 1000, "file_id": "fil_019352f0a1b27c3d8e4f5061728394a5", "file": "levels.csv",
    "revision_number": 3, "columns": ["station", "at", "pm25"], "rows": 48213, "cells": 144639, "bytes": 1735668,
    "period": {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, "time_column": "at", "per": "row", "units": 48213
}))]
pub struct GrantSliceView {
    /// Where it stands.
    pub state: SliceState,
    /// How far it is, in thousandths.
    #[schema(minimum = 0, maximum = 1000)]
    pub progress_permille: i32,
    /// Why it can't be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it is.
    #[serde(flatten)]
    pub slice: Slice,
}

impl From<CutSlice> for GrantSliceView {
    fn from(cut: CutSlice) -> Self {
        let state = match cut.state {
            RenditionState::Made => SliceState::Ready,
            RenditionState::Pending | RenditionState::Making => SliceState::Preparing,
            RenditionState::Failed | RenditionState::NotApplicable => SliceState::Failed,
        };
        Self { state, progress_permille: cut.progress_permille, reason: cut.error, slice: cut.slice }
    }
}

/// Grants as their parties see them; with slices, one statement more.
async fn views(app: &AppState, rows: Vec<grant::Model>) -> Result<Vec<GrantView>> {
    let sliced: Vec<GrantId> = rows.iter().filter(|row| row.slice_file_id.is_some()).map(|row| row.id).collect();
    let mut cuts = find_cuts(app.db.read(), &sliced).await?;
    let view = |row: grant::Model| {
        let slice = cuts.remove(&row.id).map(GrantSliceView::from);
        GrantView { slice, ..row.into() }
    };
    Ok(rows.into_iter().map(view).collect())
}

async fn view(app: &AppState, row: grant::Model) -> Result<Json<GrantView>> {
    views(app, vec![row]).await?.pop().map(Json).ok_or_else(|| Error::not_found("grant"))
}

impl From<grant::Model> for GrantView {
    fn from(row: grant::Model) -> Self {
        Self {
            id: row.id,
            order_id: row.order_id,
            listing_id: row.listing_id,
            holder_id: row.organization_id,
            provider_id: row.provider_id,
            state: row.state,
            coverage: row.coverage,
            through_revision: row.through_revision,
            licence_hash: row.licence_hash,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            ended_at: row.ended_at,
            end_reason: row.end_reason,
            accepted_major: row.accepted_major,
            slice: None,
        }
    }
}

/// Which grants to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GrantQuery {
    /// Grants your organisation holds (`buyer`, the default) or has given (`provider`).
    pub side: Option<Side>,
    /// Only for this listing.
    pub listing_id: Option<ListingId>,
    /// Only in this state.
    pub state: Option<GrantState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists grants, newest first.
#[utoipa::path(get, path = "/grants", tag = "trade", security(("bearer" = [])), params(GrantQuery),
    responses((status = 200, description = "Grants", body = Page<GrantView>)))]
pub async fn list_grants(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<GrantQuery>,
) -> Result<Json<Page<GrantView>>> {
    let limit = page_limit(query.limit)?;
    let (holder, provider) = query.side.unwrap_or(Side::Buyer).parties(actor.org_id());
    let before = page_cursor(query.cursor.as_deref())?;
    let wanted = store::Wanted { holder, provider, listing: query.listing_id, state: query.state, before };
    let rows = store::list(app.db.read(), wanted, limit + 1).await?;
    let page = Page::from_rows(rows, limit, |row| row.id);
    Ok(Json(Page { items: views(&app, page.items).await?, next_cursor: page.next_cursor }))
}

/// Shows a grant to its holder and to its provider.
#[utoipa::path(get, path = "/grants/{grant_id}", tag = "trade", security(("bearer" = [])),
    params(("grant_id" = GrantId, Path, description = "The grant")),
    responses((status = 200, description = "The grant", body = GrantView)))]
pub async fn get_grant(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<GrantId>,
) -> Result<Json<GrantView>> {
    let found = store::find_party(app.db.read(), id, actor.org_id()).await?;
    view(&app, found.ok_or_else(|| Error::not_found("grant"))?).await
}

/// Whether a revision reaches a grant.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantVersionState {
    /// It can be downloaded.
    Available,
    /// It breaks what the grant was made on, so it waits for the end of its notice, or until the holder accepts it.
    HeldBack,
    /// It was published after what was granted.
    NotCovered,
}

/// A revision of the data, as a grant gets it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "revision_id": "rev_019352f0a1b27c3d8e4f5061728394a5", "revision_number": 4, "version": "2.0.0", "major": 2,
    "published_at": "2026-11-21T10:00:00Z", "state": "held_back", "available_at": "2026-12-21T10:00:01Z"
}))]
pub struct GrantVersionView {
    /// The revision.
    pub revision_id: RevisionId,
    /// Counted from 1 within the listing.
    pub revision_number: i32,
    /// Its version; absent in the moments after it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What to accept, to get it before its notice is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<i32>,
    /// When it was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Timestamp>,
    /// Whether it reaches the grant.
    pub state: GrantVersionState,
    /// When what is held back comes without being accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_at: Option<Timestamp>,
}

impl From<(Released, Reach)> for GrantVersionView {
    fn from((released, reach): (Released, Reach)) -> Self {
        let (state, available_at) = match reach {
            Reach::Available => (GrantVersionState::Available, None),
            Reach::HeldBack(at) => (GrantVersionState::HeldBack, at.map(Timestamp)),
            Reach::NotCovered => (GrantVersionState::NotCovered, None),
        };
        Self {
            revision_id: released.revision_id,
            revision_number: released.release.number,
            version: released.version.map(|version| version.to_string()),
            major: released.release.major,
            published_at: released.published_at,
            state,
            available_at,
        }
    }
}

/// Lists the published revisions of what a grant is for, newest first, with whether and when each reaches it.
///
/// A revision that breaks what the grant was made on comes when its notice is over, or when the holder accepts it. What
/// came once stays, so the old major can be downloaded beside the new one.
#[utoipa::path(get, path = "/grants/{grant_id}/versions", tag = "trade", security(("bearer" = [])),
    params(("grant_id" = GrantId, Path, description = "The grant"), PageQuery),
    responses((status = 200, description = "The revisions", body = Page<GrantVersionView>),
        (status = 409, description = "The grant is of a slice, which has no versions")))]
pub async fn list_grant_versions(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<GrantId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<GrantVersionView>>> {
    let wanted = (page_cursor(query.cursor.as_deref())?, query.limit()?);
    let page = service::list_versions(&app, actor.org_id(), id, wanted).await?;
    Ok(Json(page.map(GrantVersionView::from)))
}

/// Which major to accept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcceptVersionIn, example = json!({"major": 2}))]
pub struct AcceptVersionIn {
    /// The major of `GET /grants/{id}/versions`; those before it are accepted with it.
    #[schema(minimum = 1, example = 2)]
    pub major: i32,
}

/// Accepts a major of the data before its notice is over. There is no way back; the old major stays downloadable.
#[utoipa::path(post, path = "/grants/{grant_id}/accept-version", tag = "trade", security(("bearer" = [])),
    request_body = AcceptVersionIn, params(("grant_id" = GrantId, Path, description = "The grant")),
    responses((status = 200, description = "The grant", body = GrantView),
        (status = 409, description = "It is over, or covers no later revisions")))]
pub async fn accept_grant_version(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<GrantId>,
    Json(input): Json<AcceptVersionIn>,
) -> Result<Json<GrantView>> {
    view(&app, service::accept_version(&app, actor, id, input.major).await?).await
}

/// Why a grant is revoked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RevokeGrantIn, example = json!({"reason": "The data was passed on, which clause 3 does not allow."}))]
pub struct RevokeGrantIn {
    /// What the holder reads, and the audit log keeps.
    #[serde(default)]
    #[schema(required = true, min_length = 1, max_length = 400)]
    pub reason: String,
}

/// Revokes a grant that your organisation has given, at once. The holder is told the reason and may ask for its money.
///
/// A licence that says it can't be revoked is kept. A grant of a running subscription ends with that instead.
#[utoipa::path(post, path = "/grants/{grant_id}/revoke", tag = "trade", security(("bearer" = [])),
    request_body = RevokeGrantIn, params(("grant_id" = GrantId, Path, description = "The grant")),
    responses((status = 200, description = "The revoked grant", body = GrantView),
        (status = 409, description = "It is over, its licence is irrevocable, or a subscription is charged for it")))]
pub async fn revoke_grant(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<GrantId>,
    Json(input): Json<RevokeGrantIn>,
) -> Result<Json<GrantView>> {
    let mut check = Check::new();
    check.text(&input.reason, limits::END_REASON_CHARS_MAX, "/reason");
    check.done()?;
    view(&app, service::revoke(&app, actor, id, input.reason).await?).await
}
