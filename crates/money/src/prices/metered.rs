//! What a month's usage costs.

use super::fraction::Fraction;
use crate::{MoneyError, plan::Meter};

/// What `units` of one month cost, in minor units before tax.
///
/// The included units cost nothing. Each further unit costs what the tier it falls into says; the whole sum is exact
/// and rounded once, half to even. The cap comes last.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for negative units or a meter that publishing an offer would have refused,
/// [`MoneyError::Overflow`] beyond 63 bits.
pub fn usage_price(meter: &Meter, units: i64) -> Result<i64, MoneyError> {
    if units < 0 || meter.included_units < 0 {
        return Err(MoneyError::OutOfRange);
    }
    let charged = units.saturating_sub(meter.included_units).max(0);
    let (mut priced, mut sum) = (0, Fraction::ZERO);
    for tier in &meter.tiers {
        let end = tier.up_to_units.unwrap_or(i64::MAX).min(charged);
        let in_tier = end.checked_sub(priced).filter(|units| *units >= 0).ok_or(MoneyError::OutOfRange)?;
        sum = sum.checked_add(Fraction::of(in_tier, tier.price_minor, tier.per_units)?)?;
        priced = end;
        if priced == charged {
            break;
        }
    }
    if priced < charged {
        // The last tier has no end, so that no unit is without a price.
        return Err(MoneyError::OutOfRange);
    }
    let price = sum.round_half_even()?;
    Ok(meter.cap_minor.map_or(price, |cap| price.min(cap)))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Tier, Unit};

    pub(in crate::prices) fn meter(included_units: i64, tiers: Vec<Tier>, cap_minor: Option<i64>) -> Meter {
        Meter { unit: Unit::Request, included_units, tiers, cap_minor, grace_units: 0, late_hours: 0 }
    }

    const fn tier(up_to_units: Option<i64>, price_minor: i64, per_units: i64) -> Tier {
        Tier { up_to_units, price_minor, per_units }
    }

    pub(in crate::prices) fn any_meter() -> impl Strategy<Value = Meter> {
        let tiers = proptest::collection::vec((1_i64..5_000, 0_i64..1_000, 1_i64..1_000), 1..5);
        (0_i64..1_000, tiers, proptest::option::of(1_i64..100_000)).prop_map(|(included, steps, cap)| {
            let (last, mut end) = (steps.len() - 1, 0);
            let tiers = steps.into_iter().enumerate().map(|(place, (length, price, per))| {
                end += length;
                tier((place < last).then_some(end), price, per)
            });
            meter(included, tiers.collect(), cap)
        })
    }

    #[test]
    fn each_unit_costs_what_its_tier_says() {
        let two = meter(1_000, vec![tier(Some(10_000), 5, 10), tier(None, 2, 10)], Some(50_000));
        let price = |units| usage_price(&two, units).expect("valid");
        assert_eq!([price(0), price(1_000), price(1_010), price(11_000), price(21_000)], [0, 0, 5, 5_000, 7_000]);
        assert_eq!(price(1_000_000_000), 50_000);
    }

    #[test]
    fn the_sum_is_rounded_once_and_not_in_each_tier() {
        let thirds = meter(0, vec![tier(Some(1), 1, 3), tier(Some(2), 1, 3), tier(None, 1, 3)], None);
        // Three times a third is one; rounded in each tier it would be nothing.
        assert_eq!(usage_price(&thirds, 3), Ok(1));
        let half = meter(0, vec![tier(None, 1, 2)], None);
        assert_eq!([1, 3, 5].map(|units| usage_price(&half, units)), [Ok(0), Ok(2), Ok(2)]);
    }

    #[test]
    fn what_has_no_price_is_refused() {
        assert_eq!(usage_price(&meter(0, vec![tier(Some(5), 1, 1)], None), 6), Err(MoneyError::OutOfRange));
        assert_eq!(usage_price(&meter(0, vec![], None), 1), Err(MoneyError::OutOfRange));
        assert_eq!(usage_price(&meter(0, vec![tier(None, 1, 0)], None), 1), Err(MoneyError::OutOfRange));
        assert_eq!(usage_price(&meter(0, vec![tier(None, 1, 1)], None), -1), Err(MoneyError::OutOfRange));
        let falling = meter(0, vec![tier(Some(5), 1, 1), tier(Some(3), 1, 1), tier(None, 1, 1)], None);
        assert_eq!(usage_price(&falling, 9), Err(MoneyError::OutOfRange));
        assert_eq!(usage_price(&meter(0, vec![tier(None, 2, 1)], None), i64::MAX), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn it_is_the_sum_over_single_units(meter in any_meter(), units in 0_i64..3_000) {
            let mut sum = Fraction::ZERO;
            for unit in 1..=(units - meter.included_units).max(0) {
                let tier = meter.tiers.iter().find(|tier| tier.up_to_units.is_none_or(|end| unit <= end));
                let tier = tier.expect("the last has no end");
                sum = sum.checked_add(Fraction::of(1, tier.price_minor, tier.per_units).expect("valid")).expect("small");
            }
            let expected = sum.round_half_even().expect("small");
            prop_assert_eq!(usage_price(&meter, units), Ok(meter.cap_minor.map_or(expected, |cap| cap.min(expected))));
        }

        #[test]
        fn more_usage_never_costs_less_and_never_more_than_the_cap(meter in any_meter(), units in 0_i64..1_000_000) {
            let (less, more) = (usage_price(&meter, units).expect("valid"), usage_price(&meter, units + 1).expect("valid"));
            prop_assert!(0 <= less && less <= more);
            prop_assert!(meter.cap_minor.is_none_or(|cap| more <= cap));
        }
    }
}
