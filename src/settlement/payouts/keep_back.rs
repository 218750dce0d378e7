//! Telling a processor that pays the operator out by itself what has to stay for others.
//!
//! Without it the processor sends everything to the operator's bank each night, and a share that is transferred after
//! its hold finds nothing left. What is told is absolute: telling it twice, or by two processes, changes nothing.

use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

use super::model;
use crate::{base::Money, error::Result, ledger, settlement::outside, state::AppState};

/// How often the books are looked at. Funds of a sale take days until they can be paid out.
const LOOK_EVERY_SECONDS: i64 = 5;
/// After this long the same is told again: somebody may have changed it at the processor.
const TELL_EVERY_SECONDS: i64 = 3_600;

/// What this process last told the processor to keep back.
#[derive(Debug, Default)]
pub struct KeptBack(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    looked_at: Option<OffsetDateTime>,
    told_at: Option<OffsetDateTime>,
    told: Vec<Money>,
}

impl KeptBack {
    /// True when the books are to be looked at; then they count as looked at.
    fn look(&self, now: OffsetDateTime) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = state.looked_at.is_none_or(|at| now - at >= Duration::seconds(LOOK_EVERY_SECONDS));
        if due {
            state.looked_at = Some(now);
        }
        due
    }

    fn is_news(&self, owed: &[Money], now: OffsetDateTime) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.told != owed || state.told_at.is_none_or(|at| now - at >= Duration::seconds(TELL_EVERY_SECONDS))
    }

    fn note(&self, owed: Vec<Money>, now: OffsetDateTime) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.told = owed;
        state.told_at = Some(now);
    }
}

/// What must not leave for the operator's bank, per currency.
///
/// # Errors
/// Those of the database.
pub async fn owed_to_others(app: &AppState) -> Result<Vec<Money>> {
    Ok(model::owed_to_others(&ledger::balances(app.db.read(), None).await?)?)
}

/// Tells the processor what is owed to others, when it changed since this process last told it and every hour;
/// returns 1 when it was told.
///
/// # Errors
/// `Unavailable` when the processor does not answer; those of the database.
pub async fn keep_back(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    if !app.payments.features().automatic_payouts || !app.kept_back.look(now) {
        return Ok(0);
    }
    let owed = owed_to_others(app).await?;
    if owed.is_empty() || !app.kept_back.is_news(&owed, now) {
        return Ok(0);
    }
    app.db.faults().step(|| "payments.keep_back: before call".to_owned())?;
    app.payments.keep_back(&owed).await.map_err(outside)?;
    app.db.faults().step(|| "payments.keep_back: after call".to_owned())?;
    app.kept_back.note(owed, now);
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_told_again_only_after_an_hour() {
        let (kept, start) = (KeptBack::default(), OffsetDateTime::UNIX_EPOCH);
        let eur = |minor| vec![Money::new(minor, "EUR".parse().expect("in the table"))];
        assert!(kept.is_news(&eur(5), start));
        kept.note(eur(5), start);
        assert!(!kept.is_news(&eur(5), start + Duration::seconds(TELL_EVERY_SECONDS - 1)));
        assert!(kept.is_news(&eur(6), start));
        assert!(kept.is_news(&eur(5), start + Duration::seconds(TELL_EVERY_SECONDS)));
    }

    #[test]
    fn the_books_are_looked_at_every_few_seconds() {
        let (kept, start) = (KeptBack::default(), OffsetDateTime::UNIX_EPOCH);
        assert!(kept.look(start));
        assert!(!kept.look(start + Duration::seconds(LOOK_EVERY_SECONDS - 1)));
        assert!(kept.look(start + Duration::seconds(LOOK_EVERY_SECONDS)));
    }
}
