//! Numbers, money and dates as the reader of a language writes them.

use time::Date;

use super::Language;
use crate::{Currency, Decimal};

const MINUS: char = '\u{2212}';
const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DANISH_MONTHS: [&str; 12] = [
    "januar",
    "februar",
    "marts",
    "april",
    "maj",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "december",
];

/// Groups the whole digits by three and sets the language's separators.
pub(super) fn decimal(number: Decimal, language: Language) -> String {
    let (group, point) = match language {
        Language::Danish => ('.', ','),
        _ => (',', '.'),
    };
    let text = number.to_string();
    let digits = text.trim_start_matches('-');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut written = String::new();
    if number.is_negative() {
        written.push(MINUS);
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            written.push(group);
        }
        written.push(digit);
    }
    if !fraction.is_empty() {
        written.push(point);
        written.push_str(fraction);
    }
    written
}

/// An amount with all minor digits of its currency, without the code.
pub(super) fn amount(amount_minor: i64, currency: Currency, language: Language) -> String {
    decimal(Decimal::from_minor(amount_minor, currency), language)
}

/// An amount with its currency code in front.
pub(super) fn money(amount_minor: i64, currency: Currency, language: Language) -> String {
    format!("{} {}", currency.code(), amount(amount_minor, currency, language))
}

/// A rate: `25 %` in Danish, `25%` elsewhere.
pub(super) fn percent(rate_bps: u32, language: Language) -> String {
    let text = format!("{}.{:02}", rate_bps / 100, rate_bps % 100);
    let shortest = text.trim_end_matches('0').trim_end_matches('.');
    match language {
        Language::Danish => format!("{} %", shortest.replace('.', ",")),
        _ => format!("{shortest}%"),
    }
}

pub(super) fn date(date: Date, language: Language) -> String {
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    let name = |months: [&'static str; 12]| months.get(usize::from(month) - 1).copied().unwrap_or_default();
    match language {
        Language::English => format!("{day} {} {year}", name(ENGLISH_MONTHS)),
        Language::Danish => format!("{day}. {} {year}", name(DANISH_MONTHS)),
        Language::Japanese | Language::TraditionalChinese => format!("{year}年{month}月{day}日"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn numbers_follow_the_language() {
        let eur = Currency::new("EUR", 2).unwrap();
        let jpy = Currency::new("JPY", 0).unwrap();
        for (minor, currency, language, expected) in [
            (123_456_789, eur, Language::English, "EUR 1,234,567.89"),
            (123_456_789, eur, Language::Danish, "EUR 1.234.567,89"),
            (-5, eur, Language::English, "EUR −0.05"),
            (1_500, jpy, Language::Japanese, "JPY 1,500"),
            (100, jpy, Language::TraditionalChinese, "JPY 100"),
        ] {
            assert_eq!(money(minor, currency, language), expected);
        }
        assert_eq!(percent(2550, Language::Danish), "25,5 %");
        assert_eq!(percent(0, Language::English), "0%");
    }

    #[test]
    fn dates_follow_the_language() {
        let day = date!(2026 - 11 - 01);
        assert_eq!(date(day, Language::English), "1 November 2026");
        assert_eq!(date(day, Language::Danish), "1. november 2026");
        assert_eq!(date(day, Language::Japanese), "2026年11月1日");
    }
}
