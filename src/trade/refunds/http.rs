//! Refunds over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{OrderId, OrgId, RefundId},
    refund,
    states::{RefundOrigin, RefundState},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::Verdict,
    own_part,
    service::{self, Asked},
    store,
};
use crate::{
    auth::actor::{Acting, Actor, CanBuy, CanFinance, CanRead},
    base::{Money, page::Page},
    error::{Check, Error, Result},
    http::{
        Id, IdempotencyHeader, Json, Query,
        extract::{page_cursor, page_limit},
    },
    limits,
    state::AppState,
    trade::{
        disputes::http::{Seen, seen_by},
        orders::http::Side,
    },
};

/// The routes of refunds.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(request_refund))
        .routes(routes!(issue_refund))
        .routes(routes!(list_refunds))
        .routes(routes!(get_refund))
        .routes(routes!(approve_refund))
        .routes(routes!(decline_refund))
        .routes(routes!(appeal_refund))
        .routes(routes!(withdraw_refund))
}

/// A refund, as the parties of the order and the operator see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "rfd_019352f0a1b27c3d8e4f5061728394a5", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
    "buyer_id": "org_019352f0a1b27c3d8e4f5061728394a5", "origin": "buyer", "state": "requested",
    "amount": {"minor": 5000, "currency": "EUR"}, "reason": "Half of the stations are missing.", "ends_access": false,
    "created_at": "2026-11-23T10:00:00Z", "answer_due_at": "2026-11-26T10:00:00Z"
}))]
pub struct RefundView {
    /// Its id.
    pub id: RefundId,
    /// Of which order.
    pub order_id: OrderId,
    /// Who gets the money.
    pub buyer_id: OrgId,
    /// Who began it.
    pub origin: RefundOrigin,
    /// Where it stands.
    pub state: RefundState,
    /// How much; for a provider of a bundle, of its own lines.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// The grants end with it although it is partial; a full one always ends them.
    pub ends_access: bool,
    /// When it was asked for or issued.
    pub created_at: Timestamp,
    /// Until when the provider has to answer; after that the operator decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_due_at: Option<Timestamp>,
    /// When the provider answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// What the provider said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_note: Option<String>,
    /// When the buyer had the operator decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appealed_at: Option<Timestamp>,
    /// What the buyer said then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appeal_note: Option<String>,
    /// When it was decided for good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// What the operator said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_note: Option<String>,
    /// Why it failed, or, to the operator, why the processor has not taken it yet; the parties read that it is on its
    /// way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_text: Option<String>,
    /// When the money left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// When the buyer took the request back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
}

impl TryFrom<refund::Model> for RefundView {
    type Error = Error;

    fn try_from(row: refund::Model) -> Result<Self> {
        let currency = row.currency.parse().map_err(|e: crate::base::currency::UnknownCurrency| Error::internal(e))?;
        Ok(Self {
            id: row.id,
            order_id: row.order_id,
            buyer_id: row.buyer_id,
            origin: row.origin,
            state: row.state,
            amount: Money::new(row.amount_minor, currency),
            reason: row.reason,
            ends_access: row.ends_access,
            created_at: row.created_at,
            answer_due_at: row.answer_due_at,
            answered_at: row.answered_at,
            answer_note: row.answer_note,
            appealed_at: row.appealed_at,
            appeal_note: row.appeal_note,
            decided_at: row.decided_at,
            decision_note: row.decision_note,
            failure_text: row.failure_text,
            paid_at: row.paid_at,
            withdrawn_at: row.withdrawn_at,
        })
    }
}

/// What a buyer asks for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount_minor": 5000, "reason": "Half of the stations are missing."}))]
pub struct RefundRequestIn {
    /// How much, in minor units of the order's currency; all that is left when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 99_999_999)]
    pub amount_minor: Option<i64>,
    /// Why.
    #[schema(max_length = 2000)]
    pub reason: String,
}

/// What a provider or the operator gives back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"amount_minor": 5000, "reason": "We are sorry.", "ends_access": false}))]
pub struct RefundIn {
    /// How much, in minor units of the order's currency; all that is left when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 99_999_999)]
    pub amount_minor: Option<i64>,
    /// Why.
    #[schema(max_length = 2000)]
    pub reason: String,
    /// The grants end although it is partial.
    #[serde(default)]
    pub ends_access: bool,
}

