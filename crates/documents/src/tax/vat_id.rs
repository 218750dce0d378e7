//! VAT ids: syntax of every country of the rate table, and check digits where they are published.
//!
//! A right check digit says that the id was typed right, not that it exists: asking VIES or a national register is the
//! caller's step.

use serde::{Deserialize, Serialize};

use super::{Country, checksum};

/// A VAT (or consumption tax) id in its written form, without spaces and dots.
///
/// Ids of the EU, NO, CH and GB carry their country prefix (`DK13585628`, `EL094259216`, `NO995525828MVA`); JP and TW
/// ids have none (`T5835678256246`, `22099131`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VatId {
    country: Country,
    text: String,
}

/// The text is not a VAT id of the country.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VatIdError {
    #[error("{text:?} is not a VAT id of {country}: expected {expected}")]
    Syntax { country: Country, text: String, expected: String },
    #[error("{text:?} is not a VAT id of {country}: its check digit is wrong, so a digit was mistyped")]
    CheckDigit { country: Country, text: String },
    #[error("VAT ids of {0} are not known here: leave the id out, or add the country to the table")]
    Country(Country),
}

/// How a country writes its ids. In a pattern `9` is a digit, `A` a letter, `*` either; the rest stands for itself.
struct Format {
    country: &'static str,
    prefix: &'static str,
    patterns: &'static [&'static str],
    check: fn(&[u8]) -> bool,
}

const fn format(
    country: &'static str,
    prefix: &'static str,
    patterns: &'static [&'static str],
    check: fn(&[u8]) -> bool,
) -> Format {
    Format { country, prefix, patterns, check }
}

/// Source: European Commission, VIES FAQ 11 (structure of the EU ids); for the rest the pages of the tax offices.
static FORMATS: &[Format] = &[
    format("AT", "AT", &["U99999999"], checksum::austria),
    format("BE", "BE", &["0999999999", "1999999999"], checksum::belgium),
    format("BG", "BG", &["999999999", "9999999999"], checksum::none),
    format("CH", "CHE", &["999999999", "999999999MWST", "999999999TVA", "999999999IVA"], checksum::switzerland),
    format("CY", "CY", &["99999999A"], checksum::none),
    format("CZ", "CZ", &["99999999", "999999999", "9999999999"], checksum::none),
    format("DE", "DE", &["999999999"], checksum::iso_7064_mod_11_10),
    format("DK", "DK", &["99999999"], checksum::denmark),
    format("EE", "EE", &["999999999"], checksum::estonia),
    format("ES", "ES", &["*9999999*"], checksum::none),
    format("FI", "FI", &["99999999"], checksum::finland),
    format("FR", "FR", &["**999999999"], checksum::france),
    format("GB", "GB", &["999999999", "999999999999"], checksum::united_kingdom),
    format("GR", "EL", &["999999999"], checksum::greece),
    format("HR", "HR", &["99999999999"], checksum::iso_7064_mod_11_10),
    format("HU", "HU", &["99999999"], checksum::hungary),
    format("IE", "IE", &["9999999A", "9999999AA", "9*99999A"], checksum::none),
    format("IS", "IS", &["99999", "999999"], checksum::none),
    format("IT", "IT", &["99999999999"], checksum::luhn),
    format("JP", "", &["T9999999999999"], checksum::japan),
    format("LT", "LT", &["999999999", "999999999999"], checksum::none),
    format("LU", "LU", &["99999999"], checksum::luxembourg),
    format("LV", "LV", &["99999999999"], checksum::none),
    format("MT", "MT", &["99999999"], checksum::malta),
    format("NL", "NL", &["999999999B99"], checksum::netherlands),
    format("NO", "NO", &["999999999MVA"], checksum::norway),
    format("PL", "PL", &["9999999999"], checksum::poland),
    format("PT", "PT", &["999999999"], checksum::portugal),
    format(
        "RO",
        "RO",
        &["99", "999", "9999", "99999", "999999", "9999999", "99999999", "999999999", "9999999999"],
        checksum::romania,
    ),
    format("SE", "SE", &["999999999999"], checksum::sweden),
    format("SI", "SI", &["99999999"], checksum::slovenia),
    format("SK", "SK", &["9999999999"], checksum::slovakia),
    format("TW", "", &["99999999"], checksum::taiwan),
];

