//! Amounts as text to minor units, without a float on the way.

use crate::error::{Fault, FaultKind, excerpt};

/// Looks up how many minor digits a currency has: `Some(2)` for EUR, `Some(0)` for JPY, `None` for an unknown code.
pub type ExponentOf = fn(&str) -> Option<u8>;

/// Largest exponent accepted. ISO 4217 has none above 4.
const EXPONENT_MAX: u8 = 6;

/// An ISO 4217 code with its number of minor digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl Currency {
    /// The code in upper case.
    pub fn code(&self) -> &str {
        // The code was checked to be ASCII letters when it was made.
        std::str::from_utf8(&self.code).unwrap_or("???")
    }

    /// Number of minor digits.
    pub fn exponent(self) -> u8 {
        self.exponent
    }

    /// Reads a code in either case.
    pub(crate) fn parse(text: &str, exponent_of: ExponentOf) -> Result<Self, Fault> {
        let code = text.trim().to_ascii_uppercase();
        let bytes: Option<[u8; 3]> = code.as_bytes().try_into().ok();
        let known = bytes.filter(|bytes| bytes.iter().all(u8::is_ascii_uppercase)).zip(exponent_of(&code));
        match known {
            Some((code, exponent)) if exponent <= EXPONENT_MAX => Ok(Self { code, exponent }),
            _ => Err(Fault::new(
                FaultKind::Currency,
                format!("{} is not a supported ISO 4217 currency code", excerpt(text)),
                "Send statements of accounts in a supported currency.",
            )),
        }
    }

    /// Minor units as a decimal number, for messages.
    pub(crate) fn show(self, minor: i128) -> String {
        let width = usize::from(self.exponent);
        let digits = format!("{:0>width$}", minor.unsigned_abs(), width = width + 1);
        let (major, fraction) = digits.split_at(digits.len() - width);
        let sign = if minor < 0 { "-" } else { "" };
        let point = if width == 0 { "" } else { "." };
        format!("{sign}{major}{point}{fraction} {}", self.code())
    }
}

/// Reads an unsigned decimal number into minor units.
///
/// At least one digit before the separator is required. Digits finer than the currency are accepted only when they are
/// zero: nothing is rounded.
pub(crate) fn minor_from_decimal(text: &str, separator: char, currency: Currency) -> Result<i64, Fault> {
    let (major, fraction) = text.split_once(separator).unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if major.is_empty() || !is_digits(major) || !is_digits(fraction) {
        return Err(Fault::new(
            FaultKind::Amount,
            format!("{} is not an amount", excerpt(text)),
            format!("Write digits with at most one {separator:?} and nothing else, such as 1234{separator}50."),
        ));
    }
    let exponent = usize::from(currency.exponent());
    let (minor, finer) = fraction.split_at(fraction.len().min(exponent));
    if finer.bytes().any(|byte| byte != b'0') {
        return Err(Fault::new(
            FaultKind::Amount,
            format!("{} is finer than the {exponent} decimals of {}", excerpt(text), currency.code()),
            "Write the amount in whole minor units; nothing is rounded here.",
        ));
    }
    let padding = std::iter::repeat_n(b'0', exponent - minor.len());
    major
        .bytes()
        .chain(minor.bytes())
        .chain(padding)
        .try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))
        .ok_or_else(|| {
            Fault::new(
                FaultKind::Amount,
                format!("{} is too large", excerpt(text)),
                "Amounts go up to 9223372036854775807 minor units.",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        let exponent_of = |code: &str| Some(if code == "JPY" { 0 } else { 2 });
        Currency::parse(code, exponent_of).expect("a known code")
    }

    #[test]
    fn decimals_become_minor_units_by_the_exponent() {
        let eur = currency("EUR");
        for (text, minor) in [("0", 0), ("12", 1200), ("12.", 1200), ("12.3", 1230), ("12.34000", 1234)] {
            assert_eq!(minor_from_decimal(text, '.', eur), Ok(minor), "{text}");
        }
        assert_eq!(minor_from_decimal("500.00", '.', currency("jpy")), Ok(500));
        assert_eq!(minor_from_decimal("92233720368547758.07", '.', eur), Ok(i64::MAX));
    }

    #[test]
    fn anything_else_is_refused() {
        let eur = currency("EUR");
        for text in ["", ".5", "-1", "+1", "1e3", "1,5", "1.2.3", "1.005", " 1", "٣", "92233720368547758.08", "1_0"] {
            assert!(minor_from_decimal(text, '.', eur).is_err(), "{text}");
        }
        assert!(minor_from_decimal("1.5", '.', currency("JPY")).is_err());
        assert!(Currency::parse("EURO", |_| Some(2)).is_err());
        assert!(Currency::parse("E1R", |_| Some(2)).is_err());
        assert!(Currency::parse("XXX", |_| None).is_err());
    }

    #[test]
    fn amounts_are_shown_with_their_decimals() {
        assert_eq!(currency("EUR").show(-5), "-0.05 EUR");
        assert_eq!(currency("JPY").show(5), "5 JPY");
    }
}
