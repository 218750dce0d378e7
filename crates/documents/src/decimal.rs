//! Exact decimals for quantities and prices, and the currency an amount is counted in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Most digits after the point a [`Decimal`] has.
pub const MAX_SCALE_DIGITS: u8 = 9;

/// Most digits after the point a currency of ISO 4217 has.
const MAX_EXPONENT_DIGITS: u8 = 4;

/// An ISO 4217 code with its number of minor digits: `EUR` 2, `JPY` 0, `KWD` 3.
///
/// The exponent is given, not looked up: the exchange has one table of currencies, and this crate does not repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "CurrencyParts", into = "CurrencyParts")]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

#[derive(Serialize, Deserialize)]
struct CurrencyParts {
    code: String,
    exponent: u8,
}

/// The code or the exponent of a currency is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurrencyError {
    #[error("{0:?} is not a currency code: give three capital letters of ISO 4217")]
    Code(String),
    #[error("{0} minor digits: a currency has at most {MAX_EXPONENT_DIGITS}")]
    Exponent(u8),
}

impl Currency {
    /// # Errors
    /// Anything but three capital letters, or more than four minor digits.
    pub fn new(code: &str, exponent: u8) -> Result<Self, CurrencyError> {
        let bytes = <[u8; 3]>::try_from(code.as_bytes()).map_err(|_| CurrencyError::Code(code.to_owned()))?;
        if !bytes.iter().all(u8::is_ascii_uppercase) {
            return Err(CurrencyError::Code(code.to_owned()));
        }
        if exponent > MAX_EXPONENT_DIGITS {
            return Err(CurrencyError::Exponent(exponent));
        }
        Ok(Self { code: bytes, exponent })
    }

    /// The three-letter code.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// How many digits the minor unit has.
    #[must_use]
    pub fn exponent(self) -> u8 {
        self.exponent
    }

    /// An amount of this currency as a plain decimal with all its minor digits: `-12.30`, `1500` for JPY.
    #[must_use]
    pub fn plain(self, amount_minor: i64) -> String {
        Decimal { mantissa: amount_minor, scale: self.exponent }.to_string()
    }
}

impl TryFrom<CurrencyParts> for Currency {
    type Error = CurrencyError;
    fn try_from(parts: CurrencyParts) -> Result<Self, CurrencyError> {
        Self::new(&parts.code, parts.exponent)
    }
}

impl From<Currency> for CurrencyParts {
    fn from(currency: Currency) -> Self {
        Self { code: currency.code().to_owned(), exponent: currency.exponent }
    }
}

/// An exact decimal number: `mantissa / 10^scale`. Quantities, and unit prices in major units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal {
    mantissa: i64,
    scale: u8,
}

/// The text or the parts are not a decimal number of the supported size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    #[error("{0:?} is not a decimal number such as 12 or -0.05")]
    Syntax(String),
    #[error("{0:?} has more than {MAX_SCALE_DIGITS} digits after the point or does not fit 64 bits")]
    Size(String),
}

impl Decimal {
    pub const ONE: Self = Self { mantissa: 1, scale: 0 };

    /// # Errors
    /// A scale above nine digits.
    pub fn new(mantissa: i64, scale: u8) -> Result<Self, DecimalError> {
        if scale > MAX_SCALE_DIGITS {
            return Err(DecimalError::Size(format!("{mantissa}e-{scale}")));
        }
        Ok(Self { mantissa, scale })
    }

    /// An amount of minor units as a decimal number of major units.
    #[must_use]
    pub fn from_minor(amount_minor: i64, currency: Currency) -> Self {
        Self { mantissa: amount_minor, scale: currency.exponent }
    }

    /// The same number with at least the minor digits of the currency: `120` as `120.00`.
    #[must_use]
    pub fn with_scale_of(self, currency: Currency) -> Self {
        let missing = currency.exponent.saturating_sub(self.scale);
        let widened = self.mantissa.checked_mul(10_i64.pow(u32::from(missing)));
        widened.map_or(self, |mantissa| Self { mantissa, scale: self.scale + missing })
    }

    #[must_use]
    pub fn mantissa(self) -> i64 {
        self.mantissa
    }

    #[must_use]
    pub fn scale(self) -> u8 {
        self.scale
    }