fn check(amount_minor: Option<i64>, reason: &str) -> Result<()> {
    let mut check = Check::new();
    check.text(reason, limits::NOTE_CHARS_MAX, "/reason");
    let good = amount_minor.is_none_or(|minor| (1..=limits::PRICE_MINOR_MAX).contains(&minor));
    check.require(good, "/amount_minor", format!("Choose 1 to {} minor units.", limits::PRICE_MINOR_MAX));
    check.done()
}

/// Asks for money back. The provider has three business days to answer, unless configured otherwise;
/// after that, or after an appeal, the operator decides.
#[utoipa::path(post, path = "/orders/{order_id}/refunds", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order"),
           ("Idempotency-Key" = String, Header, description = "Fresh for each new request, the same to repeat one")),
    request_body = RefundRequestIn,
    responses((status = 201, description = "Asked", body = RefundView),
              (status = 409, description = "Not paid, disputed, too old, or less is left")))]
pub async fn request_refund(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(order): Id<OrderId>,
    key: IdempotencyHeader,
    Json(input): Json<RefundRequestIn>,
) -> Result<(StatusCode, Json<RefundView>)> {
    check(input.amount_minor, &input.reason)?;
    let key = key.for_request(&format!("refunds:{}:{order}", actor.org_id()), &input)?;
    let asked = Asked { amount_minor: input.amount_minor, reason: input.reason, ends_access: false };
    let id = service::request(&app, &actor, order, asked, key).await?;
    Ok((StatusCode::CREATED, shown(&app, &actor, id).await?))
}

/// Gives money back of one's own accord: the provider of the order, or the operator.
#[utoipa::path(post, path = "/orders/{order_id}/refunds/issue", tag = "trade", security(("bearer" = [])),
    params(("order_id" = OrderId, Path, description = "The order"),
           ("Idempotency-Key" = String, Header, description = "Fresh for each new refund, the same to repeat one")),
    request_body = RefundIn,
    responses((status = 201, description = "Decided and booked", body = RefundView),
              (status = 409, description = "Not paid, disputed, or less is left")))]
pub async fn issue_refund(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Id(order): Id<OrderId>,
    key: IdempotencyHeader,
    Json(input): Json<RefundIn>,
) -> Result<(StatusCode, Json<RefundView>)> {
    check(input.amount_minor, &input.reason)?;
    let key = key.for_request(&format!("issued_refunds:{}:{order}", actor.org_id()), &input)?;
    let RefundIn { amount_minor, reason, ends_access } = input;
    let id = service::issue(&app, &actor, order, Asked { amount_minor, reason, ends_access }, key).await?;
    Ok((StatusCode::CREATED, shown(&app, &actor, id).await?))
}

/// Which refunds to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RefundQuery {
    /// Refunds of what your organisation bought (`buyer`, the default) or sold (`provider`); the operator
    /// sees all, whatever the side.
    pub side: Option<Side>,
    /// Only of this order.
    pub order_id: Option<OrderId>,
    /// Only in this state; `escalated` is the operator's queue.
    pub state: Option<RefundState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists refunds, newest first.
#[utoipa::path(get, path = "/refunds", tag = "trade", security(("bearer" = [])), params(RefundQuery),
    responses((status = 200, description = "Refunds", body = Page<RefundView>)))]
pub async fn list_refunds(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<RefundQuery>,
) -> Result<Json<Page<RefundView>>> {
    let limit = page_limit(query.limit)?;
    let (buyer, provider) = match actor.organization.may_operate {
        true => (None, None),
        false => query.side.unwrap_or(Side::Buyer).parties(actor.org_id()),
    };
    let before = page_cursor(query.cursor.as_deref())?;
    let wanted = store::Wanted { buyer, provider, order: query.order_id, state: query.state, before };
    let rows = store::list(app.db.read(), wanted, limit + 1).await?;
    let rows = match actor.organization.may_operate {
        true => rows,
        false => own_part::shown_to(&app, actor.org_id(), rows).await?,
    };
    let views = rows.into_iter().map(RefundView::try_from).collect::<Result<_>>()?;
    Ok(Json(Page::from_rows(views, limit, |view: &RefundView| view.id)))
}

/// Shows a refund to the parties of its order, and to the operator.
#[utoipa::path(get, path = "/refunds/{refund_id}", tag = "trade", security(("bearer" = [])),
    params(("refund_id" = RefundId, Path, description = "The refund")),
    responses((status = 200, description = "The refund", body = RefundView)))]
