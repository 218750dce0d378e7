//! Counting wrong passwords per mail address, whether or not somebody has it, so that neither
//! guessing nor asking who has an account gets far.
//!
//! An attempt is counted before the password is looked at and forgotten when it was right, so that
//! many guesses at the same moment are counted as many.

use time::Duration;

use super::store;
use crate::{
    base::digest,
    db::Tx,
    error::{Error, Problem, Result},
    limits,
    state::AppState,
};

/// The counter of a mail address; the address itself is not kept, since it may be nobody's.
fn counter(email: &str) -> String {
    digest::sha256_hex(email.as_bytes())
}

/// Counts an attempt with this (normalized) mail address.
///
/// # Errors
/// `TooMany` with the seconds to wait, after [`limits::PASSWORD_FAILURES_MAX`] within the window.
pub(in crate::people) async fn count(app: &AppState, email: &str) -> Result<()> {
    let (hash, now) = (counter(email), app.clock.now());
    let window_ends_at = now + Duration::seconds(limits::PASSWORD_FAILURE_WINDOW_SECONDS);
    let row = app
        .db
        .write("people.count_attempt", move |tx| {
            let hash = hash.clone();
            async move {
                let row = store::count_attempt(&tx, hash, now, window_ends_at).await?;
                Ok((row, tx))
            }
        })
        .await?;
    if row.failures <= limits::PASSWORD_FAILURES_MAX {
        return Ok(());
    }
    metrics::counter!("log_ins_throttled_total").increment(1);
    let wait = (row.window_ends_at.0 - now).whole_seconds().clamp(1, limits::PASSWORD_FAILURE_WINDOW_SECONDS);
    let detail = "Too many wrong passwords for this mail address. Wait, then try again.";
    let error = Error::new(Problem::TooMany, detail);
    Err(Error { retry_after_seconds: u32::try_from(wait).ok(), ..error })
}

/// Forgets the attempts with a mail address, after the right password.
pub(in crate::people) async fn forget(tx: &Tx, email: &str) -> Result<()> {
    store::delete_attempts(tx, counter(email)).await
}
