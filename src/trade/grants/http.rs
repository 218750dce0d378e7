//! Grants over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::extract::State;
use entity::{
    Timestamp, grant,
    ids::{GrantId, ListingId, OrderId, OrgId},
    states::{Coverage, GrantState},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::store;
use crate::{
    auth::actor::{Acting, CanRead},
    base::page::Page,
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    state::AppState,
    trade::orders::http::Side,
};

/// The routes of grants.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_grants)).routes(routes!(get_grant))
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
    /// Why it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
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
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(GrantView::from)))
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
    found.map(|row| Json(row.into())).ok_or_else(|| Error::not_found("grant"))
}