pub async fn get_refund(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(id): Id<RefundId>,
) -> Result<Json<RefundView>> {
    shown(&app, &actor, id).await
}

async fn shown(app: &AppState, actor: &Actor, id: RefundId) -> Result<Json<RefundView>> {
    let missing = || Error::not_found("refund");
    let row = store::find(app.db.read(), id).await?.ok_or_else(missing)?;
    if row.buyer_id != actor.org_id() && seen_by(app, actor, row.order_id).await? == Seen::No {
        return Err(missing());
    }
    let row = match actor.organization.may_operate {
        true => row,
        false => own_part::shown_to(app, actor.org_id(), vec![row]).await?.pop().ok_or_else(missing)?,
    };
    Ok(Json(row.try_into()?))
}

/// What is said with an approval.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "You are right.", "ends_access": false}))]
pub struct RefundApprovalIn {
    /// A word to the buyer.
    #[serde(default)]
    #[schema(max_length = 2000)]
    pub note: Option<String>,
    /// The grants end although it is partial.
    #[serde(default)]
    pub ends_access: bool,
}

/// A reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"note": "The stations are in the second file."}))]
pub struct RefundNoteIn {
    /// Why.
    #[schema(max_length = 2000)]
    pub note: String,
}

/// Approves a request for a refund: the provider in time, after that the operator.
#[utoipa::path(post, path = "/refunds/{refund_id}/approve", tag = "trade", security(("bearer" = [])),
    params(("refund_id" = RefundId, Path, description = "The refund")), request_body = RefundApprovalIn,
    responses((status = 200, description = "Where it stands now", body = RefundView),
              (status = 409, description = "It is decided, disputed, or another one's turn")))]
pub async fn approve_refund(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Id(id): Id<RefundId>,
    Json(input): Json<RefundApprovalIn>,
) -> Result<Json<RefundView>> {
    let mut check = Check::new();
    check.at_most(input.note.as_deref().unwrap_or_default(), limits::NOTE_CHARS_MAX, "/note");
    check.done()?;
    let RefundApprovalIn { note, ends_access } = input;
    service::decide(&app, &actor, id, Verdict::Approve { note, ends_access }).await?;
    shown(&app, &actor, id).await
}

/// Declines a request for a refund, with a reason: the provider in time, after that the operator.
#[utoipa::path(post, path = "/refunds/{refund_id}/decline", tag = "trade", security(("bearer" = [])),
    params(("refund_id" = RefundId, Path, description = "The refund")), request_body = RefundNoteIn,
    responses((status = 200, description = "Where it stands now", body = RefundView),
              (status = 409, description = "It is decided, or another one's turn")))]
pub async fn decline_refund(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Id(id): Id<RefundId>,
    Json(input): Json<RefundNoteIn>,
) -> Result<Json<RefundView>> {
    check_note(&input)?;
    service::decide(&app, &actor, id, Verdict::Decline { note: input.note }).await?;
    shown(&app, &actor, id).await
}

/// Has the operator decide about a request that the provider declined.
#[utoipa::path(post, path = "/refunds/{refund_id}/appeal", tag = "trade", security(("bearer" = [])),
    params(("refund_id" = RefundId, Path, description = "The refund")), request_body = RefundNoteIn,
    responses((status = 200, description = "Where it stands now", body = RefundView),
              (status = 409, description = "Not declined by the provider, or too late")))]
pub async fn appeal_refund(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<RefundId>,
    Json(input): Json<RefundNoteIn>,
) -> Result<Json<RefundView>> {
    check_note(&input)?;
    service::appeal(&app, &actor, id, input.note).await?;
    shown(&app, &actor, id).await
}

/// Takes a request for a refund back, as long as nobody has decided it. What it asked for can be asked for again.
#[utoipa::path(post, path = "/refunds/{refund_id}/withdraw", tag = "trade", security(("bearer" = [])),
    params(("refund_id" = RefundId, Path, description = "The refund")),
    responses((status = 200, description = "Where it stands now", body = RefundView),
              (status = 409, description = "It was decided, or taken back before")))]
pub async fn withdraw_refund(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<RefundId>,
) -> Result<Json<RefundView>> {
    service::withdraw(&app, &actor, id).await?;
    shown(&app, &actor, id).await
}

fn check_note(input: &RefundNoteIn) -> Result<()> {
    let mut check = Check::new();
    check.text(&input.note, limits::NOTE_CHARS_MAX, "/note");
    check.done()
}
