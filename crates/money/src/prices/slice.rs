//! What a part of the rows and columns of a file costs.
//!
//! The price is a function of one number, the units of the slice. It never falls as they grow, and two slices never
//! cost less than one with the units of both: neither does what is rounded up, nor a floor, nor a cap take that away.
//! So a cut that leaves no unit out (by area, period or columns) never undercuts the whole.

use crate::{MoneyError, chargeable::ChargeRules, plan::SliceRule};

/// What a slice of `units` costs, in minor units before tax.
///
/// `units × price_minor / per_units`, exact and rounded up to what can be charged (`step`), at least the floor, at most
/// `whole_minor`, the price of the whole, which has the last word.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for negative units or a rule that publishing an offer would have refused,
/// [`MoneyError::Overflow`] beyond 63 bits where no cap is below.
pub fn slice_price(rule: &SliceRule, units: i64, whole_minor: i64, step: &ChargeRules) -> Result<i64, MoneyError> {
    let sane = units >= 0 && rule.price_minor >= 0 && rule.per_units >= 1 && rule.floor_minor >= 0 && whole_minor >= 0;
    if !sane {
        return Err(MoneyError::OutOfRange);
    }
    let (step, whole) = (i128::from(step.step_minor.max(1)), i128::from(whole_minor));
    let exact = i128::from(units) * i128::from(rule.price_minor);
    let minor = ceil_div(exact, i128::from(rule.per_units));
    let charged = ceil_div(minor, step) * step;
    let price = charged.max(i128::from(rule.floor_minor)).min(whole);
    i64::try_from(price).map_err(|_| MoneyError::Overflow)
}

/// The least whole number that is not below `a / b`, of nothing negative.
const fn ceil_div(a: i128, b: i128) -> i128 {
    (a + b - 1) / b
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::SliceUnit;

    fn rule(price_minor: i64, per_units: i64, floor_minor: i64) -> SliceRule {
        SliceRule {
            per: SliceUnit::Cell,
            price_minor,
            per_units,
            floor_minor,
            rows_min: 1,
            by_area: true,
            time_column: None,
            by_columns: true,
            key_columns: Vec::new(),
        }
    }

    const fn steps(step_minor: i64) -> ChargeRules {
        ChargeRules { min_minor: 1, max_minor: i64::MAX, step_minor }
    }

    #[test]
    fn a_slice_costs_its_units_rounded_up_between_the_floor_and_the_whole() {
        let price = |units| slice_price(&rule(25, 1_000, 500), units, 29_900, &steps(1)).expect("in range");
        assert_eq!([price(0), price(1), price(20_000), price(20_001), price(20_040)], [500, 500, 500, 501, 501]);
        assert_eq!([price(1_000_000), price(1_196_000), price(1_196_001)], [25_000, 29_900, 29_900]);
        assert_eq!(price(i64::MAX), 29_900);
        assert_eq!(slice_price(&rule(1, 3, 10), 100, 1_000, &steps(10)), Ok(40), "34 in steps of ten");
        assert_eq!(slice_price(&rule(1, 1, 900), 1, 500, &steps(1)), Ok(500), "the whole has the last word");
    }

    #[test]
    fn what_no_offer_says_has_no_price() {
        let odd = [rule(-1, 1, 0), rule(1, 0, 0), rule(1, 1, -1)];
        assert!(odd.iter().all(|rule| slice_price(rule, 1, 1, &steps(1)) == Err(MoneyError::OutOfRange)));
        assert_eq!(slice_price(&rule(1, 1, 0), -1, 1, &steps(1)), Err(MoneyError::OutOfRange));
        assert_eq!(slice_price(&rule(1, 1, 0), 1, -1, &steps(1)), Err(MoneyError::OutOfRange));
    }

    fn any_rule() -> impl Strategy<Value = SliceRule> {
        (0_i64..5_000, 1_i64..100_000, 0_i64..100_000).prop_map(|(price, per, floor)| rule(price, per, floor))
    }

    proptest! {
        #[test]
        fn more_never_costs_less_and_never_more_than_the_whole(
            rule in any_rule(), a in 0_i64..1_000_000_000, more in 0_i64..1_000_000_000,
            whole in 0_i64..1_000_000, step in prop_oneof![Just(1_i64), Just(10), Just(100)],
        ) {
            let price = |units| slice_price(&rule, units, whole, &steps(step)).unwrap();
            prop_assert!(price(a) <= price(a + more));
            prop_assert!(price(a) <= whole);
        }

        #[test]
        fn buying_parts_never_beats_the_whole(
            rule in any_rule(), parts in proptest::collection::vec(0_i64..100_000_000, 1..12),
            whole in 0_i64..10_000_000, step in prop_oneof![Just(1_i64), Just(10), Just(100)],
        ) {
            let price = |units| slice_price(&rule, units, whole, &steps(step)).unwrap();
            let of_parts: i64 = parts.iter().map(|units| price(*units)).sum();
            prop_assert!(price(parts.iter().sum()) <= of_parts);
        }

        #[test]
        fn columns_cut_apart_never_beat_columns_together(
            rule in any_rule(), rows in 0_i64..10_000_000, keys in 0_i64..4, left in 1_i64..30, right in 1_i64..30,
            whole in 0_i64..10_000_000,
        ) {
            // Cells: each part carries the key columns again, so that its rows can be put together.
            let price = |columns: i64| slice_price(&rule, rows * columns, whole, &steps(1)).unwrap();
            prop_assert!(price(keys + left + right) <= price(keys + left) + price(keys + right));
        }
    }
}
