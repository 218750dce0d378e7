//! Reads Parquet files: those that were made here, and those of providers, whose types may need rewriting.
//!
//! Texts are read as views: a dictionary value that a batch repeats in each row is held once.

use std::{
    fs::File,
    io::{BufWriter, Seek as _, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow_array::{
    Array, ArrayRef, RecordBatch, TimestampMicrosecondArray,
    cast::AsArray as _,
    types::{TimestampMicrosecondType, TimestampNanosecondType},
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, TimeUnit};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{
            ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
        },
    },
    file::metadata::ParquetMetaData,
};
use serde_json::Value;

use super::{
    ConvertError, Options, Table,
    cells::bytes_of,
    crs::{Crs, ToWgs84},
    parquet_out::ParquetOut,
    plan::Written,
    types,
    watch::{Bounded, Watch},
    wkb,
    zone::Zone,
};
use crate::{
    ProfileLimits,
    parquet_guard::{check_footer, check_pages},
};

/// Bytes of a batch that are aimed at.
const BATCH_BYTES: u64 = 4 << 20;
/// UTC as casting understands it without a list of zones; in Parquet both are the same.
const OFFSET: &str = "+00:00";
/// What clocks show, to the microsecond.
const LOCAL: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
/// Rows of a batch.
const BATCH_ROWS: u64 = 8_192;
/// Bytes of texts that are written at once.
pub(crate) const WRITE_BYTES: usize = 16 << 20;

/// An open Parquet file.
pub(crate) struct ParquetIn {
    file: File,
    metadata: ArrowReaderMetadata,
    pub(crate) schema: Arc<Schema>,
    pub(crate) rows: u64,
    pub(crate) geometry: Option<Geometry>,
}

/// The geometry column that a file's metadata names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Geometry {
    pub(crate) column: String,
    pub(crate) crs: Crs,
    /// The file says that nobody knows the system; its provider does.
    is_stated: bool,
}

impl ParquetIn {
    /// Opens a file after checking that it can be read in bounded memory.
    pub(crate) fn open(source: &File) -> Result<(Self, Option<String>), ConvertError> {
        Self::open_stated(source, None)
    }

    /// As [`ParquetIn::open`], of a file whose provider states the system of its coordinates.
    fn open_stated(source: &File, stated: Option<Crs>) -> Result<(Self, Option<String>), ConvertError> {
        let limits = ProfileLimits::default();
        let mut own = source.try_clone()?;
        let size_bytes = own.metadata()?.len();
        check_footer(&mut own, size_bytes, &limits)?;
        own.seek(SeekFrom::Start(0))?;
        let plain = ArrowReaderMetadata::load(&own, ArrowReaderOptions::new())?;
        let unreadable = check_pages(&mut own, size_bytes, plain.metadata(), &limits)?;
        if let Some((leaf, why)) = unreadable.first_key_value() {
            let column = plain.metadata().file_metadata().schema_descr().column(*leaf).path().string();
            return Err(ConvertError::unfit(format!("The column {column:?} can't be read: {why}.")));
        }
        let views = Arc::new(Schema::new(plain.schema().fields().iter().map(as_views).collect::<Vec<_>>()));
        let options = ArrowReaderOptions::new().with_schema(views);
        let metadata = ArrowReaderMetadata::load(&own, options)?;
        let (geometry, no_geometry) = match geometry_of(plain.metadata(), stated) {
            Ok(geometry) => (geometry, None),
            Err(reason) => (None, Some(reason)),
        };
        let schema = Arc::clone(metadata.schema());
        let rows = u64::try_from(plain.metadata().file_metadata().num_rows()).unwrap_or(0);
        Ok((Self { file: own, metadata, schema, rows, geometry }, no_geometry))
    }

    /// The rows, in batches of a few megabytes; only of some columns, where they are named.
    pub(crate) fn batches(&self, only: Option<&[usize]>) -> Result<ParquetRecordBatchReader, ConvertError> {
        let groups = self.metadata.metadata().row_groups();
        let bytes = |group: &parquet::file::metadata::RowGroupMetaData| {
            u64::try_from(group.total_byte_size()).unwrap_or(0) / u64::try_from(group.num_rows()).unwrap_or(1).max(1)
        };
        let row_bytes = groups.iter().map(bytes).max().unwrap_or(0).max(1);
        let rows = (BATCH_BYTES / row_bytes).clamp(1, BATCH_ROWS);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.try_clone()?, self.metadata.clone())
            .with_batch_size(usize::try_from(rows).unwrap_or(1));
        let builder = match only {
            None => builder,
            Some(columns) => {
                let schema = self.metadata.metadata().file_metadata().schema_descr();
                let mask = ProjectionMask::roots(schema, columns.iter().copied());
                builder.with_projection(mask)
            }
        };
        Ok(builder.build()?)
    }
}

