//! Parts of a period that was paid in advance: what is unused, and what a change within it costs.
//!
//! Time counts to the second, so that a change at noon costs half a day less than one at midnight.

use time::OffsetDateTime;

use super::fraction::Fraction;
use crate::MoneyError;

/// A period that was paid for: from, and until just before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Its first instant.
    pub from: OffsetDateTime,
    /// The first instant after it.
    pub until: OffsetDateTime,
}

/// What a change of offer within a period costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What was paid for the time that is left, in minor units.
    pub unused_minor: i64,
    /// What the new offer costs for that time.
    pub rest_minor: i64,
    /// What is to be paid: the rest less what is unused, and nothing for a change to something cheaper.
    pub charge_minor: i64,
    /// What of the unused value the new offer does not need; a change to something cheaper never pays it out by itself.
    pub credit_minor: i64,
}

impl Period {
    /// A period that has a length.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] unless it is at least a second long.
    pub fn new(from: OffsetDateTime, until: OffsetDateTime) -> Result<Self, MoneyError> {
        let period = Self { from, until };
        if period.seconds() < 1 { Err(MoneyError::OutOfRange) } else { Ok(period) }
    }

    /// Whole seconds from its begin to its end.
    pub fn seconds(&self) -> i64 {
        (self.until - self.from).whole_seconds()
    }

    /// Whole seconds of it that are over at `at`: from 0 to all.
    pub fn seconds_used(&self, at: OffsetDateTime) -> i64 {
        (at - self.from).whole_seconds().clamp(0, self.seconds().max(0))
    }

    /// Whole seconds of it that are left at `at`.
    pub fn seconds_left(&self, at: OffsetDateTime) -> i64 {
        self.seconds() - self.seconds_used(at)
    }
}

/// What of `paid_minor` for `period` is for the time after `at`, rounded half to even.
///
/// It falls from the whole to nothing as time passes.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for a negative sum or a period without a length.
pub fn unused_value(paid_minor: i64, period: Period, at: OffsetDateTime) -> Result<i64, MoneyError> {
    Fraction::of(paid_minor, period.seconds_left(at), period.seconds())?.round_half_even()
}

/// What is unused of several sums paid for one period (say a price, and an upgrade since), each for its own part of it.
///
/// # Errors
/// As [`unused_value`], and [`MoneyError::Overflow`].
pub fn unused(paid: &[(i64, Period)], at: OffsetDateTime) -> Result<i64, MoneyError> {
    paid.iter().try_fold(0_i64, |sum, (minor, period)| {
        sum.checked_add(unused_value(*minor, *period, at)?).ok_or(MoneyError::Overflow)
    })
}

/// What it costs to change at `at` to an offer of `new_price_minor`, when `unused_minor` of what was paid is unused.
///
/// `left_of` is the period that was paid, whose end stays; `new_period` is what the new price is for, and the time
/// that is left costs its part of that.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for a negative sum or a period without a length, [`MoneyError::Overflow`].
pub fn change(
    unused_minor: i64,
    left_of: Period,
    new_price_minor: i64,
    new_period: Period,
    at: OffsetDateTime,
) -> Result<Change, MoneyError> {
    if unused_minor < 0 {
        return Err(MoneyError::OutOfRange);
    }
    let rest = Fraction::of(new_price_minor, left_of.seconds_left(at), new_period.seconds())?;
    let rest_minor = rest.round_half_even()?;
    Ok(Change {
        unused_minor,
        rest_minor,
        charge_minor: (rest_minor - unused_minor).max(0),
        credit_minor: (unused_minor - rest_minor).max(0),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    use super::*;

    const FROM: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

    fn days(length: i64) -> Period {
        Period::new(FROM, FROM + Duration::days(length)).expect("has a length")
    }

    #[test]
    fn half_way_half_is_unused() {
        let at = FROM + Duration::days(15);
        assert_eq!(unused_value(3_000, days(30), at), Ok(1_500));
        assert_eq!(unused_value(3_000, days(30), FROM - Duration::DAY), Ok(3_000));
        assert_eq!(unused_value(3_000, days(30), FROM + Duration::days(31)), Ok(0));
        assert_eq!(unused(&[(3_000, days(30)), (600, days(30))], at), Ok(1_800));
    }

    #[test]
    fn up_costs_the_difference_and_down_costs_nothing() {
        let at = FROM + Duration::days(10);
        let to = |price| change(2_000, days(30), price, days(30), at).expect("valid");
        assert_eq!(to(6_000), Change { unused_minor: 2_000, rest_minor: 4_000, charge_minor: 2_000, credit_minor: 0 });
        assert_eq!(to(1_500), Change { unused_minor: 2_000, rest_minor: 1_000, charge_minor: 0, credit_minor: 1_000 });
    }

    #[test]
    fn a_price_for_a_longer_term_counts_for_the_time_that_is_left() {
        let at = FROM + Duration::days(20);
        let change = change(0, days(30), 36_500, days(365), at).expect("valid");
        assert_eq!(change.rest_minor, 1_000);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(Period::new(FROM, FROM), Err(MoneyError::OutOfRange));
        assert_eq!(unused_value(-1, days(1), FROM), Err(MoneyError::OutOfRange));
        assert_eq!(change(-1, days(1), 1, days(1), FROM), Err(MoneyError::OutOfRange));
        let empty = Period { from: FROM, until: FROM };
        assert_eq!(unused_value(1, empty, FROM), Err(MoneyError::OutOfRange));
        assert_eq!(unused(&[(i64::MAX, days(1)), (1, days(1))], FROM), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn what_is_unused_falls_from_all_to_nothing(paid in 0_i64..=99_999_999, length in 1_i64..=1_100, at in 0_i64..100_000_000) {
            let now = unused_value(paid, days(length), FROM + Duration::seconds(at)).expect("valid");
            let later = unused_value(paid, days(length), FROM + Duration::seconds(at + 1)).expect("valid");
            prop_assert!(0 <= later && later <= now && now <= paid);
        }

        #[test]
        fn a_change_is_never_negative_and_adds_up(
            paid in 0_i64..=99_999_999, new in 0_i64..=99_999_999, length in 1_i64..=1_100, at in 0_i64..100_000_000,
        ) {
            let (period, at) = (days(length), FROM + Duration::seconds(at));
            let unused = unused_value(paid, period, at).expect("valid");
            let change = change(unused, period, new, period, at).expect("valid");
            prop_assert!(change.charge_minor >= 0 && change.credit_minor >= 0 && change.charge_minor <= new);
            prop_assert_eq!(change.charge_minor - change.credit_minor, change.rest_minor - unused);
            prop_assert!(new != paid || change.charge_minor == 0 && change.credit_minor == 0);
        }
    }
}
