//! Tax as documents state it: that of a sum, rounded once, and parts that make exactly that.
//!
//! Which rate holds, and how a tax is rounded, is told by whoever calls: `tax_of` is the tax of a net amount in minor
//! units, or nothing where it does not fit.

use crate::{MoneyError, money::FULL_BPS};

/// A document that grows line by line; all amounts in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Running {
    net_minor: i64,
    tax_minor: i64,
}

impl Running {
    /// Adds a line, and returns what it adds to the tax of the sum: so the lines' taxes make exactly the document's.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn add(&mut self, net_minor: i64, tax_of: impl FnOnce(i64) -> Option<i64>) -> Result<i64, MoneyError> {
        self.add_untaxed(net_minor)?;
        let until_here = tax_of(self.net_minor).ok_or(MoneyError::Overflow)?;
        let added = until_here.checked_sub(self.tax_minor).ok_or(MoneyError::Overflow)?;
        self.tax_minor = until_here;
        Ok(added)
    }

    /// Adds a line that nobody taxes.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`].
    pub fn add_untaxed(&mut self, net_minor: i64) -> Result<(), MoneyError> {
        self.net_minor = self.net_minor.checked_add(net_minor).ok_or(MoneyError::Overflow)?;
        Ok(())
    }
}

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
    let whole = i128::from(FULL_BPS) + rate;
    i64::try_from((2 * sum * rate + whole).div_euclid(2 * whole)).map_err(|_| MoneyError::Overflow)
}

