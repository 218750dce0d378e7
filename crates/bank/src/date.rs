//! Dates as the formats write them.

use time::{Date, Month};

use crate::error::{Fault, FaultKind, excerpt};

/// Years before and after these are typing errors in a bank statement.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=2199;

pub(crate) fn date(year: i32, month: u8, day: u8) -> Option<Date> {
    let month = Month::try_from(month).ok()?;
    YEARS.contains(&year).then(|| Date::from_calendar_date(year, month, day).ok()).flatten()
}

/// Reads an ISO 8601 date, or the date of a date with time, in the time zone it was written in.
pub(crate) fn iso_date(text: &str) -> Result<Date, Fault> {
    let bytes = text.as_bytes();
    let parts = || {
        let dashes = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
        let ends = matches!(bytes.get(10), None | Some(b'T' | b' ' | b'Z' | b'+' | b'-'));
        if !dashes || !ends {
            return None;
        }
        date(number(bytes.get(..4)?)?.into(), small(bytes.get(5..7)?)?, small(bytes.get(8..10)?)?)
    };
    parts().ok_or_else(|| invalid_date(text, "YYYY-MM-DD"))
}

/// Up to four digits.
pub(crate) fn number(digits: &[u8]) -> Option<i16> {
    let valid = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    valid.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0')))
}

/// Up to two digits.
pub(crate) fn small(digits: &[u8]) -> Option<u8> {
    u8::try_from(number(digits)?).ok()
}

pub(crate) fn invalid_date(text: &str, shape: &str) -> Fault {
    Fault::new(
        FaultKind::Invalid,
        format!("{} is not a date between 1970 and 2199", excerpt(text)),
        format!("Write a date of the calendar as {shape}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        assert_eq!(iso_date("2026-02-28").map(|date| date.to_string()), Ok("2026-02-28".into()));
        assert!(iso_date("2026-02-28T23:59:59+01:00").is_ok());
        for text in ["2026-02-29", "2026-2-28", "26-02-28", "2026-02-281", "1026-02-28", "2026-02-2é", ""] {
            assert!(iso_date(text).is_err(), "{text}");
        }
    }
}
