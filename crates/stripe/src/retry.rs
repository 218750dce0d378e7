//! When a call is repeated, and after how long. Pure: no clock, no network.

use std::time::Duration;

/// No wait between two attempts is longer, whatever the backoff or `Retry-After` say.
pub const WAIT_SECONDS_MAX: u64 = 20;

/// How one attempt ended, as far as repeating it is concerned.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Attempt {
    /// None: the connection failed or no answer came in time.
    pub(crate) status: Option<u16>,
    /// `Stripe-Should-Retry`: Stripe knows best.
    pub(crate) should_retry: Option<bool>,
    /// `Retry-After`.
    pub(crate) retry_after_seconds: Option<u64>,
    /// `Idempotent-Replayed`: the answer that Stripe keeps for the key.
    pub(crate) replayed: bool,
}

/// How often and how long; see `Settings`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryPolicy {
    pub(crate) attempts_max: u32,
    pub(crate) total_max: Duration,
    pub(crate) backoff_base: Duration,
}

impl Attempt {
    /// Statuses after which the same request with the same key may end differently: 409 (the key is in use), 424, 429, 5xx,
    /// and no status at all. A success and a replayed answer stay what they are; else Stripe's own word goes first.
    fn may_end_differently(self) -> bool {
        if self.replayed || self.status.is_some_and(|status| (200..300).contains(&status)) {
            return false;
        }
        match (self.should_retry, self.status) {
            (Some(word), _) => word,
            (None, None | Some(409 | 424 | 429)) => true,
            (None, Some(status)) => status >= 500,
        }
    }

    /// Whether this attempt may have moved money although it did not say so.
    pub(crate) fn effect_is_unknown(self) -> bool {
        matches!(self.status, None | Some(409 | 424 | 500..))
    }
}

impl RetryPolicy {
    /// How long to wait before the next attempt, or None to stop. `attempts_made` counts from 1, `spent` is the time used so
    /// far, `fraction` in 0..=1 is drawn by the caller: *full* jitter, so that clients that failed together do not return
    /// together. `Retry-After` is a lower bound to which the jitter is added.
    pub(crate) fn wait_before_next(
        &self,
        attempt: Attempt,
        attempts_made: u32,
        spent: Duration,
        fraction: f64,
    ) -> Option<Duration> {
        if attempts_made >= self.attempts_max || !attempt.may_end_differently() {
            return None;
        }
        let longest = Duration::from_secs(WAIT_SECONDS_MAX);
        let doubled = self.backoff_base.saturating_mul(2_u32.saturating_pow(attempts_made.saturating_sub(1)));
        let jitter = doubled.min(longest).mul_f64(fraction.clamp(0.0, 1.0));
        let asked = Duration::from_secs(attempt.retry_after_seconds.unwrap_or(0));
        if asked > longest {
            return None; // longer than a caller should hang: it repeats later, with the same key
        }
        let wait = (asked + jitter).min(longest);
        (spent + wait < self.total_max).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RetryPolicy =
        RetryPolicy { attempts_max: 4, total_max: Duration::from_secs(60), backoff_base: Duration::from_millis(500) };

    fn answered(status: u16) -> Attempt {
        Attempt { status: Some(status), ..Attempt::default() }
    }

    fn wait(attempt: Attempt, made: u32, fraction: f64) -> Option<Duration> {
        POLICY.wait_before_next(attempt, made, Duration::ZERO, fraction)
    }

    #[test]
    fn only_what_may_end_differently_is_repeated() {
        for status in [409, 424, 429, 500, 502, 503, 504] {
            assert!(wait(answered(status), 1, 0.5).is_some(), "{status}");
        }
        for status in [400, 401, 402, 403, 404] {
            assert!(wait(answered(status), 1, 0.5).is_none(), "{status}");
        }
        assert!(wait(Attempt::default(), 1, 0.5).is_some(), "no answer");
    }

    #[test]
    fn stripes_own_word_goes_first() {
        let told = |status, word| Attempt { should_retry: Some(word), ..answered(status) };
        assert!(wait(told(500, false), 1, 0.0).is_none());
        assert!(wait(told(402, true), 1, 0.0).is_some());
        assert!(wait(told(200, true), 1, 0.0).is_none(), "done is done");
    }

    #[test]
    fn a_replayed_answer_is_not_asked_for_again() {
        assert!(wait(Attempt { replayed: true, ..answered(500) }, 1, 0.0).is_none());
    }

    #[test]
    fn waits_double_under_full_jitter_and_have_a_ceiling() {
        assert_eq!(wait(answered(500), 1, 0.0), Some(Duration::ZERO));
        assert_eq!(wait(answered(500), 1, 1.0), Some(Duration::from_millis(500)));
        assert_eq!(wait(answered(500), 3, 1.0), Some(Duration::from_secs(2)));
        let many = RetryPolicy { attempts_max: 40, ..POLICY };
        let longest = many.wait_before_next(answered(500), 30, Duration::ZERO, 1.0);
        assert_eq!(longest, Some(Duration::from_secs(WAIT_SECONDS_MAX)));
    }

    #[test]
    fn retry_after_is_a_lower_bound_unless_it_is_unreasonable() {
        let told = |seconds| Attempt { retry_after_seconds: Some(seconds), ..answered(429) };
        assert_eq!(wait(told(3), 1, 0.0), Some(Duration::from_secs(3)));
        assert_eq!(wait(told(WAIT_SECONDS_MAX), 1, 1.0), Some(Duration::from_secs(WAIT_SECONDS_MAX)));
        assert_eq!(wait(told(WAIT_SECONDS_MAX + 1), 1, 0.0), None);
    }

    #[test]
    fn attempts_and_total_time_are_bounded() {
        assert!(wait(answered(500), 3, 0.0).is_some());
        assert!(wait(answered(500), 4, 0.0).is_none());
        assert!(POLICY.wait_before_next(answered(500), 1, Duration::from_secs(60), 0.0).is_none());
    }
}
