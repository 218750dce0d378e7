//! The arithmetic of meters: how far a budget reaches, what a month is billed, whom to tell.

use crate::{MoneyError, plan::Meter, prices::usage_price};

/// More units than anything delivers in a month; a budget that reaches so far is no limit.
const UNITS_MAX: i64 = 1 << 53;
/// Parts of a budget, in percent, at which the buyer is told.
const TOLD_AT_PERCENT: [i32; 3] = [50, 80, 100];

/// Units after which access stops under a budget, those delivered for nothing included; nothing where no
/// number of units costs more.
///
/// # Errors
/// Those of the meter's price.
pub fn limit_units(meter: &Meter, budget_minor: Option<i64>) -> Result<Option<i64>, MoneyError> {
    let Some(budget) = budget_minor else { return Ok(None) };
    let affordable = |units: i64| match usage_price(meter, units) {
        Ok(price) => Ok(price <= budget),
        Err(MoneyError::Overflow) => Ok(false),
        Err(error) => Err(error),
    };
    if affordable(UNITS_MAX)? {
        return Ok(None);
    }
    let (mut good, mut bad) = (0, UNITS_MAX);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if affordable(middle)? { good = middle } else { bad = middle }
    }
    Ok(Some(good.saturating_add(meter.grace_units)))
}

/// What a month costs under the budget in force at its end.
///
/// # Errors
/// Those of the meter's price.
pub fn bill_minor(meter: &Meter, units: i64, budget_minor: Option<i64>) -> Result<i64, MoneyError> {
    let price = usage_price(meter, units)?;
    Ok(budget_minor.map_or(price, |budget| price.min(budget)))
}

/// The largest part to tell of that `used` of `whole` has reached and that was not told before, in percent.
pub fn newly_reached(used: i64, whole: i64, told_percent: i32) -> Option<i32> {
    let reached = |percent: &&i32| i128::from(used) * 100 >= i128::from(whole) * i128::from(**percent);
    let highest = TOLD_AT_PERCENT.iter().filter(reached).max().copied();
    highest.filter(|percent| whole > 0 && *percent > told_percent)
}

/// True when what was counted, and the units that are being handed out, stay within the limit.
///
/// Of what is reported afterwards nothing can be known (`being_sent` is absent): as long as one more is left, the door
/// is open.
pub fn is_within(limit_units: Option<i64>, used: i64, being_sent: Option<i64>) -> bool {
    match (limit_units, being_sent) {
        (None, _) => true,
        (Some(limit), Some(units)) => used.saturating_add(units) <= limit,
        (Some(limit), None) => used < limit,
    }
}

/// How much of each pack, given by what it holds, is used when `used` units of the whole stock are: oldest first.
pub fn used_of_packs(packs: impl IntoIterator<Item = i64>, used: i64) -> Vec<i64> {
    let mut left = used.max(0);
    let of_pack = |units: i64| {
        let taken = units.clamp(0, left);
        left -= taken;
        taken
    };
    packs.into_iter().map(of_pack).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Tier, Unit};

    fn meter(included_units: i64, price_minor: i64, cap_minor: Option<i64>, grace_units: i64) -> Meter {
        let tiers = vec![Tier { up_to_units: None, price_minor, per_units: 10 }];
        Meter { unit: Unit::Request, included_units, tiers, cap_minor, grace_units, late_hours: 0 }
    }

    #[test]
    fn a_budget_reaches_to_the_last_unit_it_pays_for_and_the_grace_beyond() {
        let limit = |meter: Meter, budget| limit_units(&meter, budget).expect("valid");
        assert_eq!(limit(meter(5, 10, None, 0), Some(3)), Some(8));
        assert_eq!(limit(meter(5, 10, None, 2), Some(3)), Some(10));
        assert_eq!(limit(meter(0, 10, Some(100), 0), Some(100)), None, "the cap is within the budget");
        assert_eq!(limit(meter(0, 10, None, 0), None), None);
        assert_eq!(limit(meter(7, 10, None, 0), Some(0)), Some(7));
    }

    #[test]
    fn the_most_that_is_counted_is_beyond_anything_that_is_delivered() {
        let limit = |meter: &Meter, budget| limit_units(meter, Some(budget));
        assert_eq!(limit(&meter(0, 10, None, 0), UNITS_MAX - 1), Ok(Some(UNITS_MAX - 1)));
        assert_eq!(limit(&meter(0, 10, None, 0), UNITS_MAX), Ok(None));
        // So dear that the price of the most does not fit: then the limit is where the budget ends all the same.
        assert_eq!(limit(&meter(0, i64::MAX, None, 0), i64::MAX), Ok(Some(10)));
        let nothing = Meter { tiers: vec![], ..meter(0, 10, None, 0) };
        assert_eq!(limit(&nothing, 5), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn a_bill_is_the_price_and_at_most_the_budget() {
        let bill = |budget| bill_minor(&meter(0, 10, None, 0), 70, budget).expect("valid");
        assert_eq!([bill(None), bill(Some(70)), bill(Some(69))], [70, 70, 69]);
    }

    #[test]
    fn the_buyer_is_told_once_of_each_part() {
        assert_eq!(newly_reached(49, 100, 0), None);
        assert_eq!(newly_reached(50, 100, 0), Some(50));
        assert_eq!(newly_reached(79, 100, 50), None);
        assert_eq!(newly_reached(80, 100, 50), Some(80));
        assert_eq!(newly_reached(100, 100, 50), Some(100));
        assert_eq!(newly_reached(300, 100, 100), None);
        assert_eq!(newly_reached(1, 0, 0), None);
        assert_eq!(newly_reached(i64::MAX, i64::MAX, 0), Some(100));
    }

    #[test]
    fn what_is_being_sent_counts_against_the_limit_where_it_is_known() {
        assert!(is_within(None, i64::MAX, Some(i64::MAX)) && is_within(None, 5, None));
        let within = |used, being_sent| is_within(Some(10), used, being_sent);
        assert_eq!([within(8, Some(2)), within(8, Some(3)), within(10, Some(0))], [true, false, true]);
        assert_eq!([within(9, None), within(10, None), within(i64::MAX, Some(1))], [true, false, false]);
    }

    #[test]
    fn the_oldest_pack_is_used_up_first() {
        assert_eq!(used_of_packs([10, 5], 4), [4, 0]);
        assert_eq!(used_of_packs([10, 5], 12), [10, 2]);
        assert_eq!(used_of_packs([10, 5], 99), [10, 5]);
        assert_eq!(used_of_packs([10, 5], -1), [0, 0]);
    }

    proptest! {
        #[test]
        fn the_limit_is_the_last_unit_within_the_budget(
            included in 0_i64..50, price in 1_i64..100, budget in 0_i64..10_000, grace in 0_i64..20,
        ) {
            let meter = meter(included, price, None, grace);
            let limit = limit_units(&meter, Some(budget)).unwrap().unwrap() - grace;
            prop_assert!(usage_price(&meter, limit).unwrap() <= budget);
            prop_assert!(usage_price(&meter, limit + 1).unwrap() > budget);
            prop_assert!(bill_minor(&meter, limit + grace, Some(budget)).unwrap() <= budget);
        }

        #[test]
        fn what_is_used_of_the_packs_adds_up(units in proptest::collection::vec(0_i64..100, 0..6), used in 0_i64..600) {
            let of_packs = used_of_packs(units.iter().copied(), used);
            prop_assert_eq!(of_packs.iter().sum::<i64>(), used.min(units.iter().sum()));
        }
    }
}
