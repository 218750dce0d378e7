//! What a single written value is: a number, a day, an instant, a placeholder or plain text.

use std::{borrow::Cow, cmp::Ordering, fmt::Write as _};

use time::{Date, Duration, Month, PrimitiveDateTime, Time, UtcOffset};

/// A value and what it was read as.
#[derive(Debug, Clone)]
pub(super) enum Reading<'a> {
    Boolean,
    Number(Number<'a>),
    Stamp(Stamp),
    /// Index into [`PLACEHOLDERS`].
    Placeholder(usize),
    Text,
}

/// Which notations are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// Everything, `7,472` and `7.5` being numbers: delimited text.
    Point,
    /// The same with `7,5` as a number, and no grouping: text delimited by semicolons.
    Comma,
    /// As `Point`, though the format has numbers of its own: JSON.
    Quoted,
    /// Nothing, since the format has a type for everything: Parquet.
    Typed,
}

/// What stands for "no value" in columns of numbers, days or flags.
pub(super) static PLACEHOLDERS: [&str; 15] =
    ["*", "**", "-", "--", "---", "－", "−", "…", "...", "NA", "N/A", "n/a", "NULL", "NaN", "\\N"];

/// Reads trimmed, non-empty `text`.
pub(super) fn read(text: &str, notation: Notation) -> Reading<'_> {
    if notation == Notation::Typed {
        return Reading::Text;
    }
    if let Some(number) = Number::parse(text, notation == Notation::Comma) {
        return Reading::Number(number);
    }
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return Reading::Boolean;
    }
    if let Some(index) = PLACEHOLDERS.iter().position(|placeholder| *placeholder == text) {
        return Reading::Placeholder(index);
    }
    Stamp::parse(text).map_or(Reading::Text, Reading::Stamp)
}

/// A number as it is written, with what is needed to order it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Number<'a> {
    /// Digits with an optional sign, point and exponent; no grouping.
    pub(super) text: Cow<'a, str>,
    /// The nearest double: orders all numbers but those that share it.
    pub(super) approx: f64,
    pub(super) is_integer: bool,
}

impl<'a> Number<'a> {
    /// Reads a decimal number, with the comma as decimal mark if `comma`, else as grouping mark of thousands.
    ///
    /// `0123` is a code, not a number.
    pub(super) fn parse(text: &'a str, comma: bool) -> Option<Self> {
        let first = *text.as_bytes().first()?;
        if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.')) || text.len() > 400 {
            return None;
        }
        if !text.contains(',') {
            return Self::plain(Cow::Borrowed(text));
        }
        if comma {
            let single = text.matches(',').count() == 1 && !text.contains('.');
            return if single { Self::plain(Cow::Owned(text.replace(',', "."))) } else { None };
        }
        let whole = text.trim_start_matches(['-', '+']);
        let whole = whole.split_once('.').map_or(whole, |(whole, _)| whole);
        let mut groups = whole.split(',');
        let head_ok = groups.next().is_some_and(|head| (1..=3).contains(&head.len()));
        if head_ok && groups.all(|group| group.len() == 3) {
            Self::plain(Cow::Owned(text.replace(',', "")))
        } else {
            None
        }
    }

    fn plain(text: Cow<'a, str>) -> Option<Self> {
        let digits = text.trim_start_matches(['-', '+']);
        if text.len() - digits.len() > 1 || digits.ends_with('.') {
            return None;
        }
        let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_code = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
        if is_code || !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
            return None;
        }
        let approx: f64 = text.parse().ok()?;
        Some(Self { text, approx, is_integer })
    }

    /// Orders numbers by value, exactly unless one has an exponent.
    pub(super) fn order(&self, other: &Number<'_>) -> Ordering {
        self.approx.total_cmp(&other.approx).then_with(|| match (Exact::of(&self.text), Exact::of(&other.text)) {
            (Some(one), Some(two)) => one.order(&two),
            _ => Ordering::Equal,
        })
    }

    pub(super) fn into_owned(self) -> Number<'static> {
        Number { text: Cow::Owned(self.text.into_owned()), ..self }
    }
}

