//! What a result looks like, in each of its formats.

use std::{io::Cursor, sync::Arc};

use datafusion::arrow::{
    array::{
        Array as _, ArrayRef, AsArray as _, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
        Int64Array, ListArray, RecordBatch, StringArray, StructArray, Time64MicrosecondArray,
        TimestampMicrosecondArray,
    },
    datatypes::{DataType, Field, Int32Type},
    ipc::reader::StreamReader,
};
use serde_json::{Value, json};
use torv_sql::{Class, Format};

use super::Query;

/// Two rows: one with a value of each type, one with none.
fn kinds() -> Vec<(&'static str, ArrayRef)> {
    let decimal = |values: Vec<Option<i128>>, digits, scale| {
        Arc::new(Decimal128Array::from(values).with_precision_and_scale(digits, scale).unwrap()) as ArrayRef
    };
    let at = 1_763_712_000_500_000_i64;
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
    let parts = StructArray::from(vec![(
        Arc::new(Field::new("n", DataType::Int64, true)),
        Arc::new(Int64Array::from(vec![Some(9), None])) as ArrayRef,
    )]);
    vec![
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("n", Arc::new(Int64Array::from(vec![Some(-7), None]))),
        ("price", decimal(vec![Some(1_250), None], 10, 2)),
        ("exact", decimal(vec![Some(12_345_678_901_234_567_890), None], 30, 4)),
        ("share", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN)]))),
        ("text", Arc::new(StringArray::from(vec![Some("a \"b\", 水位\n"), None]))),
        ("empty", Arc::new(StringArray::from(vec![Some(""), None]))),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\x00\x01"[..]), None]))),
        ("day", Arc::new(Date32Array::from(vec![Some(20_000), None]))),
        ("clock", Arc::new(Time64MicrosecondArray::from(vec![Some(3_723_500_000), None]))),
        ("local", Arc::new(TimestampMicrosecondArray::from(vec![Some(at), None]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![Some(at), None]).with_timezone("UTC"))),
        ("list", Arc::new(list)),
        ("part", Arc::new(parts)),
    ]
}

#[test]
fn json_has_every_value_as_its_type_has_it() {
    let result: Value =
        serde_json::from_slice(&Query::new("SELECT * FROM kinds").table("kinds", kinds()).done()).unwrap();
    let types: Vec<&str> =
        result["columns"].as_array().unwrap().iter().map(|column| column["type"].as_str().unwrap()).collect();
    assert_eq!(
        types,
        [
            "boolean",
            "integer",
            "decimal(10,2)",
            "decimal(30,4)",
            "float",
            "text",
            "text",
            "bytes",
            "date",
            "time",
            "timestamp",
            "timestamp with time zone",
            "list",
            "struct",
        ]
    );
    assert_eq!(
        result["rows"][0],
        json!([
            true, -7, 12.5, "1234567890123456.7890", 0.5, "a \"b\", 水位\n", "", "AAE=", "2024-10-04", "01:02:03.500",
            "2025-11-21T08:00:00.500", "2025-11-21T08:00:00.500Z", [1, null], {"n": 9},
        ])
    );
    let mut nothing = vec![Value::Null; 13];
    nothing.push(json!({"n": null}));
    assert_eq!((&result["rows"][1], &result["row_count"]), (&Value::Array(nothing), &json!(2)));
}

#[test]
fn csv_tells_an_empty_text_from_a_missing_one() {
    let bytes = Query::new("SELECT * FROM kinds").table("kinds", kinds()).format(Format::Csv).done();
    let text = String::from_utf8(bytes).unwrap();
    assert_eq!(
        text,
        "flag,n,price,exact,share,text,empty,bytes,day,clock,local,at,list,part\r\n\
        true,-7,12.50,1234567890123456.7890,0.5,\"a \"\"b\"\", 水位\n\",\"\",AAE=,2024-10-04,01:02:03.500,\
        2025-11-21T08:00:00.500,2025-11-21T08:00:00.500Z,\"[1,null]\",\"{\"\"n\"\":9}\"\r\n\
        ,,,,,,,,,,,,,\"{\"\"n\"\":null}\"\r\n"
    );
}

