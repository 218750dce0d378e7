//! Footers of Parquet files: what columns there are, and where their bytes lie.

use std::{ops::Range, sync::Arc};

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use parquet::{
    arrow::{
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions},
        parquet_to_arrow_schema,
    },
    file::metadata::ParquetMetaDataReader,
};
use serde_json::Value;

use super::store::TableFile;
use crate::{
    delivery::Files,
    error::{Error, Result},
    limits,
};

/// Bytes read from the end of a file at first: most footers fit.
const TAIL_BYTES: u64 = 64 * 1024;
/// The length of the footer, and the magic behind it.
const TRAILER_BYTES: u64 = 8;

/// The column of shapes in longitude and latitude of WGS 84.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::delivery) struct Geometry {
    /// Its place in the file.
    pub(in crate::delivery) column: usize,
    /// West, south, east and north of all of them, if the file says so.
    pub(in crate::delivery) bbox: Option<[f64; 4]>,
}

/// What a Parquet file says of itself.
#[derive(Debug)]
pub(in crate::delivery) struct Footer {
    /// The columns as Parquet has them; what a writer's own hints say of them is not looked at.
    pub(in crate::delivery) schema: SchemaRef,
    /// The same columns for reading: text and bytes as views, which share a dictionary's values instead of copying
    /// them into each row.
    pub(in crate::delivery) reader: ArrowReaderMetadata,
    /// Where its shapes are, if it has any.
    pub(in crate::delivery) geometry: Option<Geometry>,
    /// Bytes of the footer.
    pub(super) bytes: u64,
}

/// A range of a stored file, whole.
///
/// # Errors
/// Internal ones when the file is missing, or of another size.
pub(in crate::delivery) async fn read_range(files: &Files, file: &TableFile, range: Range<u64>) -> Result<Bytes> {
    let size = u64::try_from(file.size_bytes).unwrap_or(0);
    let mut pieces = files.read(&file.blob_key, size, &file.sha256, range.clone()).await?;
    let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
    let mut all = BytesMut::with_capacity(length);
    while let Some(piece) = pieces.next().await {
        all.extend_from_slice(&piece.map_err(Error::internal)?);
    }
    Ok(all.freeze())
}

/// Reads the footer of a file.
///
/// # Errors
/// Internal ones when the file is missing or damaged.
pub(super) async fn read(files: &Files, file: &TableFile) -> Result<Arc<Footer>> {
    let size = u64::try_from(file.size_bytes).unwrap_or(0);
    let damaged = |why: &dyn std::fmt::Display| Error::internal(format!("the footer of {} is damaged: {why}", file.id));
    let mut tail = read_range(files, file, size.saturating_sub(TAIL_BYTES)..size).await?;
    let length = footer_bytes(&tail).ok_or_else(|| damaged(&"it has no length"))?;
    let whole = length.saturating_add(TRAILER_BYTES);
    if whole > size || length > limits::FOOTER_BYTES_MAX {
        return Err(damaged(&"its length can't be"));
    }
    if whole > tail.len() as u64 {
        tail = read_range(files, file, size - whole..size).await?;
    }
    // A wide file's footer takes a while to read.
    let parsed = tokio::task::spawn_blocking(move || parse(&tail, length)).await.map_err(Error::internal)?;
    parsed.map(Arc::new).map_err(|error| damaged(&error))
}

fn footer_bytes(tail: &[u8]) -> Option<u64> {
    let (rest, magic) = tail.split_last_chunk::<4>()?;
    let (_, length) = rest.split_last_chunk::<4>()?;
    (magic == b"PAR1").then(|| u64::from(u32::from_le_bytes(*length)))
}

fn parse(tail: &[u8], length: u64) -> parquet::errors::Result<Footer> {
    let bytes = usize::try_from(length).unwrap_or(0);
    let end = tail.len().saturating_sub(usize::try_from(TRAILER_BYTES).unwrap_or(0));
    let metadata =
        ParquetMetaDataReader::decode_metadata(tail.get(end.saturating_sub(bytes)..end).unwrap_or_default())?;
    let schema = parquet_to_arrow_schema(metadata.file_metadata().schema_descr(), None)?;
    let views = Schema::new(schema.fields().iter().map(|field| as_view(field)).collect::<Fields>());
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_schema(Arc::new(views));
    let reader = ArrowReaderMetadata::try_new(Arc::new(metadata), options)?;
    let geometry = geometry(&reader, &schema);
    Ok(Footer { schema: Arc::new(schema), reader, geometry, bytes: length })
}

/// The primary column of GeoParquet, where it is WKB in WGS 84.
///
/// Source: opengeospatial/geoparquet, version 1.1: without `crs` it is OGC:CRS84.
fn geometry(reader: &ArrowReaderMetadata, schema: &Schema) -> Option<Geometry> {
    let entries = reader.metadata().file_metadata().key_value_metadata()?;
    let text = entries.iter().find(|entry| entry.key == "geo").and_then(|entry| entry.value.as_deref())?;
    let geo: Value = serde_json::from_str(text).ok()?;
    let name = geo.get("primary_column")?.as_str()?;
    let told = geo.get("columns")?.get(name)?;
    let (column, field) = schema.column_with_name(name)?;
    let is_wkb = told.get("encoding").and_then(Value::as_str).is_some_and(|word| word.eq_ignore_ascii_case("WKB"));
    if !is_wkb || *field.data_type() != DataType::Binary || !told.get("crs").is_none_or(is_wgs84) {
        return None;
    }
    let numbers: Option<Vec<f64>> =
        told.get("bbox").and_then(Value::as_array).map(|all| all.iter().filter_map(Value::as_f64).collect());
    let bbox = match numbers.as_deref() {
        Some([west, south, east, north] | [west, south, _, east, north, _]) => Some([*west, *south, *east, *north]),
        _ => None,
    };
    Some(Geometry { column, bbox })
}

/// Coordinates of a file with EPSG:4326 are longitude and latitude all the same, in this order.
fn is_wgs84(crs: &Value) -> bool {
    let id = |key: &str| crs.get("id").and_then(|id| id.get(key));
    let code = id("code").map(|code| code.as_str().map_or_else(|| code.to_string(), str::to_owned));
    let authority = id("authority").and_then(Value::as_str);
    matches!((authority, code.as_deref()), (Some("OGC"), Some("CRS84")) | (Some("EPSG"), Some("4326")))
}

/// A column with its text and bytes as views.
fn as_view(field: &Field) -> Field {
    let inner = |field: &Arc<Field>| Arc::new(as_view(field));
    let kind = match field.data_type() {
        DataType::Utf8 => DataType::Utf8View,
        DataType::Binary => DataType::BinaryView,
        DataType::List(item) => DataType::List(inner(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect()),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        other => other.clone(),
    };
    field.clone().with_data_type(kind)
}
