//! What a request for rows asks for.

use arrow_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::{
    delivery::tables::{
        Footer,
        cell::Key,
        filter::{BBOX_ADVICE, Filter, Test, bbox, kind_of},
        scan::{Order, Row, Scan, is_sortable},
    },
    error::{Check, Error, Result},
    http::extract::page_cursor,
    limits,
};

/// A request, as far as it can be read without the table.
#[derive(Debug, Default)]
pub(super) struct RowsQuery {
    pub(super) file: Option<String>,
    pub(super) revision: Option<i32>,
    columns: Option<String>,
    bbox: Option<String>,
    order: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
    /// Name of the parameter, and its value.
    filters: Vec<(String, String)>,
}

/// Where a page goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The revision that the pages are of, so that they go on in it when a new one is published.
    pub(super) revision: i32,
    /// The last row seen.
    row: u64,
    /// What it was sorted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl Cursor {
    /// After this row.
    pub(super) fn after(revision: i32, row: &Row) -> Self {
        Self { revision, row: row.number, key: row.key.as_ref().map(Key::write) }
    }
}

impl RowsQuery {
    /// Reads what stands behind the question mark.
    ///
    /// # Errors
    /// `Invalid` for a parameter that is none, or comes twice.
    pub(super) fn read(query: &str) -> Result<Self> {
        let (mut read, mut check) = (Self::default(), Check::new());
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            let place = match &*name {
                "file" => &mut read.file,
                "columns" => &mut read.columns,
                "bbox" => &mut read.bbox,
                "order" => &mut read.order,
                "limit" => &mut read.limit,
                "cursor" => &mut read.cursor,
                "revision" => {
                    let number = value.parse().ok().filter(|number: &i32| *number >= 1);
                    check.require(
                        number.is_some() && read.revision.is_none(),
                        "revision",
                        "Give one number, 1 or more.",
                    );
                    read.revision = number;
                    continue;
                }
                other => {
                    let advice = "There is no such parameter. Filters are written column.operator=value.";
                    check.require(other.contains('.'), other, advice);
                    read.filters.push((name.into_owned(), value));
                    continue;
                }
            };
            check.require(place.is_none(), &*name, "Give it once.");
            *place = Some(value);
        }
        let advice = format!("Give at most {} filters.", limits::ROW_FILTERS_MAX);
        check.require(read.filters.len() <= limits::ROW_FILTERS_MAX, "filter", advice);
        check.done()?;
        Ok(read)
    }

    /// Where the page goes on, if it does.
    ///
    /// # Errors
    /// `Invalid` for a cursor that this list did not return.
    pub(super) fn cursor(&self) -> Result<Option<Cursor>> {
        page_cursor(self.cursor.as_deref())
    }

    /// What to read of a table; wants to know one row more than the page has, to see whether there are more.
    ///
    /// # Errors
    /// `Invalid` for unknown columns, and values that a column can't be compared with.
    pub(super) fn scan(&self, footer: &Footer) -> Result<Scan> {
        let (schema, mut check) = (&*footer.schema, Check::new());
        let columns = self.wanted_columns(schema, &mut check);
        let mut filters: Vec<Filter> =
            self.filters.iter().filter_map(|(name, value)| read_filter(schema, name, value, &mut check)).collect();
        if let Some(text) = &self.bbox {
            let geometry = footer.geometry.as_ref().map(|geometry| geometry.column);
            check.require(geometry.is_some(), "bbox", "This table has no geometry.");
            let bounds = bbox(text);
            check.require(bounds.is_some(), "bbox", BBOX_ADVICE);
            filters.extend(geometry.zip(bounds).map(|(column, bounds)| Filter { column, test: Test::Meets(bounds) }));
        }
        let limit = limit(self.limit.as_deref(), &mut check);
        let cursor = self.cursor()?;
        let order = self.order(schema, cursor.as_ref(), &mut check);
        check.done()?;
        let first_row = if order.is_some() { 0 } else { cursor.map_or(0, |cursor| cursor.row.saturating_add(1)) };
        let geometry = footer.geometry.as_ref().map(|geometry| geometry.column);
        Ok(Scan { columns, geometry, filters, first_row, order, limit })
    }

    fn wanted_columns(&self, schema: &Schema, check: &mut Check) -> Vec<usize> {
        let Some(text) = &self.columns else { return (0..schema.fields().len()).collect() };
        let names = text.split(',').map(str::trim);
        names.filter_map(|name| find_column(schema, name, "columns", check)).collect()
    }

    fn order(&self, schema: &Schema, cursor: Option<&Cursor>, check: &mut Check) -> Option<Order> {
        let text = self.order.as_deref()?;
        // A column may itself begin with a hyphen.
        let descending = text.starts_with('-') && schema.column_with_name(text).is_none();
        let column = find_column(schema, if descending { &text[1..] } else { text }, "order", check)?;
        let kind = kind_of(schema, column);
        check.require(is_sortable(kind), "order", "Rows can't be sorted by this column.");
        let after = cursor.map(|cursor| {
            let key = cursor.key.as_deref().map(|text| Key::read(kind, text));
            let good = !matches!(key, Some(None));
            check.require(good, "cursor", "This cursor is of another order. Start without a cursor.");
            (key.flatten(), cursor.row)
        });
        Some(Order { column, descending, after })
    }
}

fn limit(text: Option<&str>, check: &mut Check) -> usize {
    let number = text.map_or(Some(limits::TABLE_ROWS_DEFAULT), |text| text.parse().ok());
    let number = number.filter(|number| (1..=limits::TABLE_ROWS_MAX).contains(number));
    check.require(number.is_some(), "limit", format!("Ask for 1 to {} rows.", limits::TABLE_ROWS_MAX));
    usize::try_from(number.unwrap_or(1)).unwrap_or(1)
}

fn find_column(schema: &Schema, name: &str, pointer: &str, check: &mut Check) -> Option<usize> {
    let found = schema.column_with_name(name).map(|(place, _)| place);
    if found.is_none() {
        let names: Vec<&str> = schema.fields().iter().take(30).map(|field| field.name().as_str()).collect();
        check.require(false, pointer, format!("There is no column {name:?}. There are: {}.", names.join(", ")));
    }
    found
}

/// A filter is a column, a dot and an operator; a column may have dots itself.
fn read_filter(schema: &Schema, name: &str, value: &str, check: &mut Check) -> Option<Filter> {
    let (column, operator) = name.rsplit_once('.')?;
    let column = find_column(schema, column, name, check)?;
    match Test::parse(operator, value, kind_of(schema, column)) {
        Ok(test) => Some(Filter { column, test }),
        Err(advice) => {
            check.require(false, name, advice);
            None
        }
    }
}

/// The table that was not named, where there is only one.
///
/// # Errors
/// `Invalid`, with the names there are.
pub(super) fn name_one<'a>(names: impl Iterator<Item = &'a str>) -> Error {
    let names: Vec<&str> = names.take(30).collect();
    Error::invalid("file", format!("Name the file, one of: {}.", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_parameter_is_named() {
        let refused = RowsQuery::read("limits=5&file=a&file=b&revision=0").unwrap_err();
        let pointers: Vec<&str> = refused.fields.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["limits", "file", "revision"]);
        let read = RowsQuery::read("PM2.5%20(%C2%B5g).gte=3&file=a").unwrap();
        assert_eq!(read.filters, [("PM2.5 (µg).gte".to_owned(), "3".to_owned())]);
    }
}