impl VatId {
    /// Reads an id of `country`: any case, with or without prefix, with spaces, dots and dashes.
    ///
    /// # Errors
    /// [`VatIdError`]: the country has no row, the text has another shape, or a check digit does not fit.
    pub fn parse(country: Country, input: &str) -> Result<Self, VatIdError> {
        let format = FORMATS.iter().find(|f| f.country == country.as_str()).ok_or(VatIdError::Country(country))?;
        let compact: String =
            input.chars().filter(|c| !matches!(c, ' ' | '.' | '-')).map(|c| c.to_ascii_uppercase()).collect();
        let body = compact.strip_prefix(format.prefix).unwrap_or(&compact);
        if !format.patterns.iter().any(|pattern| matches_pattern(body, pattern)) {
            let expected = format.patterns.iter().map(|p| format!("{}{p}", format.prefix)).collect::<Vec<_>>();
            return Err(VatIdError::Syntax { country, text: input.to_owned(), expected: expected.join(" or ") });
        }
        if !(format.check)(body.as_bytes()) {
            return Err(VatIdError::CheckDigit { country, text: input.to_owned() });
        }
        Ok(Self { country, text: format!("{}{body}", format.prefix) })
    }

    #[must_use]
    pub fn country(&self) -> Country {
        self.country
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the id begins with a country prefix, as EN 16931 asks of its VAT identifiers (BR-CO-09).
    #[must_use]
    pub fn has_country_prefix(&self) -> bool {
        self.text.starts_with(self.country.as_str()) || self.text.starts_with("EL")
    }
}

fn matches_pattern(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'9' => byte.is_ascii_digit(),
            b'A' => byte.is_ascii_uppercase(),
            b'*' => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            literal => byte == literal,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Country, id, whether it is right; made by the validators of python-stdnum, see the head of the file.
    const JUDGED_ELSEWHERE: &str = include_str!("../../tests/data/vat_ids.tsv");

    fn country(code: &str) -> Country {
        Country::parse(code).unwrap()
    }

    #[test]
    fn ids_are_judged_as_another_library_judges_them() {
        let (mut judged, mut differing) = (0, Vec::new());
        for line in JUDGED_ELSEWHERE.lines().filter(|l| !l.starts_with('#')) {
            let [code, id, right] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("three columns: {line}") };
            if VatId::parse(country(code), id).is_ok() != (right == "right") {
                differing.push(line);
            }
            judged += 1;
        }
        assert_eq!(differing, Vec::<&str>::new());
        assert!(judged > 200, "{judged}");
    }

    #[test]
    fn writing_does_not_matter_and_the_prefix_is_added() {
        for text in ["dk 13 58 56 28", "13585628", "DK-13585628"] {
            assert_eq!(VatId::parse(country("DK"), text).unwrap().as_str(), "DK13585628");
        }
        assert_eq!(VatId::parse(country("CH"), "CHE-107.787.577 IVA").unwrap().as_str(), "CHE107787577IVA");
        assert_eq!(VatId::parse(country("GR"), "094259216").unwrap().as_str(), "EL094259216");
        assert!(!VatId::parse(country("JP"), "T5835678256246").unwrap().has_country_prefix());
    }

    #[test]
    fn the_error_says_what_is_expected() {
        let error = VatId::parse(country("DK"), "1358562").unwrap_err();
        assert_eq!(error.to_string(), r#""1358562" is not a VAT id of DK: expected DK99999999"#);
        assert!(matches!(VatId::parse(country("DK"), "13585629"), Err(VatIdError::CheckDigit { .. })));
        assert!(matches!(VatId::parse(country("US"), "1"), Err(VatIdError::Country(_))));
    }

    #[test]
    fn taiwan_follows_its_rule_of_2023() {
        // 2+0+0+9+5+1+10+8 = 35: divisible by 5, not by 10.
        assert!(VatId::parse(country("TW"), "20095578").is_ok());
        assert!(VatId::parse(country("TW"), "22099132").is_err());
    }

    #[test]
    fn every_country_with_a_rate_has_a_format() {
        for row in super::super::STANDARD_RATES {
            assert!(FORMATS.iter().any(|f| f.country == row.country.as_str()), "{}", row.country);
        }
    }
}
