//! Money in integer minor units, and the arithmetic the exchange needs of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Currency;

/// One hundred percent in basis points.
pub const FULL_BPS: u32 = 10_000;

/// An amount of one currency in its minor unit (cents for EUR, whole yen for JPY).
///
/// Arithmetic is checked: an overflow or a mix of currencies is an error, never a wrapped or
/// rounded number. There is no conversion from or to a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({"minor": 10_001, "currency": "EUR"})))]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Signed number of minor units.
    pub minor: i64,
    /// The currency whose minor unit is counted.
    pub currency: Currency,
}

/// Why an amount could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result does not fit into 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// Two amounts of different currencies were combined.
    #[error("{0} and {1} can't be combined")]
    MixedCurrencies(Currency, Currency),
    /// A share above one hundred percent.
    #[error("{0} basis points are more than the whole")]
    ShareTooHigh(u32),
    /// A share of a negative amount, or a refund beyond what was paid.
    #[error("the amount is outside of what can be split")]
    OutOfRange,
    /// Nobody to give a part to.
    #[error("none of the parts has a weight")]
    NoWeight,
}

/// The two parts of a sale; they always add up to the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// What the operator keeps.
    pub operator: Money,
    /// What the provider receives.
    pub provider: Money,
}

impl Money {
    /// An amount of `minor` units.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// True for exactly zero.
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// Adds two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`] and [`MoneyError::Overflow`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// Subtracts an amount of the same currency.
    ///
    /// # Errors
    /// [`MoneyError::MixedCurrencies`] and [`MoneyError::Overflow`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// The same amount with the other sign.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for the smallest 64-bit number.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_neg().ok_or(MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// `self × bps / 10 000`, rounded half to even to one minor unit.
    ///
    /// # Errors
    /// [`MoneyError::ShareTooHigh`] above 10 000 bps, [`MoneyError::OutOfRange`] for negative amounts.
    pub fn share_bps(self, bps: u32) -> Result<Self, MoneyError> {
        if bps > FULL_BPS {
            return Err(MoneyError::ShareTooHigh(bps));
        }
        if self.minor < 0 {
            return Err(MoneyError::OutOfRange);
        }
        let share = round_half_even(i128::from(self.minor) * i128::from(bps), i128::from(FULL_BPS));
        let minor = i64::try_from(share).map_err(|_| MoneyError::Overflow)?;
        Ok(Self::new(minor, self.currency))
    }

    /// Splits a sale between operator and provider.
    ///
    /// The operator's part is [`Money::share_bps`]; the provider receives the rest, so the parts
    /// always add up to `self`.
    ///
    /// # Errors
    /// As [`Money::share_bps`].
    pub fn split(self, operator_bps: u32) -> Result<Split, MoneyError> {
        let operator = self.share_bps(operator_bps)?;
        let provider = self.checked_sub(operator)?;
        Ok(Split { operator, provider })
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::MixedCurrencies(self.currency, other.currency))
        }
    }
}

/// `numerator / denominator` rounded half to even. Both are non-negative, the denominator is not zero.
fn round_half_even(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator / denominator;
    let twice_rest = (numerator % denominator) * 2;
    let up = twice_rest > denominator || (twice_rest == denominator && quotient % 2 == 1);
    quotient + i128::from(up)
}

/// Writes major units with a point and the code after it: `100.01 EUR`, `500 JPY`.
///
/// For people and exports; a page writes it in the reader's language.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.major_text(), self.currency)
    }
}

