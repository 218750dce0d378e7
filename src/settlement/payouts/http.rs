//! Payouts over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{OrderId, OrgId, PayoutId, PayoutRunId},
    payout,
    states::{PayoutRecipient, PayoutState},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{RunInput, Skipped, service, store};
use crate::{
    auth::actor::{Acting, Actor, CanFinance, Operating},
    base::{Currency, page::Page},
    error::{Error, Result},
    http::{
        Id, IdempotencyHeader, Json, PageQuery, Query,
        extract::{page_cursor, page_limit},
    },
    settlement::currency,
    state::AppState,
};

/// The operations of payouts.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(run_payouts))
        .routes(utoipa_axum::routes!(list_payouts))
        .routes(utoipa_axum::routes!(get_payout))
        .routes(utoipa_axum::routes!(retry_payout))
}

/// Money on its way out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "pyt_019352f0a1b27c3d8e4f5061728394a5", "run_id": "run_019352f0a1b27c3d8e4f5061728394a5",
    "recipient": "provider", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 8001,
    "currency": "EUR", "state": "submitted", "attempt": 1, "processor_ref": "tr_5d41402abc4b2a76b9719d91",
    "created_at": "2026-11-30T10:00:00Z"
}))]
pub struct PayoutView {
    /// The payout.
    pub id: PayoutId,
    /// The run that decided it.
    pub run_id: PayoutRunId,
    /// Whether a provider or the operator gets it.
    pub recipient: PayoutRecipient,
    /// Who gets it.
    pub organization_id: OrgId,
    /// What they get, in minor units.
    pub amount_minor: i64,
    /// The currency.
    pub currency: Currency,
    /// `created`: decided and booked. `submitted`: the processor took it. `paid`: its line says so.
    /// `failed`: refused; it is tried again.
    pub state: PayoutState,
    /// Number of the present attempt, from 1.
    pub attempt: i32,
    /// The processor's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_ref: Option<String>,
    /// Why the last attempt was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_text: Option<String>,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When the processor is asked next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<Timestamp>,
    /// When the money left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// Of a payout that the processor made by itself: whether it can tell every line of it yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_itemised: Option<bool>,
    /// When the bank should have it, as far as the processor says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival_at: Option<Timestamp>,
    /// The bank's reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_ref: Option<String>,
}

impl TryFrom<payout::Model> for PayoutView {
    type Error = Error;

    fn try_from(row: payout::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            run_id: row.run_id,
            recipient: row.recipient,
            organization_id: row.organization_id,
            amount_minor: row.amount_minor,
            currency: currency(&row.currency)?,
            state: row.state,
            attempt: row.attempt,
            processor_ref: row.processor_ref,
            failure_text: row.failure_text,
            created_at: row.created_at,
            next_try_at: row.next_try_at,
            paid_at: row.paid_at,
            is_itemised: row.is_itemised,
            arrival_at: row.arrival_at,
            trace_ref: row.trace_ref,
        })
    }
}

/// A run with what it decided.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"run_id": "run_019352f0a1b27c3d8e4f5061728394a5", "payouts": []}))]
pub struct PayoutRunView {
    /// The run.
    pub run_id: PayoutRunId,
    /// Its payouts, as they stand now; empty when nobody was due the minimum.
    pub payouts: Vec<PayoutView>,
    /// Providers that are due something and that the processor would not pay now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
}

/// An order whose provider share a payout carries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 8001}))]
pub struct PayoutItemView {
    /// The order.
    pub order_id: OrderId,
    /// The provider's share of it, in minor units.
    pub amount_minor: i64,
}

/// A payout with the orders it carries.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PayoutDetailView {
    /// The payout.
    #[serde(flatten)]
    pub payout: PayoutView,
    /// One page of the orders it carries; they sum to its amount.
    pub orders: Page<PayoutItemView>,
}

/// Which payouts, and which page of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PayoutQuery {
    /// Only payouts in this state.
    pub state: Option<PayoutState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// The organisation whose payouts an actor sees; the operator sees all.
fn seen_by(actor: &Actor) -> Option<OrgId> {
    (!actor.organization.may_operate).then(|| actor.org_id())
}

