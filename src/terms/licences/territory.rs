//! Jurisdictions: countries and their parts.

use crate::base::country::is_country;

/// True for a country code, or one followed by a subdivision of one to three letters or digits.
///
/// Only the country is looked up: subdivisions change too often for a table.
/// Source: ISO 3166-2, section on the code's structure.
pub(super) fn is_jurisdiction(code: &str) -> bool {
    let (country, subdivision) = match code.split_once('-') {
        Some((country, subdivision)) => (country, Some(subdivision)),
        None => (code, None),
    };
    let subdivision_ok = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    is_country(country) && subdivision.is_none_or(subdivision_ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jurisdiction_may_name_a_part_of_a_country() {
        assert!(is_jurisdiction("CA-ON") && is_jurisdiction("GB-ENG") && is_jurisdiction("DK"));
        for code in ["CA-", "CA-on", "CA-LONG", "XX-ON", "CA-ON-1", ""] {
            assert!(!is_jurisdiction(code), "{code}");
        }
    }
}