    #[must_use]
    pub fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// `self × price` in minor units of `currency`, rounded half away from zero. `None` where it does not fit 64 bits.
    ///
    /// Half away from zero is what EN 16931 and the European tax offices use for invoice lines, unlike the half-even
    /// rule of the split between provider and operator: the two never meet, as the split works on the rounded net.
    #[must_use]
    pub fn times(self, price: Self, currency: Currency) -> Option<i64> {
        let product = i128::from(self.mantissa).checked_mul(i128::from(price.mantissa))?;
        let digits = i32::from(currency.exponent) - i32::from(self.scale) - i32::from(price.scale);
        let power = 10_i128.checked_pow(digits.unsigned_abs())?;
        let minor = if digits >= 0 { product.checked_mul(power)? } else { divide_half_up(product, power) };
        i64::try_from(minor).ok()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let digits = self.mantissa.unsigned_abs();
        if self.scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let unit = 10_u64.pow(u32::from(self.scale));
        write!(f, "{sign}{}.{:0width$}", digits / unit, digits % unit, width = usize::from(self.scale))
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(DecimalError::Syntax(text.to_owned()));
        }
        let fraction = if unsigned.contains('.') { fraction } else { "" };
        let size = || DecimalError::Size(text.to_owned());
        let scale = u8::try_from(fraction.len()).map_err(|_| size())?;
        let sign = if text.starts_with('-') { "-" } else { "" };
        let mantissa = format!("{sign}{whole}{fraction}").parse().map_err(|_| size())?;
        Self::new(mantissa, scale).map_err(|_| size())
    }
}

impl TryFrom<String> for Decimal {
    type Error = DecimalError;
    fn try_from(text: String) -> Result<Self, DecimalError> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(decimal: Decimal) -> Self {
        decimal.to_string()
    }
}

/// `numerator / denominator` rounded half away from zero; the denominator is positive.
pub(crate) fn divide_half_up(numerator: i128, denominator: i128) -> i128 {
    let (quotient, remainder) = (numerator / denominator, numerator % denominator);
    if remainder.unsigned_abs() >= denominator.unsigned_abs() - remainder.unsigned_abs() {
        quotient + numerator.signum()
    } else {
        quotient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_half_rounds_away_from_zero() {
        let eur = Currency::new("EUR", 2).unwrap();
        let jpy = Currency::new("JPY", 0).unwrap();
        for (quantity, price, currency, expected) in [
            ("1", "0.005", eur, 1),
            ("-1", "0.005", eur, -1),
            ("1", "0.0049", eur, 0),
            ("3", "0.335", eur, 101),
            ("1.5", "1", jpy, 2),
            ("2.5", "1", jpy, 3),
            ("1000", "12", jpy, 12_000),
            ("7", "1.25", eur, 875),
        ] {
            assert_eq!(decimal(quantity).times(decimal(price), currency), Some(expected), "{quantity} x {price}");
        }
    }

    #[test]
    fn what_is_not_a_decimal_is_refused() {
        for text in ["", ".", "1.", ".5", "1e3", "+1", "1,5", "--1", "0x1", "1.0000000001", "9223372036854775808"] {
            assert!(text.parse::<Decimal>().is_err(), "{text:?}");
        }
        assert!(
            Currency::new("eur", 2).is_err() && Currency::new("EURO", 2).is_err() && Currency::new("EUR", 9).is_err()
        );
    }

    #[test]
    fn a_price_is_widened_to_the_digits_of_its_currency_and_never_narrowed() {
        let eur = Currency::new("EUR", 2).unwrap();
        for (price, expected) in [("120", "120.00"), ("1.5", "1.50"), ("0.0004", "0.0004")] {
            assert_eq!(decimal(price).with_scale_of(eur).to_string(), expected);
        }
        let largest = Decimal::new(i64::MAX, 0).unwrap();
        assert_eq!(largest.with_scale_of(eur), largest, "what does not fit stays as it is");
        let minor = Decimal::from_minor(-105, eur);
        assert_eq!((minor.mantissa(), minor.scale(), minor.is_negative()), (-105, 2, true));
        assert!(!Decimal::ONE.is_negative() && !decimal("0").is_negative());
        assert_eq!((eur.code(), eur.exponent(), eur.plain(-5).as_str()), ("EUR", 2, "-0.05"));
    }

    #[test]
    fn a_product_that_does_not_fit_is_none() {
        let eur = Currency::new("EUR", 2).unwrap();
        assert_eq!(decimal("9223372036854775807").times(decimal("2"), eur), None);
    }

    proptest! {
        #[test]
        fn text_and_number_are_the_same(mantissa in any::<i64>(), scale in 0..=MAX_SCALE_DIGITS) {
            let number = Decimal::new(mantissa, scale).unwrap();
            prop_assert_eq!(number.to_string().parse::<Decimal>().unwrap(), number);
        }

        #[test]
        fn rounding_is_off_by_at_most_a_half(numerator in any::<i64>(), denominator in 1..=i64::MAX) {
            let (n, d) = (i128::from(numerator), i128::from(denominator));
            let off = (n - divide_half_up(n, d) * d) * 2;
            prop_assert!(off.abs() <= d);
            // An exact half went away from zero.
            prop_assert!(off.abs() < d || off.signum() == -n.signum());
        }
    }
}
