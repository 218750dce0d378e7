//! What a deployment decides about its connection to Stripe.

use std::time::Duration;

use secrecy::SecretString;

/// Where Stripe answers.
pub const API_BASE_DEFAULT: &str = "https://api.stripe.com/";
/// Time for one attempt, from connecting to the last byte of the answer.
pub const TIMEOUT_SECONDS_DEFAULT: u64 = 30;
/// Attempts of one call, the first included.
pub const ATTEMPTS_DEFAULT: u32 = 4;
/// No attempt begins later than this after the first; a call ends at most one timeout later.
pub const TOTAL_SECONDS_DEFAULT: u64 = 80;
/// How far a webhook's time may be from ours, in either direction.
pub const TOLERANCE_SECONDS_DEFAULT: u64 = 300;
/// The first wait between attempts is drawn from nothing up to this; each further one from twice as much.
pub const BACKOFF_BASE_MILLISECONDS_DEFAULT: u64 = 500;

/// The connection to Stripe. Its secrets show in no `Debug` output and in no error.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `sk_…` or a restricted `rk_…`.
    pub secret_key: SecretString,
    /// With a slash at the end; only tests and proxies change it. A live key is sent over https only.
    pub api_base: String,
    pub timeout_seconds: u64,
    pub attempts_max: u32,
    pub total_seconds_max: u64,
    pub backoff_base_milliseconds: u64,
    /// `whsec_…`; several while one replaces another. None: every webhook is refused.
    pub webhook_secrets: Vec<SecretString>,
    pub tolerance_seconds: u64,
}

impl Settings {
    /// The defaults with this secret key.
    pub fn new(secret_key: SecretString) -> Self {
        Self {
            secret_key,
            api_base: API_BASE_DEFAULT.to_owned(),
            timeout_seconds: TIMEOUT_SECONDS_DEFAULT,
            attempts_max: ATTEMPTS_DEFAULT,
            total_seconds_max: TOTAL_SECONDS_DEFAULT,
            backoff_base_milliseconds: BACKOFF_BASE_MILLISECONDS_DEFAULT,
            webhook_secrets: Vec::new(),
            tolerance_seconds: TOLERANCE_SECONDS_DEFAULT,
        }
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}
