//! Which transfers a debt is taken back from, and when a refused reversal is given up.

use entity::ids::{PayoutId, ReversalId};
use time::Duration;
pub use torv_money::reversals::spread;

/// How long a process may be busy handing one reversal to the processor; calls give up long before.
pub const LEASE_SECONDS: i64 = 300;
/// The wait after no answer, and for a transfer that is still to leave.
pub const LATER_SECONDS: i64 = 60;
/// Refusals that a later attempt can change: too little of our own, or the processor is busy.
const PASSING_REFUSALS: [&str; 2] = ["rate_limit", "lock_timeout"];
/// Refusals after which also a passing one is given up.
const REFUSALS_MAX: i32 = 8;

/// What can be taken back of one transfer about one order.
pub type Room = torv_money::reversals::Room<PayoutId>;

/// The first wait in days after a refusal that only money in the provider's account can change, and the longest.
const RETRY_DAYS: [i64; 2] = [1, 32];

/// True when another attempt can't help soon: the provider's account does not hold enough.
pub fn is_final(code: &str, attempt: i32) -> bool {
    !PASSING_REFUSALS.contains(&code) || attempt >= REFUSALS_MAX
}

/// The wait after a passing refusal of attempt number `attempt` (from 1).
pub fn refused_wait(attempt: i32) -> Duration {
    Duration::seconds(LATER_SECONDS << (attempt - 1).clamp(0, 8))
}

/// The wait until a refused reversal is tried again, after attempt number `attempt` (from 1): a day, doubled each time.
pub fn retry_wait(attempt: i32) -> Duration {
    let [first, longest] = RETRY_DAYS;
    Duration::days((first << (attempt - 1).clamp(0, 8)).min(longest))
}

/// What of a refused reversal can be asked for again: as much of it as is still owed about its order.
///
/// `in_flight_minor` is what other reversals may still take back, `payable_minor` the provider's due share of the same
/// order, which the next payout sets off.
pub fn still_wanted(asked_minor: i64, debt_minor: i64, in_flight_minor: i64, payable_minor: i64) -> i64 {
    (debt_minor - in_flight_minor - payable_minor).clamp(0, asked_minor)
}

/// The key under which the processor is asked.
pub fn idempotency_key(id: ReversalId, attempt: i32) -> String {
    format!("{id}:reversal:{attempt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_reversal_waits_longer_each_time_and_asks_for_no_more_than_is_owed() {
        assert_eq!([1, 2, 6, 7, 99].map(|attempt| retry_wait(attempt).whole_days()), [1, 2, 32, 32, 32]);
        assert_eq!(still_wanted(80, 80, 0, 0), 80);
        assert_eq!(still_wanted(80, 50, 0, 0), 50);
        assert_eq!(still_wanted(80, 160, 80, 0), 80);
        assert_eq!([still_wanted(80, 80, 80, 0), still_wanted(80, 80, 0, 80), still_wanted(80, 0, 0, 0)], [0; 3]);
    }

    #[test]
    fn only_a_passing_refusal_is_tried_again_and_not_for_ever() {
        assert!(is_final("insufficient_funds", 1) && is_final("lock_timeout", REFUSALS_MAX));
        assert!(!is_final("lock_timeout", REFUSALS_MAX - 1) && !is_final("rate_limit", 1));
        assert_eq!([1, 2, i32::MAX].map(refused_wait), [60, 120, 15_360].map(Duration::seconds));
    }
}
