//! What one written value is, for the purpose of giving its column a type.

use std::borrow::Cow;

use super::era::{EraDate, fold_width, read_era};
use crate::value::{self, Notation, Stamp};

/// A value and what it was read as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading<'a> {
    Empty,
    /// Stands for "no value" among numbers, days and flags: `---`, or nothing but blanks.
    Placeholder,
    Flag(bool),
    /// Digits with an optional sign, point and exponent; no grouping.
    Number(Cow<'a, str>),
    Stamp(Stamp),
    /// A year of an era, as the year of the common calendar.
    Year(i32),
    /// A month of an era, likewise.
    Month(i32, u8),
    Text,
}

/// Reads a written value.
pub(super) fn read(text: &str, notation: Notation) -> Reading<'_> {
    if text.is_empty() {
        return Reading::Empty;
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Reading::Placeholder;
    }
    match fold_width(trimmed) {
        Cow::Borrowed(plain) => read_plain(plain, notation),
        Cow::Owned(folded) => match read_plain(&folded, notation) {
            Reading::Number(number) => Reading::Number(Cow::Owned(number.into_owned())),
            Reading::Empty => Reading::Empty,
            Reading::Placeholder => Reading::Placeholder,
            Reading::Flag(value) => Reading::Flag(value),
            Reading::Stamp(stamp) => Reading::Stamp(stamp),
            Reading::Year(year) => Reading::Year(year),
            Reading::Month(year, month) => Reading::Month(year, month),
            Reading::Text => Reading::Text,
        },
    }
}

fn read_plain(text: &str, notation: Notation) -> Reading<'_> {
    // JSON has numbers and flags of its own: what it quotes is meant as text.
    let read = if notation == Notation::Quoted {
        Stamp::parse(text).map_or(value::Reading::Text, value::Reading::Stamp)
    } else {
        value::read(text, notation)
    };
    match read {
        value::Reading::Boolean => Reading::Flag(text.eq_ignore_ascii_case("true")),
        value::Reading::Number(number) => Reading::Number(number.text),
        value::Reading::Stamp(stamp) => Reading::Stamp(stamp),
        value::Reading::Placeholder(_) => Reading::Placeholder,
        value::Reading::Text if text.is_ascii() => Reading::Text,
        value::Reading::Text => match read_era(text) {
            Some(EraDate::Day(day)) => Reading::Stamp(Stamp::day(day)),
            Some(EraDate::Month(year, month)) => Reading::Month(year, month),
            Some(EraDate::Year(year)) => Reading::Year(year),
            None => Reading::Text,
        },
    }
}
