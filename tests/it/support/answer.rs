//! Requests to the router without a network, and their answers.

use axum::{Router, body::Body};
use serde_json::Value;
use tower::ServiceExt as _;

/// A request being filled in.
pub struct Request {
    router: Router,
    builder: axum::http::request::Builder,
    body: Body,
}

impl Request {
    pub fn new(router: Router, method: &str, path: &str) -> Self {
        Self { router, builder: axum::http::Request::builder().method(method).uri(path), body: Body::empty() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.builder = self.builder.header(name, value.as_ref());
        self
    }

    #[must_use]
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub async fn send(self) -> Answer {
        let request = self.builder.body(self.body).expect("a well-formed request");
        let response = self.router.oneshot(request).await.expect("the router never fails");
        let (parts, body) = response.into_parts();
        // A stream has no end to wait for.
        let streams = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let bytes_max = if streams { 0 } else { usize::MAX };
        let bytes = axum::body::to_bytes(body, bytes_max).await.unwrap_or_default();
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes: bytes.to_vec() }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: axum::http::HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// A text of the JSON body, by JSON pointer.
    #[track_caller]
    pub fn str(&self, pointer: &str) -> String {
        let json = self.json();
        json.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no text at {pointer}: {json}"))
            .to_owned()
    }
}
