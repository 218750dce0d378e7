//! Rows as JSON, as lines of JSON, and as CSV.

use serde_json::Value;

use crate::{
    delivery::tables::{cell::object, scan::Row},
    error::{Error, Result},
};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Lines,
    Csv,
}

impl Form {
    /// The first form that a client names in `Accept`; JSON when it names none of them.
    pub(super) fn accepted(accept: &str) -> Self {
        let kinds =
            accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        kinds.filter_map(|kind| Self::named(&kind)).next().unwrap_or(Self::Json)
    }

    fn named(kind: &str) -> Option<Self> {
        match kind {
            "application/json" => Some(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Some(Self::Lines),
            "text/csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// What it is sent as.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// All rows in one object, with what is said of them.
pub(super) fn json(names: &[&str], rows: &[Row], about: &Value) -> String {
    let items: Vec<String> = rows.iter().map(|row| object(names, &row.values)).collect();
    let about = about.to_string();
    let about = about.strip_prefix('{').unwrap_or_default();
    format!("{{\"items\":[{}],{about}", items.join(","))
}

/// One row on each line.
pub(super) fn lines(names: &[&str], rows: &[Row]) -> String {
    rows.iter().map(|row| object(names, &row.values) + "\n").collect()
}

/// A header and the rows. What is nested is JSON, what is missing empty.
///
/// # Errors
/// Internal, when the writer fails.
pub(super) fn csv(names: &[&str], rows: &[Row]) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(names).map_err(Error::internal)?;
    for row in rows {
        let cells = row.values.iter().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        writer.write_record(cells).map_err(Error::internal)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::internal(error.to_string()))?;
    String::from_utf8(bytes).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_form_that_is_named_is_given() {
        assert_eq!(Form::accepted(""), Form::Json);
        assert_eq!(Form::accepted("text/html, */*;q=0.8"), Form::Json);
        assert_eq!(Form::accepted("Text/CSV;q=1, application/json"), Form::Csv);
        assert_eq!(Form::accepted("application/x-ndjson"), Form::Lines);
    }

    #[test]
    fn rows_are_written_in_the_order_of_their_columns() {
        let rows = [Row { number: 0, key: None, values: vec![json!("a\"b,c"), json!(null), json!([1])] }];
        let names = ["z", "a \"x\"", "m"];
        let written = json(&names, &rows, &json!({"next_cursor": "n"}));
        assert_eq!(written, "{\"items\":[{\"z\":\"a\\\"b,c\",\"a \\\"x\\\"\":null,\"m\":[1]}],\"next_cursor\":\"n\"}");
        assert_eq!(csv(&names, &rows).unwrap(), "z,\"a \"\"x\"\"\",m\r\n\"a\"\"b,c\",,[1]\r\n");
        assert_eq!(lines(&["z"], &rows), "{\"z\":\"a\\\"b,c\"}\n");
    }
}
