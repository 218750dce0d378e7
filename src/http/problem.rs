//! Failures as problem documents.
//!
//! Source: RFC 9457. An [`Error`] rides in the response's extensions to the outermost middleware,
//! which knows the request id, logs it once and writes the body.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, FieldError, Problem};

/// The body of every failure, `application/problem+json`.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem, example = json!({
    "type": "/problems/invalid-input", "title": "Some values need to be changed", "status": 422,
    "detail": "Use at most 200 characters.", "instance": "req_0193f5a1b27c",
    "errors": [{"pointer": "/title/en", "detail": "Use at most 200 characters."}]
}))]
pub struct ProblemBody {
    /// The kind of failure; stable, and an address that explains it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in one line.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What to change.
    pub detail: String,
    /// The request id, also in the `x-request-id` header.
    pub instance: String,
    /// The values to change, for `invalid-input`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.problem.status()).unwrap_or_default().into_response();
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

/// Writes the body of a failed response and logs the failure, once.
pub fn write_problem(mut response: Response, request_id: &str) -> Response {
    let Some(error) = response.extensions_mut().remove::<std::sync::Arc<Error>>() else { return response };
    log(&error, request_id);
    let body = ProblemBody {
        kind: format!("/problems/{}", error.problem.slug()),
        title: error.problem.title().to_owned(),
        status: error.problem.status(),
        detail: error.detail.clone(),
        instance: request_id.to_owned(),
        errors: error.fields.clone(),
    };
    let text = serde_json::to_vec(&body).unwrap_or_default();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = error.retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.problem.status() == 401 {
        headers.entry(header::WWW_AUTHENTICATE).or_insert(HeaderValue::from_static("Bearer"));
    }
    *response.body_mut() = Body::from(text);
    response
}

fn log(error: &Error, request_id: &str) {
    let status = error.problem.status();
    let cause = || error.cause.as_ref().map_or_else(|| error.detail.clone(), ToString::to_string);
    if error.problem == Problem::Unavailable {
        // Busy is not broken: nobody has to get up for it.
        tracing::warn!(request.id = request_id, status, "request put off: {}", cause());
    } else if status >= 500 {
        tracing::error!(request.id = request_id, status, problem = error.problem.slug(), "request failed: {}", cause());
    } else {
        tracing::debug!(request.id = request_id, status, problem = error.problem.slug(), "request refused");
    }
}
