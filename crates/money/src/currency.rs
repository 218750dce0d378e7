//! ISO 4217 currencies the exchange accepts, as one table.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A currency code with its number of minor digits.
///
/// Only codes of the table parse: a price in an unlisted currency is refused at the door.
/// Source: ISO 4217 list one (amendment 177); UGX and ISK carry no minor digits there, HUF and TWD two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(&'static Row);

#[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Row {
    code: &'static str,
    exponent: u8,
}

const fn row(code: &'static str, exponent: u8) -> Row {
    Row { code, exponent }
}

/// Sorted by code, so that look-up is a binary search.
static TABLE: &[Row] = &[
    row("AED", 2),
    row("ARS", 2),
    row("AUD", 2),
    row("BHD", 3),
    row("BRL", 2),
    row("CAD", 2),
    row("CHF", 2),
    row("CLP", 0),
    row("CNY", 2),
    row("CZK", 2),
    row("DKK", 2),
    row("EUR", 2),
    row("GBP", 2),
    row("HKD", 2),
    row("HUF", 2),
    row("IDR", 2),
    row("ILS", 2),
    row("INR", 2),
    row("ISK", 0),
    row("JOD", 3),
    row("JPY", 0),
    row("KRW", 0),
    row("KWD", 3),
    row("MXN", 2),
    row("MYR", 2),
    row("NOK", 2),
    row("NZD", 2),
    row("OMR", 3),
    row("PHP", 2),
    row("PLN", 2),
    row("RON", 2),
    row("SAR", 2),
    row("SEK", 2),
    row("SGD", 2),
    row("THB", 2),
    row("TND", 3),
    row("TRY", 2),
    row("TWD", 2),
    row("UGX", 0),
    row("USD", 2),
    row("VND", 0),
    row("ZAR", 2),
];

/// The text is not a currency code of the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a supported ISO 4217 currency code")]
pub struct UnknownCurrency(pub String);

impl Currency {
    /// The three-letter code in upper case.
    pub fn code(self) -> &'static str {
        self.0.code
    }

    /// Number of minor digits: 0 for JPY, 2 for EUR, 3 for KWD.
    pub fn exponent(self) -> u8 {
        self.0.exponent
    }

    /// Minor units in one major unit: 1, 100 or 1000.
    pub fn minor_per_major(self) -> i64 {
        10_i64.pow(u32::from(self.0.exponent))
    }

    /// Every supported currency, by code.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(Self)
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TABLE
            .binary_search_by(|row| row.code.cmp(text))
            .map(|index| Self(&TABLE[index]))
            .map_err(|_| UnknownCurrency(text.chars().take(16).collect()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_code_is_found() {
        assert!(TABLE.is_sorted_by(|a, b| a.code < b.code));
        for currency in Currency::all() {
            assert_eq!(currency.code().parse(), Ok(currency));
        }
    }

    #[test]
    fn lower_case_and_unknown_codes_are_refused() {
        assert!("eur".parse::<Currency>().is_err());
        assert!("XXX".parse::<Currency>().is_err());
        assert!("".parse::<Currency>().is_err());
    }
}
