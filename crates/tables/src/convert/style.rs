//! How the values of a column were written, where all of them follow one pattern: then the text formats write them so
//! again, and no copy of the text is needed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use time::{PrimitiveDateTime, UtcOffset};

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NumberStyle {
    /// Each with so many decimals: `1.50`.
    Fixed(u8),
    /// No zeros at the end: `1.5`, `2`.
    Trimmed,
    /// The same, with one decimal at least: `1.5`, `2.0`.
    PointZero,
    /// The shortest text that gives the same double: `1e-7`.
    Shortest,
}

impl NumberStyle {
    /// Writes a decimal that is `unscaled / 10^scale`.
    pub(super) fn decimal(self, unscaled: i128, scale: u8, out: &mut String) {
        let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = usize::from(scale) + 1);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
        if unscaled < 0 {
            out.push('-');
        }
        out.push_str(whole);
        let kept = match self {
            Self::Fixed(places) => fraction.get(..usize::from(places)).unwrap_or(fraction),
            Self::Trimmed | Self::PointZero | Self::Shortest => fraction.trim_end_matches('0'),
        };
        match (kept, self) {
            ("", Self::PointZero) => out.push_str(".0"),
            ("", _) => {}
            (kept, _) => {
                out.push('.');
                out.push_str(kept);
            }
        }
    }

    /// Writes a double.
    pub(super) fn double(self, value: f64, out: &mut String) {
        match self {
            Self::Fixed(places) => {
                let _ = write!(out, "{value:.width$}", width = usize::from(places));
            }
            Self::Trimmed => {
                let _ = write!(out, "{value}");
            }
            Self::PointZero => {
                let _ = write!(out, "{value:?}");
            }
            Self::Shortest => match serde_json::Number::from_f64(value) {
                Some(number) => {
                    let _ = write!(out, "{number}");
                }
                None => {
                    let _ = write!(out, "{value}");
                }
            },
        }
    }
}

/// How flags are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FlagStyle {
    Lower,
    Upper,
    Title,
}

impl FlagStyle {
    /// The style of one written flag.
    pub(super) fn of(text: &str) -> Option<Self> {
        match text {
            "true" | "false" => Some(Self::Lower),
            "TRUE" | "FALSE" => Some(Self::Upper),
            "True" | "False" => Some(Self::Title),
            _ => None,
        }
    }

    /// The flag in this style.
    pub(super) fn text(self, value: bool) -> &'static str {
        match (self, value) {
            (Self::Lower, true) => "true",
            (Self::Lower, false) => "false",
            (Self::Upper, true) => "TRUE",
            (Self::Upper, false) => "FALSE",
            (Self::Title, true) => "True",
            (Self::Title, false) => "False",
        }
    }
}

/// How an offset from UTC is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ZoneStyle {
    /// Not at all: nobody knows the zone.
    Absent,
    /// `Z`
    Zulu,
    /// `+09:00`, in minutes.
    Colon(i16),
    /// `+0900`, in minutes.
    Compact(i16),
}

/// How days and times are written: `2021/08/14 08:40`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StampStyle {
    pub(super) date_mark: char,
    pub(super) time_mark: char,
    pub(super) has_time: bool,
    pub(super) has_seconds: bool,
    pub(super) decimals: u8,
    pub(super) zone: ZoneStyle,
}

impl StampStyle {
    /// RFC 3339.
    pub(super) fn canonical(has_time: bool, has_zone: bool) -> Self {
        let zone = if has_zone { ZoneStyle::Zulu } else { ZoneStyle::Absent };
        Self { date_mark: '-', time_mark: 'T', has_time, has_seconds: true, decimals: 0, zone }
    }

