//! Reversals over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::extract::State;
use entity::{
    Timestamp,
    ids::{OrderId, OrgId, PayoutId, ReversalId},
    reversal,
    states::ReversalState,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{service::amount_of, store};
use crate::{
    auth::actor::{Acting, CanFinance, Operating},
    base::{Money, page::Page},
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    state::AppState,
};

/// The routes of reversals.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_reversals)).routes(routes!(retry_reversal))
}

/// A share that was paid out and is taken back.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "rvs_019352f0a1b27c3d8e4f5061728394a5", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5", "payout_id": "pyt_019352f0a1b27c3d8e4f5061728394a5",
    "state": "refused", "amount": {"minor": 8001, "currency": "EUR"}, "attempt": 1,
    "next_try_at": "2026-12-01T10:00:00Z", "created_at": "2026-11-30T10:00:00Z",
    "failure_text": "balance_insufficient: The provider's account does not hold this amount."
}))]
pub struct ReversalView {
    /// Its id.
    pub id: ReversalId,
    /// Whose account it is taken from.
    pub organization_id: OrgId,
    /// About which order.
    pub order_id: OrderId,
    /// Out of which payout.
    pub payout_id: PayoutId,
    /// Where it stands. What is `refused` stays a debt, is set off against the next payout, and until then asked for
    /// again.
    pub state: ReversalState,
    /// How much.
    pub amount: Money,
    /// Which attempt it is at, from 1.
    pub attempt: i32,
    /// When the processor is asked next, if it is still owed then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_try_at: Option<Timestamp>,
    /// Why the processor refused the last attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_text: Option<String>,
    /// When it was decided.
    pub created_at: Timestamp,
    /// When the money came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

impl TryFrom<reversal::Model> for ReversalView {
    type Error = Error;

    fn try_from(row: reversal::Model) -> Result<Self> {
        Ok(Self {
            amount: amount_of(&row)?,
            id: row.id,
            organization_id: row.organization_id,
            order_id: row.order_id,
            payout_id: row.payout_id,
            state: row.state,
            attempt: row.attempt,
            next_try_at: row.next_try_at,
            failure_text: row.failure_text,
            created_at: row.created_at,
            done_at: row.done_at,
        })
    }
}

/// Which reversals, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReversalQuery {
    /// Only of this order.
    pub order_id: Option<OrderId>,
    /// Only in this state.
    pub state: Option<ReversalState>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists shares that were paid out and are taken back, the newest first: a provider sees its own, the operator all.
#[utoipa::path(get, path = "/reversals", tag = "settlement", security(("bearer" = [])), params(ReversalQuery),
    responses((status = 200, description = "One page of reversals", body = Page<ReversalView>)))]
pub async fn list_reversals(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Query(query): Query<ReversalQuery>,
) -> Result<Json<Page<ReversalView>>> {
    let limit = page_limit(query.limit)?;
    let provider = (!actor.organization.may_operate).then(|| actor.org_id());
    let before = page_cursor(query.cursor.as_deref())?;
    let wanted = store::Wanted { provider, order: query.order_id, state: query.state, before };
    let rows = store::list(app.db.read(), wanted, limit as u64 + 1).await?;
    let views = rows.into_iter().map(ReversalView::try_from).collect::<Result<_>>()?;
    Ok(Json(Page::from_rows(views, limit, |view: &ReversalView| view.id)))
}

/// Asks the processor again for a share that it refused to take back, as far as it is still owed.
///
/// It is asked again by itself, too: after a wait that doubles from a day to 32, and when the provider is paid.
#[utoipa::path(post, path = "/reversals/{reversal_id}/retry", tag = "settlement", security(("bearer" = [])),
    params(("reversal_id" = ReversalId, Path, description = "The reversal")),
    responses((status = 200, description = "Where it stands now", body = ReversalView),
              (status = 409, description = "It was not refused, or nothing of it is owed any more")))]
pub async fn retry_reversal(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Id(id): Id<ReversalId>,
) -> Result<Json<ReversalView>> {
    Ok(Json(super::retry(&app, &actor, id).await?.try_into()?))
}
