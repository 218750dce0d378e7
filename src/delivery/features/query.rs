//! What a request for features asks for.

use arrow_schema::Schema;
use time::OffsetDateTime;

use super::views::CRS84;
use crate::{
    delivery::tables::{
        Footer,
        cell::{self, Key, Kind},
        filter::{BBOX_ADVICE, Filter, Test, bbox, kind_of},
        scan::Scan,
    },
    error::{Error, Problem, Result},
    limits,
};

/// A refusal of this standard, which knows one status for all that is wrong with a request.
fn refused(detail: impl Into<String>) -> Error {
    Error::new(Problem::Malformed, detail)
}

/// A page of features, as it was asked for.
#[derive(Debug, Default, Clone)]
pub(super) struct ItemsQuery {
    limit: Option<u32>,
    bbox: Option<String>,
    datetime: Option<String>,
    /// The revision the pages are of, and the first row of this one.
    pub(super) page: Option<(i32, u64)>,
    /// Properties that have these values.
    properties: Vec<(String, String)>,
}

impl ItemsQuery {
    /// Reads what stands behind the question mark.
    ///
    /// # Errors
    /// `Malformed` for values that can't be read.
    pub(super) fn read(query: &str) -> Result<Self> {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| *limit >= 1);
                    read.limit = Some(limit.ok_or_else(|| refused("limit is a whole number, 1 or more."))?);
                }
                "bbox" => read.bbox = Some(value),
                "datetime" => read.datetime = Some(value),
                "page" => {
                    let numbers = value.split_once('.');
                    let page = numbers.and_then(|(revision, row)| Some((revision.parse().ok()?, row.parse().ok()?)));
                    read.page = Some(page.ok_or_else(|| refused("page is taken from a link of the page before."))?);
                }
                // Desktop tools ask for the one system there is by its name.
                "crs" | "bbox-crs" if value == CRS84 => {}
                "crs" | "bbox-crs" => return Err(refused(format!("There is only {CRS84}."))),
                "f" if matches!(value.as_str(), "json" | "geojson") => {}
                _ => read.properties.push((name.into_owned(), value)),
            }
        }
        if read.properties.len() > limits::ROW_FILTERS_MAX {
            return Err(refused("These are too many parameters."));
        }
        Ok(read)
    }

    /// All features of a revision from this row on.
    pub(super) fn from_row(revision: i32, row: u64) -> Self {
        Self { page: Some((revision, row)), ..Self::default() }
    }

    /// What to read of a table.
    ///
    /// # Errors
    /// `Malformed` for what is neither a parameter nor a property, and for values that can't be compared.
    pub(super) fn scan(&self, footer: &Footer, geometry: usize) -> Result<Scan> {
        let schema = &*footer.schema;
        let mut filters = Vec::new();
        for (name, value) in &self.properties {
            let column = schema.column_with_name(name).map(|(column, _)| column).filter(|column| *column != geometry);
            let column = column.ok_or_else(|| refused(format!("There is no parameter or property {name:?}.")))?;
            let test =
                Test::parse("eq", value, kind_of(schema, column)).map_err(|why| refused(format!("{name}: {why}")))?;
            filters.push(Filter { column, test });
        }
        if let Some(text) = &self.bbox {
            let bounds = bbox(text).ok_or_else(|| refused(BBOX_ADVICE))?;
            filters.push(Filter { column: geometry, test: Test::Meets(bounds) });
        }
        if let Some(text) = &self.datetime {
            let (from, until) = interval(text).ok_or_else(|| refused(INTERVAL_ADVICE))?;
            // Features without a time are of any time.
            if let Some(column) = time_column(schema) {
                let kind = kind_of(schema, column);
                filters.extend(from.map(|from| Filter { column, test: Test::Gte(as_key(kind, from)) }));
                filters.extend(until.map(|until| Filter { column, test: Test::Lte(as_key(kind, until)) }));
            }
        }
        let limit = self.limit.unwrap_or(limits::FEATURES_DEFAULT).min(limits::TABLE_ROWS_MAX);
        Ok(Scan {
            columns: (0..schema.fields().len()).collect(),
            geometry: Some(geometry),
            filters,
            first_row: self.page.map_or(0, |(_, row)| row),
            order: None,
            limit: usize::try_from(limit).unwrap_or(1),
        })
    }
}

/// What a time is written as.
const INTERVAL_ADVICE: &str = "datetime is an instant such as 2026-11-21T10:00:00Z, or two with a slash between, one of \
                               which may be two dots.";

/// An instant, or both ends of an interval, of which one may be open. A day ends with its last moment.
fn interval(text: &str) -> Option<(Option<OffsetDateTime>, Option<OffsetDateTime>)> {
    let end = |text: &str, is_last: bool| match text {
        "" | ".." => Some(None),
        text => {
            let at = cell::instant(text)?;
            let is_day = !text.contains('T');
            let last = at.saturating_add(time::Duration::DAY - time::Duration::NANOSECOND);
            Some(Some(if is_day && is_last { last } else { at }))
        }
    };
    let (from, until) = match text.split_once('/') {
        Some((from, until)) => (end(from, false)?, end(until, true)?),
        None => (Some(end(text, false)??), Some(end(text, true)??)),
    };
    let ordered = from.zip(until).is_none_or(|(from, until)| from <= until);
    (ordered && (from.is_some() || until.is_some())).then_some((from, until))
}

/// The first column of times, or else of days.
fn time_column(schema: &Schema) -> Option<usize> {
    let first = |wanted: Kind| (0..schema.fields().len()).find(|column| kind_of(schema, *column) == wanted);
    first(Kind::Instant).or_else(|| first(Kind::Date))
}

fn as_key(kind: Kind, at: OffsetDateTime) -> Key {
    let nanos = at.unix_timestamp_nanos();
    Key::Int(if kind == Kind::Date { nanos.div_euclid(24 * 3_600 * 1_000_000_000) } else { nanos })
}

/// The query of the next page: that of this one, from another row on.
pub(super) fn next_query(query: &str, revision: i32, row: u64) -> String {
    let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "page");
    let page = format!("{revision}.{row}");
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).append_pair("page", &page).finish()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn intervals_may_be_open_at_one_end() {
        let (ten, eleven) = (datetime!(2026-11-21 10:00 UTC), datetime!(2026-11-21 11:00 UTC));
        assert_eq!(interval("2026-11-21T10:00:00Z"), Some((Some(ten), Some(ten))));
        assert_eq!(interval("2026-11-21T10:00:00Z/2026-11-21T11:00:00Z"), Some((Some(ten), Some(eleven))));
        for open in ["2026-11-21T10:00:00Z/..", "2026-11-21T10:00:00Z/"] {
            assert_eq!(interval(open), Some((Some(ten), None)), "{open}");
        }
        assert_eq!(interval("../2026-11-21T10:00:00Z"), Some((None, Some(ten))));
        let day = interval("2026-11-21").unwrap();
        assert!(day.0.unwrap() < ten && day.1.unwrap() > eleven);
        for bad in ["", "/", "../..", "yesterday", "2026-11-21T11:00:00Z/2026-11-21T10:00:00Z", "a/b"] {
            assert_eq!(interval(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_next_page_keeps_what_was_asked_for() {
        let next = next_query("limit=2&page=1.0&name=%E6%B0%B4%26x", 3, 20);
        assert_eq!(next, "limit=2&name=%E6%B0%B4%26x&page=3.20");
        assert_eq!(ItemsQuery::read(&next).unwrap().page, Some((3, 20)));
    }
}
