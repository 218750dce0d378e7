//! Single values of a column: as JSON, and as what they are compared by.

use std::{cmp::Ordering, fmt::Write as _};

use arrow_array::{
    Array, ArrayAccessor, ArrayRef,
    cast::AsArray as _,
    types::{
        Date32Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
        Time32MillisecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
        TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
        UInt64Type,
    },
};
use arrow_schema::{DataType, TimeUnit};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Number, Value};
use time::{
    Date, OffsetDateTime, PrimitiveDateTime, UtcOffset, format_description::well_known::Rfc3339,
    macros::format_description,
};

use super::wkb;

const NANOS: i128 = 1_000_000_000;
/// Digits that a number of JSON keeps, whoever reads it.
const EXACT_DIGITS: usize = 15;

/// What the values of a column are compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::delivery) enum Kind {
    /// `true` and `false`.
    Boolean,
    /// Whole numbers.
    Integer,
    /// Decimal fractions with so many digits behind the point.
    Decimal(i8),
    /// Binary fractions.
    Float,
    /// Text.
    Text,
    /// Days since 1970.
    Date,
    /// Nanoseconds since 1970; in UTC, or of a clock of unknown zone that is taken for UTC.
    Instant,
    /// What is not compared.
    Other,
}

impl Kind {
    /// How values of this type are compared.
    pub(in crate::delivery) fn of(kind: &DataType) -> Self {
        match kind {
            DataType::Boolean => Self::Boolean,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64 => Self::Integer,
            DataType::Decimal128(_, scale) if *scale >= 0 => Self::Decimal(*scale),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Utf8 | DataType::Utf8View => Self::Text,
            DataType::Date32 => Self::Date,
            DataType::Timestamp(..) => Self::Instant,
            _ => Self::Other,
        }
    }

    /// What a reader is told to write.
    pub(in crate::delivery) const fn words(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer => "a whole number",
            Self::Decimal(_) => "a number with no more decimals than the column has",
            Self::Float => "a number",
            Self::Text => "a text",
            Self::Date => "a day such as 2026-11-21",
            Self::Instant => "a time such as 2026-11-21T10:00:00Z",
            Self::Other => "nothing: this column's values are not compared",
        }
    }

    /// Reads what somebody wrote.
    pub(in crate::delivery) fn parse(self, text: &str) -> Option<Key> {
        match self {
            Self::Boolean => text.parse().ok().map(Key::Bool),
            Self::Integer => text.parse().ok().map(Key::Int),
            Self::Decimal(scale) => unscaled(text, usize::try_from(scale).ok()?).map(Key::Int),
            Self::Float => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Key::Float),
            Self::Text => Some(Key::Text(text.to_owned())),
            Self::Date => parse_date(text).map(|date| Key::Int(i128::from(days(date)))),
            Self::Instant => instant(text).map(|at| Key::Int(at.unix_timestamp_nanos())),
            Self::Other => None,
        }
    }
}

/// A value that others are compared with.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::delivery) enum Key {
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
}

/// A value where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::delivery) enum KeyRef<'a> {
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(&'a str),
}

impl Key {
    /// The same without the memory.
    pub(in crate::delivery) fn borrow(&self) -> KeyRef<'_> {
        match self {
            Self::Bool(value) => KeyRef::Bool(*value),
            Self::Int(value) => KeyRef::Int(*value),
            Self::Float(value) => KeyRef::Float(*value),
            Self::Text(value) => KeyRef::Text(value),
        }
    }

    /// Text that [`Key::read`] takes.
    pub(in crate::delivery) fn write(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Float(value) => value.to_bits().to_string(),
            Self::Text(value) => value.clone(),
        }
    }

    /// What [`Key::write`] wrote of a value of this kind.
    pub(in crate::delivery) fn read(kind: Kind, text: &str) -> Option<Self> {
        match kind {
            Kind::Float => text.parse().ok().map(f64::from_bits).map(Self::Float),
            Kind::Integer | Kind::Decimal(_) | Kind::Date | Kind::Instant => text.parse().ok().map(Self::Int),
            Kind::Boolean | Kind::Text | Kind::Other => kind.parse(text),
        }
    }
}

