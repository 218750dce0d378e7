//! Writes a Parquet file in row groups of bounded size, as `GeoParquet` where there is geometry.
//!
//! Source: apache/parquet-format; opengeospatial/geoparquet, version 1.1.

use std::{collections::BTreeSet, io::Write, sync::Arc};

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    file::{metadata::KeyValue, properties::WriterProperties},
};
use serde_json::json;

use super::{ConvertError, geometry::Geometry};

/// Bytes a row group may take in memory before it is written.
const GROUP_BYTES: usize = 48 << 20;
/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 20;

/// A Parquet file that is being written.
pub(crate) struct ParquetOut<W: Write + Send> {
    writer: ArrowWriter<W>,
    shapes: ShapeCensus,
}

/// What the geometries of a file are.
#[derive(Debug, Default)]
struct ShapeCensus {
    kinds: BTreeSet<String>,
    bbox: Option<[f64; 4]>,
}

impl<W: Write + Send> ParquetOut<W> {
    pub(crate) fn new(out: W, schema: &Arc<Schema>) -> Result<Self, ConvertError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(out, Arc::clone(schema), Some(properties))?;
        Ok(Self { writer, shapes: ShapeCensus::default() })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), ConvertError> {
        self.writer.write(batch)?;
        if self.writer.memory_size() > GROUP_BYTES {
            self.writer.flush()?;
        }
        Ok(())
    }

    /// The bytes of a geometry, which is counted.
    pub(crate) fn shape(&mut self, shape: &Geometry) -> Vec<u8> {
        let mut wkb = Vec::new();
        shape.write_wkb(&mut wkb);
        self.note_shape(shape);
        wkb
    }

    /// Counts a geometry that is written as it is.
    pub(crate) fn note_shape(&mut self, shape: &Geometry) {
        let high = shape.has_height();
        self.shapes.kinds.insert(if high { format!("{} Z", shape.name()) } else { shape.name().to_owned() });
        let bbox = &mut self.shapes.bbox;
        shape.visit(&mut |at| {
            let b = bbox.get_or_insert([at.x, at.y, at.x, at.y]);
            *b = [b[0].min(at.x), b[1].min(at.y), b[2].max(at.x), b[3].max(at.y)];
        });
    }

    /// Writes something about the file into it.
    pub(crate) fn note(&mut self, key: &str, value: String) {
        self.writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
    }

    /// Ends the file; `geometry` names the column of geometries.
    pub(crate) fn finish(mut self, geometry: Option<&str>) -> Result<W, ConvertError> {
        if let Some(name) = geometry {
            let mut column = json!({"encoding": "WKB", "geometry_types": self.shapes.kinds});
            if let Some(bbox) = self.shapes.bbox {
                column["bbox"] = json!(bbox);
            }
            let geo = json!({"version": "1.1.0", "primary_column": name, "columns": {name: column}});
            self.writer.append_key_value_metadata(KeyValue::new("geo".to_owned(), geo.to_string()));
        }
        Ok(self.writer.into_inner()?)
    }
}
