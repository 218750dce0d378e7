//! Which files have which renditions, and what a finished one is.

use entity::{
    ids::FileId,
    rendition,
    states::{RenditionFormat, RenditionState},
};
use time::OffsetDateTime;
use torv_tables::convert::ColumnInfo;

use crate::error::{Error, Result};

/// Formats of originals that hold a table, as the catalogue calls them.
static TABLES: [&str; 8] = ["csv", "tsv", "txt", "json", "jsonl", "geojson", "geojsonl", "parquet"];

/// The forms that every table is offered in.
pub(super) static OFFERED: [RenditionFormat; 5] = [
    RenditionFormat::Parquet,
    RenditionFormat::Csv,
    RenditionFormat::Jsonl,
    RenditionFormat::Geojson,
    RenditionFormat::Geoparquet,
];

/// Says of a file's format that it holds a table that can be read.
pub(super) fn is_table(format: &str) -> bool {
    TABLES.contains(&format)
}

/// What a file of another format is told.
pub(super) const NO_TABLE: &str = "Only tables are offered in other formats: CSV, JSON, GeoJSON and Parquet files.";
/// What is said of the changes in a table that became no Parquet file.
pub(super) const NO_PARQUET: &str = "The table could not be made as Parquet, so neither could what changed in it.";
/// What a table without places is told.
pub(super) const NO_GEOMETRY: &str = "The file has no geometry that was recognised.";

/// The media type of a format.
///
/// Source: the IANA registry of media types; common use for JSON lines.
pub fn media_type(format: RenditionFormat) -> &'static str {
    match format {
        RenditionFormat::Parquet | RenditionFormat::Geoparquet | RenditionFormat::Changes => {
            "application/vnd.apache.parquet"
        }
        RenditionFormat::Csv => "text/csv; charset=utf-8; header=present",
        RenditionFormat::Jsonl => "application/x-ndjson",
        RenditionFormat::Geojson => "application/geo+json",
    }
}

/// The name of a file in another format: `levels.csv` becomes `levels.parquet`.
pub fn name_in(format: RenditionFormat, name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let extension = match format {
        RenditionFormat::Parquet | RenditionFormat::Geoparquet => "parquet",
        RenditionFormat::Changes => return format!("{stem}_changes.parquet"),
        RenditionFormat::Csv => "csv",
        RenditionFormat::Jsonl => "jsonl",
        RenditionFormat::Geojson => "geojson",
    };
    format!("{stem}.{extension}")
}

/// A rendition that can be delivered; it never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendition {
    /// The file it was made from.
    pub file_id: FileId,
    /// Its format.
    pub format: RenditionFormat,
    /// Where its bytes are; the original's own key where the original is in this format already.
    pub blob_key: String,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of its bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Its rows.
    pub rows: u64,
    /// Its columns, with types as Delta Lake writes them; only for Parquet.
    pub columns: Vec<ColumnInfo>,
    /// What the coordinates were given in (`EPSG:3826`), before they became WGS 84; nothing without geometry.
    pub crs: Option<String>,
    /// When it was made.
    pub made_at: OffsetDateTime,
}

impl Rendition {
    /// Reads a finished row.
    ///
    /// # Errors
    /// Internal ones, when the row is not finished.
    pub(super) fn of(row: rendition::Model) -> Result<Self> {
        let (RenditionState::Made, Some(blob_key), Some(size_bytes), Some(sha256), Some(made_at)) =
            (row.state, row.blob_key, row.size_bytes, row.sha256, row.made_at)
        else {
            return Err(Error::internal(format!("the rendition {} is not made", row.id)));
        };
        Ok(Self {
            file_id: row.file_id,
            format: row.format,
            blob_key,
            size_bytes: size_bytes.unsigned_abs(),
            sha256,
            rows: row.row_count.unwrap_or(0).unsigned_abs(),
            columns: row.columns.map(serde_json::from_value).transpose()?.unwrap_or_default(),
            crs: row.crs,
            made_at: made_at.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_stem() {
        assert_eq!(name_in(RenditionFormat::Parquet, "水位 2021.08.csv"), "水位 2021.08.parquet");
        assert_eq!(name_in(RenditionFormat::Geojson, "levels"), "levels.geojson");
        assert_eq!(name_in(RenditionFormat::Changes, "levels.csv"), "levels_changes.parquet");
    }

    #[test]
    fn documents_and_archives_hold_no_table() {
        assert!(is_table("csv") && is_table("parquet"));
        assert!(!is_table("pdf") && !is_table("gtfs") && !is_table("zip"));
    }
}