/// A plain decimal number taken apart, for numbers closer together than doubles are.
struct Exact<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Exact<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let digits = text.trim_start_matches(['-', '+']);
        if digits.contains(['e', 'E']) {
            return None;
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        Some(Self { negative: text.starts_with('-') && !(whole.is_empty() && fraction.is_empty()), whole, fraction })
    }

    fn order(&self, other: &Self) -> Ordering {
        let magnitude = (self.whole.len().cmp(&other.whole.len()))
            .then_with(|| self.whole.cmp(other.whole))
            .then_with(|| self.fraction.cmp(other.fraction));
        match (self.negative, other.negative) {
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

/// A day, or a day and a time, with the offset from UTC where one is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    at: PrimitiveDateTime,
    offset: Option<UtcOffset>,
    pub(super) has_time: bool,
}

impl Stamp {
    /// A day.
    pub(super) fn day(date: Date) -> Self {
        Self { at: date.midnight(), offset: None, has_time: false }
    }

    /// A local time, or an instant when `offset` is known.
    pub(super) fn time(at: PrimitiveDateTime, offset: Option<UtcOffset>) -> Self {
        Self { at, offset, has_time: true }
    }

    /// Reads ISO 8601 days and times, the same with `/` between the parts, `22-03-2024`, `22.03.2024` and
    /// `2024年3月22日`; not `03/04/2024`, whose month nobody knows.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if !text.as_bytes().first()?.is_ascii_digit() || text.len() > 48 {
            return None;
        }
        let (date, rest) = parse_day(text)?;
        if rest.is_empty() {
            return Some(Self::day(date));
        }
        let rest = rest.strip_prefix(['T', 't', ' '])?.trim_start();
        let (date, time, rest) = match rest.strip_prefix("24:00") {
            // ISO 8601 writes the end of a day so; river gauges do.
            Some(rest) => (date.next_day()?, Time::MIDNIGHT, rest.strip_prefix(":00").unwrap_or(rest)),
            None => parse_time(rest).map(|(time, rest)| (date, time, rest))?,
        };
        let offset = match rest.trim_start() {
            "" => None,
            "Z" | "z" | "UTC" => Some(UtcOffset::UTC),
            other => Some(parse_offset(other)?),
        };
        Some(Self::time(PrimitiveDateTime::new(date, time), offset))
    }

    /// Reads eight digits as year, month and day between 1900 and 2099.
    pub(super) fn parse_compact(text: &str) -> Option<Self> {
        if text.len() != 8 || !text.is_ascii() {
            return None;
        }
        let year: u16 = text[..4].parse().ok()?;
        if !(1900..2100).contains(&year) {
            return None;
        }
        Some(Self::day(day_of(&text[..4], &text[4..6], &text[6..])?))
    }

    /// Orders in time; what has no zone counts as UTC.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }

    fn key(&self) -> PrimitiveDateTime {
        let seconds = self.offset.map_or(0, |offset| i64::from(offset.whole_seconds()));
        self.at.saturating_sub(Duration::seconds(seconds))
    }

    /// The instant in UTC, or the local time where no zone is known.
    pub(super) fn utc(&self) -> PrimitiveDateTime {
        self.key()
    }

    /// The offset from UTC, where one is written.
    pub(super) fn offset(&self) -> Option<UtcOffset> {
        self.offset
    }

    /// RFC 3339, without a zone where none is known.
    pub(super) fn text(&self) -> String {
        let date = self.at.date();
        let mut text = format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day());
        if !self.has_time {
            return text;
        }
        let (hour, minute, second, nano) = self.at.as_hms_nano();
        let _ = write!(text, "T{hour:02}:{minute:02}:{second:02}");
        if nano > 0 {
            text += format!(".{nano:09}").trim_end_matches('0');
        }
        match self.offset {
            None => {}
            Some(offset) if offset.is_utc() => text.push('Z'),
            Some(offset) => {
                let (hours, minutes, _) = offset.as_hms();
                let sign = if offset.is_negative() { '-' } else { '+' };
                let _ = write!(text, "{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs());
            }
        }
        text
    }
}

fn day_of(year: &str, month: &str, day: &str) -> Option<Date> {
    if year.len() != 4 || month.len() > 2 || day.len() > 2 {
        return None;
    }
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    Date::from_calendar_date(year.parse::<u16>().ok()?.into(), month, day.parse().ok()?).ok()
}

/// Takes the leading digits off.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn parse_day(text: &str) -> Option<(Date, &str)> {
    let (first, rest) = digits(text);
    let mark = rest.chars().next().filter(|mark| matches!(mark, '-' | '/' | '.' | '年'))?;
    let (second, rest) = digits(&rest[mark.len_utf8()..]);
    let rest = rest.strip_prefix(if mark == '年' { '月' } else { mark })?;
    let (third, rest) = digits(rest);
    let rest = if mark == '年' { rest.strip_prefix('日')? } else { rest };
    if first.len() == 4 {
        return Some((day_of(first, second, third)?, rest));
    }
    if matches!(mark, '-' | '.') { Some((day_of(third, second, first)?, rest)) } else { None }
}

