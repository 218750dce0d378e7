//! The columns of a Parquet file as other programs are told of them.

use arrow_schema::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::plan::Written;

/// A column of a Parquet file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnInfo {
    /// Its name, unique in the file.
    pub name: String,
    /// Its type as Delta Lake writes it: `"long"`, `"decimal(18,2)"`, or an object for nested ones.
    ///
    /// Source: delta-io/delta, PROTOCOL.md, "Schema Serialization Format".
    #[serde(rename = "type")]
    pub kind: Value,
    /// The zone of times before they became UTC: an offset, `mixed`, the name of a stated zone, or `unstated`, where the
    /// clock is as it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_zone: Option<String>,
    /// The column that this one keeps the written text of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_of: Option<String>,
    /// It holds JSON.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_json: bool,
    /// It holds WKB in WGS 84.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_geometry: bool,
    /// What its numbers count, where the file had a type of its own for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// The columns of a schema, `geometry` being the one of geometries.
pub(crate) fn columns(schema: &Schema, geometry: Option<&str>) -> Vec<ColumnInfo> {
    let column = |field: &std::sync::Arc<Field>| {
        let written = Written::of(field);
        ColumnInfo {
            name: field.name().clone(),
            kind: delta_type(field.data_type()),
            source_zone: written.source_zone,
            original_of: written.original_of,
            is_json: written.is_json,
            is_geometry: geometry == Some(field.name()),
            unit: written.unit,
        }
    };
    schema.fields().iter().map(column).collect()
}

fn delta_type(kind: &DataType) -> Value {
    let name = match kind {
        DataType::Boolean => "boolean",
        DataType::Int8 => "byte",
        DataType::Int16 => "short",
        DataType::Int32 => "integer",
        DataType::Int64 => "long",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Date32 => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => "binary",
        DataType::Decimal128(digits, scale) => return json!(format!("decimal({digits},{scale})")),
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return json!({"type": "array", "elementType": delta_type(item.data_type()), "containsNull": item.is_nullable()});
        }
        DataType::Struct(fields) => {
            let fields: Vec<Value> = fields
                .iter()
                .map(|field| {
                    let kind = delta_type(field.data_type());
                    json!({"name": field.name(), "type": kind, "nullable": field.is_nullable(), "metadata": {}})
                })
                .collect();
            return json!({"type": "struct", "fields": fields});
        }
        DataType::Map(entries, _) => {
            if let DataType::Struct(pair) = entries.data_type()
                && let [key, value] = &pair[..]
            {
                let (key, nullable) = (delta_type(key.data_type()), value.is_nullable());
                let value = delta_type(value.data_type());
                return json!({"type": "map", "keyType": key, "valueType": value, "valueContainsNull": nullable});
            }
            "string"
        }
        _ => "string",
    };
    json!(name)
}