#[test]
fn arrow_has_the_columns_that_were_stored() {
    let bytes = Query::new("SELECT * FROM kinds").table("kinds", kinds()).format(Format::Arrow).done();
    let batches: Vec<RecordBatch> =
        StreamReader::try_new(Cursor::new(bytes), None).unwrap().map(Result::unwrap).collect();
    let expected = RecordBatch::try_from_iter(kinds()).unwrap();
    assert_eq!(batches.len(), 1);
    for (name, column) in kinds().iter().map(|(name, column)| (*name, column)) {
        let read = batches[0].column_by_name(name).unwrap();
        assert_eq!(read.data_type(), column.data_type(), "{name}");
        if name == "share" {
            assert!(read.as_primitive::<datafusion::arrow::datatypes::Float64Type>().value(1).is_nan());
        } else {
            assert_eq!(read.to_data(), expected.column_by_name(name).unwrap().to_data(), "{name}");
        }
    }
}

#[test]
fn a_result_without_rows_has_its_columns() {
    let query = Query::new("SELECT Station, level FROM gauges WHERE level > 100").gauges();
    let result: Value = serde_json::from_slice(&query.done()).unwrap();
    assert_eq!(
        result,
        json!({
            "columns": [{"name": "Station", "type": "text"}, {"name": "level", "type": "integer"}], "rows": [], "row_count": 0,
        })
    );
    let query = query.format(Format::Csv);
    assert_eq!(query.done(), b"Station,level\r\n");
    let bytes = query.format(Format::Arrow).done();
    let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    assert_eq!((reader.schema().fields().len(), reader.count()), (2, 0));
}

#[test]
fn queries_are_answered() {
    for (sql, rows) in [
        ("SELECT Station FROM gauges WHERE level >= 3 ORDER BY level DESC", json!([["Kuzuryu"], ["Asuwa"]])),
        ("select COUNT(*), Sum(level), avg(level) from gauges", json!([[3, 10, 5.0]])),
        ("SELECT a.Station FROM gauges a JOIN gauges b ON a.level = b.level + 4", json!([["Kuzuryu"]])),
        ("SELECT upper(Station) FROM gauges WHERE Station ~ '^A'", json!([["ASUWA"]])),
        ("SELECT date_trunc('day', TIMESTAMP '2026-11-22T10:00:00')", json!([["2026-11-22T00:00:00"]])),
        ("SELECT round(sqrt(2), 3), CASE WHEN true THEN 'x' END", json!([[1.414, "x"]])),
        ("VALUES (1, 'a'), (2, 'b')", json!([[1, "a"], [2, "b"]])),
        ("SELECT CAST('1.10' AS DECIMAL(10,2)) + CAST('2.20' AS DECIMAL(10,2))", json!([[3.3]])),
    ] {
        assert_eq!(Query::new(sql).gauges().rows(), rows, "{sql}");
    }
}

#[test]
fn what_is_wrong_has_a_class_and_a_message_that_helps() {
    for (sql, class, words) in [
        ("SELEC 1", Class::Syntax, "SELEC"),
        ("SELECT 'a", Class::Syntax, "Unterminated"),
        ("", Class::Syntax, ""),
        ("SELECT * FROM lakes", Class::UnknownTable, "'lakes'"),
        ("SELECT station FROM gauges", Class::UnknownColumn, "Station"),
        ("SELECT g.x FROM gauges g", Class::UnknownColumn, "g.level"),
        ("SELECT nonsense(1)", Class::Failed, "nonsense"),
        ("SELECT 1 / (level - 3) FROM gauges", Class::Failed, "zero"),
        ("SELECT CAST(Station AS INT) FROM gauges", Class::Failed, "Asuwa"),
        ("SELECT Station + INTERVAL '1 day' FROM gauges WHERE level", Class::Failed, ""),
    ] {
        let message = Query::new(sql).gauges().refused(class);
        assert!(message.contains(words), "{sql}: {message}");
    }
}