fn parse_time(text: &str) -> Option<(Time, &str)> {
    let (hour, rest) = digits(text);
    let (minute, rest) = digits(rest.strip_prefix(':')?);
    if !(1..=2).contains(&hour.len()) || minute.len() != 2 {
        return None;
    }
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    let Some(rest) = rest.strip_prefix(':') else {
        return Some((Time::from_hms(hour, minute, 0).ok()?, rest));
    };
    let (second, rest) = digits(rest);
    let second = second.parse().ok()?;
    let Some(rest) = rest.strip_prefix('.') else {
        return Some((Time::from_hms(hour, minute, second).ok()?, rest));
    };
    let (fraction, rest) = digits(rest);
    let nano = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some((Time::from_hms_nano(hour, minute, second, nano).ok()?, rest))
}

fn parse_offset(text: &str) -> Option<UtcOffset> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, rest) = digits(&text[1..]);
    let (hours, minutes) = match (hours.len(), rest) {
        (2, "") => (hours, "0"),
        (4, "") => hours.split_at(2),
        (2, rest) => (hours, rest.strip_prefix(':')?),
        _ => return None,
    };
    let minutes: i8 = minutes.parse().ok().filter(|minutes| *minutes >= 0)?;
    UtcOffset::from_hms(sign * hours.parse::<i8>().ok()?, sign * minutes, 0).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(text: &str) -> Option<String> {
        Stamp::parse(text).map(|stamp| stamp.text())
    }

    #[test]
    fn days_and_times_are_read_as_cities_write_them() {
        for (written, read) in [
            ("2021-08-14", "2021-08-14"),
            ("2013/03/18", "2013-03-18"),
            ("2020/4/1", "2020-04-01"),
            ("22-03-2024", "2024-03-22"),
            ("22.03.2024 7:15", "2024-03-22T07:15:00"),
            ("2024年3月22日", "2024-03-22"),
            ("2021-08-14T08:40", "2021-08-14T08:40:00"),
            ("2018-07-02T02:27:27.485932", "2018-07-02T02:27:27.485932"),
            ("2021-08-14 08:40:00+0900", "2021-08-14T08:40:00+09:00"),
            ("2021-08-14T24:00", "2021-08-15T00:00:00"),
            ("2021-08-14T08:40:00Z", "2021-08-14T08:40:00Z"),
        ] {
            assert_eq!(stamp(written).as_deref(), Some(read), "{written}");
        }
        for text in
            ["03/04/2024", "2024-13-01", "2024-02-30", "2024", "12:30", "2024-01-01T", "1.2.3", "年", "2024年3月"]
        {
            assert_eq!(stamp(text), None, "{text}");
        }
    }

    #[test]
    fn instants_are_ordered_across_zones() {
        let at = |text| Stamp::parse(text).expect("a time");
        assert_eq!(at("2021-08-14T09:00+09:00").order(&at("2021-08-14T00:00Z")), Ordering::Equal);
        assert_eq!(at("2021-08-14T09:00+09:00").order(&at("2021-08-14T01:00Z")), Ordering::Less);
    }

    #[test]
    fn codes_are_no_numbers_and_grouped_numbers_are() {
        let number = |text, comma| Number::parse(text, comma).map(|number| number.text.into_owned());
        assert_eq!(number("7,472", false).as_deref(), Some("7472"));
        assert_eq!(number("-1,234,567.5", false).as_deref(), Some("-1234567.5"));
        assert_eq!(number("56,16", true).as_deref(), Some("56.16"));
        for text in ["0912", "1,2", "12,34", "1.", "-", "+-1", "1e", "0x1", "inf", "nan", "1_0", ",5"] {
            assert_eq!(number(text, false), None, "{text}");
        }
    }

    #[test]
    fn numbers_beyond_a_double_are_still_ordered() {
        let number = |text| Number::parse(text, false).expect("a number");
        assert_eq!(number("9007199254740993").order(&number("9007199254740992")), Ordering::Greater);
        assert_eq!(number("-0.10000000000000000001").order(&number("-0.1")), Ordering::Less);
        assert_eq!(number("1.50").order(&number("1.5")), Ordering::Equal);
    }

    proptest! {
        #[test]
        fn the_order_is_that_of_the_integers(a in any::<i64>(), b in any::<i64>()) {
            let (one, two) = (a.to_string(), b.to_string());
            let read = |text| Number::parse(text, false).expect("a number");
            prop_assert_eq!(read(&one).order(&read(&two)), a.cmp(&b));
        }

        #[test]
        fn no_text_is_too_strange_to_read(text in "\\PC{0,40}|[0-9/:.,TZ+年月日-]{0,30}") {
            if !text.is_empty() {
                let _ = (read(&text, Notation::Point), read(&text, Notation::Comma), Stamp::parse_compact(&text));
            }
        }
    }
}
