//! Reconciliations over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{Timestamp, ids::ReconciliationId, reconciliation};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{
    model::{Report, Totals},
    service::{self, Period},
    store,
};
use crate::{
    auth::actor::{CanFinance, Operating},
    base::page::Page,
    error::{Error, Result},
    http::{Id, Json, PageQuery, Query, extract::page_cursor},
    state::AppState,
};

/// The operations of reconciliation.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(run_reconciliation))
        .routes(utoipa_axum::routes!(list_reconciliations))
        .routes(utoipa_axum::routes!(get_reconciliation))
}

/// Which period to reconcile.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}))]
pub struct ReconciliationIn {
    /// From when, included; from the beginning without it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Until when, excluded; until now without it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// A reconciliation in short.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "rec_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-12-01T08:00:00Z", "from": "2026-11-01T00:00:00Z",
    "until": "2026-12-01T00:00:00Z", "difference_count": 0, "totals": []
}))]
pub struct ReconciliationSummary {
    /// The reconciliation.
    pub id: ReconciliationId,
    /// When it was run.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// How many differences there are.
    pub difference_count: i32,
    /// The sums, by currency.
    pub totals: Vec<Totals>,
}

/// A reconciliation with everything it found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "rec_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-12-01T08:00:00Z", "from": "2026-11-01T00:00:00Z",
    "until": "2026-12-01T00:00:00Z", "difference_count": 1, "report": {
        "totals": [{"currency": "EUR", "orders": 1, "orders_minor": 10001, "charges_minor": 0, "payouts_minor": 0,
            "transfers_minor": 0, "processor_balance_minor": 0, "ledger_balance_minor": 0, "timing_minor": 0,
            "unexplained_minor": 10001}],
        "differences": [{"class": "order_without_charge", "order_id": "ord_019352f0a1b27c3d8e4f5061728394a5",
            "amount_minor": 10001, "currency": "EUR",
            "sentence": "The order was completed, and no charge for it was imported."}],
        "differences_untold": 0, "timing": [], "timing_untold": 0
    }
}))]
pub struct ReconciliationView {
    /// The reconciliation.
    pub id: ReconciliationId,
    /// When it was run.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// How many differences there are.
    pub difference_count: i32,
    /// What it found.
    pub report: Report,
}

impl TryFrom<reconciliation::Model> for ReconciliationView {
    type Error = Error;

    fn try_from(row: reconciliation::Model) -> Result<Self> {
        let report = serde_json::from_value(row.report)?;
        let (from, until, difference_count) = (row.from_at, row.until_at, row.difference_count);
        Ok(Self { id: row.id, created_at: row.created_at, from, until, difference_count, report })
    }
}

impl From<ReconciliationView> for ReconciliationSummary {
    fn from(view: ReconciliationView) -> Self {
        let ReconciliationView { id, created_at, from, until, difference_count, report } = view;
        Self { id, created_at, from, until, difference_count, totals: report.totals }
    }
}

/// Compares orders, the processor's lines, payouts and balances, and names every difference.
///
/// What is merely late is listed apart. It changes nothing but keeps the report.
#[utoipa::path(
    post, path = "/reconciliations", tag = "settlement", security(("bearer" = [])), request_body = ReconciliationIn,
    responses((status = 201, description = "Compared; the report says with what result", body = ReconciliationView))
)]
pub async fn run_reconciliation(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Json(input): Json<ReconciliationIn>,
) -> Result<(StatusCode, Json<ReconciliationView>)> {
    let period = Period::new(&app, input.from, input.until)?;
    let row = service::run(&app, &actor, period).await?;
    Ok((StatusCode::CREATED, Json(row.try_into()?)))
}

/// Lists reconciliations, the newest first.
#[utoipa::path(
    get, path = "/reconciliations", tag = "settlement", params(PageQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of reconciliations", body = Page<ReconciliationSummary>,
        example = json!({"items": [{
            "id": "rec_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-12-01T08:00:00Z",
            "from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z", "difference_count": 0, "totals": []
        }]})))
)]
pub async fn list_reconciliations(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ReconciliationSummary>>> {
    let limit = query.limit()?;
    let before = page_cursor(query.cursor.as_deref())?;
    let rows = store::list(app.db.read(), before, limit as u64 + 1).await?;
    let views = rows.into_iter().map(ReconciliationView::try_from).collect::<Result<Vec<_>>>()?;
    Ok(Json(Page::from_rows(views, limit, |view| view.id).map(ReconciliationSummary::from)))
}

/// Shows a reconciliation with everything it found.
#[utoipa::path(
    get, path = "/reconciliations/{id}", tag = "settlement", security(("bearer" = [])),
    params(("id" = ReconciliationId, Path, description = "The reconciliation")),
    responses((status = 200, description = "The reconciliation", body = ReconciliationView))
)]
pub async fn get_reconciliation(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Id(id): Id<ReconciliationId>,
) -> Result<Json<ReconciliationView>> {
    let row = store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("reconciliation"))?;
    Ok(Json(row.try_into()?))
}
