//! What a request for a file asks for: all, a part, or nothing new.
//!
//! Source: RFC 9110, section 13 (conditions) and 14 (ranges). Pure: headers come as text.
//! A list of several ranges is answered with the whole file, which section 14.2 allows; so is a `Range`
//! that can't be read. Dates are taken in the one format that is still sent (`IMF-fixdate`).

use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The headers that decide, as they came; lists joined by commas.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked<'a> {
    pub(super) if_match: Option<&'a str>,
    pub(super) if_none_match: Option<&'a str>,
    pub(super) if_modified_since: Option<&'a str>,
    pub(super) if_unmodified_since: Option<&'a str>,
    /// Only a GET has one.
    pub(super) range: Option<&'a str>,
    pub(super) if_range: Option<&'a str>,
}

/// What a file is compared by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validators<'a> {
    /// Strong, with its quotes.
    pub(super) etag: &'a str,
    /// Whole seconds.
    pub(super) last_modified: OffsetDateTime,
    pub(super) size_bytes: u64,
}

/// What to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// 200.
    Whole,
    /// 206: both ends included, `first <= last < size`.
    Part { first: u64, last: u64 },
    /// 304.
    NotModified,
    /// 412.
    Failed,
    /// 416.
    Unsatisfiable,
}

/// Decides in the order that RFC 9110, section 13.2.2 sets.
pub(super) fn decide(asked: &Asked<'_>, file: Validators<'_>) -> Decision {
    let unmodified_since = |text| parse_date(text).is_none_or(|date| file.last_modified <= date);
    let holds = match (asked.if_match, asked.if_unmodified_since) {
        (Some(tags), _) => names_strongly(tags, file.etag),
        (None, Some(date)) => unmodified_since(date),
        (None, None) => true,
    };
    if !holds {
        return Decision::Failed;
    }
    let known = match (asked.if_none_match, asked.if_modified_since) {
        (Some(tags), _) => names_weakly(tags, file.etag),
        (None, Some(date)) => parse_date(date).is_some_and(|date| file.last_modified <= date),
        (None, None) => false,
    };
    if known {
        return Decision::NotModified;
    }
    match asked.range {
        Some(range) if asked.if_range.is_none_or(|text| is_same(text, file)) => part(range, file.size_bytes),
        _ => Decision::Whole,
    }
}

/// `If-Range`: a strong tag or an exact date.
fn is_same(text: &str, file: Validators<'_>) -> bool {
    let text = text.trim();
    text == file.etag || parse_date(text) == Some(file.last_modified)
}

fn names_strongly(tags: &str, etag: &str) -> bool {
    tags.trim() == "*" || tags.split(',').any(|tag| tag.trim() == etag)
}

