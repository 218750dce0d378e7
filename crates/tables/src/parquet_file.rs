//! Profiles of Apache Parquet files.
//!
//! Rows are assembled one by one from the column readers rather than in record batches: a batch repeats a value of
//! the dictionary in each row, so that a small file can fill any memory; a row holds it once.

use std::{
    collections::BTreeMap,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType},
    data_type::Decimal,
    errors::ParquetError,
    file::{metadata::ParquetMetaData, reader::FileReader, serialized_reader::SerializedFileReader},
    record::{Field, reader::RowIter},
    schema::types::{Type, TypePtr},
};
use serde_json::{Map, Value};
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use super::{
    ColumnType, Format, Profile, ProfileError, ProfileLimits,
    column::Cell,
    parquet_guard::{check_footer, check_pages},
    table::Table,
    unparsable,
    value::{Notation, Stamp},
};

/// Profiles a file that begins with `PAR1`.
pub(super) fn profile(file: &File, size_bytes: u64, limits: &ProfileLimits) -> Result<Profile, ProfileError> {
    // The reader asserts what it should check in places; a damaged file must not end the job.
    catch_unwind(AssertUnwindSafe(|| guarded(file, size_bytes, limits)))
        .unwrap_or_else(|_| Err(unparsable("the Parquet file is damaged: its parts contradict each other")))
}