/// The same field with views in place of texts and bytes.
fn as_views(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, value) if matches!(**value, DataType::Utf8 | DataType::LargeUtf8) => DataType::Utf8View,
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(kind))
}

/// The geometry column that `GeoParquet` metadata names, or why it can't be used.
///
/// Source: opengeospatial/geoparquet, version 1.1.
fn geometry_of(metadata: &ParquetMetaData, stated: Option<Crs>) -> Result<Option<Geometry>, String> {
    let entries = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    let geo = entries.filter(|entry| entry.key == "geo").find_map(|entry| entry.value.as_deref());
    let Some(geo) = geo.and_then(|text| serde_json::from_str::<Value>(text).ok()) else { return Ok(None) };
    let Some(column) = geo.get("primary_column").and_then(Value::as_str) else { return Ok(None) };
    let Some(about) = geo.get("columns").and_then(|columns| columns.get(column)) else { return Ok(None) };
    if about.get("encoding").and_then(Value::as_str).is_none_or(|name| !name.eq_ignore_ascii_case("WKB")) {
        return Err("The geometry is not encoded as WKB.".to_owned());
    }
    let (crs, is_stated) = match about.get("crs") {
        None => (Some(Crs::WGS84), false),
        // "Undefined or unknown", as the specification calls it.
        Some(Value::Null) => (stated, true),
        Some(crs) => (projjson(crs), false),
    };
    let crs = crs.ok_or("The coordinate reference system of the geometry is not known here.")?;
    Ok(Some(Geometry { column: column.to_owned(), crs, is_stated }))
}

fn projjson(crs: &Value) -> Option<Crs> {
    let id = crs.get("id")?;
    let (authority, code) = (id.get("authority")?.as_str()?, id.get("code")?);
    match (authority, code) {
        ("OGC", Value::String(code)) => Crs::of_name(code),
        ("EPSG", Value::Number(code)) => Crs::of_code(code.as_u64()?.try_into().ok()?),
        ("EPSG", Value::String(code)) => Crs::of_code(code.parse().ok()?),
        _ => None,
    }
}

/// The type in which a column is delivered, and what it counts where the file had a type of its own.
///
/// Source: delta-io/delta, PROTOCOL.md, "Primitive Types": no unsigned integers, times of day, durations, or times
/// finer than a microsecond, and times without a zone only as an extension.
fn delivered(kind: &DataType) -> (DataType, Option<&'static str>) {
    let utc = || DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from(OFFSET)));
    match kind {
        DataType::UInt8 => (DataType::Int16, None),
        DataType::UInt16 => (DataType::Int32, None),
        DataType::UInt32 => (DataType::Int64, None),
        DataType::UInt64 => (DataType::Decimal128(20, 0), None),
        DataType::Float16 => (DataType::Float32, None),
        DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond, Some(_)) => (kind.clone(), None),
        DataType::Timestamp(..) => (utc(), None),
        DataType::Date64 => (DataType::Date32, None),
        DataType::Duration(unit) => (DataType::Int64, Some(unit_name(*unit))),
        DataType::Time32(_)
        | DataType::Time64(_)
        | DataType::Interval(_)
        | DataType::Decimal256(..)
        | DataType::Null => (DataType::Utf8, None),
        DataType::FixedSizeBinary(_) => (DataType::Binary, None),
        DataType::Dictionary(_, value) => delivered(value),
        DataType::List(item) => (DataType::List(delivered_field(item)), None),
        DataType::LargeList(item) => (DataType::LargeList(delivered_field(item)), None),
        DataType::FixedSizeList(item, _) => (DataType::List(delivered_field(item)), None),
        DataType::Struct(fields) => (DataType::Struct(fields.iter().map(delivered_field).collect()), None),
        DataType::Map(entries, sorted) => (DataType::Map(delivered_field(entries), *sorted), None),
        other => (other.clone(), None),
    }
}

