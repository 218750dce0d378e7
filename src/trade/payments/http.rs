//! Paying an order, and hearing from the processor.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::{
    body::Bytes,
    extract::{Request, State},
    http::StatusCode,
};
use entity::{ids::OrderId, inbox as inbox_row, states::InboxState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{messages, service};
use crate::{
    auth::actor::{Acting, CanBuy},
    base::digest,
    db::inbox::{self, Message},
    error::{Check, Error, Problem, Result},
    http::{Id, IdempotencyHeader, Json, extract::read_body},
    limits,
    ports::payments::PaymentsError,
    state::AppState,
    trade::orders::views::{OrderView, view},
};

/// The routes of payments.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(pay_order)).routes(routes!(open_checkout)).routes(routes!(receive_webhook))
}

/// How an order is paid.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"payment_method": "pm_card_visa"}))]
pub struct PaymentIn {
    /// The processor's token for the means of payment; never a card number.
    #[schema(max_length = 120)]
    pub payment_method: String,
}

/// Pays an order that waits for it, after a decline or later than it was placed.
#[utoipa::path(post, path = "/orders/{order_id}/payments", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order"),
           ("Idempotency-Key" = String, Header, description = "Fresh for each new attempt, the same to repeat one")),
    request_body = PaymentIn,
    responses(
        (status = 200, description = "Where the order stands now", body = OrderView),
        (status = 402, description = "The processor declined; try another means"),
        (status = 409, description = "Nothing to pay, or a payment is under way")))]
pub async fn pay_order(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(order): Id<OrderId>,
    key: IdempotencyHeader,
    Json(input): Json<PaymentIn>,
) -> Result<Json<OrderView>> {
    check_method(&input.payment_method)?;
    let key = key.for_request(&format!("payments:{}:{order}", actor.org_id()), &input)?;
    service::start_payment(&app, &actor, order, input.payment_method, key).await?;
    Ok(Json(view(&app, order, actor.org_id()).await?))
}

/// Where the processor sends the buyer back to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"success_url": "https://maps.example/thanks", "cancel_url": "https://maps.example/basket"}))]
pub struct CheckoutIn {
    /// After paying. The order is completed once the processor says so, not by coming back.
    #[schema(max_length = 2000)]
    pub success_url: String,
    /// Without paying.
    #[schema(max_length = 2000)]
    pub cancel_url: String,
}

/// Opens a page at the processor on which the order is paid: its address is `payments[0].action.url`.
///
/// The same key opens the same page. A page lasts 23 hours at most, and no longer than the order can be paid.
#[utoipa::path(post, path = "/orders/{order_id}/checkout", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order"),
           ("Idempotency-Key" = String, Header, description = "Fresh for each new page")),
    request_body = CheckoutIn,
    responses(
        (status = 200, description = "Where the order stands now", body = OrderView),
        (status = 409, description = "Nothing to pay, a payment is under way, or this processor has no such pages")))]
pub async fn open_checkout(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(order): Id<OrderId>,
    key: IdempotencyHeader,
    Json(input): Json<CheckoutIn>,
) -> Result<Json<OrderView>> {
    let mut check = Check::new();
    check.web_page(&input.success_url, "/success_url").web_page(&input.cancel_url, "/cancel_url");
    check.done()?;
    let key = key.for_request(&format!("checkout:{}:{order}", actor.org_id()), &input)?;
    let pages = service::Pages { success_url: input.success_url, cancel_url: input.cancel_url };
    service::start_checkout(&app, &actor, order, pages, key).await?;
    Ok(Json(view(&app, order, actor.org_id()).await?))
}

/// A token is short printable ASCII; without a letter it looks like a card number, which is never taken.
pub(in crate::trade) fn check_method(method: &str) -> Result<()> {
    let mut check = Check::new();
    let shape = (1..=120).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_graphic());
    let advice = "Send the processor's token for the means of payment (pm_…), never a card number.";
    check.require(shape && method.bytes().any(|b| b.is_ascii_alphabetic()), "/payment_method", advice);
    check.done()
}

/// Receives a processor's webhook.
///
/// The signature is verified over the raw body, the body is stored, and only then handled. An event
/// that comes again is answered the same way and changes nothing.
#[utoipa::path(post, path = "/webhooks/{processor}", tag = "operations",
    params(("processor" = String, Path, description = "Who sends it", example = "sandbox"),
           ("torv-sandbox-signature" = Option<String>, Header, description = "`t=UNIX,v1=HEX`: HMAC-SHA256 of `t.body`")),
    request_body(content = String, content_type = "application/json", example = json!({"id": "evt_1", "type": "charge.captured"})),
    responses((status = 204, description = "Stored"), (status = 401, description = "The signature does not hold")))]
pub async fn receive_webhook(State(app): State<AppState>, request: Request) -> Result<StatusCode> {
    let signature = signature(&app, &request)?;
    let body = read_body(request, &app, limits::WEBHOOK_BODY_BYTES_MAX).await?;
    let Some(row) = store_message(&app, &signature, &body).await? else { return Ok(StatusCode::NO_CONTENT) };
    // It is stored: if this fails, the sweep tries again, and the sender need not.
    if let Err(error) = messages::handle_message(&app, &row).await {
        tracing::warn!(event = row.event_id, "a webhook is handled later: {error}");
    }
    Ok(StatusCode::NO_CONTENT)
}

fn signature(app: &AppState, request: &Request) -> Result<String> {
    let named = request.uri().path().rsplit('/').next().unwrap_or_default();
    if named != app.payments.name() {
        return Err(Error::not_found("processor"));
    }
    let value = request.headers().get(app.payments.signature_header()).and_then(|value| value.to_str().ok());
    Ok(value.unwrap_or_default().to_owned())
}

/// Verifies and stores a message; nothing when it was stored before.
async fn store_message(app: &AppState, signature: &str, body: &Bytes) -> Result<Option<inbox_row::Model>> {
    let now = app.clock.now();
    let text = std::str::from_utf8(body).map_err(|_| Error::new(Problem::Malformed, "The body is not UTF-8."))?;
    let (event_id, kind) = match app.payments.read_webhook(signature, body, now) {
        Ok(event) => (event.id, event.kind),
        Err(PaymentsError::BadSignature) => {
            return Err(Error::unauthenticated("The signature does not hold for this body and time."));
        }
        // Signed but not understood: kept for a person to look at, never dropped.
        Err(_) => (format!("sha256:{}", digest::sha256_hex(body)), "unreadable".to_owned()),
    };
    let message = Message { source: app.payments.name().to_owned(), event_id, kind, body: text.to_owned() };
    let row = inbox_row::Model {
        source: message.source.clone(),
        event_id: message.event_id.clone(),
        kind: message.kind.clone(),
        body: message.body.clone(),
        state: InboxState::Received,
        attempts: 0,
        received_at: now.into(),
        processed_at: None,
        error: None,
    };
    let fresh = app
        .db
        .write("trade.store_webhook", move |tx| {
            let message = message.clone();
            async move { Ok((inbox::store(&tx, &message, now).await?, tx)) }
        })
        .await?;
    Ok(fresh.then_some(row))
}