    /// The style one written value seems to have; whether it does shows by writing it again.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut style = Self::canonical(false, false);
        style.date_mark = char::from(*text.as_bytes().get(4)?);
        let Some(rest) = text.get(10..).filter(|rest| !rest.is_empty()) else { return Some(style) };
        style.has_time = true;
        style.time_mark = rest.chars().next()?;
        let rest = rest.get(6..)?;
        style.has_seconds = rest.starts_with(':');
        let rest = if style.has_seconds { rest.get(3..)? } else { rest };
        let rest = match rest.strip_prefix('.') {
            None => rest,
            Some(decimals) => {
                let end = decimals.find(|c: char| !c.is_ascii_digit()).unwrap_or(decimals.len());
                style.decimals = u8::try_from(end).ok()?;
                &decimals[end..]
            }
        };
        style.zone = zone_style(rest)?;
        Some(style)
    }

    /// Writes an instant, given in UTC; or a local time, where no zone is known.
    pub(super) fn write(&self, at: PrimitiveDateTime, out: &mut String) {
        let minutes = match self.zone {
            ZoneStyle::Colon(minutes) | ZoneStyle::Compact(minutes) => minutes,
            ZoneStyle::Absent | ZoneStyle::Zulu => 0,
        };
        let at = at.saturating_add(time::Duration::minutes(minutes.into()));
        let (date, mark) = (at.date(), self.date_mark);
        let _ = write!(out, "{:04}{mark}{:02}{mark}{:02}", date.year(), u8::from(date.month()), date.day());
        if !self.has_time {
            return;
        }
        let (hour, minute, second, nano) = at.as_hms_nano();
        let _ = write!(out, "{}{hour:02}:{minute:02}", self.time_mark);
        if self.has_seconds {
            let _ = write!(out, ":{second:02}");
        }
        if self.decimals > 0 {
            let digits = format!("{nano:09}");
            out.push('.');
            out.push_str(digits.get(..usize::from(self.decimals)).unwrap_or(&digits));
        }
        match self.zone {
            ZoneStyle::Absent => {}
            ZoneStyle::Zulu => out.push('Z'),
            ZoneStyle::Colon(minutes) | ZoneStyle::Compact(minutes) => {
                let mark = if matches!(self.zone, ZoneStyle::Colon(_)) { ":" } else { "" };
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.unsigned_abs();
                let _ = write!(out, "{sign}{:02}{mark}{:02}", minutes / 60, minutes % 60);
            }
        }
    }
}

fn zone_style(text: &str) -> Option<ZoneStyle> {
    match text {
        "" => return Some(ZoneStyle::Absent),
        "Z" => return Some(ZoneStyle::Zulu),
        _ => {}
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text.get(1..)?;
    let (hours, minutes, is_colon) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes, true),
        None => (digits.get(..2)?, digits.get(2..)?, false),
    };
    let total = hours.parse::<i16>().ok()?.checked_mul(60)?.checked_add(minutes.parse().ok()?)?.checked_mul(sign)?;
    Some(if is_colon { ZoneStyle::Colon(total) } else { ZoneStyle::Compact(total) })
}

/// An offset as it is recorded: `UTC`, `+09:00`.
pub(super) fn offset_text(offset: UtcOffset) -> String {
    if offset.is_utc() {
        return "UTC".to_owned();
    }
    let (hours, minutes, _) = offset.as_hms();
    let sign = if offset.is_negative() { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_as_they_were() {
        let write = |style: NumberStyle, unscaled, scale| {
            let mut text = String::new();
            style.decimal(unscaled, scale, &mut text);
            text
        };
        assert_eq!(write(NumberStyle::Fixed(2), -150, 2), "-1.50");
        assert_eq!(write(NumberStyle::Trimmed, 1_500, 3), "1.5");
        assert_eq!(write(NumberStyle::Trimmed, -5, 3), "-0.005");
        assert_eq!(write(NumberStyle::PointZero, 2_000, 3), "2.0");
        assert_eq!(write(NumberStyle::Trimmed, 2_000, 3), "2");
    }

    #[test]
    fn times_are_written_as_they_were() {
        for text in [
            "2021-08-14",
            "2021/08/14",
            "2021-08-14T08:40",
            "2021-08-14 08:40:00",
            "2021-08-14T08:40:00.250",
            "2021-08-14T08:40:00+09:00",
            "2021-08-14T08:40:00-0330",
            "2021-08-14T08:40:00Z",
        ] {
            let stamp = crate::value::Stamp::parse(text).expect("a time");
            let mut written = String::new();
            StampStyle::of(text).expect("a style").write(stamp.utc(), &mut written);
            assert_eq!(written, text);
        }
    }
}
