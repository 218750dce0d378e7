//! Which transfers a debt is taken back from, and when a refused reversal is given up.

use entity::ids::{PayoutId, ReversalId};
use time::Duration;

/// How long a process may be busy handing one reversal to the processor; calls give up long before.
pub const LEASE_SECONDS: i64 = 300;
/// The wait after no answer, and for a transfer that is still to leave.
pub const LATER_SECONDS: i64 = 60;
/// Refusals that a later attempt can change: too little of our own, or the processor is busy.
const PASSING_REFUSALS: [&str; 2] = ["rate_limit", "lock_timeout"];
/// Refusals after which also a passing one is given up.
const REFUSALS_MAX: i32 = 8;

/// What can be taken back of one transfer about one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The payout.
    pub payout: PayoutId,
    /// What it carried of the order, less what is being or was taken back of it.
    pub minor: i64,
}

/// Spreads a debt over transfers, the latest first; a rest that no transfer carried stays a debt.
pub fn spread(debt_minor: i64, rooms: &[Room]) -> Vec<Room> {
    let mut left = debt_minor;
    let mut parts = Vec::new();
    for room in rooms.iter().rev().filter(|room| room.minor > 0) {
        let minor = room.minor.min(left);
        if minor > 0 {
            parts.push(Room { payout: room.payout, minor });
            left -= minor;
        }
    }
    parts
}

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
    fn a_debt_is_taken_from_the_latest_transfers_and_never_more_than_they_carried() {
        let room = |words: &str, minor| Room { payout: PayoutId::derived(words), minor };
        let rooms = [room("a", 50), room("b", 0), room("c", 30)];
        assert_eq!(spread(40, &rooms), [room("c", 30), room("a", 10)]);
        assert_eq!(spread(30, &rooms), [room("c", 30)]);
        assert_eq!(spread(100, &rooms), [room("c", 30), room("a", 50)]);
        assert_eq!(spread(0, &rooms), []);
    }
}
