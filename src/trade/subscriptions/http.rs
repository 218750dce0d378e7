//! Subscriptions over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::extract::State;
use entity::{
    ids::{OfferId, SavedMethodId, SubscriptionId},
    states::SubscriptionState,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    change,
    model::Wish,
    service::{self, Consent},
    store,
    views::{ChangeView, SubscriptionView, full_view, view},
};
use crate::{
    auth::{
        Actor,
        actor::{Acting, CanBuy, CanEdit, CanRead},
    },
    base::{Money, page::Page},
    error::{Check, Error, Result},
    http::{
        Id, IdempotencyHeader, Json, Query,
        extract::{page_cursor, page_limit},
    },
    limits,
    state::AppState,
    trade::orders::http::Side,
};

/// The routes of subscriptions.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_subscriptions))
        .routes(routes!(get_subscription))
        .routes(routes!(cancel_subscription))
        .routes(routes!(keep_subscription))
        .routes(routes!(pause_subscription))
        .routes(routes!(resume_subscription))
        .routes(routes!(end_subscription))
        .routes(routes!(consent_to_subscription))
        .routes(routes!(preview_subscription_change, drop_subscription_change))
        .routes(routes!(upgrade_subscription))
        .routes(routes!(set_subscription_payment_method))
}

/// Which subscriptions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SubscriptionQuery {
    /// What your organisation subscribes to (`buyer`, the default), or serves (`provider`).
    pub side: Option<Side>,
    /// Only in this state.
    pub state: Option<SubscriptionState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists subscriptions, newest first.
#[utoipa::path(get, path = "/subscriptions", tag = "trade", security(("bearer" = [])), params(SubscriptionQuery),
    responses((status = 200, description = "Subscriptions", body = Page<SubscriptionView>)))]
pub async fn list_subscriptions(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<SubscriptionQuery>,
) -> Result<Json<Page<SubscriptionView>>> {
    let (limit, before) = (page_limit(query.limit)?, page_cursor(query.cursor.as_deref())?);
    let (buyer, provider) = query.side.unwrap_or(Side::Buyer).parties(actor.org_id());
    let wanted = store::Wanted { buyer, provider, state: query.state, before };
    let rows = store::list(app.db.read(), wanted, limit + 1).await?;
    let page = Page::from_rows(rows, limit, |row| row.id);
    let items = page.items.into_iter().map(|row| view(row, actor.org_id())).collect::<Result<_>>()?;
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

async fn show(app: &AppState, actor: &Actor, id: SubscriptionId) -> Result<Json<SubscriptionView>> {
    let row = store::find_party(app.db.read(), id, actor.org_id()).await?;
    let row = row.ok_or_else(|| Error::not_found("subscription"))?;
    Ok(Json(full_view(app, row, actor.org_id()).await?))
}

/// Shows a subscription with its periods to its buyer and its provider.
#[utoipa::path(get, path = "/subscriptions/{subscription_id}", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")),
    responses((status = 200, description = "The subscription", body = SubscriptionView)))]
pub async fn get_subscription(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<SubscriptionId>,
) -> Result<Json<SubscriptionView>> {
    show(&app, &actor, id).await
}

async fn carry_out(app: &AppState, actor: &Actor, id: SubscriptionId, wish: Wish) -> Result<Json<SubscriptionView>> {
    service::wish(app, actor, id, wish, None).await?;
    show(app, actor, id).await
}

/// Lets a subscription end with the period that is paid. With a payment overdue, or paused, it ends at once.
#[utoipa::path(post, path = "/subscriptions/{subscription_id}/cancel", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")),
    responses((status = 200, description = "Where it stands now", body = SubscriptionView), (status = 409, description = "It is over, or a price in parts")))]
pub async fn cancel_subscription(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
) -> Result<Json<SubscriptionView>> {
    carry_out(&app, &actor, id, Wish::Cancel).await
}

/// Takes a cancellation back, as long as the period runs.
#[utoipa::path(post, path = "/subscriptions/{subscription_id}/keep", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")),
    responses((status = 200, description = "Where it stands now", body = SubscriptionView), (status = 409, description = "It is over, or the provider ended it")))]
pub async fn keep_subscription(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
) -> Result<Json<SubscriptionView>> {
    carry_out(&app, &actor, id, Wish::Keep).await
}

/// Pauses a subscription from the end of the period that is paid; access ends there.
#[utoipa::path(post, path = "/subscriptions/{subscription_id}/pause", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")),
    responses((status = 200, description = "Where it stands now", body = SubscriptionView), (status = 409, description = "It is over, or a payment is due")))]
pub async fn pause_subscription(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
) -> Result<Json<SubscriptionView>> {
    carry_out(&app, &actor, id, Wish::Pause).await
}

/// Resumes a subscription: a paused one begins its next period now, and is charged for it.
#[utoipa::path(post, path = "/subscriptions/{subscription_id}/resume", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")),
    responses((status = 200, description = "Where it stands now", body = SubscriptionView), (status = 409, description = "It is over, or what was agreed to is not offered any more")))]
pub async fn resume_subscription(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
) -> Result<Json<SubscriptionView>> {
    carry_out(&app, &actor, id, Wish::Resume).await
}

/// A provider's notice.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "The sensors are taken down in spring."}))]
pub struct EndIn {
    /// Why, for the subscriber.
    #[schema(min_length = 1, max_length = 400)]
    pub note: String,
}

/// Ends a subscription with the period that is paid, by its provider.
#[utoipa::path(post, path = "/subscriptions/{subscription_id}/end", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")), request_body = EndIn,
    responses((status = 200, description = "Where it stands now", body = SubscriptionView), (status = 409, description = "It is over, or a price in parts")))]
