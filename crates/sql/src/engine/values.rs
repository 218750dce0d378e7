//! Single values as JSON and as CSV.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use datafusion::arrow::{
    array::{Array, AsArray as _},
    datatypes::{
        DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
        UInt16Type, UInt32Type, UInt64Type,
    },
    util::display::{ArrayFormatter, FormatOptions},
};

/// Digits that a number of JSON keeps, whoever reads it.
const EXACT_DIGITS: usize = 15;

/// The value in a row as JSON. Bytes are base64; decimals that a number of JSON would round are text, and so is
/// everything with a unit.
pub(super) fn json(out: &mut Vec<u8>, array: &dyn Array, row: usize) -> io::Result<()> {
    use DataType as T;
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    macro_rules! number {
        ($kind:ty) => {
            serde_json::to_writer(out, &array.as_primitive::<$kind>().value(row))?
        };
    }
    match array.data_type() {
        T::Null => out.extend_from_slice(b"null"),
        T::Boolean => serde_json::to_writer(out, &array.as_boolean().value(row))?,
        T::Int8 => number!(Int8Type),
        T::Int16 => number!(Int16Type),
        T::Int32 => number!(Int32Type),
        T::Int64 => number!(Int64Type),
        T::UInt8 => number!(UInt8Type),
        T::UInt16 => number!(UInt16Type),
        T::UInt32 => number!(UInt32Type),
        T::UInt64 => number!(UInt64Type),
        T::Float16 => serde_json::to_writer(out, &array.as_primitive::<Float16Type>().value(row).to_f64())?,
        T::Float32 => number!(Float32Type),
        T::Float64 => number!(Float64Type),
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => decimal(out, array, row)?,
        T::List(_) => list(out, &array.as_list::<i32>().value(row))?,
        T::LargeList(_) => list(out, &array.as_list::<i64>().value(row))?,
        T::FixedSizeList(..) => list(out, &array.as_fixed_size_list().value(row))?,
        T::Struct(fields) => {
            let names = fields.iter().map(|field| field.name().as_str());
            object(out, names.zip(array.as_struct().columns().iter().map(|part| (&**part, row))))?;
        }
        T::Map(..) => map(out, &array.as_map().value(row))?,
        T::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let keys = dictionary.normalized_keys();
            json(out, dictionary.values(), keys.get(row).copied().unwrap_or_default())?;
        }
        _ => match text(array, row) {
            Some(text) => serde_json::to_writer(out, text)?,
            None => serde_json::to_writer(out, &formatted(array, row)?)?,
        },
    }
    Ok(())
}

/// The value in a row as CSV: what is missing is empty, an empty text is quoted, what is nested is JSON.
pub(super) fn csv(out: &mut Vec<u8>, array: &dyn Array, row: usize) -> io::Result<()> {
    if array.is_null(row) {
        return Ok(());
    }
    if let Some(text) = text(array, row) {
        quoted(out, text.as_bytes());
        return Ok(());
    }
    let mut value = Vec::new();
    json(&mut value, array, row)?;
    // Days and times are text without anything to escape.
    match value.as_slice() {
        b"null" => {}
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => quoted(out, inner),
        other => quoted(out, other),
    }
    Ok(())
}

/// A field of CSV, in quotes where it needs them.
pub(super) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    let is_plain = !text.is_empty() && !text.iter().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n'));
    if is_plain {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for byte in text {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

fn text(array: &dyn Array, row: usize) -> Option<&str> {
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

fn bytes(array: &dyn Array, row: usize) -> Option<&[u8]> {
    match array.data_type() {
        DataType::Binary => Some(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => Some(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => Some(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Some(array.as_fixed_size_binary().value(row)),
        _ => None,
    }
}

fn formatted(array: &dyn Array, row: usize) -> io::Result<String> {
    if let Some(bytes) = bytes(array, row) {
        return Ok(STANDARD.encode(bytes));
    }
    let options = FormatOptions::new().with_display_error(true);
    let formatter = ArrayFormatter::try_new(array, &options).map_err(io::Error::other)?;
    formatter.value(row).try_to_string().map_err(io::Error::other)
}

fn decimal(out: &mut Vec<u8>, array: &dyn Array, row: usize) -> io::Result<()> {
    let text = formatted(array, row)?;
    let digits = text.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
    if digits <= EXACT_DIGITS {
        out.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    Ok(serde_json::to_writer(out, &text)?)
}

fn list(out: &mut Vec<u8>, items: &dyn Array) -> io::Result<()> {
    out.push(b'[');
    for row in 0..items.len() {
        if row > 0 {
            out.push(b',');
        }
        json(out, items, row)?;
    }
    out.push(b']');
    Ok(())
}

fn object<'a>(out: &mut Vec<u8>, members: impl Iterator<Item = (&'a str, (&'a dyn Array, usize))>) -> io::Result<()> {
    out.push(b'{');
    for (at, (name, (array, row))) in members.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, name)?;
        out.push(b':');
        json(out, array, row)?;
    }
    out.push(b'}');
    Ok(())
}

fn map(out: &mut Vec<u8>, entries: &datafusion::arrow::array::StructArray) -> io::Result<()> {
    let [keys, values] = entries.columns() else { return Err(io::Error::other("a map of another shape")) };
    let names: Vec<String> = (0..entries.len())
        .map(|row| text(keys, row).map_or_else(|| formatted(keys, row), |text| Ok(text.to_owned())))
        .collect::<io::Result<_>>()?;
    object(out, names.iter().enumerate().map(|(row, name)| (name.as_str(), (&**values, row))))
}