impl KeyRef<'_> {
    /// A copy that stays.
    pub(in crate::delivery) fn to_owned(self) -> Key {
        match self {
            Self::Bool(value) => Key::Bool(value),
            Self::Int(value) => Key::Int(value),
            Self::Float(value) => Key::Float(value),
            Self::Text(value) => Key::Text(value.to_owned()),
        }
    }

    /// Compares values of one kind; `NaN` is greater than every number.
    pub(in crate::delivery) fn compare(self, other: KeyRef<'_>) -> Ordering {
        match (self, other) {
            (Self::Bool(a), KeyRef::Bool(b)) => a.cmp(&b),
            (Self::Int(a), KeyRef::Int(b)) => a.cmp(&b),
            (Self::Float(a), KeyRef::Float(b)) => a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b)),
            (Self::Text(a), KeyRef::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

/// The value in a row as it is compared; nothing where there is none.
pub(in crate::delivery) fn key(array: &dyn Array, row: usize) -> Option<KeyRef<'_>> {
    if array.is_null(row) {
        return None;
    }
    macro_rules! int {
        ($kind:ty) => {
            KeyRef::Int(i128::from(array.as_primitive::<$kind>().value(row)))
        };
    }
    Some(match array.data_type() {
        DataType::Boolean => KeyRef::Bool(array.as_boolean().value(row)),
        DataType::Int8 => int!(Int8Type),
        DataType::Int16 => int!(Int16Type),
        DataType::Int32 => int!(Int32Type),
        DataType::Int64 => int!(Int64Type),
        DataType::UInt8 => int!(UInt8Type),
        DataType::UInt16 => int!(UInt16Type),
        DataType::UInt32 => int!(UInt32Type),
        DataType::UInt64 => int!(UInt64Type),
        DataType::Date32 => int!(Date32Type),
        DataType::Decimal128(..) => KeyRef::Int(array.as_primitive::<Decimal128Type>().value(row)),
        DataType::Float16 => KeyRef::Float(array.as_primitive::<Float16Type>().value(row).to_f64()),
        DataType::Float32 => KeyRef::Float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => KeyRef::Float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => KeyRef::Text(array.as_string::<i32>().value(row)),
        DataType::Utf8View => KeyRef::Text(array.as_string_view().value(row)),
        DataType::Timestamp(unit, _) => KeyRef::Int(nanos(array, *unit, row)),
        _ => return None,
    })
}

fn nanos(array: &dyn Array, unit: TimeUnit, row: usize) -> i128 {
    match unit {
        TimeUnit::Second => i128::from(array.as_primitive::<TimestampSecondType>().value(row)) * NANOS,
        TimeUnit::Millisecond => i128::from(array.as_primitive::<TimestampMillisecondType>().value(row)) * 1_000_000,
        TimeUnit::Microsecond => i128::from(array.as_primitive::<TimestampMicrosecondType>().value(row)) * 1_000,
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row).into(),
    }
}

/// The bytes in a row of a column of bytes.
pub(in crate::delivery) fn bytes(array: &dyn Array, row: usize) -> Option<&[u8]> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Binary => Some(array.as_binary::<i32>().value(row)),
        DataType::BinaryView => Some(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Some(array.as_fixed_size_binary().value(row)),
        _ => None,
    }
}

/// The value in a row as JSON. Bytes are a geometry as `GeoJSON` where `is_geometry`, else base64; decimals that a
/// number of JSON would round are text; what has no form in JSON is `null`.
pub(in crate::delivery) fn value(array: &dyn Array, row: usize, is_geometry: bool) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    if let Some(bytes) = bytes(array, row) {
        return if is_geometry { wkb::geojson(bytes) } else { Value::String(STANDARD.encode(bytes)) };
    }
    match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            day(days).map_or(Value::Null, |day| Value::String(day.to_string()))
        }
        DataType::Timestamp(unit, zone) => time_text(nanos(array, *unit, row), zone.is_some()),
        DataType::Decimal128(_, scale) => decimal(array.as_primitive::<Decimal128Type>().value(row), *scale),
        DataType::Time32(TimeUnit::Millisecond) => {
            time_of_day(i64::from(array.as_primitive::<Time32MillisecondType>().value(row)) * 1_000_000)
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            time_of_day(array.as_primitive::<Time64MicrosecondType>().value(row).saturating_mul(1_000))
        }
        DataType::Time64(TimeUnit::Nanosecond) => time_of_day(array.as_primitive::<Time64NanosecondType>().value(row)),
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::Struct(fields) => {
            let parts = fields.iter().zip(array.as_struct().columns());
            Value::Object(parts.map(|(field, part)| (field.name().clone(), value(part, row, false))).collect())
        }
        DataType::Map(..) => map(&ArrayAccessor::value(&array.as_map(), row)),
        _ => plain(array, row),
    }
}

/// A row as a JSON object, its members in the order of the columns.
pub(in crate::delivery) fn object(names: &[&str], values: &[Value]) -> String {
    let mut text = String::from("{");
    for (at, (name, value)) in names.iter().zip(values).enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&Value::from(*name).to_string());
        text.push(':');
        text.push_str(&value.to_string());
    }
    text.push('}');
    text
}

fn plain(array: &dyn Array, row: usize) -> Value {
    match key(array, row) {
        Some(KeyRef::Bool(value)) => Value::Bool(value),
        Some(KeyRef::Int(value)) => Number::from_i128(value).map_or(Value::Null, Value::Number),
        Some(KeyRef::Float(value)) => Number::from_f64(value).map_or(Value::Null, Value::Number),
        Some(KeyRef::Text(value)) => Value::String(value.to_owned()),
        None => Value::Null,
    }
}

fn list(items: &ArrayRef) -> Value {
    (0..items.len()).map(|row| value(items, row, false)).collect()
}

fn map(entries: &arrow_array::StructArray) -> Value {
    let [keys, values] = entries.columns() else { return Value::Null };
    let mut all = Map::new();
    for row in 0..entries.len() {
        let name = match value(keys, row, false) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        all.insert(name, value(values, row, false));
    }
    Value::Object(all)
}

