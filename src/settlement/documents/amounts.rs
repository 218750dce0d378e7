//! Net amounts for sums that were settled with their tax inside.

use torv_documents::{model::MAX_ROUNDING_MINOR, tax::tax_minor};

use crate::base::MoneyError;

/// 100 % in basis points.
const WHOLE_BPS: i128 = 10_000;

/// A net amount and the rounding that leads from it and its tax to the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fitted {
    /// The net, in minor units.
    pub net_minor: i64,
    /// What is added to net and tax, in minor units; mostly 0.
    pub rounding_minor: i64,
}

/// The tax inside a sum: `sum × rate / (1 + rate)`, rounded half up.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn tax_inside(sum_minor: i64, rate_bps: u32) -> Result<i64, MoneyError> {
    let (sum, rate) = (i128::from(sum_minor), i128::from(rate_bps));
    let whole = WHOLE_BPS + rate;
    i64::try_from((2 * sum * rate + whole).div_euclid(2 * whole)).map_err(|_| MoneyError::Overflow)
}

/// The net amount nearest to `sum − tax` whose rounded tax is exactly `tax`.
///
/// # Errors
/// [`MoneyError::OutOfRange`] where none is near enough that a document may call the rest rounding.
pub fn fit(sum_minor: i64, tax: i64, rate_bps: u32) -> Result<Fitted, MoneyError> {
    let plain = sum_minor.checked_sub(tax).ok_or(MoneyError::Overflow)?;
    for step in 0..=MAX_ROUNDING_MINOR {
        for net_minor in [plain - step, plain + step] {
            if net_minor >= 0 && tax_minor(net_minor, rate_bps) == Some(tax) {
                return Ok(Fitted { net_minor, rounding_minor: sum_minor - net_minor - tax });
            }
        }
    }
    Err(MoneyError::OutOfRange)
}

/// The part of `whole` that belongs to `part` of `of`, when `earlier` was taken before: cumulative and rounded half up,
/// so that all parts together take exactly the whole.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for more than there is.
pub fn cumulative(whole: i64, of: i64, earlier_part: i64, part: i64, earlier: i64) -> Result<i64, MoneyError> {
    let until = earlier_part.checked_add(part).ok_or(MoneyError::Overflow)?;
    if of <= 0 || !(0..=of).contains(&until) {
        return Err(MoneyError::OutOfRange);
    }
    let (whole, of, until) = (i128::from(whole), i128::from(of), i128::from(until));
    let taken = (2 * whole * until + of).div_euclid(2 * of);
    i64::try_from(taken).map_err(|_| MoneyError::Overflow).map(|taken| taken - earlier)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn three_cents_with_a_quarter_inside_need_a_rounding() {
        // 25 % of 2 is 0.5, which rounds to 1: 2 + 1 = 3. 25 % of 1 rounds to 0: nothing makes 2.
        assert_eq!(fit(3, 1, 2_500), Ok(Fitted { net_minor: 2, rounding_minor: 0 }));
        assert_eq!(fit(2, 0, 2_500), Ok(Fitted { net_minor: 1, rounding_minor: 1 }));
        assert_eq!(tax_inside(12_500, 2_500), Ok(2_500));
        assert_eq!(fit(100, 0, 0), Ok(Fitted { net_minor: 100, rounding_minor: 0 }));
    }

    proptest! {
        #[test]
        fn every_sum_is_met(sum in 0_i64..10_000_000_000, rate in 0_u32..=2_700) {
            let tax = tax_inside(sum, rate).expect("fits");
            let fitted = fit(sum, tax, rate).expect("near");
            prop_assert_eq!(fitted.net_minor + tax + fitted.rounding_minor, sum);
            prop_assert_eq!(tax_minor(fitted.net_minor, rate), Some(tax));
            prop_assert!(fitted.rounding_minor.abs() <= 1);
        }

        #[test]
        fn parts_take_the_whole(whole in 0_i64..1_000_000, cuts in proptest::collection::vec(1_i64..10_000, 1..12)) {
            let of: i64 = cuts.iter().sum();
            let (mut until, mut taken) = (0, 0);
            for cut in cuts {
                let part = cumulative(whole, of, until, cut, taken).expect("in range");
                prop_assert!(part >= 0);
                until += cut;
                taken += part;
            }
            prop_assert_eq!(taken, whole);
            prop_assert_eq!(cumulative(whole, of, until, 1, taken), Err(MoneyError::OutOfRange));
        }
    }
}
