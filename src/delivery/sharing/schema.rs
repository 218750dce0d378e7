//! Columns of a Parquet file as a Delta schema.
//!
//! Source: delta-io/delta, `PROTOCOL.md`, "Schema Serialization Format".

use arrow_schema::{DataType, Field, Fields, Schema, TimeUnit};
use serde_json::{Value, json};

use crate::catalog::profile::convert::ColumnInfo;

/// A Delta schema.
pub(super) fn schema_json(schema: &Schema) -> Value {
    fields_json(schema.fields())
}

/// The columns of a file of some version.
pub(super) type Typed<'a> = (i32, &'a [ColumnInfo]);

/// Digits of a `long`, as readers of Delta count them when they widen one to a decimal.
const LONG_DIGITS: u8 = 20;
/// Digits of the widest decimal.
const DECIMAL_DIGITS_MAX: u8 = 38;

/// A Delta schema as text, with each column of numbers wide enough for those that files of other versions have in it.
///
/// # Errors
/// The name of a column that is of another kind in a file, and the version of that.
pub(super) fn widened(schema: &Value, files: &[Typed<'_>]) -> Result<String, (String, i32)> {
    let mut schema = schema.clone();
    let fields = schema.get_mut("fields").and_then(Value::as_array_mut);
    for field in fields.into_iter().flatten() {
        let name = field.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        for (version, columns) in files {
            let Some(column) = columns.iter().find(|column| column.name == name) else { continue };
            let kind = field.get("type").and_then(|kind| wider(kind, &column.kind));
            field["type"] = kind.ok_or_else(|| (name.clone(), *version))?;
        }
    }
    Ok(schema.to_string())
}

/// The type that holds the values of both.
fn wider(one: &Value, other: &Value) -> Option<Value> {
    if one == other {
        return Some(one.clone());
    }
    let ((whole, scale), (other_whole, other_scale)) = (digits(one)?, digits(other)?);
    let (whole, scale) = (whole.max(other_whole), scale.max(other_scale));
    let digits = whole.checked_add(scale).filter(|digits| *digits <= DECIMAL_DIGITS_MAX)?;
    Some(Value::String(format!("decimal({digits},{scale})")))
}

/// The digits of a number before and after its point.
fn digits(kind: &Value) -> Option<(u8, u8)> {
    let kind = kind.as_str()?;
    if kind == "long" {
        return Some((LONG_DIGITS, 0));
    }
    let (digits, scale) = kind.strip_prefix("decimal(")?.strip_suffix(')')?.split_once(',')?;
    let scale: u8 = scale.parse().ok()?;
    Some((digits.parse::<u8>().ok()?.checked_sub(scale)?, scale))
}

/// True when every column has a type that a reader of Delta takes as it lies in the file.
pub(super) fn is_plain(schema: &Schema) -> bool {
    schema.fields().iter().all(|field| is_plain_type(field.data_type()))
}

fn fields_json(fields: &Fields) -> Value {
    let all: Vec<Value> = fields.iter().map(|field| field_json(field)).collect();
    json!({"type": "struct", "fields": all})
}

fn field_json(field: &Field) -> Value {
    json!({"name": field.name(), "type": type_json(field.data_type()), "nullable": field.is_nullable(), "metadata": {}})
}

/// Unsigned numbers become the next wider signed ones. Times without a zone are `timestamp`, as UTC: `timestamp_ntz` is
/// refused by clients of the Parquet format. Times of day are counts.
fn type_json(kind: &DataType) -> Value {
    let inner = |field: &Field| type_json(field.data_type());
    let word = match kind {
        DataType::Boolean => "boolean",
        DataType::Int8 => "byte",
        DataType::Int16 | DataType::UInt8 => "short",
        DataType::Int32 | DataType::UInt16 | DataType::Time32(_) => "integer",
        DataType::Int64 | DataType::UInt32 | DataType::Time64(_) | DataType::Duration(_) => "long",
        DataType::UInt64 => "decimal(20,0)",
        DataType::Float16 | DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::Decimal32(digits, scale)
        | DataType::Decimal64(digits, scale)
        | DataType::Decimal128(digits, scale)
        | DataType::Decimal256(digits, scale) => return Value::String(format!("decimal({digits},{scale})")),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return json!({"type": "array", "elementType": inner(item), "containsNull": item.is_nullable()});
        }
        DataType::Struct(fields) => return fields_json(fields),
        DataType::Map(entries, _) => return map_json(entries),
        DataType::Binary | DataType::FixedSizeBinary(_) | DataType::LargeBinary | DataType::BinaryView => "binary",
        _ => "string",
    };
    Value::from(word)
}