impl Money {
    /// The amount in major units as decimal text, `-0.05` for minus five cents.
    pub fn major_text(self) -> String {
        let sign = if self.minor < 0 { "-" } else { "" };
        let absolute = self.minor.unsigned_abs();
        let exponent = usize::from(self.currency.exponent());
        if exponent == 0 {
            return format!("{sign}{absolute}");
        }
        let per_major = self.currency.minor_per_major().unsigned_abs();
        format!("{sign}{}.{:0exponent$}", absolute / per_major, absolute % per_major)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_currency() -> impl Strategy<Value = Currency> {
        proptest::sample::select(Currency::all().collect::<Vec<_>>())
    }

    fn eur(minor: i64) -> Money {
        Money::new(minor, "EUR".parse().expect("EUR is in the table"))
    }

    #[test]
    fn a_sale_of_100_01_gives_the_operator_20_00() {
        let split = eur(10_001).split(2_000).expect("a valid split");
        assert_eq!((split.operator, split.provider), (eur(2_000), eur(8_001)));
    }

    #[test]
    fn all_of_it_is_a_share_too_and_nothing_is_zero() {
        assert_eq!(eur(10_001).share_bps(FULL_BPS), Ok(eur(10_001)));
        assert!(eur(0).is_zero() && !eur(1).is_zero() && !eur(-1).is_zero());
        assert_eq!(Money::zero(eur(0).currency), eur(0));
    }

    #[test]
    fn ties_go_to_the_even_cent_so_that_neither_side_is_favoured() {
        assert_eq!(eur(25).share_bps(1_000), Ok(eur(2)));
        assert_eq!(eur(35).share_bps(1_000), Ok(eur(4)));
    }

    #[test]
    fn the_text_has_as_many_digits_as_the_currency() {
        let of = |minor, code: &str| Money::new(minor, code.parse().expect("in the table")).to_string();
        assert_eq!([of(-5, "EUR"), of(0, "EUR")], ["-0.05 EUR", "0.00 EUR"]);
        assert_eq!(of(500, "JPY"), "500 JPY");
        assert_eq!(of(1_234, "KWD"), "1.234 KWD");
        assert_eq!(of(i64::MIN, "EUR"), "-92233720368547758.08 EUR");
    }

    #[test]
    fn currencies_do_not_mix_and_nothing_wraps() {
        let yen = Money::new(1, "JPY".parse().expect("in the table"));
        assert!(matches!(eur(1).checked_add(yen), Err(MoneyError::MixedCurrencies(..))));
        assert_eq!(eur(i64::MAX).checked_add(eur(1)), Err(MoneyError::Overflow));
        assert_eq!(eur(i64::MIN).checked_neg(), Err(MoneyError::Overflow));
        assert_eq!(eur(1).split(10_001), Err(MoneyError::ShareTooHigh(10_001)));
        assert_eq!(eur(-1).split(2_000), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn rounding_has_no_bias_over_a_whole_cycle() {
        // 20 % repeats every five cents: 0, .2, .4, .6, .8. Over a cycle the errors cancel.
        let kept: i64 = (0..100_000).map(|minor| eur(minor).share_bps(2_000).expect("valid").minor).sum();
        let exact: i64 = (0..100_000_i64).sum::<i64>() / 5;
        assert_eq!(kept, exact);
    }

    proptest! {
        #[test]
        fn the_parts_add_up_in_every_currency(minor in 0..=i64::MAX, bps in 0..=FULL_BPS, currency in any_currency()) {
            let whole = Money::new(minor, currency);
            let split = whole.split(bps).expect("in range");
            prop_assert_eq!(split.operator.checked_add(split.provider), Ok(whole));
            prop_assert!(split.operator.minor >= 0 && split.provider.minor >= 0);
        }

        #[test]
        fn the_share_is_within_half_a_minor_unit(minor in 0..=i64::MAX, bps in 0..=FULL_BPS, currency in any_currency()) {
            let share = Money::new(minor, currency).share_bps(bps).expect("in range");
            let error = i128::from(share.minor) * 10_000 - i128::from(minor) * i128::from(bps);
            prop_assert!(error.abs() * 2 <= 10_000);
        }

        #[test]
        fn a_larger_sale_never_gives_a_smaller_part(minor in 0..i64::MAX, bps in 0..=FULL_BPS) {
            let (less, more) = (eur(minor).split(bps).expect("ok"), eur(minor + 1).split(bps).expect("ok"));
            prop_assert!(less.operator.minor <= more.operator.minor);
            prop_assert!(less.provider.minor <= more.provider.minor);
        }
    }
}
