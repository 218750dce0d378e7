//! How often a process does what costs a call to the outside.

use std::sync::{Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// When this process last did something.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Option<OffsetDateTime>>);

impl Pace {
    /// True when the last time was so long ago, or there was none; then it counts as done.
    pub fn is_due(&self, now: OffsetDateTime, every: Duration) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|at| now - at >= every);
        if due {
            *last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_done_at_once_and_then_only_every_so_often() {
        let (pace, start, minute) = (Pace::default(), OffsetDateTime::UNIX_EPOCH, Duration::MINUTE);
        assert!(pace.is_due(start, minute));
        assert!(!pace.is_due(start + Duration::seconds(59), minute));
        assert!(pace.is_due(start + minute, minute));
        assert!(!pace.is_due(start + minute, minute));
    }
}
