//! What every request passes: its id, its log line, its metrics, its limits.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::problem::write_problem;
use crate::error::{Error, Problem};

/// The header a request id comes and goes in.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id taken from a client.
const REQUEST_ID_CHARS_MAX: usize = 64;

/// The id of the request being worked on.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Gives the request an id, a span, a log line and metrics, and writes problem bodies.
pub async fn around(mut request: Request, next: Next) -> Response {
    let id = client_request_id(&request).unwrap_or_else(fresh_request_id);
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", |path| path.as_str()).to_owned();
    let span = tracing::info_span!("request", request.id = %id, %method, route);
    let started = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let mut response = write_problem(plain_to_problem(response), &id);
    let status = response.status().as_u16();
    let seconds = started.elapsed().as_secs_f64();
    span.in_scope(|| tracing::info!(status, seconds, "{method} {route} answered {status}"));
    let labels = [("method", method.to_string()), ("route", route), ("status", status.to_string())];
    metrics::histogram!("http_request_seconds", &labels).record(seconds);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn client_request_id(request: &Request) -> Option<String> {
    let text = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let good = !text.is_empty()
        && text.len() <= REQUEST_ID_CHARS_MAX
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    good.then(|| text.to_owned())
}

fn fresh_request_id() -> String {
    let random = crate::auth::secrets::random_hex::<12>().unwrap_or_default();
    format!("req_{random}")
}

/// Turns the bare refusals of the router and its layers into problems.
fn plain_to_problem(response: Response) -> Response {
    if response.extensions().get::<Arc<Error>>().is_some() {
        return response;
    }
    let bare =
        response.headers().get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if bare => {
            let allow = response.headers().get(header::ALLOW).cloned();
            let mut problem =
                Error::new(Problem::MethodNotAllowed, "See /docs for what this address takes.").into_response();
            if let Some(allow) = allow {
                problem.headers_mut().insert(header::ALLOW, allow);
            }
            problem
        }
        StatusCode::REQUEST_TIMEOUT if bare => {
            Error::unavailable("The request took too long and was given up. Try again.", 5).into_response()
        }
        _ => response,
    }
}

/// Works on the request if there is a place left; else asks to come back, at once and at little cost.
pub async fn shed_load(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Error::unavailable("Too many requests are being worked on. Try again shortly.", 1).into_response(),
    }
}

/// What no route answers to.
pub async fn fallback() -> Error {
    Error::new(Problem::NotFound, "There is nothing at this address. See /docs.")
}

/// A panic of a handler, as a problem.
pub fn panicked(_: Box<dyn std::any::Any + Send + 'static>) -> Response {
    Error::internal("a handler panicked").into_response()
}

/// Headers that keep browsers from guessing.
pub async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}
