//! Months as they are written.

use time::{Date, Month};

use super::super::Period;
use crate::{
    error::{Error, Result},
    settlement::bank::days::stored,
};

/// The period of a month as it is written, `2026-11`.
///
/// # Errors
/// `Invalid` for anything else.
pub fn period_of(month: &str) -> Result<Period> {
    let bad = || Error::invalid("/month", "Write year and month as 2026-11.");
    let (year, number) = month.split_once('-').ok_or_else(bad)?;
    if (year.len(), number.len()) != (4, 2) || !month.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return Err(bad());
    }
    let (year, number): (i32, u8) = (year.parse().map_err(|_| bad())?, number.parse().map_err(|_| bad())?);
    let first = Month::try_from(number).map_err(|_| bad())?;
    let next = if first == Month::December { year.saturating_add(1) } else { year };
    let day = |year, month| Date::from_calendar_date(year, month, 1).map_err(|_| bad());
    Ok(Period { from: stored(day(year, first)?), until: stored(day(next, first.next())?) })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let december = period_of("2026-12").expect("a month");
        assert_eq!(
            (december.from.0, december.until.0),
            (datetime!(2026-12-01 0:00 UTC), datetime!(2027-01-01 0:00 UTC))
        );
        for bad in ["2026", "2026-13", "2026-00", "26-11", "2026-1", "2026-11-01", "2026/11", "+026-11"] {
            assert!(period_of(bad).is_err(), "{bad}");
        }
    }
}
