//! Bundles through HTTP: what the providers of their parts see and say.

use axum::extract::State;
use entity::{
    bundle_part,
    ids::{ListingId, OfferId, OrgId},
    offer,
    states::PartState,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{service, store};
use crate::{
    auth::actor::{Acting, CanEdit, CanRead},
    base::page::Page,
    error::Result,
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    state::AppState,
    terms::offers::http::{OfferView, view, views},
};

/// The operations of bundles.
pub(in crate::terms::offers) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_bundle_parts)).routes(routes!(accept_bundle)).routes(routes!(leave_bundle))
}

/// A listing of a bundle, and what its provider says.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "provider_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "weight": 3, "state": "accepted"
}))]
pub struct PartView {
    /// The listing.
    pub listing_id: ListingId,
    /// Whose it is.
    pub provider_id: OrgId,
    /// Its share of the price, against the other parts.
    pub weight: i32,
    /// What its provider says.
    pub state: PartState,
}

impl From<&bundle_part::Model> for PartView {
    fn from(row: &bundle_part::Model) -> Self {
        Self { listing_id: row.listing_id, provider_id: row.provider_id, weight: row.weight, state: row.state }
    }
}

/// A listing of yours in a bundle of somebody's.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "state": "invited",
    "offer": {"id": "off_019352f0a1b27c3d8e4f5061728394a5", "kind": "bundle", "status": "incomplete"}
}))]
pub struct BundlePartView {
    /// Your listing.
    pub listing_id: ListingId,
    /// What you say to it so far.
    pub state: PartState,
    /// The bundle, with its price, licence and all parts.
    pub offer: OfferView,
}

/// Which parts to list.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PartQuery {
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Only in this state: `invited` are those that wait for your word.
    pub state: Option<PartState>,
}

/// Lists your listings that are parts of bundles, newest bundle first.
#[utoipa::path(get, path = "/bundle-parts", tag = "terms", security(("bearer" = [])), params(PartQuery),
    responses((status = 200, description = "A page of parts", body = Page<BundlePartView>)))]
pub async fn list_bundle_parts(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<PartQuery>,
) -> Result<Json<Page<BundlePartView>>> {
    let (limit, before) = (page_limit(query.limit)?, page_cursor(query.cursor.as_deref())?);
    let rows = store::of_provider(app.db.read(), actor.org_id(), query.state, before, limit).await?;
    let Page { items, next_cursor } = Page::from_rows(rows, limit, |row| (row.offer_id, row.line_no));
    let ids: Vec<OfferId> = items.iter().map(|row| row.offer_id).collect();
    let offers = views(&app, crate::terms::offers::store::find_all(app.db.read(), &ids).await?).await?;
    let of = |id: OfferId| offers.iter().find(|offer| offer.id == id).cloned();
    let items = items.into_iter().filter_map(|row| {
        Some(BundlePartView { listing_id: row.listing_id, state: row.state, offer: of(row.offer_id)? })
    });
    Ok(Json(Page { items: items.collect(), next_cursor }))
}

/// Accepts your part of a bundle, at its price, weight and licence. It can be ordered once every part is accepted.
#[utoipa::path(post, path = "/offers/{id}/accept", tag = "terms", params(("id" = OfferId, Path)), security(("bearer" = [])),
    responses(
        (status = 200, description = "The bundle", body = OfferView),
        (status = 403, description = "Your role does not allow this, or the law keeps your data free"),
        (status = 409, description = "The bundle is over, or you left it")
    ))]
pub async fn accept_bundle(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<OfferId>,
) -> Result<Json<OfferView>> {
    let row: offer::Model = service::accept(&app, actor, id).await?;
    Ok(Json(view(&app, row).await?))
}

/// Leaves a bundle of somebody else's, which withdraws it. Orders and grants made from it stay.
#[utoipa::path(post, path = "/offers/{id}/leave", tag = "terms", params(("id" = OfferId, Path)), security(("bearer" = [])),
    responses(
        (status = 200, description = "The bundle, withdrawn", body = OfferView),
        (status = 409, description = "You left it before, or composed it yourself")
    ))]
pub async fn leave_bundle(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<OfferId>,
) -> Result<Json<OfferView>> {
    let row: offer::Model = service::leave(&app, actor, id).await?;
    Ok(Json(view(&app, row).await?))
}
