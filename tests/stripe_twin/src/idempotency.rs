//! Idempotency keys: the first answer is kept and replayed.
//!
//! Kept is every answer of an endpoint that had begun to execute, also 500s; refused parameters and requests that
//! met another one in progress are not kept. Source: Stripe's page on idempotent requests.

use std::collections::HashMap;

use axum::http::StatusCode;
use serde_json::Value;

use crate::{error::ApiError, world::SECONDS_PER_DAY};

/// Longest key.
pub const KEY_CHARS_MAX: usize = 255;

/// An answer as it was given.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
    pub request_id: String,
}

#[derive(Clone, Debug)]
struct Entry {
    /// Method, path and parameters of the first request.
    fingerprint: String,
    created: i64,
    /// `None` while the first request is in progress.
    answer: Option<Answer>,
}

/// The keys of all accounts.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    entries: HashMap<(String, String), Entry>,
}

impl Keys {
    /// Claims a key, or returns the answer it already has.
    ///
    /// # Errors
    /// 400 when the key came with another request before, 409 while that is in progress.
    pub fn claim(&mut self, account: &str, key: &str, fingerprint: &str, now: i64) -> Result<Option<Answer>, ApiError> {
        if key.chars().count() > KEY_CHARS_MAX {
            let message = format!("Idempotency keys have at most {KEY_CHARS_MAX} characters.");
            return Err(ApiError::invalid("", "", message));
        }
        let at = (account.to_owned(), key.to_owned());
        if let Some(entry) = self.entries.get(&at).filter(|entry| now - entry.created < SECONDS_PER_DAY) {
            if entry.fingerprint != fingerprint {
                return Err(ApiError::key_reused());
            }
            return entry.answer.clone().map(Some).ok_or_else(ApiError::key_in_use);
        }
        let entry = Entry { fingerprint: fingerprint.to_owned(), created: now, answer: None };
        self.entries.insert(at, entry);
        Ok(None)
    }

    /// Keeps the answer of a claimed key.
    pub fn keep(&mut self, account: &str, key: &str, answer: Answer) {
        if let Some(entry) = self.entries.get_mut(&(account.to_owned(), key.to_owned())) {
            entry.answer = Some(answer);
        }
    }

    /// Lets a claimed key go: nothing was executed.
    pub fn release(&mut self, account: &str, key: &str) {
        self.entries.remove(&(account.to_owned(), key.to_owned()));
    }
}