fn map_json(entries: &Field) -> Value {
    let DataType::Struct(fields) = entries.data_type() else { return Value::from("string") };
    match fields.iter().as_slice() {
        [key, value] => json!({
            "type": "map", "keyType": type_json(key.data_type()), "valueType": type_json(value.data_type()),
            "valueContainsNull": value.is_nullable(),
        }),
        _ => fields_json(fields),
    }
}

fn is_plain_type(kind: &DataType) -> bool {
    match kind {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Timestamp(TimeUnit::Millisecond | TimeUnit::Microsecond, _)
        | DataType::Decimal128(..)
        | DataType::Utf8
        | DataType::Binary => true,
        DataType::List(item) => is_plain_type(item.data_type()),
        DataType::Map(entries, _) => is_plain_type(entries.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_plain_type(field.data_type())),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn field(name: &str, kind: DataType) -> Field {
        Field::new(name, kind, true)
    }

    #[test]
    fn columns_are_written_as_delta_writes_them() {
        let list = DataType::List(Arc::new(field("element", DataType::Utf8)));
        let schema = Schema::new(vec![
            field("PM2.5 (µg/m³)", DataType::Float64),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), false),
            field("price", DataType::Decimal128(10, 2)),
            field("tags", list),
            field("n", DataType::UInt32),
        ]);
        let written = schema_json(&schema);
        let column = |name: &str, kind: Value, nullable: bool| json!({"name": name, "type": kind, "nullable": nullable, "metadata": {}});
        let tags = json!({"type": "array", "elementType": "string", "containsNull": true});
        let fields = [
            column("PM2.5 (µg/m³)", json!("double"), true),
            column("at", json!("timestamp"), false),
            column("price", json!("decimal(10,2)"), true),
            column("tags", tags, true),
            column("n", json!("long"), true),
        ];
        assert_eq!(written, json!({"type": "struct", "fields": fields}));
        assert!(!is_plain(&schema), "an unsigned number");
        assert!(is_plain(&Schema::new(schema.fields().iter().take(4).cloned().collect::<Fields>())));
    }

    #[test]
    fn numbers_of_other_versions_widen_a_column_and_other_kinds_are_named() {
        let schema = schema_json(&Schema::new(vec![field("n", DataType::Int64), field("s", DataType::Utf8)]));
        let columns = |name: &str, kind: &str| -> Vec<ColumnInfo> {
            serde_json::from_value(json!([{"name": name, "type": kind}])).unwrap()
        };
        let told = |all: &[(i32, Vec<ColumnInfo>)]| {
            let typed: Vec<Typed<'_>> = all.iter().map(|(version, columns)| (*version, columns.as_slice())).collect();
            let text = widened(&schema, &typed)?;
            let schema: Value = serde_json::from_str(&text).unwrap();
            Ok(schema["fields"][0]["type"].as_str().unwrap().to_owned())
        };
        assert_eq!(told(&[]), Ok("long".to_owned()));
        assert_eq!(told(&[(1, columns("n", "long")), (2, columns("gone", "date"))]), Ok("long".to_owned()));
        assert_eq!(told(&[(1, columns("n", "decimal(18,2)"))]), Ok("decimal(22,2)".to_owned()));
        let several = [(1, columns("n", "decimal(18,2)")), (2, columns("n", "decimal(38,6)"))];
        assert_eq!(told(&several), Ok("decimal(38,6)".to_owned()));
        assert_eq!(told(&[(4, columns("n", "decimal(38,30)"))]), Err(("n".to_owned(), 4)), "too many digits for any");
        assert_eq!(told(&[(1, columns("s", "string")), (3, columns("n", "string"))]), Err(("n".to_owned(), 3)));
    }
}
