//! The types of columns, in words.

use arrow_schema::DataType;

/// What a column holds, in a word or two.
pub fn type_word(kind: &DataType) -> String {
    use DataType as T;
    match kind {
        T::Null => "null",
        T::Boolean => "boolean",
        T::Int8 | T::Int16 | T::Int32 | T::Int64 | T::UInt8 | T::UInt16 | T::UInt32 | T::UInt64 => "integer",
        T::Float16 | T::Float32 | T::Float64 => "float",
        T::Utf8 | T::LargeUtf8 | T::Utf8View => "text",
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "bytes",
        T::Date32 | T::Date64 => "date",
        T::Time32(_) | T::Time64(_) => "time",
        T::Timestamp(_, None) => "timestamp",
        T::Timestamp(_, Some(_)) => "timestamp with time zone",
        T::Duration(_) | T::Interval(_) => "interval",
        T::List(_) | T::LargeList(_) | T::FixedSizeList(..) | T::ListView(_) | T::LargeListView(_) => "list",
        T::Struct(_) => "struct",
        T::Map(..) => "map",
        T::Dictionary(_, values) => return type_word(values),
        T::Decimal32(digits, scale)
        | T::Decimal64(digits, scale)
        | T::Decimal128(digits, scale)
        | T::Decimal256(digits, scale) => return format!("decimal({digits},{scale})"),
        T::Union(..) | T::RunEndEncoded(..) => "other",
    }
    .to_owned()
}