fn delivered_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(delivered(field.data_type()).0))
}

fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "seconds",
        TimeUnit::Millisecond => "milliseconds",
        TimeUnit::Microsecond => "microseconds",
        TimeUnit::Nanosecond => "nanoseconds",
    }
}

/// What becomes of a provider's Parquet file.
struct Rewriting {
    schema: Arc<Schema>,
    /// The target type of each column of the file.
    targets: Vec<DataType>,
    /// Columns whose times no instant in microseconds gives back: their text is kept beside.
    kept: Vec<usize>,
    /// The zone of times that have none in the file.
    zone: Option<Zone>,
    geometry: Option<(usize, ToWgs84)>,
}

/// Rewrites a provider's Parquet file into types that every reader has, or says that it has only such.
pub(crate) fn rewrite(source: &File, out: File, options: &Options, watch: &Arc<Watch>) -> Result<Table, ConvertError> {
    // The reader asserts what it should check in places; a damaged file must not end the job.
    catch_unwind(AssertUnwindSafe(|| guarded(source, out, options, watch)))
        .unwrap_or_else(|_| Err(ConvertError::unfit("The Parquet file is damaged: its parts contradict each other.")))
}

fn guarded(source: &File, out: File, options: &Options, watch: &Arc<Watch>) -> Result<Table, ConvertError> {
    let (file, no_geometry) = ParquetIn::open_stated(source, options.crs)?;
    let rewriting = Rewriting::plan(&file, options.zone)?;
    let name = file.geometry.as_ref().map(|geometry| geometry.column.as_str());
    let is_original = rewriting.changes_nothing(&file);
    if !is_original {
        let out = Bounded::new(BufWriter::new(out), options.output_bytes_max);
        let mut parquet = ParquetOut::new(out, &rewriting.schema)?;
        let mut done = 0_u64;
        for batch in file.batches(None)? {
            if watch.is_stopped() {
                return Err(ConvertError::Stopped);
            }
            let batch = batch?;
            done += batch.num_rows() as u64;
            rewriting.write(&batch, &mut parquet)?;
            watch.tell(done.saturating_mul(990) / file.rows.max(1));
        }
        parquet.finish(name)?.into_inner()?;
    }
    Ok(Table {
        is_original,
        rows: file.rows,
        columns: types::columns(&rewriting.schema, name),
        crs: file.geometry.as_ref().map(|geometry| geometry.crs.name()),
        no_geometry,
        original_is: None,
    })
}

impl Rewriting {
    fn plan(file: &ParquetIn, zone: Option<Zone>) -> Result<Self, ConvertError> {
        let (mut fields, mut targets, mut kept) = (Vec::new(), Vec::new(), Vec::new());
        for (index, field) in file.schema.fields().iter().enumerate() {
            let (target, unit) = delivered(field.data_type());
            let mut written = Written::of(field);
            written.unit = unit.map(str::to_owned);
            if let DataType::Timestamp(_, own) = field.data_type() {
                written.source_zone = match own {
                    None => Some(zone.map_or("unstated", Zone::name).to_owned()),
                    Some(zone) => written.source_zone.or_else(|| Some(zone.to_string())),
                };
            }
            fields.push(written.into_field(field.as_ref().clone().with_data_type(target.clone())));
            if is_fine(file, index)? || is_left_out(file, index, zone)? {
                let name = format!("{}_original", field.name());
                let original = Written { original_of: Some(field.name().clone()), ..Written::default() };
                fields.push(original.into_field(Field::new(name, DataType::Utf8, true)));
                kept.push(index);
            }
            targets.push(target);
        }
        let geometry = match &file.geometry {
            Some(geometry) => {
                let unknown = || ConvertError::unfit("The geometry column that the file's metadata names is missing.");
                let index = file.schema.index_of(&geometry.column).map_err(|_| unknown())?;
                let way = geometry.crs.to_wgs84().ok_or_else(unknown)?;
                Some((index, way))
            }
            None => None,
        };
        Ok(Self { schema: Arc::new(Schema::new(fields)), targets, kept, zone, geometry })
    }

    fn changes_nothing(&self, file: &ParquetIn) -> bool {
        let same = file.schema.fields().iter().zip(&self.targets).all(|(field, target)| field.data_type() == target);
        let is_wgs84 = |geometry: &Geometry| geometry.crs.is_degrees() && !geometry.is_stated;
        same && self.kept.is_empty() && file.geometry.as_ref().is_none_or(is_wgs84)
    }

