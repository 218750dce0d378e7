//! Dates as Japanese and Taiwanese offices write them, and digits as wide as a character.
//!
//! Source: Japan's Era Name Act and the calendar orders of the eras (first days below); the Republic of China's year
//! one is 1912.

use std::borrow::Cow;

use time::{Date, Month, macros::date};

/// Eras by name, with the year before their first, and the first and last day they name.
///
/// Offices keep writing the old era for days planned before it ended; such a date is still unambiguous, so only the
/// beginning is checked.
static ERAS: [(&str, i32, Date); 6] = [
    ("令和", 2018, date!(2019 - 05 - 01)),
    ("平成", 1988, date!(1989 - 01 - 08)),
    ("昭和", 1925, date!(1926 - 12 - 25)),
    ("大正", 1911, date!(1912 - 07 - 30)),
    ("中華民國", 1911, date!(1912 - 01 - 01)),
    ("民國", 1911, date!(1912 - 01 - 01)),
];

/// What an era date says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EraDate {
    Year(i32),
    Month(i32, u8),
    Day(Date),
}

/// Reads `令和7年`, `令和元年5月1日`, `民國114年3月`, `民國114/03/05`.
pub(super) fn read_era(text: &str) -> Option<EraDate> {
    let (rest, (_, before, first)) = ERAS.iter().find_map(|era| Some((text.strip_prefix(era.0)?, era)))?;
    let rest = rest.trim_start();
    let (year, rest) = match rest.strip_prefix('元') {
        Some(rest) => (1, rest),
        None => number(rest)?,
    };
    if year == 0 || year > 200 {
        return None;
    }
    let year = before + i32::from(year);
    let rest = rest.trim_start();
    if rest == "年" || rest.is_empty() {
        return (year >= first.year()).then_some(EraDate::Year(year));
    }
    let (rest, marks) = match rest.chars().next()? {
        '年' => (&rest['年'.len_utf8()..], ('月', "日")),
        mark @ ('/' | '.' | '-') => (&rest[1..], (mark, "")),
        _ => return None,
    };
    let (month, rest) = number(rest.trim_start())?;
    let month_number = u8::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
    let rest = rest.trim_start();
    if rest.is_empty() && marks.1.is_empty() || rest == "月" && marks.0 == '月' {
        return (year >= first.year()).then_some(EraDate::Month(year, month_number));
    }
    let (day, rest) = number(rest.strip_prefix(marks.0)?.trim_start())?;
    if rest.trim_start() != marks.1 {
        return None;
    }
    let day = Date::from_calendar_date(year, Month::try_from(month_number).ok()?, u8::try_from(day).ok()?).ok()?;
    (day >= *first).then_some(EraDate::Day(day))
}

/// Takes up to four leading digits off.
fn number(text: &str) -> Option<(u16, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let digits = text.get(..end).filter(|digits| (1..=4).contains(&digits.len()))?;
    Some((digits.parse().ok()?, &text[end..]))
}

/// The text with full-width signs as plain ones (`１２３` as `123`); borrowed when it has none.
pub(super) fn fold_width(text: &str) -> Cow<'_, str> {
    let is_wide = |c: char| matches!(c, '\u{FF01}'..='\u{FF5E}' | '\u{3000}' | '\u{2212}');
    if text.is_ascii() || !text.contains(is_wide) {
        return Cow::Borrowed(text);
    }
    let plain = |c: char| match c {
        '\u{3000}' => ' ',
        '\u{2212}' => '-',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        other => other,
    };
    Cow::Owned(text.chars().map(plain).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eras_are_read_as_offices_write_them() {
        for (text, read) in [
            ("令和7年", EraDate::Year(2025)),
            ("令和元年5月1日", EraDate::Day(date!(2019 - 05 - 01))),
            ("平成31年4月30日", EraDate::Day(date!(2019 - 04 - 30))),
            ("昭和64年1月7日", EraDate::Day(date!(1989 - 01 - 07))),
            ("民國114年", EraDate::Year(2025)),
            ("民國114年3月5日", EraDate::Day(date!(2025 - 03 - 05))),
            ("中華民國 114 年 3 月 5 日", EraDate::Day(date!(2025 - 03 - 05))),
            ("民國114/03/05", EraDate::Day(date!(2025 - 03 - 05))),
            ("令和7年4月", EraDate::Month(2025, 4)),
        ] {
            assert_eq!(read_era(text), Some(read), "{text}");
        }
        for text in ["令和", "令和0年", "令和元年4月30日", "令和7年13月1日", "民國114年2月30日", "114年", "令和7年度"]
        {
            assert_eq!(read_era(text), None, "{text}");
        }
    }

    #[test]
    fn wide_digits_are_digits() {
        assert_eq!(fold_width("１２．５"), "12.5");
        assert!(matches!(fold_width("12.5"), Cow::Borrowed(_)));
    }
}
