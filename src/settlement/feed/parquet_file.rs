//! The feed as Parquet, one row group per piece.
//!
//! Source: parquet.apache.org, "File Format"; logical types TIMESTAMP(MICROS, UTC) and STRING.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};

use super::model::FeedRow;
use crate::error::{Error, Result};

/// The time zone of both times.
const UTC: &str = "+00:00";

/// What was written since it was last taken: the writer keeps no more than one row group.
#[derive(Debug, Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes rows into a Parquet file that is handed out while it grows.
pub struct ParquetWriter {
    schema: Arc<Schema>,
    bytes: Bytes,
    writer: ArrowWriter<Bytes>,
}

impl ParquetWriter {
    /// A file without rows.
    ///
    /// # Errors
    /// Internal, when the schema is refused.
    pub fn new() -> Result<Self> {
        let (schema, bytes) = (Arc::new(schema()), Bytes::default());
        let compression = Compression::ZSTD(ZstdLevel::default());
        let properties = WriterProperties::builder().set_compression(compression).build();
        let writer = ArrowWriter::try_new(bytes.clone(), schema.clone(), Some(properties)).map_err(Error::internal)?;
        Ok(Self { schema, bytes, writer })
    }

    /// Writes rows as a row group; returns the bytes that came of it.
    ///
    /// # Errors
    /// Internal, when the writer fails.
    pub fn write(&mut self, rows: &[FeedRow]) -> Result<Vec<u8>> {
        if !rows.is_empty() {
            let batch = RecordBatch::try_new(self.schema.clone(), columns(rows)).map_err(Error::internal)?;
            self.writer.write(&batch).map_err(Error::internal)?;
            self.writer.flush().map_err(Error::internal)?;
        }
        Ok(self.bytes.take())
    }

    /// Writes the footer; returns the last bytes.
    ///
    /// # Errors
    /// Internal, when the writer fails.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.writer.close().map_err(Error::internal)?;
        Ok(self.bytes.take())
    }
}

/// The columns in the order of [`super::model::COLUMNS`].
fn schema() -> Schema {
    let time = || DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()));
    let required = |name: &str, kind: DataType| Field::new(name, kind, false);
    let optional = |name: &str| Field::new(name, DataType::Utf8, true);
    Schema::new(vec![
        required("seal_number", DataType::Int64),
        required("seal_index", DataType::Int64),
        required("seq", DataType::Int32),
        required("entry_id", DataType::Utf8),
        required("kind", DataType::Utf8),
        required("source", DataType::Utf8),
        required("account", DataType::Utf8),
        required("class", DataType::Utf8),
        optional("organization_id"),
        optional("order_id"),
        required("amount_minor", DataType::Int64),
        required("amount", DataType::Utf8),
        required("currency", DataType::Utf8),
        required("effective_at", time()),
        required("booked_at", time()),
        optional("memo"),
    ])
}

fn columns(rows: &[FeedRow]) -> Vec<ArrayRef> {
    fn text<T: AsRef<str>>(rows: &[FeedRow], cell: impl Fn(&FeedRow) -> Option<T>) -> ArrayRef {
        Arc::new(rows.iter().map(cell).collect::<StringArray>())
    }
    fn time(rows: &[FeedRow], cell: impl Fn(&FeedRow) -> entity::Timestamp) -> ArrayRef {
        let micros = rows.iter().map(|row| cell(row).micros());
        Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone(UTC))
    }
    let number =
        |cell: fn(&FeedRow) -> i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(rows.iter().map(cell))) };
    vec![
        number(|row| row.seal_number),
        number(|row| row.seal_index),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.seq))),
        text(rows, |row| Some(row.entry_id.to_string())),
        text(rows, |row| Some(row.kind.as_str())),
        text(rows, |row| Some(row.source.clone())),
        text(rows, |row| Some(row.account.clone())),
        text(rows, |row| Some(row.class.as_str())),
        text(rows, |row| row.organization_id.map(|id| id.to_string())),
        text(rows, |row| row.order_id.map(|id| id.to_string())),
        number(|row| row.amount_minor),
        text(rows, |row| Some(row.amount.clone())),
        text(rows, |row| Some(row.currency.code())),
        time(rows, |row| row.effective_at),
        time(rows, |row| row.booked_at),
        text(rows, |row| row.memo.clone()),
    ]
}
