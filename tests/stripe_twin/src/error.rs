//! Error answers in Stripe's shape.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

/// An error as the API answers it.
#[derive(Clone, Debug)]
pub struct ApiError {
    pub status: StatusCode,
    pub kind: &'static str,
    pub code: Option<&'static str>,
    pub message: String,
    pub param: Option<String>,
    pub decline_code: Option<&'static str>,
    /// Further members of the error, such as the payment intent that was declined.
    pub details: Box<Map<String, Value>>,
    /// Whether the endpoint had begun to execute: only then is the answer kept for the idempotency key.
    pub executed: bool,
}

impl ApiError {
    fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            code: None,
            message: message.into(),
            param: None,
            decline_code: None,
            details: Box::default(),
            executed: false,
        }
    }

    /// The parameters are wrong; nothing was executed and nothing is kept for the idempotency key.
    pub fn invalid(code: &'static str, param: &str, message: impl Into<String>) -> Self {
        let param = Some(param.to_owned()).filter(|name| !name.is_empty());
        let code = Some(code).filter(|code| !code.is_empty());
        Self { code, param, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message) }
    }

    /// The state forbids it. A definitive answer, replayed for the idempotency key.
    pub fn refused(code: &'static str, message: impl Into<String>) -> Self {
        let code = Some(code).filter(|code| !code.is_empty());
        Self { code, executed: true, ..Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", message) }
    }

    pub fn missing(kind: &str, id: &str) -> Self {
        let param = match kind {
            "payment_intent" => "intent",
            "checkout.session" => "session",
            _ => "id",
        };
        Self {
            status: StatusCode::NOT_FOUND,
            param: Some(param.to_owned()),
            ..Self::refused("resource_missing", format!("No such {kind}: '{id}'"))
        }
    }

    pub fn unknown_url(method: &str, path: &str) -> Self {
        let message = format!("Unrecognized request URL ({method}: {path}). The twin does not speak this endpoint.");
        Self { code: None, ..Self::new(StatusCode::NOT_FOUND, "invalid_request_error", message) }
    }

    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", message)
    }

    pub fn forbidden_account(account: &str) -> Self {
        let message =
            format!("The provided key does not have access to account '{account}' (or that account does not exist).");
        let error = Self::new(StatusCode::FORBIDDEN, "invalid_request_error", message);
        Self { code: Some("account_invalid"), ..error }
    }

    /// The card's issuer said no.
    pub fn card(code: &'static str, decline_code: Option<&'static str>, message: &str) -> Self {
        let error = Self::new(StatusCode::PAYMENT_REQUIRED, "card_error", message);
        Self { code: Some(code), decline_code, executed: true, ..error }
    }

    pub fn key_in_use() -> Self {
        let message = "There is currently another in-progress request using this Idempotency-Key; try again later.";
        let error = Self::new(StatusCode::CONFLICT, "idempotency_error", message);
        Self { code: Some("idempotency_key_in_use"), ..error }
    }

    pub fn key_reused() -> Self {
        let message =
            "Keys for idempotent requests can only be used with the same parameters they were first used with.";
        Self::new(StatusCode::BAD_REQUEST, "idempotency_error", message)
    }

    pub fn rate_limited() -> Self {
        let message = "Too many requests in too short a time; back off and try again.";
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "invalid_request_error", message);
        Self { code: Some("rate_limit"), ..error }
    }

    pub fn internal() -> Self {
        let error = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "api_error", "An unknown error occurred.");
        Self { executed: true, ..error }
    }

    #[must_use]
    pub fn with_param(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    #[must_use]
    pub fn with_detail(mut self, name: &str, value: Value) -> Self {
        self.details.insert(name.to_owned(), value);
        self
    }

    /// The members of `error` in the answer.
    pub fn members(&self) -> Map<String, Value> {
        let mut members = Map::clone(&self.details);
        members.insert("type".into(), json!(self.kind));
        members.insert("message".into(), json!(self.message));
        if let Some(code) = self.code {
            members.insert("code".into(), json!(code));
            members.insert(
                "doc_url".into(),
                json!(format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"))),
            );
        }
        if let Some(param) = &self.param {
            members.insert("param".into(), json!(param));
        }
        if let Some(decline_code) = self.decline_code {
            members.insert("decline_code".into(), json!(decline_code));
        }
        members
    }

    /// The whole body of the answer.
    pub fn body(&self) -> Value {
        json!({ "error": self.members() })
    }
}