/// Pays what is due in one currency: each provider whose payable share reaches the minimum gets one payout.
///
/// The operator's own payout is what is available at the processor and owed to nobody. Where the processor sends it
/// to the bank by itself, only providers are paid here.
#[utoipa::path(
    post, path = "/payout-runs", tag = "settlement", security(("bearer" = [])), request_body = RunInput,
    params(("Idempotency-Key" = String, Header, description = "Fresh for each new run", example = "run-2026-11-30-eur")),
    responses((status = 201, description = "Decided and booked", body = PayoutRunView, example = json!({
        "run_id": "run_019352f0a1b27c3d8e4f5061728394a5", "payouts": [{
            "id": "pyt_019352f0a1b27c3d8e4f5061728394a5", "run_id": "run_019352f0a1b27c3d8e4f5061728394a5",
            "recipient": "provider", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 8001,
            "currency": "EUR", "state": "submitted", "attempt": 1, "processor_ref": "tr_5d41402abc4b2a76b9719d91",
            "created_at": "2026-11-30T10:00:00Z"
        }]
    })), (status = 409, description = "The key was used for another run"))
)]
pub async fn run_payouts(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    key: IdempotencyHeader,
    Json(input): Json<RunInput>,
) -> Result<(StatusCode, Json<PayoutRunView>)> {
    let key = key.for_request(&format!("run_payouts:{}", actor.org_id()), &input)?;
    let run = service::run_payouts(&app, &actor, key, input).await?;
    let payouts = run.payouts.into_iter().map(PayoutView::try_from).collect::<Result<_>>()?;
    let (run_id, skipped) = (run.id, run.skipped);
    Ok((StatusCode::CREATED, Json(PayoutRunView { run_id, payouts, skipped })))
}

/// Lists payouts, the newest first: a provider sees its own, the operator all.
#[utoipa::path(
    get, path = "/payouts", tag = "settlement", params(PayoutQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of payouts", body = Page<PayoutView>, example = json!({"items": [{
        "id": "pyt_019352f0a1b27c3d8e4f5061728394a5", "run_id": "run_019352f0a1b27c3d8e4f5061728394a5",
        "recipient": "provider", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 8001,
        "currency": "EUR", "state": "paid", "attempt": 1, "processor_ref": "tr_5d41402abc4b2a76b9719d91",
        "created_at": "2026-11-30T10:00:00Z", "paid_at": "2026-11-30T10:00:02Z"
    }]})))
)]
pub async fn list_payouts(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Query(query): Query<PayoutQuery>,
) -> Result<Json<Page<PayoutView>>> {
    let limit = page_limit(query.limit)?;
    let before = page_cursor(query.cursor.as_deref())?;
    let rows = store::list(app.db.read(), seen_by(&actor), query.state, before, limit as u64 + 1).await?;
    let views = rows.into_iter().map(PayoutView::try_from).collect::<Result<_>>()?;
    Ok(Json(Page::from_rows(views, limit, |view: &PayoutView| view.id)))
}

/// Shows a payout with the orders it carries.
#[utoipa::path(
    get, path = "/payouts/{id}", tag = "settlement", security(("bearer" = [])),
    params(("id" = PayoutId, Path, description = "The payout"), PageQuery),
    responses((status = 200, description = "The payout", body = PayoutDetailView, example = json!({
        "id": "pyt_019352f0a1b27c3d8e4f5061728394a5", "run_id": "run_019352f0a1b27c3d8e4f5061728394a5",
        "recipient": "provider", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 8001,
        "currency": "EUR", "state": "paid", "attempt": 1, "processor_ref": "tr_5d41402abc4b2a76b9719d91",
        "created_at": "2026-11-30T10:00:00Z", "paid_at": "2026-11-30T10:00:02Z",
        "orders": {"items": [{"order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 8001}]}
    })))
)]
pub async fn get_payout(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Id(id): Id<PayoutId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PayoutDetailView>> {
    let limit = query.limit()?;
    let row = store::find(app.db.read(), id, seen_by(&actor)).await?.ok_or_else(|| Error::not_found("payout"))?;
    let after = page_cursor(query.cursor.as_deref())?;
    let items = store::items(app.db.read(), id, after, limit as u64 + 1).await?;
    let orders = Page::from_rows(items, limit, |item| item.order_id)
        .map(|item| PayoutItemView { order_id: item.order_id, amount_minor: item.amount_minor });
    Ok(Json(PayoutDetailView { payout: row.try_into()?, orders }))
}

/// Hands a failed payout to the processor again, at once, as a new attempt.
#[utoipa::path(
    post, path = "/payouts/{id}/retry", tag = "settlement", security(("bearer" = [])),
    params(("id" = PayoutId, Path, description = "The payout")),
    responses(
        (status = 200, description = "Tried again", body = PayoutView, example = json!({
            "id": "pyt_019352f0a1b27c3d8e4f5061728394a5", "run_id": "run_019352f0a1b27c3d8e4f5061728394a5",
            "recipient": "provider", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "amount_minor": 8001,
            "currency": "EUR", "state": "submitted", "attempt": 2, "processor_ref": "tr_5d41402abc4b2a76b9719d91",
            "created_at": "2026-11-30T10:00:00Z"
        })),
        (status = 409, description = "It has not failed")
    )
)]
pub async fn retry_payout(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<PayoutId>,
) -> Result<Json<PayoutView>> {
    Ok(Json(service::retry(&app, &actor, id).await?.try_into()?))
}
