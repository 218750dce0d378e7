//! Offers through HTTP.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use entity::{
    Timestamp, bundle_part,
    ids::{LicenceId, ListingId, OfferId, OrgId},
    licence, offer,
    states::{Coverage, LicenceKind, OfferKind},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    bundles::{self, http::PartView},
    model::{Draft, OfferStatus},
    plan::Plan,
    service::{self, LicenceChoice},
    store,
};
use crate::{
    auth::actor::{Acting, CanEdit, Visitor},
    base::{LangText, Money, page::Page},
    catalog::listings,
    error::{Error, Problem, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    state::AppState,
    terms::licences,
};

/// The operations of this feature.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_offers, create_offer))
        .routes(routes!(get_offer))
        .routes(routes!(withdraw_offer))
        .merge(bundles::http::routes())
}

/// An offer to be published.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "kind": "subscription",
    "price": {"minor": 49_900, "currency": "EUR"},
    "term_months": 12,
    "licence_id": "lic_019352f0a1b27c3d8e4f5061728394a5",
    "approval_required": false
}))]
pub struct OfferIn {
    /// How it is priced.
    pub kind: OfferKind,
    /// The whole price, for a subscription that of the whole term, for a quota pack that of one; none for a free offer,
    /// 0 in its currency for a metered one.
    pub price: Option<Money>,
    /// Months a grant lasts; given for a subscription, which is paid in advance, else that of the licence.
    #[schema(minimum = 1, maximum = 36)]
    pub term_months: Option<i32>,
    /// A licence of yours, or an open one.
    pub licence_id: Option<LicenceId>,
    /// An open licence by its code or usual name (`CC-BY-4.0`), instead of `licence_id`.
    pub licence: Option<String>,
    /// True when you decide on each buyer.
    #[serde(default)]
    pub approval_required: bool,
    /// Which revisions a buyer gets: for a one-off price those there are, else also those to come.
    pub coverage: Option<Coverage>,
    /// From when it can be ordered; now without it.
    pub valid_from: Option<Timestamp>,
    /// From when it can't be ordered any more; a private offer needs it.
    pub valid_until: Option<Timestamp>,
    /// What a single price does not say: trial and renewal of a subscription, the meter of a metered offer, the units of
    /// a quota pack, the listings of a bundle, volume steps, instalments, and whom it is private to.
    pub plan: Option<Plan>,
}

impl OfferIn {
    fn parts(self) -> Result<(Draft, LicenceChoice)> {
        let choice = LicenceChoice::new(self.licence_id, self.licence.as_deref())?;
        let draft = Draft {
            kind: self.kind,
            price: self.price,
            term_months: self.term_months,
            approval_required: self.approval_required,
            coverage: self.coverage,
            valid_from: self.valid_from.map(|from| from.0),
            valid_until: self.valid_until.map(|until| until.0),
            plan: self.plan,
        };
        Ok((draft, choice))
    }
}

/// The licence of an offer.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct OfferLicence {
    /// Its id.
    pub id: LicenceId,
    /// Open, or written by the provider.
    pub kind: LicenceKind,
    /// SPDX identifier of an open licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its name by language.
    pub title: LangText,
    /// SHA-256 of the document: send it with an order to accept the licence.
    pub hash: String,
    /// Where the document is.
    pub document_url: String,
}

/// An offer.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = Offer, example = json!({
    "id": "off_019352f0a1b27c3d8e4f5061728394a5",
    "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "kind": "subscription",
    "status": "active",
    "price": {"minor": 49_900, "currency": "EUR"},
    "term_months": 12,
    "licence": {
        "id": "lic_019352f0a1b27c3d8e4f5061728394a5",
        "kind": "commercial",
        "title": {"en": "Data licence for internal use"},
        "hash": "6f5394699ab1209eb9b4cfddff0ff9f50aaf7e779fdb6607eb1004967400617c",
        "document_url": "/api/v1/licence-documents/6f5394699ab1209eb9b4cfddff0ff9f50aaf7e779fdb6607eb1004967400617c"
    },
    "approval_required": false,
    "coverage": "while_active",
    "valid_from": "2026-11-21T10:00:00Z",
    "created_at": "2026-11-21T10:00:00Z"
}))]
pub struct OfferView {
    /// Its id.
    pub id: OfferId,
    /// What it is for.
    pub listing_id: ListingId,
    /// The provider.
    pub organization_id: OrgId,
    /// How it is priced.
    pub kind: OfferKind,
    /// Where it stands now.
    pub status: OfferStatus,
    /// The whole price; absent for a free offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    /// Months a grant lasts; given for a subscription, which is paid in advance, else that of the licence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term_months: Option<i32>,
    /// What the buyer may do.
    pub licence: OfferLicence,
    /// True when the provider decides on each buyer.
    pub approval_required: bool,
    /// Which revisions a buyer gets.
    pub coverage: Coverage,
    /// From when it can be ordered.
    pub valid_from: Timestamp,
    /// From when it can't be ordered any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// What a single price does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// The listings of a bundle, and what their providers say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartView>,
    /// When it was published.
    pub created_at: Timestamp,
    /// When the provider took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
}

