//! The three-way report over HTTP.

use axum::extract::State;
use entity::Timestamp;
use serde::Deserialize;
use time::Duration;
use utoipa_axum::router::OpenApiRouter;

use super::{super::Period, ThreeWay, service};
use crate::{
    auth::actor::{CanFinance, Operating},
    base::Currency,
    error::{Error, Result},
    http::{Json, Query},
    limits,
    state::AppState,
};

/// The operations of the three-way report.
pub fn three_way_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(utoipa_axum::routes!(get_three_way_report))
}

/// Which period, in which currency.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ThreeWayQuery {
    /// From when, included.
    #[param(value_type = String, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub from: Timestamp,
    /// Until when, excluded; at most 366 days later.
    #[param(value_type = String, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub until: Timestamp,
    /// The currency.
    pub currency: Currency,
}

/// Compares orders, the processor's lines and the bank's of a period in one currency.
///
/// What is only on its way is told apart from exceptions.
#[utoipa::path(
    get, path = "/settlement/three-way", tag = "settlement", params(ThreeWayQuery), security(("bearer" = [])),
    responses((status = 200, description = "The report", body = ThreeWay))
)]
pub async fn get_three_way_report(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<ThreeWayQuery>,
) -> Result<Json<ThreeWay>> {
    let period = Period::new(&app, Some(query.from), Some(query.until))?;
    if query.until.0 - query.from.0 > Duration::days(limits::THREE_WAY_DAYS_MAX) {
        return Err(Error::invalid("until", format!("Choose at most {} days.", limits::THREE_WAY_DAYS_MAX)));
    }
    Ok(Json(service::three_way(&app, query.currency, period).await?))
}
