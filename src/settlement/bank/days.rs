//! Days as banks count them, and days as the database keeps them.

use entity::Timestamp;
use time::{Date, Duration, Weekday};

/// A day at midnight UTC, as it is stored.
pub fn stored(day: Date) -> Timestamp {
    Timestamp(day.midnight().assume_utc())
}

/// The day of a stored instant.
pub fn day_of(at: Timestamp) -> Date {
    at.0.date()
}

/// `days` bank days after `day`, or before it when negative: Saturdays and Sundays don't count, public
/// holidays do.
pub fn add_bank_days(day: Date, days: i32) -> Date {
    let step = Duration::days(i64::from(days.signum()));
    let (mut at, mut left) = (day, days.unsigned_abs());
    while left > 0 {
        let Some(next) = at.checked_add(step) else { return at };
        at = next;
        left -= u32::from(!matches!(at.weekday(), Weekday::Saturday | Weekday::Sunday));
    }
    at
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn weekends_are_skipped_in_both_directions() {
        let friday = date!(2026 - 11 - 20);
        assert_eq!(add_bank_days(friday, 1), date!(2026 - 11 - 23));
        assert_eq!(add_bank_days(friday, 5), date!(2026 - 11 - 27));
        assert_eq!(add_bank_days(date!(2026 - 11 - 23), -3), date!(2026 - 11 - 18));
        assert_eq!(add_bank_days(date!(2026 - 11 - 21), 0), date!(2026 - 11 - 21));
        assert_eq!(add_bank_days(date!(2026 - 11 - 21), 1), date!(2026 - 11 - 23));
    }

    #[test]
    fn a_day_survives_being_stored() {
        assert_eq!(day_of(stored(date!(2026 - 02 - 28))), date!(2026 - 02 - 28));
    }
}
