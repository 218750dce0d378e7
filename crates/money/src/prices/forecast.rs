//! What a month's usage will probably cost, and when a budget would be reached.

use time::{Duration, OffsetDateTime};

use super::{fraction::Fraction, metered::usage_price, periods::Period};
use crate::{MoneyError, plan::Meter};

/// The rest of a month is reckoned between half and twice the rate so far.
const SPREAD: i64 = 2;

/// What a month will probably cost, in minor units before tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// What the usage so far costs already.
    pub so_far_minor: i64,
    /// If the rest of the month runs at half the rate so far.
    pub low_minor: i64,
    /// If it goes on as it did.
    pub expected_minor: i64,
    /// If the rest runs at twice the rate.
    pub high_minor: i64,
    /// Units of the whole month, if it goes on as it did.
    pub expected_units: i64,
    /// When the cost reaches the budget if it goes on as it did; nothing when it does not within the month.
    pub budget_reached_at: Option<OffsetDateTime>,
}

/// Forecasts the month `period` from `used_units` until `now`.
///
/// At the very begin nothing is known, and nothing is forecast beyond the usage so far. For an expected number of
/// units give a `now` at the end of the period.
///
/// # Errors
/// As [`usage_price`], and [`MoneyError::OutOfRange`] for a negative budget.
pub fn forecast(
    meter: &Meter,
    used_units: i64,
    period: Period,
    now: OffsetDateTime,
    budget_minor: Option<i64>,
) -> Result<Forecast, MoneyError> {
    let (used_seconds, left_seconds) = (period.seconds_used(now), period.seconds_left(now));
    let rest_units =
        if used_seconds == 0 { 0 } else { Fraction::of(used_units, left_seconds, used_seconds)?.round_half_even()? };
    let units = |rest: i64| used_units.checked_add(rest).ok_or(MoneyError::Overflow);
    let expected_units = units(rest_units)?;
    let faster = rest_units.checked_mul(SPREAD).ok_or(MoneyError::Overflow)?;
    let budget_reached_at = match budget_minor {
        Some(budget) => reached_at(meter, used_units, expected_units, period, now, budget)?,
        None => None,
    };
    Ok(Forecast {
        so_far_minor: usage_price(meter, used_units)?,
        low_minor: usage_price(meter, units(rest_units / SPREAD)?)?,
        expected_minor: usage_price(meter, expected_units)?,
        high_minor: usage_price(meter, units(faster)?)?,
        expected_units,
        budget_reached_at,
    })
}

/// What a month costs when `expected_units` are used, or half as many, or twice as many.
///
/// # Errors
/// As [`usage_price`].
pub fn of_expected(meter: &Meter, expected_units: i64) -> Result<Forecast, MoneyError> {
    let twice = expected_units.checked_mul(SPREAD).ok_or(MoneyError::Overflow)?;
    Ok(Forecast {
        so_far_minor: 0,
        low_minor: usage_price(meter, expected_units / SPREAD)?,
        expected_minor: usage_price(meter, expected_units)?,
        high_minor: usage_price(meter, twice)?,
        expected_units,
        budget_reached_at: None,
    })
}

