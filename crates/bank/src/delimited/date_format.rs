//! Dates in the order and with the signs a bank chose.

use time::Date;

use crate::{
    date::{date, invalid_date, number, small},
    error::{Fault, FaultKind, excerpt},
};

/// A parsed format such as `DD.MM.YYYY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateFormat {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Two or four digits.
    Year(usize),
    /// One or two digits when 1, else two.
    Month(usize),
    Day(usize),
    Literal(char),
}

impl DateFormat {
    /// Accepts `YYYY` or `YY`, `MM` or `M`, `DD` or `D`, each once, and signs between them.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let run = rest.chars().take_while(|c| *c == first).count();
            let part = match (first, run) {
                ('Y', 2 | 4) => Part::Year(run),
                ('M', 1 | 2) => Part::Month(run),
                ('D', 1 | 2) => Part::Day(run),
                (literal, _) if !literal.is_alphanumeric() => Part::Literal(literal),
                _ => return Err(invalid_format(text)),
            };
            let length = if matches!(part, Part::Literal(_)) { first.len_utf8() } else { run };
            rest = rest.get(length..).unwrap_or_default();
            parts.push(part);
        }
        let has_one = |is_part: fn(&Part) -> bool| parts.iter().filter(|part| is_part(part)).count() == 1;
        let is_complete = has_one(|part| matches!(part, Part::Year(_)))
            && has_one(|part| matches!(part, Part::Month(_)))
            && has_one(|part| matches!(part, Part::Day(_)));
        if is_complete { Ok(Self { text: text.to_owned(), parts }) } else { Err(invalid_format(text)) }
    }

    /// Reads a date; two-digit years are of this century.
    pub(crate) fn read(&self, text: &str) -> Result<Date, Fault> {
        self.read_parts(text).ok_or_else(|| invalid_date(text, &self.text))
    }

    fn read_parts(&self, text: &str) -> Option<Date> {
        const CENTURY: i32 = 2000;
        let (mut year, mut month, mut day) = (0, 0, 0);
        let mut rest = text;
        for part in &self.parts {
            match *part {
                Part::Literal(literal) => rest = rest.strip_prefix(literal)?,
                Part::Year(width) => {
                    let century = if width == 2 { CENTURY } else { 0 };
                    year = century + i32::from(number(take(&mut rest, width)?)?);
                }
                Part::Month(width) => month = small(take(&mut rest, width)?)?,
                Part::Day(width) => day = small(take(&mut rest, width)?)?,
            }
        }
        rest.is_empty().then(|| date(year, month, day)).flatten()
    }
}

/// Takes exactly `width` digits; a width of 1 takes two where there are two.
fn take<'a>(rest: &mut &'a str, width: usize) -> Option<&'a [u8]> {
    let width = match rest.as_bytes().get(1) {
        Some(second) if width == 1 && second.is_ascii_digit() => 2,
        _ => width,
    };
    let (digits, after) = rest.split_at_checked(width)?;
    *rest = after;
    Some(digits.as_bytes())
}

fn invalid_format(text: &str) -> Fault {
    let problem = format!("date_format {} is not understood", excerpt(text));
    Fault::new(FaultKind::Profile, problem, "Write year, month and day once each, such as DD.MM.YYYY or M/D/YY.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_in_their_order() {
        for (format, text) in
            [("DD.MM.YYYY", "31.01.2026"), ("M/D/YY", "1/31/26"), ("YYYYMMDD", "20260131"), ("D-M-YYYY", "31-01-2026")]
        {
            let found = DateFormat::parse(format).and_then(|format| format.read(text));
            assert_eq!(found.map(|date| date.to_string()), Ok("2026-01-31".into()), "{format}");
        }
    }

    #[test]
    fn formats_without_all_three_parts_are_refused() {
        for format in ["", "DD.MM", "DD.MM.YYY", "DD.DD.MM.YYYY", "DD MMM YYYY", "YYYY-MM-DDThh"] {
            assert!(DateFormat::parse(format).is_err(), "{format}");
        }
    }

    #[test]
    fn other_dates_are_refused() {
        let format = DateFormat::parse("DD.MM.YYYY").expect("a format");
        for text in ["", "31.1.2026", "31.01.26", "31/01/2026", "30.02.2026", "31.01.20260", "3é.01.2026"] {
            assert!(format.read(text).is_err(), "{text}");
        }
    }
}
