//! Quotes and orders over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::{extract::State, http::StatusCode};
use entity::{
    ids::{ListingId, OfferId, OrderId, OrgId},
    states::{Coverage, OfferKind, OrderState},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    service::{self, PlaceOrder},
    store,
    views::{OrderView, view, views},
};
use crate::{
    auth::actor::{Acting, CanBuy, CanEdit, CanRead, Visitor},
    base::{LangText, Money, page::Page},
    error::{Check, Error, Result},
    http::{
        Id, IdempotencyHeader, Json, Query,
        extract::{page_cursor, page_limit},
    },
    limits,
    state::AppState,
    terms::licences,
};

/// The routes of quotes and orders.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create_quote))
        .routes(routes!(place_order, list_orders))
        .routes(routes!(get_order))
        .routes(routes!(approve_order))
        .routes(routes!(decline_order))
        .routes(routes!(cancel_order))
        .routes(routes!(get_receipt))
}

/// Which side of a trade you look from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// What your organisation bought.
    Buyer,
    /// What your organisation sold.
    Provider,
}

impl Side {
    /// Your organisation as buyer, or as provider.
    pub fn parties(self, org: OrgId) -> (Option<OrgId>, Option<OrgId>) {
        match self {
            Self::Buyer => (Some(org), None),
            Self::Provider => (None, Some(org)),
        }
    }
}

/// What to quote.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"offer_id": "off_019352f0a1b27c3d8e4f5061728394a5"}))]
pub struct QuoteIn {
    /// The offer.
    pub offer_id: OfferId,
}

/// Exactly what an order would cost and give.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "offer_id": "off_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "title": {"en": "River levels"}, "kind": "one_off", "total": {"minor": 10001, "currency": "EUR"},
    "provider_share": {"minor": 8001, "currency": "EUR"}, "operator_share": {"minor": 2000, "currency": "EUR"},
    "fee_bps": 2000, "licence_hash": "5f6a…", "approval_required": false, "coverage": "snapshot", "through_revision": 3
}))]
pub struct QuoteView {
    /// The offer.
    pub offer_id: OfferId,
    /// What is offered.
    pub listing_id: ListingId,
    /// Its title.
    pub title: LangText,
    /// How it is priced.
    pub kind: OfferKind,
    /// What you pay, in all.
    pub total: Money,
    /// What of it the provider receives.
    pub provider_share: Money,
    /// What of it the operator keeps.
    pub operator_share: Money,
    /// The operator's part in basis points.
    pub fee_bps: u32,
    /// Months the grant lasts; absent without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub term_months: Option<i32>,
    /// The terms: read `GET /api/v1/licence-documents/{hash}`, and send the hash with the order.
    pub licence_hash: String,
    /// The provider looks at each order first.
    pub approval_required: bool,
    /// Which revisions the grant will cover.
    pub coverage: Coverage,
    /// The newest revision.
    pub through_revision: i32,
}

/// Computes exactly what an order would cost; nothing is written.
#[utoipa::path(post, path = "/quotes", tag = "trade", security((), ("bearer" = [])), request_body = QuoteIn,
    responses((status = 200, description = "The quote", body = QuoteView), (status = 404, description = "No such offer is open to you")))]
pub async fn create_quote(
    State(app): State<AppState>,
    visitor: Visitor,
    Json(input): Json<QuoteIn>,
) -> Result<Json<QuoteView>> {
    let quote = service::quote(&app, input.offer_id, visitor.org_id()).await?;
    let offer = quote.offer;
    Ok(Json(QuoteView {
        offer_id: offer.id,
        listing_id: offer.listing_id,
        title: quote.title,
        kind: offer.kind,
        total: offer.price,
        provider_share: quote.split.provider,
        operator_share: quote.split.operator,
        fee_bps: quote.fee.bps,
        term_months: offer.term_months,
        licence_hash: offer.licence_hash,
        approval_required: offer.approval_required,
        coverage: offer.coverage,
        through_revision: quote.revision_number,
    }))
}

/// An order to be placed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "offer_id": "off_019352f0a1b27c3d8e4f5061728394a5",
    "licence_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "use_case": "Warn drivers of flooded underpasses in our navigation app.", "payment_method": "pm_card_visa"
}))]
pub struct OrderIn {
    /// The offer.
    pub offer_id: OfferId,
    /// The hash of the licence document you read and accept.
    #[schema(min_length = 64, max_length = 64)]
    pub licence_hash: String,
    /// What the data will be used for.
    #[schema(min_length = 1, max_length = 2000)]
    pub use_case: String,
    /// The processor's token for how to pay. Without it the order waits to be paid. In the sandbox: `pm_card_visa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub payment_method: Option<String>,
}

/// Places an order; with a means of payment it is paid and granted in the same call.
#[utoipa::path(post, path = "/orders", tag = "trade", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "Fresh for each new order, the same to repeat one")),
    request_body = OrderIn,
    responses(
        (status = 201, description = "Placed; look at `state`", body = OrderView),
        (status = 200, description = "This key placed it before; here is where it stands", body = OrderView),
        (status = 402, description = "Placed, but the processor declined; pay it with another means"),
        (status = 409, description = "The licence is another now, the listing is your own, or the key was used for something else")))]
pub async fn place_order(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    key: IdempotencyHeader,
    Json(input): Json<OrderIn>,
) -> Result<(StatusCode, Json<OrderView>)> {
    let key = key.for_request(&format!("orders:{}", actor.org_id()), &input)?;
    let OrderIn { offer_id, licence_hash, use_case, payment_method } = input;
    let placed =
        service::place(&app, &actor, PlaceOrder { offer_id, licence_hash, use_case, payment_method }, key).await?;
    let status = if placed.fresh { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(view(&app, placed.order_id, actor.org_id()).await?)))
}