    /// Writes a batch, in parts where its texts are large.
    fn write<W: std::io::Write + Send>(
        &self,
        batch: &RecordBatch,
        out: &mut ParquetOut<W>,
    ) -> Result<(), ConvertError> {
        if batch.num_rows() > 1 && text_bytes(batch) > WRITE_BYTES {
            let half = batch.num_rows() / 2;
            self.write(&batch.slice(0, half), out)?;
            return self.write(&batch.slice(half, batch.num_rows() - half), out);
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (index, (array, target)) in batch.columns().iter().zip(&self.targets).enumerate() {
            arrays.push(match &self.geometry {
                Some((at, way)) if *at == index => reprojected(array, way, out),
                _ if array.data_type() == target => Arc::clone(array),
                _ => match (array.data_type(), self.zone) {
                    (DataType::Timestamp(_, None), Some(zone)) => by_clock(array, zone)?,
                    _ => cast(array, target)?,
                },
            });
            if self.kept.contains(&index) {
                arrays.push(cast(&by_offset(array)?, &DataType::Utf8)?);
            }
        }
        out.write(&RecordBatch::try_new(Arc::clone(&self.schema), arrays)?)
    }
}

/// The same times under a zone that casting understands without a list of zones; they stay the same instants.
fn by_offset(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => cast(array, &DataType::Timestamp(*unit, Some(Arc::from(OFFSET)))),
        _ => Ok(Arc::clone(array)),
    }
}

/// The instants at which clocks of a zone showed the times of a column.
fn by_clock(array: &ArrayRef, zone: Zone) -> Result<ArrayRef, ArrowError> {
    let local = cast(array, &LOCAL)?;
    let instants: TimestampMicrosecondArray =
        local.as_primitive::<TimestampMicrosecondType>().unary(|micros| zone.utc_micros(micros));
    Ok(Arc::new(instants.with_timezone(OFFSET)))
}

/// The geometries of a column in WGS 84; null where a place lies outside of its system.
fn reprojected<W: std::io::Write + Send>(array: &ArrayRef, way: &ToWgs84, out: &mut ParquetOut<W>) -> ArrayRef {
    let mut shapes = arrow_array::builder::BinaryViewBuilder::new();
    for row in 0..array.len() {
        let shape = bytes_of(array, row).and_then(wkb::read);
        let shape = shape.and_then(|mut shape| shape.each(&mut |at| way.convert(at)).then_some(shape));
        shapes.append_option(shape.map(|shape| out.shape(&shape)));
    }
    Arc::new(shapes.finish())
}

/// True when a column of times has any that clocks of the stated zone left out.
fn is_left_out(file: &ParquetIn, column: usize, zone: Option<Zone>) -> Result<bool, ConvertError> {
    let (DataType::Timestamp(_, None), Some(zone)) = (file.schema.field(column).data_type(), zone) else {
        return Ok(false);
    };
    for batch in file.batches(Some(&[column]))? {
        let local = cast(batch?.column(0), &LOCAL)?;
        let local = local.as_primitive::<TimestampMicrosecondType>();
        if local.iter().flatten().any(|micros| !zone.shows_micros(micros)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// True when a column of times in nanoseconds has any that are no whole microseconds.
fn is_fine(file: &ParquetIn, column: usize) -> Result<bool, ConvertError> {
    if !matches!(file.schema.field(column).data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _)) {
        return Ok(false);
    }
    for batch in file.batches(Some(&[column]))? {
        let batch = batch?;
        let times = batch.column(0).as_primitive::<TimestampNanosecondType>();
        if times.iter().flatten().any(|nanos| nanos % 1_000 != 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Bytes that the texts of a batch take once they are written out.
pub(crate) fn text_bytes(batch: &RecordBatch) -> usize {
    let bytes = |array: &ArrayRef| -> usize {
        match array.data_type() {
            DataType::Utf8View => array.as_string_view().lengths().map(|length| length as usize).sum(),
            DataType::BinaryView => array.as_binary_view().lengths().map(|length| length as usize).sum(),
            _ => array.get_array_memory_size(),
        }
    };
    batch.columns().iter().map(bytes).sum()
}