/// The net amount nearest to `sum − tax` whose tax is exactly `tax`, at most `rounding_max` away.
///
/// # Errors
/// [`MoneyError::OutOfRange`] where none is so near.
pub fn fit(
    sum_minor: i64,
    tax: i64,
    rounding_max: i64,
    tax_of: impl Fn(i64) -> Option<i64>,
) -> Result<Fitted, MoneyError> {
    let plain = sum_minor.checked_sub(tax).ok_or(MoneyError::Overflow)?;
    for step in 0..=rounding_max {
        for net_minor in [plain - step, plain + step] {
            if net_minor >= 0 && tax_of(net_minor) == Some(tax) {
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

    const ROUNDING_MAX: i64 = 100;

    /// Half up, as invoices have it.
    fn at(rate_bps: u32) -> impl Fn(i64) -> Option<i64> + Copy {
        move |net| i64::try_from((i128::from(net) * i128::from(rate_bps) + 5_000).div_euclid(10_000)).ok()
    }

    #[test]
    fn three_lines_of_two_cents_are_taxed_as_six() {
        let mut document = Running::default();
        // 25 % of 2, 4 and 6 cents are 0.5, 1 and 1.5: each rounded alone would make 3.
        assert_eq!([2, 2, 2].map(|net| document.add(net, at(2_500))), [Ok(1), Ok(0), Ok(1)]);
        assert_eq!(document, Running { net_minor: 6, tax_minor: 2 });
    }

    #[test]
    fn what_nobody_taxes_still_counts_into_the_sum() {
        let mut document = Running::default();
        assert_eq!(document.add_untaxed(2), Ok(()));
        assert_eq!(document.add(2, at(2_500)), Ok(1));
        assert_eq!(document.add_untaxed(i64::MAX), Err(MoneyError::Overflow));
        assert_eq!(document.add(i64::MAX, at(2_500)), Err(MoneyError::Overflow));
        assert_eq!(document.add(1, |_| None), Err(MoneyError::Overflow));
    }

    #[test]
    fn three_cents_with_a_quarter_inside_need_a_rounding() {
        let fit = |sum, tax, rate| fit(sum, tax, ROUNDING_MAX, at(rate));
        // 25 % of 2 is 0.5, which rounds to 1: 2 + 1 = 3. 25 % of 1 rounds to 0: nothing makes 2.
        assert_eq!(fit(3, 1, 2_500), Ok(Fitted { net_minor: 2, rounding_minor: 0 }));
        assert_eq!(fit(2, 0, 2_500), Ok(Fitted { net_minor: 1, rounding_minor: 1 }));
        assert_eq!(fit(100, 0, 0), Ok(Fitted { net_minor: 100, rounding_minor: 0 }));
        assert_eq!(fit(0, 0, 2_500), Ok(Fitted { net_minor: 0, rounding_minor: 0 }));
    }

    #[test]
    fn the_nearest_net_is_taken_and_none_that_is_negative_or_too_far() {
        let only = |net| move |asked| (asked == net).then_some(10);
        assert_eq!(fit(110, 10, 5, only(95)), Ok(Fitted { net_minor: 95, rounding_minor: 5 }));
        assert_eq!(fit(110, 10, 5, only(105)), Ok(Fitted { net_minor: 105, rounding_minor: -5 }));
        assert_eq!(fit(110, 10, 5, only(106)), Err(MoneyError::OutOfRange));
        assert_eq!(fit(10, 10, 5, only(-1)), Err(MoneyError::OutOfRange));
        assert_eq!(fit(i64::MIN, 10, 5, only(1)), Err(MoneyError::Overflow));
    }

    #[test]
    fn the_tax_inside_is_rounded_half_up() {
        assert_eq!(tax_inside(12_500, 2_500), Ok(2_500));
        // A third of a rate of 50 % is inside; half of that of 100 %.
        assert_eq!([1, 2, 3, 4].map(|sum| tax_inside(sum, 5_000)), [Ok(0), Ok(1), Ok(1), Ok(1)]);
        assert_eq!([1, 2, 3].map(|sum| tax_inside(sum, 10_000)), [Ok(1), Ok(1), Ok(2)]);
        assert_eq!(tax_inside(i64::MAX, 10_000), Ok(i64::MAX / 2 + 1));
    }

    #[test]
    fn parts_are_cumulative_and_rounded_half_up() {
        assert_eq!(cumulative(3, 2, 0, 1, 0), Ok(2));
        assert_eq!(cumulative(3, 2, 1, 1, 2), Ok(1));
        assert_eq!(cumulative(1, 3, 0, 1, 0), Ok(0));
        assert_eq!(cumulative(5, 7, 3, -3, 4), Ok(-4));
        assert_eq!(cumulative(i64::MAX, i64::MAX, 0, i64::MAX, 0), Ok(i64::MAX));
    }

    #[test]
    fn what_is_not_there_can_not_be_taken() {
        assert_eq!(cumulative(1, 0, 0, 0, 0), Err(MoneyError::OutOfRange));
        assert_eq!(cumulative(1, -1, 0, 0, 0), Err(MoneyError::OutOfRange));
        assert_eq!(cumulative(1, 5, 0, 6, 0), Err(MoneyError::OutOfRange));
        assert_eq!(cumulative(1, 5, 0, -1, 0), Err(MoneyError::OutOfRange));
        assert_eq!(cumulative(1, 5, i64::MAX, 1, 0), Err(MoneyError::Overflow));
    }

    proptest! {
        #[test]
        fn the_lines_make_the_documents_tax(nets in proptest::collection::vec(0_i64..10_000_000, 1..20)) {
            let mut document = Running::default();
            let taxes: Vec<_> = nets.iter().map(|net| document.add(*net, at(2_500)).expect("fits")).collect();
            prop_assert_eq!(Some(taxes.iter().sum()), at(2_500)(nets.iter().sum()));
            prop_assert!(taxes.iter().all(|tax| *tax >= 0));
        }

        #[test]
        fn every_sum_is_met(sum in 0_i64..10_000_000_000, rate in 0_u32..=2_700) {
            let tax = tax_inside(sum, rate).expect("fits");
            let fitted = fit(sum, tax, ROUNDING_MAX, at(rate)).expect("near");
            prop_assert_eq!(fitted.net_minor + tax + fitted.rounding_minor, sum);
            prop_assert_eq!(at(rate)(fitted.net_minor), Some(tax));
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