/// Which orders to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OrderQuery {
    /// Orders your organisation placed (`buyer`, the default) or received (`provider`).
    pub side: Option<Side>,
    /// Only in this state.
    pub state: Option<OrderState>,
    /// Only for this listing.
    pub listing_id: Option<ListingId>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists orders, newest first.
#[utoipa::path(get, path = "/orders", tag = "trade", security(("bearer" = [])), params(OrderQuery),
    responses((status = 200, description = "Orders", body = Page<OrderView>)))]
pub async fn list_orders(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<OrderQuery>,
) -> Result<Json<Page<OrderView>>> {
    let limit = page_limit(query.limit)?;
    let (buyer, provider) = query.side.unwrap_or(Side::Buyer).parties(actor.org_id());
    let before = page_cursor(query.cursor.as_deref())?;
    let wanted = store::Wanted { buyer, provider, state: query.state, listing: query.listing_id, before };
    let rows = store::list(app.db.read(), wanted, limit + 1).await?;
    let page = Page::from_rows(rows, limit, |facts| facts.order.id);
    Ok(Json(Page { items: views(&app.db, page.items).await?, next_cursor: page.next_cursor }))
}

/// Shows an order to its buyer and its provider.
#[utoipa::path(get, path = "/orders/{order_id}", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order")),
    responses((status = 200, description = "The order", body = OrderView)))]
pub async fn get_order(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<OrderId>,
) -> Result<Json<OrderView>> {
    Ok(Json(view(&app, id, actor.org_id()).await?))
}

/// A provider's decision.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "Welcome. Mind the attribution."}))]
pub struct DecisionIn {
    /// A word to the buyer; a decline needs one.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
}

/// Approves an order that waits for it. A free one is granted at once, a held payment is taken.
#[utoipa::path(post, path = "/orders/{order_id}/approve", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order")), request_body = DecisionIn,
    responses((status = 200, description = "Where it stands now", body = OrderView), (status = 409, description = "It does not wait for approval")))]
pub async fn approve_order(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<OrderId>,
    Json(input): Json<DecisionIn>,
) -> Result<Json<OrderView>> {
    let mut check = Check::new();
    check.at_most(input.note.as_deref().unwrap_or_default(), limits::NOTE_CHARS_MAX, "/note");
    check.done()?;
    service::approve(&app, &actor, id, input.note).await?;
    Ok(Json(view(&app, id, actor.org_id()).await?))
}

/// Declines an order that waits for approval, with a reason. A held payment is given back.
#[utoipa::path(post, path = "/orders/{order_id}/decline", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order")), request_body = DecisionIn,
    responses((status = 200, description = "Where it stands now", body = OrderView), (status = 409, description = "It does not wait for approval")))]
pub async fn decline_order(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<OrderId>,
    Json(input): Json<DecisionIn>,
) -> Result<Json<OrderView>> {
    let note = input.note.unwrap_or_default();
    let mut check = Check::new();
    check.text(&note, limits::NOTE_CHARS_MAX, "/note");
    check.done()?;
    service::decline(&app, &actor, id, note).await?;
    Ok(Json(view(&app, id, actor.org_id()).await?))
}

/// Cancels an order that is neither paid nor being paid.
#[utoipa::path(post, path = "/orders/{order_id}/cancel", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order")),
    responses((status = 200, description = "Where it stands now", body = OrderView), (status = 409, description = "It is closed, or a payment is under way")))]
pub async fn cancel_order(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<OrderId>,
) -> Result<Json<OrderView>> {
    service::cancel(&app, &actor, id).await?;
    Ok(Json(view(&app, id, actor.org_id()).await?))
}

/// What was bought and agreed, for the files of both parties.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"order": {"id": "ord_019352f0a1b27c3d8e4f5061728394a5"}, "licence_document": {"renderer_version": 1},
    "agreement": {"@type": "Agreement"}, "licence_text_url": "/api/v1/licence-documents/5f6a…/text?lang=en"}))]
pub struct ReceiptView {
    /// The order, with the split.
    pub order: OrderView,
    /// The document that was accepted; its canonical JSON has the hash on the order.
    #[schema(value_type = Object)]
    pub licence_document: serde_json::Value,
    /// The agreement as ODRL 2.2 JSON-LD.
    #[schema(value_type = Object)]
    pub agreement: serde_json::Value,
    /// The same terms as text; `lang` is en, zh-Hant, ja or da.
    pub licence_text_url: String,
}

/// The receipt of a completed order: the split, the accepted document, and the agreement.
#[utoipa::path(get, path = "/orders/{order_id}/receipt", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order")),
    responses((status = 200, description = "The receipt", body = ReceiptView), (status = 409, description = "It is not completed")))]
pub async fn get_receipt(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<OrderId>,
) -> Result<Json<ReceiptView>> {
    let order = view(&app, id, actor.org_id()).await?;
    let agreed_at = order.closed_at.filter(|_| order.state == OrderState::Completed);
    let agreed_at = agreed_at.ok_or_else(|| Error::conflict("There is a receipt once the order is completed."))?;
    let parties = licences::Parties {
        agreement: order.id.to_string(),
        target: order.listing_id.to_string(),
        assigner: order.provider_id.to_string(),
        assignee: order.buyer_id.to_string(),
        agreed_at: agreed_at.0,
    };
    let agreed = licences::licence_agreement(app.db.read(), &order.licence_hash, &parties).await?;
    let licence_text_url = format!("/api/v1/licence-documents/{}/text?lang=en", order.licence_hash);
    let licence_document = serde_json::to_value(agreed.document)?;
    Ok(Json(ReceiptView { order, licence_document, agreement: agreed.odrl, licence_text_url }))
}
