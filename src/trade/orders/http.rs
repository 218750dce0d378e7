//! Quotes and orders over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::{extract::State, http::StatusCode};
use entity::{
    ids::{ListingId, OfferId, OrderId, OrgId, SavedMethodId},
    states::OrderState,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    quote_http::{self, one},
    service::{self, PlaceOrder},
    store,
    views::{LineView, OrderView, view, views},
};
use crate::{
    auth::actor::{Acting, CanBuy, CanEdit, CanRead},
    base::{Money, page::Page},
    error::{Check, Error, Result},
    http::{
        Id, IdempotencyHeader, Json, Query,
        extract::{page_cursor, page_limit},
    },
    limits,
    state::AppState,
    terms::licences,
    trade::slices::SliceIn,
};

/// The routes of quotes and orders.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(quote_http::routes())
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
    /// The processor's token for how to pay, or `bank_transfer`, which gives the order weeks to be paid. Without it the
    /// order waits to be paid. In the sandbox: `pm_card_visa`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 120)]
    pub payment_method: Option<String>,
    /// A means of payment you keep here; needed where later charges follow from the order (a renewing or metered
    /// offer, a price in parts). It also pays this order, unless `payment_method` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved_method_id: Option<SavedMethodId>,
    /// How many packs, or units of an offer with volume steps; 1 of any other.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schema(minimum = 1, maximum = 100_000, default = 1)]
    pub quantity: i32,
    /// The code of a coupon of the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 40)]
    pub coupon: Option<String>,
    /// Your own number for the order, which its invoices carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 70)]
    pub purchase_order: Option<String>,
    /// What you expect to pay with the order, as it was quoted; if it is another sum by now, nothing is ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_total: Option<Money>,
    /// The part of the rows and columns that you want, at an offer with `plan.slice`; the whole without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<SliceIn>,
}

/// Left out, it is 1: an idempotency key then stands for the same request either way.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_one(quantity: &i32) -> bool {
    *quantity == 1
}

/// Places an order; with a means of payment it is paid and granted in the same call.
#[utoipa::path(post, path = "/orders", tag = "trade", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "Fresh for each new order, the same to repeat one")),
    request_body = OrderIn,
    responses(
        (status = 201, description = "Placed; look at `state`", body = OrderView),
        (status = 200, description = "This key placed it before; here is where it stands", body = OrderView),
        (status = 402, description = "Placed, but the processor declined; pay it with another means"),
        (status = 409, description = "The licence or the price is another now, the coupon is used up, the listing is your own, or the key was used for something else")))]
pub async fn place_order(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    key: IdempotencyHeader,
    Json(input): Json<OrderIn>,
) -> Result<(StatusCode, Json<OrderView>)> {
    let key = key.for_request(&format!("orders:{}", actor.org_id()), &input)?;
    let wanted = PlaceOrder {
        offer_id: input.offer_id,
        licence_hash: input.licence_hash,
        use_case: input.use_case,
        payment_method: input.payment_method,
        saved_method_id: input.saved_method_id,
        quantity: input.quantity,
        coupon: input.coupon,
        purchase_order: input.purchase_order,
        expected_total: input.expected_total,
        slice: input.slice,
    };
    let placed = service::place(&app, &actor, wanted, key).await?;
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
    let items = views(&app.db, page.items).await?.into_iter().filter_map(|view| view.shown_to(actor.org_id()));
    Ok(Json(Page { items: items.collect(), next_cursor: page.next_cursor }))
}

/// Shows an order to its buyer and its providers; of a bundle each provider sees its own lines only.
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
    /// The agreement as ODRL 2.2 JSON-LD; of a bundle, that about the first listing (for a provider, the first of its own).
    #[schema(value_type = Object)]
    pub agreement: serde_json::Value,
    /// The agreements about the further listings of a bundle.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub more_agreements: Vec<serde_json::Value>,
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
    let mut agreements = Vec::new();
    let mut document = None;
    let own = |line: &&LineView| order.buyer_id == actor.org_id() || line.provider_id == actor.org_id();
    for line in order.lines.iter().filter(own) {
        let parties = licences::Parties {
            agreement: order.id.to_string(),
            target: line.listing_id.to_string(),
            assigner: line.provider_id.to_string(),
            assignee: order.buyer_id.to_string(),
            agreed_at: agreed_at.0,
        };
        let agreed = licences::licence_agreement(app.db.read(), &order.licence_hash, &parties).await?;
        agreements.push(agreed.odrl);
        document = Some(agreed.document);
    }
    let mut agreements = agreements.into_iter();
    let agreement = agreements.next().ok_or_else(|| Error::internal("an order without a line"))?;
    let licence_text_url = format!("/api/v1/licence-documents/{}/text?lang=en", order.licence_hash);
    let licence_document = serde_json::to_value(document)?;
    let more_agreements = agreements.collect();
    Ok(Json(ReceiptView { order, licence_document, agreement, more_agreements, licence_text_url }))
}
