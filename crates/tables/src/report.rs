//! What a profile says: the shapes that are stored, served and shown.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is known of a file after reading all of it: its shape, its columns and a few rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({
    "format": "csv", "encoding": "UTF-8", "had_bom": true,
    "csv": {"delimiter": ",", "quote": "\"", "has_header": true},
    "row_count": 2, "truncated": false, "size_bytes": 75,
    "columns": [
        {"name": "日時", "type": "date_time", "null_count": 0, "min": "2021-08-14T08:40:00",
         "max": "2021-08-14T08:50:00", "distinct": 2, "distinct_is_estimate": false,
         "top_values": [{"value": "2021-08-14T08:40", "count": 1}], "top_values_are_lower_bounds": false},
        {"name": "河川水位", "type": "decimal", "null_count": 0, "min": "1.48", "max": "1.61", "distinct": 2,
         "distinct_is_estimate": false, "top_values": [{"value": "1.48", "count": 1}],
         "top_values_are_lower_bounds": false}
    ],
    "extent": {"from": "2021-08-14T08:40:00", "to": "2021-08-14T08:50:00", "time_columns": ["日時"]},
    "sample": [["2021-08-14T08:40", "1.48"], ["2021-08-14T08:50", "1.61"]],
    "warnings": []
}))]
pub struct Profile {
    /// How the content is laid out, whatever the file is called.
    pub format: Format,
    /// Name of the text encoding in the WHATWG list (`UTF-8`, `Big5`, `Shift_JIS`); absent for Parquet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// True when the text begins with a byte order mark.
    #[serde(default)]
    pub had_bom: bool,
    /// How rows and fields are separated; only for CSV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub csv: Option<CsvDialect>,
    /// Rows read, without the header. With `truncated` the file holds more.
    pub row_count: u64,
    /// True when a limit ended the reading; every figure then describes the rows read.
    #[serde(default)]
    pub truncated: bool,
    /// Size of the file.
    pub size_bytes: u64,
    /// The columns in file order; for JSON in the order in which they first appear.
    pub columns: Vec<ColumnProfile>,
    /// Where and when the rows lie, as far as they tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extent: Option<Extent>,
    /// The first rows, at most 100; one value per column, `null` where a row has none.
    pub sample: Vec<Vec<Value>>,
    /// What a user of the file should know, in sentences without any value of the file.
    pub warnings: Vec<String>,
}

/// The layouts that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Delimited text.
    Csv,
    /// One JSON document that holds an array of records, or is one.
    Json,
    /// One JSON value after the other, usually one per line.
    JsonLines,
    /// A GeoJSON document. Source: RFC 7946.
    #[serde(rename = "geojson")]
    GeoJson,
    /// Apache Parquet.
    Parquet,
}

/// How delimited text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CsvDialect {
    /// What stands between two fields.
    pub delimiter: char,
    /// What encloses a field that contains a delimiter or a line break.
    pub quote: char,
    /// True when the first row names the columns; else they are called `column_1`, `column_2`, …
    pub has_header: bool,
}

/// One column and its values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ColumnProfile {
    /// Unique within the file; a repeated header gets `_2`, `_3`, … appended.
    pub name: String,
    /// The narrowest type that holds every value.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// Rows without a value: empty, absent, `null`, or a placeholder such as `---` among numbers or dates.
    pub null_count: u64,
    /// The least value: numbers in number order, dates and times in time order, text by code point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The greatest value, in the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
    /// Number of different values, as they are written.
    pub distinct: u64,
    /// True when there are too many to count exactly; the standard error is then about 1.2 %.
    pub distinct_is_estimate: bool,
    /// The most frequent values, most frequent first.
    pub top_values: Vec<TopValue>,
    /// True when there are too many values to count each: values may be missing and counts are too low, never too high.
    pub top_values_are_lower_bounds: bool,
    /// True when numbers are written as text, in quotation marks, in a format that has numbers of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub quoted: bool,
    /// True when the values were not read, as a warning explains; the figures say nothing then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
    /// True when the owner does not show this column's values; they are absent then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
}

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// `true` and `false`.
    Boolean,
    /// Whole numbers of any size. Numbers with leading zeros are codes, and text.
    Integer,
    /// Numbers with a fraction or an exponent.
    Decimal,
    /// Days.
    Date,
    /// Instants, or local times without a zone.
    DateTime,
    /// Anything else.
    Text,
    /// Nested values, as JSON.
    Json,
    /// Shapes: GeoJSON geometries, or WKB in Parquet.
    Geometry,
    /// Bytes.
    Binary,
    /// No row has a value.
    Empty,
}

/// A value and how often it occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TopValue {
    /// The value as it is written, cut if it is long.
    pub value: String,
    /// Rows that hold it.
    pub count: u64,
}

/// Where and when the rows of a file lie, and which columns say so.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Extent {
    /// West, south, east and north in degrees of WGS 84.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<f64>>, min_items = 4, max_items = 4)]
    pub bbox: Option<[f64; 4]>,
    /// The columns that hold the places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub place_columns: Vec<String>,
    /// The earliest day or time, RFC 3339 without a zone where the file has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The latest day or time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The columns that hold the times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub time_columns: Vec<String>,
}
