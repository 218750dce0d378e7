//! Disputes over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::extract::State;
use entity::{
    Timestamp, dispute,
    ids::{DisputeId, OrderId},
    order_line,
    states::{DisputeBearer, DisputeState},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{evidence, store};
use crate::{
    auth::actor::{Acting, Actor, CanFinance, Operating},
    base::{Money, page::Page},
    error::{Check, Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    limits,
    state::AppState,
    trade::orders::store as orders,
};

/// The routes of disputes.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_disputes))
        .routes(routes!(get_dispute))
        .routes(routes!(give_evidence))
        .routes(routes!(submit_dispute))
        .routes(routes!(accept_dispute))
}

/// A dispute, as the provider and the operator see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "dsp_019352f0a1b27c3d8e4f5061728394a5", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
    "state": "needs_response", "amount": {"minor": 10001, "currency": "EUR"}, "bearer": "split", "reason": "product_not_received",
    "evidence_due_at": "2026-12-05T10:00:00Z", "opened_at": "2026-11-28T10:00:00Z"
}))]
pub struct DisputeView {
    /// Its id.
    pub id: DisputeId,
    /// About which order.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: DisputeState,
    /// What is disputed.
    pub amount: Money,
    /// Who bears it with the processor's fee if it is lost, as agreed when the order was placed; absent where the lines of
    /// the order differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer: Option<DisputeBearer>,
    /// The buyer's reason, in the processor's word.
    pub reason: String,
    /// Until when evidence is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_due_at: Option<Timestamp>,
    /// The provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// When the evidence was handed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence_submitted_at: Option<Timestamp>,
    /// When we heard of it.
    pub opened_at: Timestamp,
    /// When it was won or lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
}

impl DisputeView {
    /// What is shown of a dispute about an order with these lines, among others.
    fn of(row: dispute::Model, lines: &[order_line::Model]) -> Result<Self> {
        let mut bearers = lines.iter().filter(|line| line.order_id == row.order_id).map(|line| line.dispute_bearer);
        let first = bearers.next();
        let currency = row.currency.parse().map_err(|e: crate::base::currency::UnknownCurrency| Error::internal(e))?;
        Ok(Self {
            id: row.id,
            order_id: row.order_id,
            state: row.state,
            amount: Money::new(row.amount_minor, currency),
            bearer: first.filter(|first| bearers.all(|other| other == *first)),
            reason: row.reason,
            evidence_due_at: row.evidence_due_at,
            statement: row.statement,
            evidence_submitted_at: row.evidence_submitted_at,
            opened_at: row.opened_at,
            closed_at: row.closed_at,
        })
    }
}

/// Whether somebody sees what happens to an order after its sale, as its seller or as the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::trade) enum Seen {
    Yes,
    No,
}

pub(in crate::trade) async fn seen_by(app: &AppState, actor: &Actor, order: OrderId) -> Result<Seen> {
    if actor.organization.may_operate {
        return Ok(Seen::Yes);
    }
    let facts = orders::load(app.db.read(), order).await?;
    Ok(if facts.is_sold_by(actor.org_id()) { Seen::Yes } else { Seen::No })
}

/// Which disputes to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DisputeQuery {
    /// Only in this state.
    pub state: Option<DisputeState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists disputes, newest first: a provider sees those about its sales, the operator all.
#[utoipa::path(get, path = "/disputes", tag = "trade", security(("bearer" = [])), params(DisputeQuery),
    responses((status = 200, description = "Disputes", body = Page<DisputeView>)))]
pub async fn list_disputes(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Query(query): Query<DisputeQuery>,
) -> Result<Json<Page<DisputeView>>> {
    let limit = page_limit(query.limit)?;
    let provider = (!actor.organization.may_operate).then(|| actor.org_id());
    let before = page_cursor(query.cursor.as_deref())?;
    let wanted = store::Wanted { provider, state: query.state, before };
    let rows = store::list(app.db.read(), wanted, limit + 1).await?;
    let lines = store::lines_of(app.db.read(), rows.iter().map(|row| row.order_id).collect()).await?;
    let views = rows.into_iter().map(|row| DisputeView::of(row, &lines)).collect::<Result<_>>()?;
    Ok(Json(Page::from_rows(views, limit, |view: &DisputeView| view.id)))
}

/// Shows a dispute to the provider and to the operator.
#[utoipa::path(get, path = "/disputes/{dispute_id}", tag = "trade", security(("bearer" = [])),
    params(("dispute_id" = DisputeId, Path, description = "The dispute")),
    responses((status = 200, description = "The dispute", body = DisputeView)))]
pub async fn get_dispute(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Id(id): Id<DisputeId>,
) -> Result<Json<DisputeView>> {
    shown(&app, &actor, id).await
}

async fn shown(app: &AppState, actor: &Actor, id: DisputeId) -> Result<Json<DisputeView>> {
    let missing = || Error::not_found("dispute");
    let row = store::find(app.db.read(), id).await?.ok_or_else(missing)?;
    if seen_by(app, actor, row.order_id).await? == Seen::No {
        return Err(missing());
    }
    let lines = store::lines_of(app.db.read(), vec![row.order_id]).await?;
    Ok(Json(DisputeView::of(row, &lines)?))
}

/// The provider's side of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"statement": "The buyer downloaded the data twice and asked us about it by mail."}))]
pub struct EvidenceIn {
    /// The provider's own words; deliveries, licence and description are added from our records.
    #[schema(max_length = 20000)]
    pub statement: String,
}

/// Gives the provider's words in a dispute; they replace earlier ones until the evidence is handed in.
#[utoipa::path(post, path = "/disputes/{dispute_id}/evidence", tag = "trade", security(("bearer" = [])),
    params(("dispute_id" = DisputeId, Path, description = "The dispute")), request_body = EvidenceIn,
    responses((status = 200, description = "Where it stands now", body = DisputeView),
              (status = 409, description = "Evidence is not waited for")))]
pub async fn give_evidence(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Id(id): Id<DisputeId>,
    Json(input): Json<EvidenceIn>,
) -> Result<Json<DisputeView>> {
    let mut check = Check::new();
    check.text(&input.statement, limits::EVIDENCE_CHARS_MAX, "/statement");
    check.done()?;
    evidence::give_statement(&app, &actor, id, input.statement).await?;
    shown(&app, &actor, id).await
}

/// Hands in our records and the provider's words, for good.
#[utoipa::path(post, path = "/disputes/{dispute_id}/submit", tag = "trade", security(("bearer" = [])),
    params(("dispute_id" = DisputeId, Path, description = "The dispute")),
    responses((status = 200, description = "Where it stands now", body = DisputeView),
              (status = 409, description = "Evidence is not waited for, or the processor refuses it")))]
pub async fn submit_dispute(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<DisputeId>,
) -> Result<Json<DisputeView>> {
    evidence::submit(&app, &actor, id).await?;
    shown(&app, &actor, id).await
}

/// Gives a dispute up: the money stays with the buyer.
#[utoipa::path(post, path = "/disputes/{dispute_id}/accept", tag = "trade", security(("bearer" = [])),
    params(("dispute_id" = DisputeId, Path, description = "The dispute")),
    responses((status = 200, description = "Where it stands now", body = DisputeView),
              (status = 409, description = "It is decided")))]
pub async fn accept_dispute(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<DisputeId>,
) -> Result<Json<DisputeView>> {
    evidence::accept(&app, &actor, id).await?;
    shown(&app, &actor, id).await
}