fn guarded(file: &File, size_bytes: u64, limits: &ProfileLimits) -> Result<Profile, ProfileError> {
    let mut own = file.try_clone()?;
    check_footer(&mut own, size_bytes, limits)?;
    let reader = SerializedFileReader::new(file.try_clone()?).map_err(damaged)?;
    let metadata = reader.metadata();
    let unreadable = check_pages(&mut own, size_bytes, metadata, limits)?;
    let schema = metadata.file_metadata().schema_descr();
    let unreadable: BTreeMap<usize, &str> =
        unreadable.into_iter().map(|(leaf, why)| (schema.get_column_root_idx(leaf), why)).collect();

    let mut table = Table::new(limits, Notation::Typed);
    let geometries = geometry_columns(metadata);
    let fields = schema.root_schema().get_fields();
    table.add_header(fields.iter().map(|field| field.name()));
    let (mut plans, mut projected) = (Vec::new(), Vec::new());
    for (column, field) in fields.iter().enumerate().take(table.width()) {
        let plan = Plan::of(field, column, geometries.iter().any(|(name, _)| name == field.name()));
        table.declare(column, plan.kind);
        if let Some(why) = unreadable.get(&column) {
            table.leave_unread(column, why);
        } else {
            plans.push(plan);
            projected.push(Arc::clone(field));
        }
    }
    for (name, bbox) in geometries {
        if let Some(bbox) = bbox {
            table.add_stated_bbox(&name, bbox);
        }
    }
    let projection =
        Type::group_type_builder(schema.root_schema().name()).with_fields(projected).build().map_err(damaged)?;
    for row in RowIter::from_file_into(Box::new(reader)).project(Some(projection)).map_err(damaged)? {
        let row = row.map_err(damaged)?;
        if !table.begin_row() {
            break;
        }
        for (plan, (_, field)) in plans.iter().zip(row.get_column_iter()) {
            plan.add(&mut table, field);
        }
        table.end_row();
    }
    Ok(table.finish(Format::Parquet, size_bytes))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err takes")]
fn damaged(error: ParquetError) -> ProfileError {
    match error {
        ParquetError::NYI(_) => unparsable("the Parquet file uses a codec or encoding that is not read here"),
        _ => unparsable("the Parquet file is damaged, or uses an encoding that is not read here"),
    }
}

/// The columns that GeoParquet metadata names, with the box stated for each where it is one.
///
/// Source: opengeospatial/geoparquet, version 1.1.
fn geometry_columns(metadata: &ParquetMetaData) -> Vec<(String, Option<[f64; 4]>)> {
    let entries = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    let geo = entries.filter(|entry| entry.key == "geo").find_map(|entry| entry.value.as_deref());
    let geo: Option<Value> = geo.and_then(|text| serde_json::from_str(text).ok());
    let columns = geo.as_ref().and_then(|geo| geo.get("columns")?.as_object());
    columns.into_iter().flatten().map(|(name, column)| (name.clone(), stated_bbox(column))).collect()
}

fn stated_bbox(column: &Value) -> Option<[f64; 4]> {
    let numbers: Vec<f64> = column.get("bbox")?.as_array()?.iter().filter_map(Value::as_f64).collect();
    match numbers[..] {
        [west, south, east, north] | [west, south, _, east, north, _] => Some([west, south, east, north]),
        _ => None,
    }
}

/// How the fields of one column become cells.
struct Plan {
    column: usize,
    kind: ColumnType,
    /// Counts since 1970 that the reader leaves as numbers: units in a second.
    units_per_second: Option<i128>,
    is_utc: bool,
}

impl Plan {
    fn of(field: &TypePtr, column: usize, is_geometry: bool) -> Self {
        let info = field.get_basic_info();
        let logical = info.logical_type_ref();
        let mut plan = Self { column, kind: ColumnType::Json, units_per_second: None, is_utc: true };
        if !field.is_primitive() || info.repetition() == parquet::basic::Repetition::REPEATED {
            return plan;
        }
        if let Some(LogicalType::Timestamp(stamp)) = logical {
            plan.is_utc = stamp.is_adjusted_to_u_t_c;
            plan.units_per_second = matches!(stamp.unit, TimeUnit::NANOS).then_some(1_000_000_000);
        }
        plan.kind = match (logical, info.converted_type(), field.get_physical_type()) {
            (Some(LogicalType::Geometry(_) | LogicalType::Geography(_)), ..) => ColumnType::Geometry,
            _ if is_geometry => ColumnType::Geometry,
            (Some(LogicalType::Timestamp(_)), ..)
            | (_, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS, _)
            | (.., PhysicalType::INT96) => ColumnType::DateTime,
            (Some(LogicalType::Date), ..) | (_, ConvertedType::DATE, _) => ColumnType::Date,
            (Some(LogicalType::Decimal(_)), ..) | (_, ConvertedType::DECIMAL, _) => ColumnType::Decimal,
            (Some(LogicalType::String | LogicalType::Enum | LogicalType::Time(_)), ..)
            | (
                _,
                ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS,
                _,
            ) => ColumnType::Text,
            (Some(LogicalType::Json), ..) | (_, ConvertedType::JSON, _) => ColumnType::Json,
            (Some(LogicalType::Float16), ..) | (.., PhysicalType::FLOAT | PhysicalType::DOUBLE) => ColumnType::Decimal,
            (.., PhysicalType::BOOLEAN) => ColumnType::Boolean,
            (.., PhysicalType::INT32 | PhysicalType::INT64) => ColumnType::Integer,
            (.., PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY) => ColumnType::Binary,
        };
        plan
    }

    fn add(&self, table: &mut Table<'_>, field: &Field) {
        let mut number = |text: &str| table.add(self.column, Cell::Number(text));
        match field {
            Field::Null => table.add(self.column, Cell::Null),
            Field::Bool(value) => table.add(self.column, Cell::Boolean(*value)),
            Field::Byte(value) => number(&value.to_string()),
            Field::Short(value) => number(&value.to_string()),
            Field::Int(value) => number(&value.to_string()),
            Field::Long(value) => match self.units_per_second {
                Some(units) => self.add_instant(table, i128::from(*value) * (1_000_000_000 / units)),
                None => number(&value.to_string()),
            },
            Field::UByte(value) => number(&value.to_string()),
            Field::UShort(value) => number(&value.to_string()),
            Field::UInt(value) => number(&value.to_string()),
            Field::ULong(value) => number(&value.to_string()),
            Field::Float(value) if value.is_finite() => number(&value.to_string()),
            Field::Double(value) if value.is_finite() => number(&value.to_string()),
            Field::Float16(value) if value.is_finite() => number(&value.to_string()),
            Field::Float(_) | Field::Double(_) | Field::Float16(_) => table.add(self.column, Cell::Null),
            Field::Decimal(value) => match decimal_text(value) {
                Some(text) => number(&text),
                None => table.add(self.column, Cell::Null),
            },
            Field::Str(text) if self.kind == ColumnType::Json => table.add(self.column, Cell::Json(text)),
            Field::Str(text) => table.add(self.column, Cell::Text(text)),
            Field::Bytes(bytes) => match (self.kind, std::str::from_utf8(bytes.data())) {
                (ColumnType::Text, Ok(text)) => table.add(self.column, Cell::Text(text)),
                (ColumnType::Json, Ok(text)) => table.add(self.column, Cell::Json(text)),
                _ => table.add(self.column, Cell::Binary(bytes.data())),
            },
            Field::Date(days) => self.add_stamp(table, day(*days).map(Stamp::day)),
            Field::TimeMillis(millis) => self.add_time(table, i64::from(*millis) * 1_000),
            Field::TimeMicros(micros) => self.add_time(table, *micros),
            Field::TimestampMillis(millis) => self.add_instant(table, i128::from(*millis) * 1_000_000),
            Field::TimestampMicros(micros) => self.add_instant(table, i128::from(*micros) * 1_000),
            Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {
                table.add(self.column, Cell::Json(&json_of(field).to_string()));
            }
        }
    }

    fn add_instant(&self, table: &mut Table<'_>, nanos: i128) {
        let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok();
        let stamp = at
            .map(|at| Stamp::time(PrimitiveDateTime::new(at.date(), at.time()), self.is_utc.then_some(UtcOffset::UTC)));
        self.add_stamp(table, stamp);
    }

    /// Years beyond 9999 count as missing.
    fn add_stamp(&self, table: &mut Table<'_>, stamp: Option<Stamp>) {
        table.add(self.column, stamp.map_or(Cell::Null, Cell::Stamp));
    }

    fn add_time(&self, table: &mut Table<'_>, micros: i64) {
        match time_text(micros) {
            Some(text) => table.add(self.column, Cell::Text(&text)),
            None => table.add(self.column, Cell::Null),
        }
    }
}

fn day(days_since_1970: i32) -> Option<Date> {
    let julian = OffsetDateTime::UNIX_EPOCH.date().to_julian_day().checked_add(days_since_1970)?;
    Date::from_julian_day(julian).ok()
}

fn time_text(micros: i64) -> Option<String> {
    let micros = u64::try_from(micros).ok()?;
    let (seconds, micro) = (micros / 1_000_000, u32::try_from(micros % 1_000_000).ok()?);
    let (hour, rest) = (u8::try_from(seconds / 3_600).ok()?, seconds % 3_600);
    let (minute, second) = (u8::try_from(rest / 60).ok()?, u8::try_from(rest % 60).ok()?);
    Time::from_hms_micro(hour, minute, second, micro).ok()?;
    let fraction = if micro == 0 { String::new() } else { format!(".{micro:06}") };
    Some(format!("{hour:02}:{minute:02}:{second:02}{fraction}"))
}

/// A decimal's unscaled value is a two's complement number, most significant byte first; beyond 128 bits it is none.
fn decimal_text(value: &Decimal) -> Option<String> {
    let bytes = value.data();
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let filler = if negative { 0xFF } else { 0 };
    let excess = bytes.len().saturating_sub(16);
    let (extension, bytes) = bytes.split_at(excess);
    let mut wide = [filler; 16];
    wide[16 - bytes.len()..].copy_from_slice(bytes);
    let unscaled = i128::from_be_bytes(wide);
    if extension.iter().any(|byte| *byte != filler) || unscaled.is_negative() != negative {
        return None;
    }
    let scale = usize::try_from(value.scale()).ok().filter(|scale| *scale <= 64)?;
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if negative { "-" } else { "" };
    Some(if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

fn json_of(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => Value::Bool(*value),
        Field::Int(value) => Value::from(*value),
        Field::Long(value) => Value::from(*value),
        Field::Float(value) => Value::from(*value),
        Field::Double(value) => Value::from(*value),
        Field::Str(text) => Value::String(text.clone()),
        Field::Bytes(bytes) => std::str::from_utf8(bytes.data())
            .map_or_else(|_| Value::String(format!("{} bytes", bytes.len())), Value::from),
        Field::Decimal(value) => decimal_text(value).map_or(Value::Null, Value::String),
        Field::Date(days) => day(*days).map_or(Value::Null, |day| Value::String(Stamp::day(day).text())),
        Field::Group(row) => {
            let members = row.get_column_iter().map(|(name, field)| (name.clone(), json_of(field)));
            Value::Object(members.collect())
        }
        Field::ListInternal(list) => Value::Array(list.elements().iter().map(json_of).collect()),
        Field::MapInternal(map) => {
            let text = |key: &Field| match json_of(key) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            let entries = map.entries().iter().map(|(key, value)| (text(key), json_of(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        other => Value::String(other.to_string()),
    }
}
