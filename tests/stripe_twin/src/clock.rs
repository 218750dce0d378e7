//! Where the twin's time comes from.

use std::time::{SystemTime, UNIX_EPOCH};

/// The twin's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Stands still at this instant (Unix seconds) until it is advanced.
    FixedAt(i64),
    /// Follows the machine's clock; advancing shifts it.
    Wall,
}

/// The machine's clock, Unix seconds.
#[expect(clippy::disallowed_methods, reason = "the twin stands for a foreign system, whose time is not the exchange's")]
pub fn wall_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Holds a request for a planned fault.
#[expect(clippy::disallowed_methods, reason = "a held answer is what the fault is about")]
pub async fn hold(milliseconds: u64) {
    tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
}
