//! Whether a webhook is from Stripe. Reading it (`decode`) is a step of its own: the raw body is stored in between, so that
//! an event which cannot be read is not lost.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use secrecy::ExposeSecret;
use thiserror::Error;
use time::OffsetDateTime;

use crate::gateway::Gateway;
use crate::settings::Settings;

/// Name of the header that holds the signature.
pub const SIGNATURE_HEADER: &str = "stripe-signature";
/// Signatures looked at in one header; Stripe sends one per active secret.
const SIGNATURES_MAX: usize = 16;

/// Why a webhook was not accepted. Answer 400 and keep nothing.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum WebhookError {
    #[error("no webhook secret is configured: copy it from the endpoint's page at Stripe")]
    NoSecret,
    #[error("the signature header is not of the form t=…,v1=…")]
    Malformed,
    #[error("no v1 signature is from a configured secret")]
    NoMatch,
    #[error("it was signed {age_seconds} seconds ago, more than the tolerance of {tolerance_seconds}")]
    TooOld { age_seconds: i64, tolerance_seconds: i64 },
    #[error(
        "it was signed {ahead_seconds} seconds in the future, more than the tolerance of {tolerance_seconds}: look at the clock"
    )]
    FromTheFuture { ahead_seconds: i64, tolerance_seconds: i64 },
}

/// The keys of the configured secrets.
pub(crate) struct Verifier {
    keys: Vec<hmac::Key>,
    tolerance_seconds: i64,
}

impl std::fmt::Debug for Verifier {
    /// Without the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("keys", &self.keys.len())
            .field("tolerance_seconds", &self.tolerance_seconds)
            .finish()
    }
}

impl Verifier {
    pub(crate) fn new(settings: &Settings) -> Self {
        let key = |secret: &secrecy::SecretString| hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        Self {
            keys: settings.webhook_secrets.iter().map(key).collect(),
            tolerance_seconds: i64::try_from(settings.tolerance_seconds).unwrap_or(i64::MAX),
        }
    }

    fn verify(&self, header: &str, raw_body: &[u8], now: OffsetDateTime) -> Result<(), WebhookError> {
        if self.keys.is_empty() {
            return Err(WebhookError::NoSecret);
        }
        let (signed_at, signatures) = parse(header)?;
        let matches = |key: &hmac::Key| {
            let mut context = hmac::Context::with_key(key);
            context.update(signed_at.to_string().as_bytes());
            context.update(b".");
            context.update(raw_body);
            let tag = context.sign();
            signatures.iter().any(|signature| verify_slices_are_equal(tag.as_ref(), signature).is_ok())
        };
        if !self.keys.iter().any(matches) {
            return Err(WebhookError::NoMatch);
        }
        let tolerance_seconds = self.tolerance_seconds;
        let age_seconds = now.unix_timestamp().saturating_sub(signed_at);
        if age_seconds > tolerance_seconds {
            return Err(WebhookError::TooOld { age_seconds, tolerance_seconds });
        }
        let ahead_seconds = age_seconds.saturating_neg();
        if ahead_seconds > tolerance_seconds {
            return Err(WebhookError::FromTheFuture { ahead_seconds, tolerance_seconds });
        }
        Ok(())
    }
}

/// The time of signing and the v1 signatures. `v0` (of Stripe's test mode) and unknown schemes are passed over.
fn parse(header: &str) -> Result<(i64, Vec<Vec<u8>>), WebhookError> {
    let mut signed_at: Option<i64> = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        let (scheme, value) = part.trim().split_once('=').ok_or(WebhookError::Malformed)?;
        match scheme {
            "t" if signed_at.is_none() => signed_at = Some(value.parse().map_err(|_| WebhookError::Malformed)?),
            "t" => return Err(WebhookError::Malformed),
            // One that is no hex matches nothing; another in the same header may.
            "v1" if signatures.len() < SIGNATURES_MAX => signatures.extend(hex::decode(value)),
            _ => {}
        }
    }
    Ok((signed_at.ok_or(WebhookError::Malformed)?, signatures))
}

impl Gateway {
    /// Accepts a webhook if any v1 signature is from any configured secret, and its time is within the tolerance of `now` in
    /// either direction. `raw_body` has to be the bytes as they came: re-encoded JSON has other ones.
    ///
    /// # Errors
    /// See `WebhookError`.
    pub fn verify_webhook(&self, header: &str, raw_body: &[u8], now: OffsetDateTime) -> Result<(), WebhookError> {
        self.verifier().verify(header, raw_body, now)
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
