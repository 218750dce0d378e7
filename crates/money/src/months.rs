//! Calendar months, counted from an instant.

use time::{Date, Month, OffsetDateTime};

/// The same time of day `months` calendar months later.
///
/// A day the last month lacks becomes its last day: a month from 31 January ends on 28 or 29 February.
pub fn add_months(start: OffsetDateTime, months: u16) -> OffsetDateTime {
    let date = start.date();
    let month_index = i32::from(u8::from(date.month())) - 1 + i32::from(months);
    let year = date.year() + month_index / 12;
    let month = (0..month_index % 12).fold(Month::January, |month, _| month.next());
    let day = date.day().min(month.length(year));
    start.replace_date(Date::from_calendar_date(year, month, day).unwrap_or(Date::MAX))
}

/// The month, counted from 1, that an instant falls into; the first for what was before.
pub fn month_of(anchor: OffsetDateTime, at: OffsetDateTime) -> i32 {
    let index = |date: OffsetDateTime| date.year() * 12 + i32::from(u8::from(date.month()));
    // At most one too many: the day of the month may not have come yet.
    let months = (index(at) - index(anchor)).max(0);
    let begun = add_months(anchor, u16::try_from(months).unwrap_or(u16::MAX)) <= at;
    if begun { months + 1 } else { months.max(1) }
}

/// Where month `number`, counted from 1, ends: the first instant after it.
pub fn month_end(anchor: OffsetDateTime, number: i32) -> OffsetDateTime {
    add_months(anchor, u16::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::datetime};

    use super::*;

    const ANCHOR: OffsetDateTime = datetime!(2026-01-31 10:00 UTC);

    #[test]
    fn a_month_without_the_day_ends_on_its_last() {
        assert_eq!(add_months(ANCHOR, 0), ANCHOR);
        assert_eq!(add_months(ANCHOR, 1), datetime!(2026-02-28 10:00 UTC));
        assert_eq!(add_months(ANCHOR, 25), datetime!(2028-02-29 10:00 UTC));
        assert_eq!(add_months(ANCHOR, 11), datetime!(2026-12-31 10:00 UTC));
        assert_eq!(add_months(datetime!(2026-11-05 23:59 UTC), 3), datetime!(2027-02-05 23:59 UTC));
        assert_eq!(add_months(datetime!(9999-12-01 00:00 UTC), 1).date(), Date::MAX);
    }

    #[test]
    fn months_are_counted_from_the_anchor_with_short_months_in_between() {
        assert_eq!(month_of(ANCHOR, ANCHOR), 1);
        assert_eq!(month_of(ANCHOR, ANCHOR - Duration::DAY), 1);
        assert_eq!(month_of(ANCHOR, datetime!(2026-02-28 09:59:59 UTC)), 1);
        assert_eq!(month_of(ANCHOR, datetime!(2026-02-28 10:00 UTC)), 2);
        assert_eq!(month_of(ANCHOR, datetime!(2026-03-31 09:59 UTC)), 2);
        assert_eq!(month_of(ANCHOR, datetime!(2027-01-31 10:00 UTC)), 13);
    }

    #[test]
    fn a_number_that_is_none_ends_at_the_anchor() {
        assert_eq!(month_end(ANCHOR, 2), datetime!(2026-03-31 10:00 UTC));
        assert_eq!(month_end(ANCHOR, -1), ANCHOR);
    }

    proptest! {
        #[test]
        fn an_instant_lies_in_its_month(days in 0_i64..3_000) {
            let at = ANCHOR + Duration::days(days);
            let month = month_of(ANCHOR, at);
            prop_assert!(at < month_end(ANCHOR, month));
            prop_assert!(month == 1 || at >= month_end(ANCHOR, month - 1));
        }
    }
}
