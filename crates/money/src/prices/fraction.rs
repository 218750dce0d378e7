//! Exact, non-negative fractions of minor units.

use crate::MoneyError;

/// A non-negative fraction in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fraction {
    numerator: i128,
    denominator: i128,
}

impl Fraction {
    /// Nothing.
    pub const ZERO: Self = Self { numerator: 0, denominator: 1 };

    /// `numerator / denominator`.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] for a negative numerator or a denominator below 1.
    pub const fn new(numerator: i128, denominator: i128) -> Result<Self, MoneyError> {
        if numerator < 0 || denominator < 1 {
            return Err(MoneyError::OutOfRange);
        }
        let common = gcd(numerator, denominator);
        Ok(Self { numerator: numerator / common, denominator: denominator / common })
    }

    /// `a × b / denominator` of three whole numbers.
    ///
    /// # Errors
    /// As [`Fraction::new`].
    pub fn of(a: i64, b: i64, denominator: i64) -> Result<Self, MoneyError> {
        if a < 0 || b < 0 {
            return Err(MoneyError::OutOfRange);
        }
        Self::new(i128::from(a) * i128::from(b), i128::from(denominator))
    }

    /// The exact sum.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] beyond 127 bits.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        let scale = self.denominator / gcd(self.denominator, other.denominator);
        let denominator = scale.checked_mul(other.denominator).ok_or(MoneyError::Overflow)?;
        let left = self.numerator.checked_mul(denominator / self.denominator);
        let right = other.numerator.checked_mul(scale);
        let sum = left.zip(right).and_then(|(left, right)| left.checked_add(right));
        Self::new(sum.ok_or(MoneyError::Overflow)?, denominator)
    }

    /// The nearest whole number, half to even.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] beyond 63 bits.
    pub fn round_half_even(self) -> Result<i64, MoneyError> {
        let (whole, rest) = (self.numerator / self.denominator, self.numerator % self.denominator);
        // Compared with what is missing to the next whole, since doubling the rest could overflow.
        let missing = self.denominator - rest;
        let up = rest > missing || (rest == missing && whole % 2 == 1);
        i64::try_from(whole + i128::from(up)).map_err(|_| MoneyError::Overflow)
    }
}

const fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(numerator: i128, denominator: i128) -> Fraction {
        Fraction::new(numerator, denominator).expect("valid")
    }

    #[test]
    fn halves_go_to_the_even_neighbour() {
        let rounded = |numerator, denominator| of(numerator, denominator).round_half_even();
        assert_eq!([rounded(1, 2), rounded(3, 2), rounded(5, 2)], [Ok(0), Ok(2), Ok(2)]);
        assert_eq!([rounded(1, 3), rounded(2, 3), rounded(0, 7)], [Ok(0), Ok(1), Ok(0)]);
        assert_eq!(rounded(i128::MAX, 1), Err(MoneyError::Overflow));
        assert_eq!(rounded(i128::MAX - 1, i128::MAX), Ok(1));
    }

    #[test]
    fn nothing_negative_and_no_zero_below_the_line() {
        assert_eq!(Fraction::new(-1, 1), Err(MoneyError::OutOfRange));
        assert_eq!(Fraction::new(1, 0), Err(MoneyError::OutOfRange));
        assert_eq!(Fraction::of(-1, -1, 1), Err(MoneyError::OutOfRange));
        assert_eq!([Fraction::of(0, -1, 1), Fraction::of(-1, 0, 1)], [Err(MoneyError::OutOfRange); 2]);
        assert_eq!(of(i128::MAX, 2).checked_add(of(1, 3)), Err(MoneyError::Overflow));
    }

    #[test]
    fn it_is_kept_in_lowest_terms_so_that_sums_stay_small() {
        let large = 1_i128 << 100;
        assert_eq!(of(1, large).checked_add(of(1, large)), Ok(Fraction { numerator: 1, denominator: large / 2 }));
        assert_eq!(of(6, 4), Fraction { numerator: 3, denominator: 2 });
    }

    proptest! {
        #[test]
        fn a_sum_is_exact(a in 0_i128..1_000_000, b in 1_i128..1_000, c in 0_i128..1_000_000, d in 1_i128..1_000) {
            prop_assert_eq!(of(a, b).checked_add(of(c, d)), Ok(of(a * d + c * b, b * d)));
        }

        #[test]
        fn rounding_is_within_half_a_unit(a in 0_i128..1_000_000_000, b in 1_i128..1_000_000) {
            let rounded = i128::from(of(a, b).round_half_even().expect("small"));
            prop_assert!((rounded * b - a).abs() * 2 <= b);
        }
    }
}
