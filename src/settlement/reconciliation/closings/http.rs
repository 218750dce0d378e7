//! Closed months over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{Timestamp, ids::AccountId, month_closing};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{super::three_way::ThreeWay, service, store};
use crate::{
    auth::actor::{CanFinance, Operating},
    base::{Currency, page::Page},
    error::{Error, Result},
    http::{Json, PageQuery, Query, extract::page_cursor},
    settlement::{currency, exceptions::Severity},
    state::AppState,
};

/// The operations of closed months.
pub fn closing_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(utoipa_axum::routes!(close_month)).routes(utoipa_axum::routes!(list_closings))
}

/// Which month to close.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"month": "2026-11", "currency": "EUR", "open_severity": "low"}))]
pub struct ClosingIn {
    /// Year and month.
    #[schema(pattern = "^[0-9]{4}-[0-9]{2}$")]
    pub month: String,
    /// The currency.
    pub currency: Currency,
    /// How grave open exceptions of nothing unexplained may be.
    #[serde(default)]
    pub open_severity: Severity,
}

/// A closed month.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "month": "2026-11", "currency": "EUR", "closed_at": "2026-12-02T10:00:00Z", "seal_number": 12,
    "seal_head": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sums_sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "sums": {
        "currency": "EUR",
        "orders_to_processor": {"left_minor": 20002, "right_minor": 20002, "timing_minor": 0, "named_minor": 0, "unnamed_minor": 0},
        "processor_to_bank": {"left_minor": 1680, "right_minor": 1680, "timing_minor": 0, "named_minor": 0, "unnamed_minor": 0},
        "bank_to_books": {"left_minor": 1680, "right_minor": 1680, "timing_minor": 0, "named_minor": 0, "unnamed_minor": 0},
        "orders": 2, "charges": 2, "bank_lines": 1, "matched_by_machine": 5, "looked_at": 5, "suspense_minor": 0,
        "exceptions": [], "timing": [], "timing_untold": 0, "in_transit": [], "in_transit_untold": 0, "unexplained_minor": 0
    }
}))]
pub struct ClosingView {
    /// Year and month.
    pub month: String,
    /// The currency.
    pub currency: Currency,
    /// The sums as they were frozen.
    pub sums: ThreeWay,
    /// SHA-256 of the sums, as canonical JSON.
    pub sums_sha256: String,
    /// The seal that covers every entry booked until then.
    pub seal_number: i64,
    /// Its head.
    pub seal_head: String,
    /// Who closed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<AccountId>,
    /// When.
    pub closed_at: Timestamp,
}

impl TryFrom<month_closing::Model> for ClosingView {
    type Error = Error;

    fn try_from(row: month_closing::Model) -> Result<Self> {
        Ok(Self {
            currency: currency(&row.currency)?,
            month: row.month,
            sums: serde_json::from_value(row.sums)?,
            sums_sha256: row.sums_sha256,
            seal_number: row.seal_number,
            seal_head: row.seal_head,
            closed_by: row.closed_by,
            closed_at: row.closed_at,
        })
    }
}

/// Closes a month in one currency: its sums are frozen for ever.
///
/// Refused while anything of it is unexplained, or open exceptions are graver than `open_severity`.
#[utoipa::path(
    post, path = "/settlement/closings", tag = "settlement", security(("bearer" = [])), request_body = ClosingIn,
    responses(
        (status = 201, description = "The closed month", body = ClosingView),
        (status = 409, description = "It is closed, has not ended, or something is unexplained; `detail` says what")
    )
)]
pub async fn close_month(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Json(input): Json<ClosingIn>,
) -> Result<(StatusCode, Json<ClosingView>)> {
    let row = service::close(&app, &actor, input.month, input.currency, input.open_severity).await?;
    Ok((StatusCode::CREATED, Json(row.try_into()?)))
}

/// Lists closed months, the newest first.
#[utoipa::path(
    get, path = "/settlement/closings", tag = "settlement", params(PageQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of closed months", body = Page<ClosingView>, example = json!({"items": []})))
)]
pub async fn list_closings(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<ClosingView>>> {
    let limit = query.limit()?;
    let rows = store::list(app.db.read(), page_cursor(query.cursor.as_deref())?, limit as u64 + 1).await?;
    let views = rows.into_iter().map(ClosingView::try_from).collect::<Result<Vec<_>>>()?;
    Ok(Json(Page::from_rows(views, limit, |view| (view.month.clone(), view.currency.code()))))
}
