//! Values of Arrow arrays as text: for CSV, and for JSON.

use std::fmt::Write as _;

use arrow_array::{
    Array, ArrayRef,
    cast::AsArray as _,
    types::{
        Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
        TimestampMicrosecondType, TimestampMillisecondType,
    },
};
use arrow_schema::{DataType, TimeUnit};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use time::{Date, Duration, PrimitiveDateTime, Time, macros::date};

use super::{
    plan::Written,
    style::{FlagStyle, NumberStyle, StampStyle, ZoneStyle},
    wkb, wkt,
};

const EPOCH: Date = date!(1970 - 01 - 01);

/// What a value is in JSON, where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A number: written as it is.
    Bare,
    /// A flag, perhaps in capitals, which JSON does not have.
    Flag,
    /// Text: quoted.
    Quoted,
    /// JSON already.
    Json,
    /// Nothing that JSON has: `NaN`.
    Missing,
}

/// Writes a value as CSV has it; nothing for null.
pub(super) fn write_text(array: &ArrayRef, row: usize, written: &Written, out: &mut String) {
    if array.is_null(row) {
        return;
    }
    if written.is_geometry {
        if let Some(shape) = bytes_of(array, row).and_then(wkb::read) {
            wkt::write(&shape, out);
        }
        return;
    }
    let _ = write_value(array, row, written, out);
}

/// Writes a value as JSON.
pub(super) fn write_json(array: &ArrayRef, row: usize, written: &Written, out: &mut String) {
    if array.is_null(row) {
        out.push_str("null");
        return;
    }
    if written.is_geometry {
        match bytes_of(array, row).and_then(wkb::read) {
            Some(shape) => shape.write_json(out),
            None => out.push_str("null"),
        }
        return;
    }
    let mut text = String::new();
    match write_value(array, row, written, &mut text) {
        Form::Bare | Form::Json => push_json(&text, out),
        Form::Flag => out.push_str(&text.to_ascii_lowercase()),
        Form::Quoted => write_json_text(&text, out),
        Form::Missing => out.push_str("null"),
    }
}

/// Writes a text as JSON.
pub(super) fn write_json_text(text: &str, out: &mut String) {
    push_json(&serde_json::Value::from(text).to_string(), out);
}

/// Three signs end a line for some readers of JSON lines, though JSON lets them stand: they are escaped.
fn push_json(json: &str, out: &mut String) {
    if !json.contains(['\u{2028}', '\u{2029}', '\u{85}']) {
        out.push_str(json);
        return;
    }
    for sign in json.chars() {
        if matches!(sign, '\u{2028}' | '\u{2029}' | '\u{85}') {
            let _ = write!(out, "\\u{:04x}", u32::from(sign));
        } else {
            out.push(sign);
        }
    }
}

/// The bytes of a binary value.
pub(crate) fn bytes_of(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Binary => Some(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Some(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => Some(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Some(array.as_fixed_size_binary().value(row)),
        _ => None,
    }
}

fn write_value(array: &ArrayRef, row: usize, written: &Written, out: &mut String) -> Form {
    let text_form = if written.is_json { Form::Json } else { Form::Quoted };
    match array.data_type() {
        DataType::Boolean => {
            let style = written.flags.unwrap_or(FlagStyle::Lower);
            out.push_str(style.text(array.as_boolean().value(row)));
            return Form::Flag;
        }
        DataType::Int8 => number(array.as_primitive::<Int8Type>().value(row), out),
        DataType::Int16 => number(array.as_primitive::<Int16Type>().value(row), out),
        DataType::Int32 => number(array.as_primitive::<Int32Type>().value(row), out),
        DataType::Int64 => number(array.as_primitive::<Int64Type>().value(row), out),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            number(value, out);
            return if value.is_finite() { Form::Bare } else { Form::Missing };
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            written.numbers.unwrap_or(NumberStyle::Shortest).double(value, out);
            return if value.is_finite() { Form::Bare } else { Form::Missing };
        }
        DataType::Decimal128(_, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            let scale = u8::try_from(*scale).unwrap_or(0);
            written.numbers.unwrap_or(NumberStyle::Fixed(scale)).decimal(value, scale, out);
        }
        DataType::Date32 => {
            let day = EPOCH.saturating_add(Duration::days(array.as_primitive::<Date32Type>().value(row).into()));
            written.times.unwrap_or(StampStyle::canonical(false, false)).write(day.midnight(), out);
            return Form::Quoted;
        }
        DataType::Timestamp(unit, _) => {
            let since = match unit {
                TimeUnit::Millisecond => {
                    Duration::milliseconds(array.as_primitive::<TimestampMillisecondType>().value(row))
                }
                _ => Duration::microseconds(array.as_primitive::<TimestampMicrosecondType>().value(row)),
            };
            write_time(PrimitiveDateTime::new(EPOCH, Time::MIDNIGHT).saturating_add(since), written, out);
            return Form::Quoted;
        }
        DataType::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => out.push_str(array.as_string::<i64>().value(row)),
        DataType::Utf8View => out.push_str(array.as_string_view().value(row)),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => {
            write_list(&items_of(array, row), out);
            return Form::Json;
        }
        DataType::Struct(_) => {
            write_struct(array, row, out);
            return Form::Json;
        }
        DataType::Map(..) => {
            write_map(array, row, out);
            return Form::Json;
        }
        _ => {
            out.push_str(&STANDARD.encode(bytes_of(array, row).unwrap_or_default()));
            return Form::Quoted;
        }
    }
    match array.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => text_form,
        _ => Form::Bare,
    }
}

fn number(value: impl std::fmt::Display, out: &mut String) {
    let _ = write!(out, "{value}");
}

/// In the style of the column, else RFC 3339 with as many decimals as the value has.
fn write_time(at: PrimitiveDateTime, written: &Written, out: &mut String) {
    if let Some(style) = written.times {
        style.write(written.clock.map_or(at, |zone| zone.local(at)), out);
        return;
    }
    let unstated = written.source_zone.as_deref() == Some("unstated");
    let zone = if unstated { ZoneStyle::Absent } else { ZoneStyle::Zulu };
    let decimals = match at.microsecond() {
        0 => 0,
        micros if micros % 1_000 == 0 => 3,
        _ => 6,
    };
    StampStyle { decimals, zone, ..StampStyle::canonical(true, true) }.write(at, out);
}

fn items_of(array: &ArrayRef, row: usize) -> ArrayRef {
    match array.data_type() {
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(row),
        _ => array.as_list::<i32>().value(row),
    }
}

fn write_list(items: &ArrayRef, out: &mut String) {
    out.push('[');
    for at in 0..items.len() {
        if at > 0 {
            out.push(',');
        }
        write_json(items, at, &Written::default(), out);
    }
    out.push(']');
}

fn write_struct(array: &ArrayRef, row: usize, out: &mut String) {
    let members = array.as_struct();
    out.push('{');
    for (at, (field, member)) in members.fields().iter().zip(members.columns()).enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_json_text(field.name(), out);
        out.push(':');
        write_json(member, row, &Written::default(), out);
    }
    out.push('}');
}

/// As a list of pairs, for the keys of a map may be of any type.
fn write_map(array: &ArrayRef, row: usize, out: &mut String) {
    let entries = array.as_map().value(row);
    out.push('[');
    for at in 0..entries.len() {
        if at > 0 {
            out.push(',');
        }
        out.push('[');
        write_json(entries.column(0), at, &Written::default(), out);
        out.push(',');
        write_json(entries.column(1), at, &Written::default(), out);
        out.push(']');
    }
    out.push(']');
}