impl OfferView {
    fn of(
        row: &offer::Model,
        named: &[licence::Model],
        parts: &[bundle_part::Model],
        now: OffsetDateTime,
    ) -> Result<Self> {
        let licence = named.iter().find(|licence| licence.id == row.licence_id);
        let licence = licence.ok_or_else(|| Error::internal("an offer without its licence"))?;
        Ok(Self {
            id: row.id,
            listing_id: row.listing_id,
            organization_id: row.organization_id,
            kind: row.kind,
            status: service::status(row, now).with_parts(parts),
            price: Some(store::price(row)?).filter(|_| row.kind != OfferKind::Free),
            term_months: row.term_months,
            licence: OfferLicence {
                id: licence.id,
                kind: licence.kind,
                code: licence.code.clone(),
                title: serde_json::from_value(licence.title.clone())?,
                document_url: licences::document_url(&row.licence_hash),
                hash: row.licence_hash.clone(),
            },
            approval_required: row.approval_required,
            coverage: row.coverage,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            plan: store::plan(row)?,
            parts: parts.iter().map(PartView::from).collect(),
            created_at: row.created_at,
            withdrawn_at: row.withdrawn_at,
        })
    }
}

pub(super) async fn views(app: &AppState, rows: Vec<offer::Model>) -> Result<Vec<OfferView>> {
    let named = licences::find_named(app.db.read(), rows.iter().map(|row| row.licence_id).collect()).await?;
    let bundles: Vec<OfferId> = rows.iter().filter(|row| row.kind == OfferKind::Bundle).map(|row| row.id).collect();
    let parts = bundles::parts_of(app.db.read(), &bundles).await?;
    let (now, none) = (app.clock.now(), Vec::new());
    let view = |row: &offer::Model| OfferView::of(row, &named, parts.get(&row.id).unwrap_or(&none), now);
    rows.iter().map(view).collect()
}

pub(super) async fn view(app: &AppState, row: offer::Model) -> Result<OfferView> {
    views(app, vec![row]).await?.pop().ok_or_else(|| Error::not_found("offer"))
}

/// Which offers of a listing.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfferQuery {
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Also those that ended or were withdrawn; for the provider alone.
    #[serde(default)]
    pub all: bool,
}

/// Lists the offers of a listing that hold or will, newest first.
#[utoipa::path(get, path = "/listings/{id}/offers", tag = "terms", security((), ("bearer" = [])),
    params(("id" = ListingId, Path), OfferQuery),
    responses((status = 200, description = "A page of offers", body = Page<OfferView>)))]
pub async fn list_offers(
    State(app): State<AppState>,
    visitor: Visitor,
    Id(id): Id<ListingId>,
    Query(query): Query<OfferQuery>,
) -> Result<Json<Page<OfferView>>> {
    let (limit, before) = (page_limit(query.limit)?, page_cursor(query.cursor.as_deref())?);
    let listing = listings::find_visible(app.db.read(), id, visitor.org_id()).await?;
    if query.all && visitor.org_id() != Some(listing.organization_id) {
        return Err(Error::forbidden("Only the provider sees the offers that are over."));
    }
    let viewer = visitor.org_id();
    let rows = store::page(app.db.read(), id, viewer, query.all, before, limit, app.clock.now()).await?;
    let Page { items, next_cursor } = Page::from_rows(rows, limit, |row| row.id);
    Ok(Json(Page { items: views(&app, items).await?, next_cursor }))
}

/// Publishes an offer for a listing of your own. It never changes: withdraw it and publish another.
#[utoipa::path(post, path = "/listings/{id}/offers", tag = "terms", request_body = OfferIn, security(("bearer" = [])),
    params(("id" = ListingId, Path)),
    responses(
        (status = 201, description = "The offer was published", body = OfferView),
        (status = 403, description = "Your role does not allow this, or the law keeps this data free"),
        (status = 409, description = "The listing is retired or has too many offers")
    ))]
pub async fn create_offer(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<ListingId>,
    Json(input): Json<OfferIn>,
) -> Result<Response> {
    let (draft, licence) = input.parts()?;
    let row = service::publish(&app, actor, id, draft, licence).await?;
    let location = [(header::LOCATION, format!("/api/v1/offers/{}", row.id))];
    Ok((StatusCode::CREATED, location, Json(view(&app, row).await?)).into_response())
}

/// Shows an offer, also one that is over.
#[utoipa::path(get, path = "/offers/{id}", tag = "terms", params(("id" = OfferId, Path)), security((), ("bearer" = [])),
    responses((status = 200, description = "The offer", body = OfferView)))]
pub async fn get_offer(State(app): State<AppState>, visitor: Visitor, Id(id): Id<OfferId>) -> Result<Json<OfferView>> {
    let missing = || Error::not_found("offer");
    let shown = store::find_shown_of_listing_to_check(app.db.read(), id, visitor.org_id()).await?;
    let row = shown.ok_or_else(missing)?;
    // An offer of a hidden listing must look exactly like one that does not exist.
    let hidden = |error: Error| if error.problem == Problem::NotFound { missing() } else { error };
    listings::find_visible(app.db.read(), row.listing_id, visitor.org_id()).await.map_err(hidden)?;
    Ok(Json(view(&app, row).await?))
}

/// Withdraws an offer of your own. Orders and grants made from it stay.
#[utoipa::path(post, path = "/offers/{id}/withdraw", tag = "terms", params(("id" = OfferId, Path)), security(("bearer" = [])),
    responses(
        (status = 200, description = "The offer is withdrawn", body = OfferView),
        (status = 409, description = "It was withdrawn before, or is the last one of a published listing")
    ))]
pub async fn withdraw_offer(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<OfferId>,
) -> Result<Json<OfferView>> {
    let row = service::withdraw(&app, actor, id).await?;
    Ok(Json(view(&app, row).await?))
}
