//! Queries as they are sent, tables as they are shown.

use std::collections::BTreeMap;

use entity::ids::{GrantId, ListingId};
use serde::{Deserialize, Serialize};
use torv_sql::{Format, type_word};

use super::names::{Askable, quoted};
use crate::delivery::tables::Footer;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SqlFormat {
    Json,
    Csv,
    Arrow,
}

impl SqlFormat {
    /// The first format that a client names in `Accept`; JSON when it names none of them.
    pub(super) fn accepted(accept: &str) -> Self {
        let kinds =
            accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let named = kinds.filter_map(|kind| match kind.as_str() {
            "application/json" => Some(Self::Json),
            "text/csv" => Some(Self::Csv),
            "application/vnd.apache.arrow.stream" => Some(Self::Arrow),
            _ => None,
        });
        named.into_iter().next().unwrap_or(Self::Json)
    }

    /// What it is sent as.
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

impl From<SqlFormat> for Format {
    fn from(format: SqlFormat) -> Self {
        match format {
            SqlFormat::Json => Self::Json,
            SqlFormat::Csv => Self::Csv,
            SqlFormat::Arrow => Self::Arrow,
        }
    }
}

/// Where a name leads.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SqlTableIn {
    /// The grant that opens it.
    pub(super) grant: GrantId,
    /// The name of its file, with or without the ending; may be left out where the grant opens one table.
    pub(super) file: Option<String>,
}

/// A query.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "sql": "SELECT station, avg(level) AS mean FROM levels GROUP BY station ORDER BY mean DESC LIMIT 3",
    "tables": {"levels": {"grant": "grt_019352f0a1b27c3d8e4f5061728394a5", "file": "levels"}}
}))]
pub(super) struct SqlQueryIn {
    /// One query (SELECT, WITH, VALUES), at most 100,000 characters. Names are written as they are: `Station` is not
    /// `station`; others than letters, digits and underscores go into double quotes.
    #[schema(max_length = 100_000, example = "SELECT count(*) FROM levels")]
    pub(super) sql: String,
    /// The tables by the names that the query has for them, at most 50. Without them the query reads what
    /// `GET /api/v1/sql/tables` lists, by the names given there.
    #[serde(default)]
    #[schema(example = json!({"levels": {"grant": "grt_019352f0a1b27c3d8e4f5061728394a5"}}))]
    pub(super) tables: BTreeMap<String, SqlTableIn>,
    /// How the result is written; what `Accept` names first when absent.
    pub(super) format: Option<SqlFormat>,
}

/// A column of a table, or of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"name": "level", "type": "decimal(10,2)"}))]
pub(super) struct SqlColumnView {
    pub(super) name: String,
    /// boolean, integer, decimal(digits,scale), float, text, bytes, date, time, timestamp, list, struct, …
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// The result of a query.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "columns": [{"name": "station", "type": "text"}, {"name": "mean", "type": "float"}],
    "rows": [["Asuwa", 2.75], ["Hino", 2.5]], "row_count": 2
}))]
pub(super) struct SqlResultView {
    pub(super) columns: Vec<SqlColumnView>,
    /// A list of values for each row, in the order of the columns.
    pub(super) rows: Vec<Vec<serde_json::Value>>,
    /// Rows of the result; all of them are here.
    pub(super) row_count: u64,
}

/// A table that a query can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "name": "\"levels\"", "full_name": "\"river_levels_019352f0a1b27c3d\".\"harbour-office\".\"levels\"",
    "grant_id": "grt_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "file": "levels.csv", "revision_number": 3, "row_count": 52704,
    "columns": [{"name": "station", "type": "text"}, {"name": "level", "type": "decimal(10,2)"}]
}))]
pub(super) struct SqlTableView {
    /// What a query calls it, quoted; its full name where other tables are called the same.
    pub(super) name: String,
    /// Share, schema and table, as in Delta Sharing; always its own.
    pub(super) full_name: String,
    /// The grant that opens it.
    pub(super) grant_id: GrantId,
    pub(super) listing_id: ListingId,
    /// The original that it was made of.
    pub(super) file: String,
    /// The revision it is of: the newest that the grant covers.
    pub(super) revision_number: i32,
    pub(super) row_count: i64,
    pub(super) columns: Vec<SqlColumnView>,
}

impl SqlTableView {
    pub(super) fn new(one: &Askable, footer: &Footer) -> Self {
        let column = |field: &std::sync::Arc<arrow_schema::Field>| SqlColumnView {
            name: field.name().clone(),
            kind: type_word(field.data_type()),
        };
        let full_name = quoted(&one.full());
        Self {
            name: one.short.clone().map_or_else(|| full_name.clone(), |short| quoted(&[short])),
            full_name,
            grant_id: one.share.grant.id,
            listing_id: one.table.file.listing_id,
            file: one.table.file.name.clone(),
            revision_number: one.table.file.number,
            row_count: footer.reader.metadata().file_metadata().num_rows(),
            columns: footer.schema.fields().iter().map(column).collect(),
        }
    }
}

/// The tables that a query can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"is_offered": true, "items": [], "next_cursor": "eyJmcm9tIjoyMH0"}))]
pub(super) struct SqlTablesView {
    /// Whether this exchange carries out queries; the tables can be read in other ways in any case.
    pub(super) is_offered: bool,
    pub(super) items: Vec<SqlTableView>,
    /// Pass it as `cursor` for the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}