/// The digits of a decimal fraction.
fn decimal(unscaled: i128, scale: i8) -> Value {
    let text = decimal_text(unscaled, scale);
    let is_exact = unscaled.unsigned_abs().to_string().len() <= EXACT_DIGITS;
    match text.parse().ok().and_then(Number::from_f64) {
        Some(number) if is_exact && scale > 0 => Value::Number(number),
        _ if is_exact && scale == 0 => Number::from_i128(unscaled).map_or(Value::Null, Value::Number),
        _ => Value::String(text),
    }
}

fn decimal_text(unscaled: i128, scale: i8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let sign = if unscaled < 0 { "-" } else { "" };
    let Ok(scale) = usize::try_from(scale) else {
        return format!("{sign}{digits}{}", "0".repeat(usize::from(scale.unsigned_abs())));
    };
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}

/// The digits of a decimal fraction without its point; nothing when it has more behind it than `scale`.
fn unscaled(text: &str, scale: usize) -> Option<i128> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let good = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !good(whole) || !good(fraction) || whole.len() + fraction.len() == 0 && !digits.contains('0') {
        return None;
    }
    if fraction.len() > scale {
        return None;
    }
    let all = format!("{whole}{fraction:0<scale$}");
    let all: i128 = if all.is_empty() { 0 } else { all.parse().ok()? };
    Some(sign * all)
}

fn parse_date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

fn epoch() -> i32 {
    OffsetDateTime::UNIX_EPOCH.date().to_julian_day()
}

fn days(date: Date) -> i32 {
    date.to_julian_day() - epoch()
}

fn day(days: i32) -> Option<Date> {
    Date::from_julian_day(epoch().checked_add(days)?).ok()
}

/// A time as RFC 3339; without a zone, and as a day alone, it is taken for UTC.
pub(in crate::delivery) fn instant(text: &str) -> Option<OffsetDateTime> {
    let local = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .or_else(|| PrimitiveDateTime::parse(text, local).ok().map(PrimitiveDateTime::assume_utc))
        .or_else(|| parse_date(text).map(|date| date.midnight().assume_utc()))
}

/// As RFC 3339 writes it, without a zone where the column has none.
fn time_text(nanos: i128, has_zone: bool) -> Value {
    let Some(at) = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok() else { return Value::Null };
    let Ok(mut text) = at.to_offset(UtcOffset::UTC).format(&Rfc3339) else { return Value::Null };
    if !has_zone {
        text.pop();
    }
    Value::String(text)
}

fn time_of_day(nanos: i64) -> Value {
    let (seconds, rest) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if rest > 0 {
        // Writing to a text does not fail.
        let _ = write!(text, ".{rest:09}");
    }
    Value::String(text.trim_end_matches(|c| rest > 0 && c == '0').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decimals_go_both_ways() {
        for (text, scale, digits) in [
            ("2.5", 2, 250),
            ("-0.05", 2, -5),
            ("7", 2, 700),
            (".5", 1, 5),
            ("0", 0, 0),
            ("2.500", 1, 25),
            ("0.0", 1, 0),
        ] {
            assert_eq!(unscaled(text, scale), Some(digits), "{text}");
        }
        for (text, scale) in [("2.55", 1), ("", 2), (".", 2), ("-", 2), ("1e3", 2), ("--1", 2), ("1.2.3", 4)] {
            assert_eq!(unscaled(text, scale), None, "{text}");
        }
        assert_eq!(
            (decimal_text(-5, 2), decimal_text(1250, 2), decimal_text(12, -2)),
            ("-0.05".into(), "12.50".into(), "1200".into())
        );
        assert_eq!(decimal(1250, 2), json!(12.5));
        assert_eq!(decimal(12_345_678_901_234_567_890, 2), json!("123456789012345678.90"));
    }

    #[test]
    fn times_are_read_with_a_zone_or_as_utc() {
        let noon = instant("2026-11-21T12:00:00Z").unwrap();
        for same in ["2026-11-21T21:00:00+09:00", "2026-11-21T12:00:00"] {
            assert_eq!(instant(same), Some(noon), "{same}");
        }
        assert_eq!(instant("2026-11-21"), Some(noon - time::Duration::hours(12)));
        assert_eq!(time_text(noon.unix_timestamp_nanos(), true), "2026-11-21T12:00:00Z");
        assert_eq!(time_text(noon.unix_timestamp_nanos(), false), "2026-11-21T12:00:00");
        assert_eq!(
            (time_of_day(3_723_500_000_000), time_of_day(36_000_000_000_000)),
            (json!("01:02:03.5"), json!("10:00:00"))
        );
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        for (kind, key) in [
            (Kind::Float, Key::Float(0.1)),
            (Kind::Integer, Key::Int(-7)),
            (Kind::Instant, Key::Int(1_763_712_000_000_000_001)),
            (Kind::Text, Key::Text("a.b".into())),
            (Kind::Boolean, Key::Bool(true)),
        ] {
            assert_eq!(Key::read(kind, &key.write()), Some(key));
        }
    }
}
