//! Standard rates of value added and consumption tax, as dated rows.

use time::{Date, macros::date};

use super::Country;

/// A country's standard rate from a day on, until its next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateRow {
    pub country: Country,
    /// First day the rate applies to, by tax point.
    pub from: Date,
    /// Basis points: 2500 = 25 %.
    pub rate_bps: u32,
}

const fn row(country: &str, from: Date, rate_bps: u32) -> RateRow {
    RateRow { country: Country::literal(country), from, rate_bps }
}

/// Day before which the table has no rows; where a rate is older than that, its row starts here.
pub const TABLE_START: Date = date!(2024 - 01 - 01);

/// Standard rates only: reduced rates for electronic publications are not applied. The newest change in the table is
/// Romania's of August 2025; whoever goes live compares it with the sources first.
///
/// Sources: EU-27: European Commission, *VAT rates applied in the Member States* and the TEDB data base. NO:
/// merverdiavgiftsloven and the yearly decision of the Storting. CH: MWSTG art. 25. GB: VATA 1994 s. 2.
/// IS: lög nr. 50/1988, 14. gr. JP: Consumption Tax Act art. 29 with the local consumption tax (7.8 % + 2.2 %).
/// TW: Value-added and Non-value-added Business Tax Act art. 10 and the Executive Yuan's rate.
/// Sorted by country, then by day.
pub static STANDARD_RATES: &[RateRow] = &[
    row("AT", TABLE_START, 2000),
    row("BE", TABLE_START, 2100),
    row("BG", TABLE_START, 2000),
    row("CH", TABLE_START, 810),
    row("CY", TABLE_START, 1900),
    row("CZ", TABLE_START, 2100),
    row("DE", TABLE_START, 1900),
    row("DK", TABLE_START, 2500),
    row("EE", TABLE_START, 2200),
    row("EE", date!(2025 - 07 - 01), 2400),
    row("ES", TABLE_START, 2100),
    row("FI", TABLE_START, 2400),
    row("FI", date!(2024 - 09 - 01), 2550),
    row("FR", TABLE_START, 2000),
    row("GB", TABLE_START, 2000),
    row("GR", TABLE_START, 2400),
    row("HR", TABLE_START, 2500),
    row("HU", TABLE_START, 2700),
    row("IE", TABLE_START, 2300),
    row("IS", TABLE_START, 2400),
    row("IT", TABLE_START, 2200),
    row("JP", TABLE_START, 1000),
    row("LT", TABLE_START, 2100),
    row("LU", TABLE_START, 1700),
    row("LV", TABLE_START, 2100),
    row("MT", TABLE_START, 1800),
    row("NL", TABLE_START, 2100),
    row("NO", TABLE_START, 2500),
    row("PL", TABLE_START, 2300),
    row("PT", TABLE_START, 2300),
    row("RO", TABLE_START, 1900),
    row("RO", date!(2025 - 08 - 01), 2100),
    row("SE", TABLE_START, 2500),
    row("SI", TABLE_START, 2200),
    row("SK", TABLE_START, 2000),
    row("SK", date!(2025 - 01 - 01), 2300),
    row("TW", TABLE_START, 500),
];

/// The standard rate in basis points that applies in `country` on `day`; `None` without a row for it.
#[must_use]
pub fn standard_rate_bps(country: Country, day: Date) -> Option<u32> {
    STANDARD_RATES.iter().rev().find(|row| row.country == country && row.from <= day).map(|row| row.rate_bps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_without_doubles_and_covers_the_union() {
        assert!(STANDARD_RATES.windows(2).all(|w| (w[0].country, w[0].from) < (w[1].country, w[1].from)));
        for code in super::super::EU_MEMBERS.iter().chain(&["NO", "CH", "GB", "IS", "JP", "TW"]) {
            let country = Country::parse(code).unwrap();
            let rate = standard_rate_bps(country, TABLE_START).unwrap();
            assert!((500..=2700).contains(&rate), "{code}");
            assert!(!country.in_eu() || rate >= 1500, "{code}: Directive 2006/112/EC art. 97: at least 15 %");
        }
    }

    #[test]
    fn a_rate_changes_on_its_day_not_before() {
        let finland = Country::parse("FI").unwrap();
        assert_eq!(standard_rate_bps(finland, date!(2024 - 08 - 31)), Some(2400));
        assert_eq!(standard_rate_bps(finland, date!(2024 - 09 - 01)), Some(2550));
        assert_eq!(standard_rate_bps(finland, date!(2023 - 12 - 31)), None);
        assert_eq!(standard_rate_bps(Country::parse("US").unwrap(), date!(2026 - 01 - 01)), None);
    }
}