pub async fn end_subscription(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<SubscriptionId>,
    Json(input): Json<EndIn>,
) -> Result<Json<SubscriptionView>> {
    let mut check = Check::new();
    check.text(&input.note, limits::END_REASON_CHARS_MAX, "/note");
    check.done()?;
    service::wish(&app, &actor, id, Wish::EndByProvider, Some(input.note)).await?;
    show(&app, &actor, id).await
}

/// What you agree to from the next period on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "offer_id": "off_019352f0a1b27c3d8e4f5061728394a5", "expected_total": {"minor": 5900, "currency": "EUR"},
    "licence_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}))]
pub struct ConsentIn {
    /// A renewing offer of the same listing; the present one when absent.
    #[serde(default)]
    pub offer_id: Option<OfferId>,
    /// What a period of it costs you, before tax.
    pub expected_total: Money,
    /// The hash of its licence document, which you read and accept.
    #[schema(min_length = 64, max_length = 64)]
    pub licence_hash: String,
}

/// Agrees to another offer, price or licence from the next period on: a downgrade, or what replaced the old offer.
#[utoipa::path(post, path = "/subscriptions/{subscription_id}/consent", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")), request_body = ConsentIn,
    responses((status = 200, description = "Where it stands now", body = SubscriptionView), (status = 409, description = "Price, licence or offer are not those")))]
pub async fn consent_to_subscription(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
    Json(input): Json<ConsentIn>,
) -> Result<Json<SubscriptionView>> {
    let ConsentIn { offer_id, expected_total, licence_hash } = input;
    service::consent(&app, &actor, id, Consent { offer_id, expected_total, licence_hash }).await?;
    show(&app, &actor, id).await
}

/// Which offer to change to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ChangeQuery {
    /// A renewing offer of the same listing.
    pub offer_id: OfferId,
}

/// Computes what a change to another offer costs now; nothing is written.
#[utoipa::path(get, path = "/subscriptions/{subscription_id}/change", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription"), ChangeQuery),
    responses((status = 200, description = "The cost", body = ChangeView)))]
pub async fn preview_subscription_change(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
    Query(query): Query<ChangeQuery>,
) -> Result<Json<ChangeView>> {
    Ok(Json(ChangeView::new(change::preview(&app, actor.org_id(), id, query.offer_id).await?)))
}

/// Takes back what you agreed to for the next period.
#[utoipa::path(delete, path = "/subscriptions/{subscription_id}/change", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")),
    responses((status = 200, description = "Where it stands now", body = SubscriptionView)))]
pub async fn drop_subscription_change(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
) -> Result<Json<SubscriptionView>> {
    service::drop_change(&app, &actor, id).await?;
    show(&app, &actor, id).await
}

/// An upgrade within the period.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "offer_id": "off_019352f0a1b27c3d8e4f5061728394a5", "expected_total": {"minor": 9900, "currency": "EUR"},
    "expected_charge": {"minor": 2500, "currency": "EUR"},
    "licence_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
}))]
pub struct UpgradeIn {
    /// A renewing offer of the same listing and length.
    pub offer_id: OfferId,
    /// What a period of it costs you from the next one on, before tax.
    pub expected_total: Money,
    /// The most you pay now, before tax: `charge` of the preview.
    pub expected_charge: Money,
    /// The hash of its licence document, which you read and accept.
    #[schema(min_length = 64, max_length = 64)]
    pub licence_hash: String,
}

/// Goes over to a larger offer now: you pay for the rest of the period, less what is unused of what you paid.
#[utoipa::path(post, path = "/subscriptions/{subscription_id}/upgrade", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription"),
           ("Idempotency-Key" = String, Header, description = "Fresh for each upgrade, the same to repeat one")),
    request_body = UpgradeIn,
    responses((status = 200, description = "Where it stands now", body = SubscriptionView),
        (status = 402, description = "The processor declined; pay the order with another means"),
        (status = 409, description = "It costs more, the licence is another, or only the period's end is possible")))]
pub async fn upgrade_subscription(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
    key: IdempotencyHeader,
    Json(input): Json<UpgradeIn>,
) -> Result<Json<SubscriptionView>> {
    let key = key.for_request(&format!("upgrades:{}:{id}", actor.org_id()), &input)?;
    let UpgradeIn { offer_id, expected_total, expected_charge, licence_hash } = input;
    let agreed = Consent { offer_id: Some(offer_id), expected_total, licence_hash };
    change::upgrade(&app, &actor, id, (offer_id, agreed, expected_charge), key).await?;
    show(&app, &actor, id).await
}

/// Another means of payment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"saved_method_id": "pmt_019352f0a1b27c3d8e4f5061728394a5"}))]
pub struct SubscriptionMethodIn {
    /// One of `GET /payment-methods`.
    pub saved_method_id: SavedMethodId,
}

/// Charges a subscription on another means of payment from now on; what is due, at once.
#[utoipa::path(put, path = "/subscriptions/{subscription_id}/payment-method", tag = "trade", security(("bearer" = [])),
    params(("subscription_id" = SubscriptionId, Path, description = "The subscription")), request_body = SubscriptionMethodIn,
    responses((status = 200, description = "Where it stands now", body = SubscriptionView)))]
pub async fn set_subscription_payment_method(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<SubscriptionId>,
    Json(input): Json<SubscriptionMethodIn>,
) -> Result<Json<SubscriptionView>> {
    service::change_method(&app, &actor, id, input.saved_method_id).await?;
    show(&app, &actor, id).await
}
