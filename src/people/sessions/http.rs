//! Sessions over HTTP.

use axum::{
    extract::State,
    http::{HeaderName, StatusCode, header},
};
use entity::ids::{AccountId, SessionId};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::service::{self, Granted};
use crate::{
    auth::actor::SignedIn,
    config::Secret,
    error::Result,
    http::{Json, middleware::RequestId},
    state::AppState,
};

/// The operations of sessions.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(log_in))
        .routes(utoipa_axum::routes!(refresh_session))
        .routes(utoipa_axum::routes!(log_out))
}

/// A mail address and its password.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "mette@example.org", "password": "harbour seagull lamp"}))]
pub struct LogInIn {
    /// The mail address of the account.
    #[schema(format = Email)]
    pub email: String,
    /// Its password.
    #[schema(value_type = String, format = Password, write_only)]
    pub password: Secret,
}

/// A refresh token to use up.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"refresh_token": "torv_refresh_5f0c…"}))]
pub struct RefreshIn {
    /// The newest one of the session.
    #[schema(value_type = String, write_only)]
    pub refresh_token: Secret,
}

/// The tokens of a session. `Debug` is not derived: they are secrets.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "account_id": "acc_019352f0a1b27c3d8e4f5061728394a5", "session_id": "ses_019352f0a1b27c3d8e4f5061728394a5",
    "token_type": "Bearer", "access_token": "eyJ0eXAiOiJKV1QiLCJhbGciOiJFZERTQSIsImtpZCI6InNpZ18xIn0.e30.AA",
    "expires_in_seconds": 900, "refresh_token": "torv_refresh_5f0c…"
}))]
pub struct SessionView {
    /// Who is logged in.
    pub account_id: AccountId,
    /// The session.
    pub session_id: SessionId,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Send it as `Authorization: Bearer …`.
    pub access_token: String,
    /// Life of the access token.
    pub expires_in_seconds: u32,
    /// Exchange it for the next pair before or after the access token expires. It works once; used
    /// twice, it ends the session.
    pub refresh_token: String,
}

/// Tokens must not stay in any cache. Source: RFC 6749, section 5.1.
type Tokens = (StatusCode, [(HeaderName, &'static str); 1], Json<SessionView>);

fn tokens(status: StatusCode, granted: Granted) -> Tokens {
    let Granted { account_id, session_id, access_token, expires_in_seconds, refresh_token } = granted;
    let view =
        SessionView { account_id, session_id, token_type: "Bearer", access_token, expires_in_seconds, refresh_token };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(view))
}

/// Logs in.
#[utoipa::path(
    post, path = "/sessions", tag = "accounts", request_body = LogInIn,
    responses(
        (status = 201, description = "Logged in", body = SessionView),
        (status = 401, description = "The mail address or the password is not right"),
        (status = 429, description = "Too many wrong passwords",
            headers(("retry-after" = u32, description = "Seconds to wait"))),
    )
)]
pub async fn log_in(State(app): State<AppState>, request_id: RequestId, Json(input): Json<LogInIn>) -> Result<Tokens> {
    let granted = service::log_in(&app, &input.email, &input.password, &request_id.0).await?;
    Ok(tokens(StatusCode::CREATED, granted))
}

/// Exchanges a refresh token for a new pair. Never send the same one twice, not even at the same moment.
#[utoipa::path(
    post, path = "/sessions/refresh", tag = "accounts", request_body = RefreshIn,
    responses(
        (status = 200, description = "The next pair", body = SessionView),
        (status = 401, description = "The token is unknown, expired or was used; a used one ends its session"),
    )
)]
pub async fn refresh_session(
    State(app): State<AppState>,
    request_id: RequestId,
    Json(input): Json<RefreshIn>,
) -> Result<Tokens> {
    let granted = service::refresh(&app, &input.refresh_token, &request_id.0).await?;
    Ok(tokens(StatusCode::OK, granted))
}

/// Logs out: the session and all its tokens end at once.
#[utoipa::path(
    delete, path = "/sessions/current", tag = "accounts", security(("bearer" = [])),
    responses((status = 204, description = "Logged out"))
)]
pub async fn log_out(State(app): State<AppState>, person: SignedIn) -> Result<StatusCode> {
    service::log_out(&app, &person).await?;
    Ok(StatusCode::NO_CONTENT)
}