fn names_weakly(tags: &str, etag: &str) -> bool {
    tags.trim() == "*" || tags.split(',').map(str::trim).any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn part(range: &str, size: u64) -> Decision {
    let Some((unit, spec)) = range.split_once('=') else { return Decision::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Decision::Whole };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !unit.eq_ignore_ascii_case("bytes") || !digits(first) || !digits(last) {
        return Decision::Whole;
    }
    // Digits alone fail to parse only when they are too many: beyond the end of any file.
    let number = |text: &str| text.parse::<u64>().unwrap_or(u64::MAX);
    match (first, last) {
        ("", "") => Decision::Whole,
        ("", suffix) => match number(suffix).min(size) {
            // The last bytes of an empty file are all of it; there is no way to write that as a part.
            0 if number(suffix) > 0 => Decision::Whole,
            0 => Decision::Unsatisfiable,
            length => Decision::Part { first: size - length, last: size - 1 },
        },
        (first, _) if number(first) >= size && (last.is_empty() || number(first) <= number(last)) => {
            Decision::Unsatisfiable
        }
        (first, "") => Decision::Part { first: number(first), last: size - 1 },
        (first, last) if number(first) <= number(last) => {
            Decision::Part { first: number(first), last: number(last).min(size - 1) }
        }
        _ => Decision::Whole,
    }
}

/// An instant as HTTP writes it, to the second.
pub(super) fn http_date(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(HTTP_DATE).unwrap_or_default()
}

fn parse_date(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text.trim(), HTTP_DATE).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const FILE: Validators<'_> =
        Validators { etag: "\"abc\"", last_modified: datetime!(1994-11-06 08:49:37 UTC), size_bytes: 10 };
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn ranged(range: &str, size_bytes: u64) -> Decision {
        decide(&Asked { range: Some(range), ..Asked::default() }, Validators { size_bytes, ..FILE })
    }

    #[test]
    fn the_examples_of_the_standard_give_its_answers() {
        let part = |first, last| Decision::Part { first, last };
        assert_eq!(ranged("bytes=0-499", 10_000), part(0, 499));
        assert_eq!(ranged("bytes=500-999", 10_000), part(500, 999));
        assert_eq!(ranged("bytes=-500", 10_000), part(9_500, 9_999));
        assert_eq!(ranged("bytes=9500-", 10_000), part(9_500, 9_999));
        assert_eq!(ranged("bytes=0-0", 10_000), part(0, 0));
        assert_eq!(ranged("BYTES=5-99999", 10), part(5, 9));
        assert_eq!(ranged("bytes=-262144", 10), part(0, 9));
        assert_eq!(ranged("bytes=3-99999999999999999999999", 10), part(3, 9));
    }

    #[test]
    fn what_lies_outside_can_not_be_satisfied() {
        for range in ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999999-", "bytes=-0"] {
            assert_eq!(ranged(range, 10), Decision::Unsatisfiable, "{range}");
        }
        assert_eq!(ranged("bytes=0-", 0), Decision::Unsatisfiable);
        assert_eq!(ranged("bytes=-5", 0), Decision::Whole);
    }

    #[test]
    fn what_can_not_be_read_and_lists_are_answered_whole() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-3",
            "bytes=20-15",
            "lines=1-2",
            "bytes=+1-2",
            "bytes=1-2,4-5",
            "bytes=0-0, -1",
            "bytes=--5",
            "bytes=1 - 2",
            "bytes=0x1-2",
            "bytes 0-5",
        ] {
            assert_eq!(ranged(range, 10), Decision::Whole, "{range}");
        }
    }

    #[test]
    fn a_part_is_only_given_of_the_same_file() {
        let with =
            |if_range| decide(&Asked { range: Some("bytes=0-1"), if_range: Some(if_range), ..Asked::default() }, FILE);
        let part = Decision::Part { first: 0, last: 1 };
        assert_eq!((with("\"abc\""), with(DATE)), (part, part));
        for other in ["\"abd\"", "W/\"abc\"", "abc", "Sun, 06 Nov 1994 08:49:38 GMT", "yesterday"] {
            assert_eq!(with(other), Decision::Whole, "{other}");
        }
    }

    #[test]
    fn conditions_come_before_ranges_and_tags_before_dates() {
        let base = Asked { range: Some("bytes=99-"), ..Asked::default() };
        let later = "Sun, 06 Nov 1994 08:49:38 GMT";
        let earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
        for tags in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(decide(&Asked { if_none_match: Some(tags), ..base.clone() }, FILE), Decision::NotModified);
        }
        let both = Asked { if_none_match: Some("\"x\""), if_modified_since: Some(later), ..Asked::default() };
        assert_eq!(decide(&both, FILE), Decision::Whole);
        let since = |date| decide(&Asked { if_modified_since: Some(date), ..Asked::default() }, FILE);
        assert_eq!(
            (since(DATE), since(later), since(earlier)),
            (Decision::NotModified, Decision::NotModified, Decision::Whole)
        );
        assert_eq!(since("not a date"), Decision::Whole);
        let unless = |tags| decide(&Asked { if_match: Some(tags), ..Asked::default() }, FILE);
        assert_eq!(
            (unless("\"abc\""), unless("*"), unless("W/\"abc\"")),
            (Decision::Whole, Decision::Whole, Decision::Failed)
        );
        let until = |date| decide(&Asked { if_unmodified_since: Some(date), ..Asked::default() }, FILE);
        assert_eq!((until(DATE), until(earlier)), (Decision::Whole, Decision::Failed));
    }

    #[test]
    fn a_date_is_written_as_it_is_read() {
        assert_eq!(http_date(FILE.last_modified), DATE);
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer_inside_the_file(text in "\\PC{0,24}", size in 0_u64..50) {
            let tried = [ranged(&text, size), ranged(&format!("bytes={text}"), size)];
            for decision in tried {
                if let Decision::Part { first, last } = decision {
                    prop_assert!(first <= last && last < size);
                }
            }
        }

        #[test]
        fn every_form_is_the_naive_slice(first in 0_u64..40, last in 0_u64..40, size in 1_u64..30) {
            let all: Vec<u64> = (0..size).collect();
            let slice = |decision| match decision {
                Decision::Part { first, last } => Some((first..=last).collect::<Vec<_>>()),
                _ => None,
            };
            let naive = |keep: &dyn Fn(u64) -> bool| {
                let kept: Vec<u64> = all.iter().copied().filter(|at| keep(*at)).collect();
                (!kept.is_empty()).then_some(kept)
            };
            prop_assert_eq!(slice(ranged(&format!("bytes={first}-{last}"), size)), naive(&|at| first <= at && at <= last));
            prop_assert_eq!(slice(ranged(&format!("bytes={first}-"), size)), naive(&|at| first <= at));
            prop_assert_eq!(slice(ranged(&format!("bytes=-{last}"), size)), naive(&|at| at + last >= size));
        }
    }
}
