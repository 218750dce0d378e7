//! Unit economics over HTTP.

use axum::extract::State;
use entity::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{model::CurrencyEconomics, service};
use crate::{
    auth::actor::{CanFinance, Operating},
    error::{Error, Result},
    http::{Json, Query},
    limits,
    state::AppState,
};

/// Providers named when no number is asked for.
const TOP_PROVIDERS_DEFAULT: u32 = 10;
/// Days looked at when no beginning is asked for.
const DAYS_DEFAULT: i64 = 30;

/// The operations of unit economics.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_unit_economics))
}

/// Which period.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EconomicsQuery {
    /// Booked from then on; 30 days before `until` without it.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub from: Option<Timestamp>,
    /// Booked before then; now without it.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub until: Option<Timestamp>,
    /// How many of the largest providers are named, in each currency.
    #[param(minimum = 1, maximum = 100, example = 10)]
    pub top: Option<u32>,
}

/// What was left of the sales of a period.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z", "currencies": [{
    "currency": "EUR", "orders": 12, "gross_minor": 120012, "tax_minor": 0, "discount_minor": 0, "refunded_minor": 0,
    "disputed_minor": 0, "providers_minor": 96010, "commission_minor": 24002, "processor_fees_minor": 1800,
    "dispute_losses_minor": 0, "dispute_fees_minor": 0, "dispute_fees_of_providers_minor": 0, "dispute_costs_minor": 0, "other_costs_minor": 0, "net_take_minor": 22202, "take_rate_bps": 1850,
    "by_offer_kind": [], "top_providers": []
}]}))]
pub struct EconomicsView {
    /// From when on.
    pub from: Timestamp,
    /// Before when.
    pub until: Timestamp,
    /// One for each currency that moved.
    pub currencies: Vec<CurrencyEconomics>,
}

/// Shows what the operator earns: commission, what processor and disputes cost, and what is left, by currency.
///
/// Every figure is a sum of postings; gross less what went back is what providers, operator and tax have.
#[utoipa::path(get, path = "/settlement/economics", tag = "settlement", params(EconomicsQuery), security(("bearer" = [])),
    responses((status = 200, description = "The figures", body = EconomicsView)))]
pub async fn get_unit_economics(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<EconomicsQuery>,
) -> Result<Json<EconomicsView>> {
    let until = query.until.unwrap_or(Timestamp(app.clock.now() + time::Duration::MICROSECOND));
    let from = query.from.unwrap_or(Timestamp(until.0 - time::Duration::days(DAYS_DEFAULT)));
    if from > until || until.0 - from.0 > time::Duration::days(limits::TOTALS_DAYS_MAX) {
        let text = format!("Ask for at most {} days, the beginning before the end.", limits::TOTALS_DAYS_MAX);
        return Err(Error::invalid("from", text));
    }
    let top = query.top.unwrap_or(TOP_PROVIDERS_DEFAULT);
    if !(1..=limits::TOP_PROVIDERS_MAX).contains(&top) {
        return Err(Error::invalid("top", format!("Ask for 1 to {} providers.", limits::TOP_PROVIDERS_MAX)));
    }
    let currencies = service::economics(&app, from, until, u64::from(top)).await?;
    Ok(Json(EconomicsView { from, until, currencies }))
}