/// The first whole second at which the cost is at least `budget_minor`, at an even rate up to `expected_units`.
fn reached_at(
    meter: &Meter,
    used_units: i64,
    expected_units: i64,
    period: Period,
    now: OffsetDateTime,
    budget_minor: i64,
) -> Result<Option<OffsetDateTime>, MoneyError> {
    if budget_minor < 0 {
        return Err(MoneyError::OutOfRange);
    }
    if usage_price(meter, used_units)? >= budget_minor {
        return Ok(Some(now));
    }
    if usage_price(meter, expected_units)? < budget_minor {
        return Ok(None);
    }
    // The price grows with the units, so the first count that costs the budget is found by halving.
    let (mut below, mut enough) = (used_units, expected_units);
    while enough - below > 1 {
        let middle = below + (enough - below) / 2;
        if usage_price(meter, middle)? < budget_minor {
            below = middle;
        } else {
            enough = middle;
        }
    }
    let (missing, coming) = (i128::from(enough - used_units), i128::from(expected_units - used_units));
    let left = i128::from(period.seconds_left(now));
    let seconds = (missing * left + coming - 1) / coming;
    let seconds = i64::try_from(seconds).map_err(|_| MoneyError::Overflow)?;
    Ok(Some(now + Duration::seconds(seconds)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::{
        super::metered::tests::{any_meter, meter},
        *,
    };
    use crate::plan::Tier;

    const FROM: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);

    fn november() -> Period {
        Period::new(FROM, datetime!(2026-12-01 00:00 UTC)).expect("has a length")
    }

    fn a_cent_each() -> Meter {
        meter(0, vec![Tier { up_to_units: None, price_minor: 1, per_units: 1 }], None)
    }

    #[test]
    fn after_ten_days_twenty_more_are_reckoned_from_them() {
        let at = FROM + Duration::days(10);
        let found = forecast(&a_cent_each(), 1_000, november(), at, Some(1_500)).expect("valid");
        assert_eq!(
            (found.so_far_minor, found.low_minor, found.expected_minor, found.high_minor),
            (1_000, 2_000, 3_000, 5_000)
        );
        assert_eq!((found.expected_units, found.budget_reached_at), (3_000, Some(FROM + Duration::days(15))));
    }

    #[test]
    fn a_budget_is_reached_already_or_never() {
        let at = FROM + Duration::days(10);
        let reached =
            |budget| forecast(&a_cent_each(), 1_000, november(), at, Some(budget)).expect("valid").budget_reached_at;
        assert_eq!([reached(1_000), reached(3_001)], [Some(at), None]);
        assert_eq!(reached(3_000), Some(november().until));
        assert!(forecast(&a_cent_each(), 1, november(), at, Some(-1)).is_err());
    }

    #[test]
    fn a_budget_is_reached_in_the_second_its_last_unit_is_used() {
        let at = FROM + Duration::days(10);
        for budget in (1_001..=3_000).step_by(7) {
            let found = forecast(&a_cent_each(), 1_000, november(), at, Some(budget)).expect("valid");
            // Twenty days for two thousand units: 864 seconds for each.
            assert_eq!(found.budget_reached_at, Some(at + Duration::seconds((budget - 1_000) * 864)), "{budget}");
        }
        // Three units in the ten days, so six in the twenty: a third of a unit has to wait for the next whole second.
        let in_thirds = forecast(&a_cent_each(), 7, november(), FROM + Duration::seconds(86_401), Some(8));
        let reached = FROM + Duration::seconds(86_401 + (2_592_000 - 86_401) / 203 + 1);
        assert_eq!(in_thirds.expect("valid").budget_reached_at, Some(reached));
    }

    #[test]
    fn a_budget_of_nothing_is_reached_at_once() {
        let found = forecast(&a_cent_each(), 0, november(), FROM, Some(0)).expect("valid");
        assert_eq!(found.budget_reached_at, Some(FROM));
    }

    #[test]
    fn at_the_begin_nothing_is_known() {
        let found = forecast(&a_cent_each(), 0, november(), FROM, Some(100)).expect("valid");
        assert_eq!((found.expected_minor, found.high_minor, found.budget_reached_at), (0, 0, None));
    }

    #[test]
    fn an_expected_number_of_units_is_priced_with_half_and_twice_of_it() {
        let found = of_expected(&a_cent_each(), 500).expect("valid");
        assert_eq!((found.low_minor, found.expected_minor, found.high_minor), (250, 500, 1_000));
    }

    proptest! {
        #[test]
        fn the_range_holds_the_expected_and_the_budget_is_reached_when_it_costs_that(
            meter in any_meter(), used in 0_i64..100_000, second in 1_i64..2_592_000, budget in 0_i64..200_000,
        ) {
            let now = FROM + Duration::seconds(second);
            let found = forecast(&meter, used, november(), now, Some(budget)).expect("valid");
            prop_assert!(found.so_far_minor <= found.low_minor && found.low_minor <= found.expected_minor);
            prop_assert!(found.expected_minor <= found.high_minor);
            prop_assert_eq!(found.budget_reached_at.is_some(), found.expected_minor >= budget);
            prop_assert!(found.budget_reached_at.is_none_or(|at| now <= at && at <= november().until));
        }
    }
}
