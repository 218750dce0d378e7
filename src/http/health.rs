//! Is it alive, and can it work?

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::extract::State;
use sea_orm::ConnectionTrait as _;
use serde::Serialize;

use super::Json;
use crate::{
    error::{Error, Result},
    state::AppState,
};

/// The answer of both health checks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"status": "ok", "version": "0.1.0"}))]
pub struct Health {
    /// Always `ok`; a failing check answers 503.
    pub status: &'static str,
    /// The version that runs.
    pub version: &'static str,
}

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Tells that the process answers.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, description = "It answers", body = Health)))]
pub async fn get_liveness() -> Json<Health> {
    Json(OK)
}

/// Tells that requests can be served: the database answers.
#[utoipa::path(get, path = "/health/ready", tag = "operations", responses((status = 200, description = "It can work", body = Health)))]
pub async fn get_readiness(State(app): State<AppState>) -> Result<Json<Health>> {
    let unready = |cause: sea_orm::DbErr| Error::unavailable("The database does not answer.", 5).because(cause);
    app.db.read().execute_unprepared("SELECT 1").await.map_err(unready)?;
    Ok(Json(OK))
}
