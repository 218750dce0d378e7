//! What can go wrong between us and Stripe, told apart by what the caller may do next.

use serde::Deserialize;
use thiserror::Error;

use crate::currency::AmountError;

/// The outcome of a call that did not give a result. The variants differ in what is known about the effect:
/// only after `Refused` and `NotFound` may a caller try again under a *new* idempotency key.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayError {
    /// Refused here, before anything was sent. Nothing happened and the idempotency key is unused.
    #[error("not sent to Stripe: {0}")]
    Invalid(String),
    /// Stripe said no, for good: the same key gives the same answer for at least 24 hours. Nothing was moved.
    #[error("Stripe refused ({code}): {text}")]
    Refused {
        code: String,
        text: String,
        decline_code: Option<String>,
        param: Option<String>,
        request_id: Option<String>,
    },
    /// Stripe has no such object, or it is not ours.
    #[error("Stripe does not know it: {text}")]
    NotFound { text: String, request_id: Option<String> },
    /// Stripe did not let us in (401, 403): wrong or restricted key. Nothing was executed; mend the configuration and
    /// repeat with the same key.
    #[error("Stripe did not accept our credentials: {text}")]
    Unauthorized { text: String, request_id: Option<String> },
    /// Too many requests or a lock (429), also after retries. Nothing was executed; repeat later with the same key.
    #[error("Stripe asks us to slow down: {text}")]
    Busy { text: String, request_id: Option<String> },
    /// The key was used before with other parameters. The *first* request may have been executed: look for it by
    /// metadata or transfer group; a new key could pay twice.
    #[error("the idempotency key was already used for a different request: {text}")]
    KeyReused { text: String, request_id: Option<String> },
    /// Nobody knows whether Stripe did it: no answer in time, a broken connection, a 5xx, or the first request with the
    /// key still runs. Repeat with the *same* key, or look for the object; never take a new key. If `replayed`, Stripe keeps
    /// this very answer for the key (for at least 24 hours), so that looking is all that is left.
    #[error("the effect is unknown: {text}")]
    Unknown { text: String, status: Option<u16>, replayed: bool, request_id: Option<String> },
    /// Stripe answered 2xx, so it *did* it, but the answer could not be read. Look for the object; never take a new key.
    #[error("Stripe's answer could not be read: {text}")]
    Unreadable { text: String, request_id: Option<String> },
}

impl From<AmountError> for GatewayError {
    fn from(error: AmountError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl GatewayError {
    /// Whether Stripe has certainly not done it and never will under this key, so that a new attempt under a new key is safe.
    pub fn is_definitive(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::NotFound { .. })
    }
}

/// A failed call as the transport saw it: the error, and what Stripe sent with it (a declined payment intent, for one).
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Box<GatewayError>,
    /// The object `error.payment_intent` of the answer, raw, if there was one.
    pub(crate) payment_intent: Option<String>,
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        Self { error: Box::new(error), payment_intent: None }
    }
}

impl stripe_client_core::StripeClientErr for Failure {
    fn deserialize_err(msg: impl std::fmt::Display) -> Self {
        GatewayError::Unreadable { text: msg.to_string(), request_id: None }.into()
    }
}

/// The fields of Stripe's error object that decide something.
#[derive(Deserialize)]
struct ErrorFields<'a> {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default)]
    param: Option<String>,
    #[serde(default, borrow)]
    payment_intent: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct ErrorBody<'a> {
    #[serde(borrow)]
    error: ErrorFields<'a>,
}

/// Says what a final error answer means for the caller.
pub(crate) fn failure_of(status: u16, body: &[u8], replayed: bool, request_id: Option<String>) -> Failure {
    let Ok(ErrorBody { error: fields }) = serde_json::from_slice(body) else {
        // Not Stripe's JSON, so not Stripe's word, whatever the status: a proxy on the way knows nothing of the effect.
        let text = format!("status {status} without Stripe's own error");
        return GatewayError::Unknown { text, status: Some(status), replayed, request_id }.into();
    };
    let payment_intent = fields.payment_intent.map(|raw| raw.get().to_owned());
    let text = fields.message.unwrap_or_else(|| format!("status {status} without a message"));
    let code = fields.code.or_else(|| fields.kind.clone()).unwrap_or_else(|| format!("http_{status}"));
    let error = match status {
        401 | 403 => GatewayError::Unauthorized { text, request_id },
        404 => GatewayError::NotFound { text, request_id },
        429 => GatewayError::Busy { text, request_id },
        _ if fields.kind.as_deref() == Some("idempotency_error") && status == 400 => {
            GatewayError::KeyReused { text, request_id }
        }
        // 409 and 424: another request with the key, or something behind Stripe, has not come to an end yet.
        400..=499 if status != 409 && status != 424 => {
            GatewayError::Refused { code, text, decline_code: fields.decline_code, param: fields.param, request_id }
        }
        _ => {
            let text = format!("{text} (status {status})");
            GatewayError::Unknown { text, status: Some(status), replayed, request_id }
        }
    };
    Failure { error: Box::new(error), payment_intent }
}
