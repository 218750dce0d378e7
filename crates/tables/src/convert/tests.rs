//! Conversions of whole files.

use std::{fs, io::Read as _, sync::Arc};

use arrow_array::{
    ArrayRef, BinaryArray, DictionaryArray, DurationSecondArray, Int64Array, ListArray, RecordBatch, StringArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt8Array, UInt32Array, UInt64Array,
    types::{Int8Type, UInt8Type},
};
use parquet::{arrow::ArrowWriter, file::metadata::KeyValue};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::tempfile;

use super::{ConvertError, Crs, Options, Table, TextFormat, Watch, from_parquet, to_parquet};

mod stated;

/// A file with these bytes.
fn file_of(bytes: &[u8]) -> fs::File {
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile().expect("a temporary file");
    file.write_all(bytes).and_then(|()| file.rewind()).expect("room");
    file
}

fn try_parquet(name: &str, bytes: &[u8], options: &Options) -> Result<(Table, fs::File), ConvertError> {
    let out = tempfile().expect("a temporary file");
    let source = file_of(bytes);
    let watch = Arc::new(Watch::default());
    let table = to_parquet(&source, name, out.try_clone().expect("a handle"), options, &watch)?;
    let parquet = if table.is_original { source } else { out };
    Ok((table, parquet))
}

fn parquet(name: &str, bytes: impl AsRef<[u8]>) -> (Table, fs::File) {
    try_parquet(name, bytes.as_ref(), &Options::default()).expect("a table")
}

fn text(parquet: &fs::File, format: TextFormat) -> String {
    use std::io::Seek as _;
    let mut out = tempfile().expect("a temporary file");
    let watch = Arc::new(Watch::default());
    let handle = out.try_clone().expect("a handle");
    from_parquet(parquet, format, handle, &Options::default(), &watch).expect("a text");
    let mut written = String::new();
    out.rewind().and_then(|()| out.read_to_string(&mut written)).expect("UTF-8");
    written
}

fn csv(name: &str, bytes: impl AsRef<[u8]>) -> String {
    text(&parquet(name, bytes).1, TextFormat::Csv)
}

fn lines(name: &str, bytes: impl AsRef<[u8]>) -> Vec<Value> {
    let written = text(&parquet(name, bytes).1, TextFormat::JsonLines);
    written.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn types(table: &Table) -> Vec<(String, String)> {
    table
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.kind.as_str().unwrap_or("nested").to_owned()))
        .collect()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
}

#[test]
fn each_column_gets_the_type_that_holds_it_exactly() {
    let source = "id,code,level,price,open,day,at,zoned,note\n\
                  1,0012,1.5,10.50,true,2021-08-14,2021-08-14T08:40,2021-08-14T08:40:00+09:00,a\n\
                  2,0013,2.25,9.00,false,2021-08-15,2021-08-14T08:50,2021-08-14T08:50:00+09:00,\"b, c\"\n";
    let (table, parquet) = parquet("a.csv", source);
    let expected = [
        ("id", "long"),
        ("code", "string"),
        ("level", "decimal(18,2)"),
        ("price", "decimal(18,2)"),
        ("open", "boolean"),
        ("day", "date"),
        ("at", "timestamp"),
        ("zoned", "timestamp"),
        ("note", "string"),
    ];
    assert_eq!(types(&table), pairs(&expected));
    assert_eq!(table.rows, 2);
    assert_eq!(table.columns[6].source_zone.as_deref(), Some("unstated"));
    assert_eq!(table.columns[7].source_zone.as_deref(), Some("+09:00"));
    assert_eq!(table.original_is, Some(TextFormat::Csv));
    assert_eq!(text(&parquet, TextFormat::Csv), source);
    assert_eq!(
        lines("a.csv", source)[0],
        json!({"id": 1, "code": "0012", "level": 1.5, "price": 10.50, "open": true, "day": "2021-08-14",
               "at": "2021-08-14T08:40", "zoned": "2021-08-14T08:40:00+09:00", "note": "a"})
    );
}

#[test]
fn what_normalising_changes_is_kept_beside() {
    let written = csv("a.csv", "年,日,値,欠\n令和7年,民國114年3月5日,１２．５,1\n平成31年,令和元年5月1日,3,---\n");
    assert_eq!(
        written,
        "年,年_original,日,日_original,値,値_original,欠,欠_original\n\
         2025,令和7年,2025-03-05,民國114年3月5日,12.5,１２．５,1,1\n\
         2019,平成31年,2019-05-01,令和元年5月1日,3,3,,---\n"
    );
}

#[test]
fn a_danish_table_becomes_a_plain_one() {
    let (table, parquet) = parquet("a.csv", encoding_rs::WINDOWS_1252.encode(DANISH).0);
    assert_eq!(table.original_is, None);
    assert_eq!(text(&parquet, TextFormat::Csv), DANISH.replace(',', ".").replace(';', ","));
}

const DANISH: &str =
    "sted;pris\nGrønne æbler på øen;1,50\nBlåbærgrød fra Århus;2,25\nRugbrød fra hjørnet af Nørregade;3,00\n";

#[test]
fn numbers_no_type_holds_stay_text_and_long_ones_stay_exact() {
    let long = "9".repeat(30);
    let source = format!("a,b,c\n{long},1e-7,{}\n1,2.5,1\n", "1".repeat(60));
    let (table, parquet) = parquet("a.csv", &source);
    assert_eq!(types(&table), pairs(&[("a", "decimal(38,0)"), ("b", "double"), ("c", "string")]));
    assert_eq!(text(&parquet, TextFormat::Csv), source);
}

#[test]
fn json_keeps_nested_values_and_mixed_ones() {
    let source =
        "{\"a\":1,\"b\":[1,2],\"c\":\"x\",\"d\":null}\n{\"a\":2,\"b\":{\"k\":1.0},\"c\":3,\"e\":\"\\u2028\"}\n";
    let (table, parquet) = parquet("a.jsonl", source);
    assert_eq!(table.original_is, Some(TextFormat::JsonLines));
    let written = text(&parquet, TextFormat::JsonLines);
    assert!(!written.contains('\u{2028}'), "{written}");
    let rows: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(rows[0], json!({"a": 1, "b": [1, 2], "c": "x", "d": null, "e": null}));
    assert_eq!(rows[1], json!({"a": 2, "b": {"k": 1.0}, "c": 3, "d": null, "e": "\u{2028}"}));
}

#[test]
fn a_document_of_records_is_a_table() {
    let rows = lines("a.json", r#"{"result":{"records":[{"站":"大安","n":1},{"站":"中山","n":2}]}}"#);
    assert_eq!(rows, [json!({"站": "大安", "n": 1}), json!({"站": "中山", "n": 2})]);
}

/// Expected values by PROJ 9 (pyproj 3.7, `Transformer.from_crs(code, 4326, always_xy=True)`).
#[test]
fn coordinates_become_wgs84() {
    for (code, x, y, longitude, latitude) in PROJ {
        let source = format!("id,wkt\n1,SRID={code};POINT({x} {y})\n");
        let (table, parquet) = parquet("a.csv", &source);
        assert_eq!(table.crs.as_deref(), Some(format!("EPSG:{code}").as_str()));
        let document: Value = serde_json::from_str(&text(&parquet, TextFormat::GeoJson)).expect("JSON");
        let at = &document["features"][0]["geometry"]["coordinates"];
        let near =
            |value: &Value, expected: f64| (value.as_f64().unwrap_or(f64::NAN) - expected).abs() < TOLERANCE_DEGREES;
        assert!(near(&at[0], longitude) && near(&at[1], latitude), "{code}: {at} is not {longitude}, {latitude}");
    }
}

/// A centimetre.
const TOLERANCE_DEGREES: f64 = 1e-7;

include!("tests_proj.rs");

#[test]
fn points_come_from_columns_of_angles_and_of_metres() {
    let (table, parquet_file) = parquet("a.csv", "名,緯度,經度\n北,25.03,121.5\n無,0,0\n空,,\n");
    assert_eq!(table.crs.as_deref(), Some("EPSG:4326"));
    assert!(table.columns.last().is_some_and(|column| column.is_geometry && column.name == "geometry"));
    let document: Value = serde_json::from_str(&text(&parquet_file, TextFormat::GeoJson)).expect("JSON");
    assert_eq!(document["features"][0]["geometry"], json!({"type": "Point", "coordinates": [121.5, 25.03]}));
    assert_eq!(document["features"][1]["geometry"], Value::Null);
    assert_eq!(document["features"][2]["properties"], json!({"名": "空", "緯度": null, "經度": null}));
    let (table, _) = parquet("a.csv", "id,TWD97_X,TWD97_Y\n1,302000,2770000\n");
    assert_eq!(table.crs.as_deref(), Some("EPSG:3826"));
    let (table, _) = parquet("a.csv", "id,x,y\n1,302000,2770000\n");
    assert_eq!(table.crs, None, "nobody says what x and y are");
    let said = Options { crs: Crs::of_code(3826), ..Options::default() };
    let (table, _) = try_parquet("a.csv", b"id,x,y\n1,302000,2770000\n", &said).expect("a table");
    assert_eq!(table.crs.as_deref(), Some("EPSG:3826"));
}

#[test]
fn a_geojson_document_becomes_geoparquet_and_comes_back() {
    let source = r#"{"type":"FeatureCollection","features":[
        {"type":"Feature","geometry":{"type":"LineString","coordinates":[[10.1,56.2],[10.2,56.3]]},"properties":{"n":1}},
        {"type":"Feature","geometry":null,"properties":{"n":2}}]}"#;
    let (table, parquet) = parquet("a.geojson", source);
    assert_eq!((table.crs.as_deref(), table.original_is), (Some("EPSG:4326"), Some(TextFormat::GeoJson)));
    let again: Value = serde_json::from_str(&text(&parquet, TextFormat::GeoJson)).expect("JSON");
    assert_eq!(again, serde_json::from_str::<Value>(source).expect("JSON"));
    assert_eq!(text(&parquet, TextFormat::Csv), "geometry,n\n\"LINESTRING (10.1 56.2, 10.2 56.3)\",1\n,2\n");
    let old = source.replacen(
        "\"features\"",
        r#""crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::25832"}},"features""#,
        1,
    );
    let old = old.replace("10.1,56.2", "574000,6222000").replace("10.2,56.3", "575000,6222000");
    let (table, _) = self::parquet("a.geojson", old);
    assert_eq!((table.crs.as_deref(), table.original_is), (Some("EPSG:25832"), None));
}

#[test]
fn what_is_no_table_is_refused_in_words() {
    for (name, bytes) in [
        ("a.csv", &b"%PDF-1.7"[..]),
        ("a.json", b"nothing"),
        ("a.jsonl", b"{\"a\":1}\n{\"a\":"),
        ("a.parquet", b"PAR1PAR1"),
    ] {
        match try_parquet(name, bytes, &Options::default()) {
            Err(ConvertError::Unfit { reason }) => assert!(!reason.is_empty()),
            other => panic!("{name}: {other:?}"),
        }
    }
    let wide = format!("{}\n", (0..3_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",x"));
    assert!(matches!(try_parquet("a.csv", wide.as_bytes(), &Options::default()), Err(ConvertError::Unfit { .. })));
}

#[test]
fn a_field_too_many_gets_a_column_of_its_own() {
    assert_eq!(csv("a.csv", "a,b\n1,2\n3,4,5\n6,7\n"), "a,b,column_3\n1,2,\n3,4,5\n6,7,\n");
}

#[test]
fn a_conversion_stops_when_it_is_asked_to() {
    let watch = Arc::new(Watch::default());
    watch.stop();
    let out = tempfile().expect("a temporary file");
    let stopped = to_parquet(&file_of(b"a,b\n1,2\n"), "a.csv", out, &Options::default(), &watch);
    assert!(matches!(stopped, Err(ConvertError::Stopped)));
}

/// A Parquet file of these columns, as a provider's program writes it.
fn parquet_of(columns: Vec<(&str, ArrayRef)>, geo: Option<Value>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .expect("a batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("memory");
    if let Some(geo) = geo {
        writer.append_key_value_metadata(KeyValue::new("geo".to_owned(), geo.to_string()));
    }
    writer.into_inner().expect("memory")
}

#[test]
fn parquet_with_types_every_reader_has_is_its_own_rendition() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![Some(1), None]))),
        ("s", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("t", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000]).with_timezone("UTC"))),
    ];
    let (table, file) = parquet("a.parquet", parquet_of(columns, None));
    assert!(table.is_original);
    assert_eq!(types(&table), pairs(&[("n", "long"), ("s", "string"), ("t", "timestamp")]));
    let expected = "n,s,t\n1,a,1970-01-01T00:00:00Z\n,b,1970-01-01T00:00:01.500Z\n";
    assert_eq!(text(&file, TextFormat::Csv), expected);
}

#[test]
fn parquet_with_other_types_is_rewritten_without_loss() {
    let list = ListArray::from_iter_primitive::<UInt8Type, _, _>([Some(vec![Some(200), None]), None]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("u32", Arc::new(UInt32Array::from(vec![u32::MAX, 0]))),
        ("u64", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("local", Arc::new(TimestampNanosecondArray::from(vec![1_000, 2_000]))),
        ("fine", Arc::new(TimestampNanosecondArray::from(vec![1, 2_000]))),
        ("clock", Arc::new(Time64MicrosecondArray::from(vec![3_600_000_000, 1]))),
        ("lasted", Arc::new(DurationSecondArray::from(vec![90, 0]))),
        ("list", Arc::new(list)),
        ("word", Arc::new(DictionaryArray::<Int8Type>::from_iter(["a", "a"]))),
    ];
    let (table, file) = parquet("a.parquet", parquet_of(columns, None));
    assert!(!table.is_original);
    let expected = [
        ("u32", "long"),
        ("u64", "decimal(20,0)"),
        ("local", "timestamp"),
        ("fine", "timestamp"),
        ("fine_original", "string"),
        ("clock", "string"),
        ("lasted", "long"),
        ("list", "nested"),
        ("word", "string"),
    ];
    assert_eq!(types(&table), pairs(&expected));
    assert_eq!(table.columns[6].unit.as_deref(), Some("seconds"));
    assert_eq!(table.columns[2].source_zone.as_deref(), Some("unstated"));
    let row: Value =
        serde_json::from_str(text(&file, TextFormat::JsonLines).lines().next().expect("a row")).expect("JSON");
    let (u64_max, list) = (row["u64"].to_string(), &row["list"]);
    assert_eq!((u64_max.as_str(), list), ("18446744073709551615", &json!([200, null])));
    assert_eq!(row["local"], "1970-01-01T00:00:00.000001");
    assert_eq!(row["fine_original"], "1970-01-01T00:00:00.000000001");
    assert_eq!((&row["clock"], &row["lasted"], &row["word"]), (&json!("01:00:00"), &json!(90), &json!("a")));
}

#[test]
fn geoparquet_in_another_system_is_reprojected() {
    let mut wkb = Vec::new();
    super::geometry::Geometry::of_json(r#"{"type":"Point","coordinates":[302000,2770000]}"#)
        .expect("a point")
        .write_wkb(&mut wkb);
    let geo = json!({"version": "1.1.0", "primary_column": "g", "columns": {"g": {"encoding": "WKB",
        "geometry_types": ["Point"], "crs": {"type": "ProjectedCRS", "id": {"authority": "EPSG", "code": 3826}}}}});
    let column: Vec<(&str, ArrayRef)> = vec![("g", Arc::new(BinaryArray::from(vec![Some(wkb.as_slice()), None])))];
    let (table, file) = parquet("a.parquet", parquet_of(column, Some(geo)));
    assert_eq!((table.crs.as_deref(), table.is_original), (Some("EPSG:3826"), false));
    let document: Value = serde_json::from_str(&text(&file, TextFormat::GeoJson)).expect("JSON");
    let at = &document["features"][0]["geometry"]["coordinates"];
    assert!((at[0].as_f64().unwrap_or(0.0) - 121.515_308_434_6).abs() < TOLERANCE_DEGREES, "{at}");
    assert_eq!(document["features"][1]["geometry"], Value::Null);
}

#[test]
fn a_small_file_that_decodes_to_very_much_stays_small_in_memory() {
    let long = "x".repeat(1 << 20);
    let values = DictionaryArray::<Int8Type>::from_iter(std::iter::repeat_n(long.as_str(), 2_000));
    let clock: ArrayRef = Arc::new(UInt8Array::from(vec![0; 2_000]));
    let bytes = parquet_of(vec![("v", Arc::new(values)), ("u", clock)], None);
    assert!(bytes.len() < 2 << 20);
    let bounded = Options { output_bytes_max: 64 << 20, ..Options::default() };
    let (table, file) = try_parquet("a.parquet", &bytes, &bounded).expect("views hold the value once");
    assert_eq!(table.rows, 2_000);
    let (out, watch) = (tempfile().expect("a temporary file"), Arc::new(Watch::default()));
    let refused = from_parquet(&file, TextFormat::Csv, out, &bounded, &watch);
    assert!(matches!(refused, Err(ConvertError::Unfit { .. })), "two gigabytes of text: {refused:?}");
}

/// Cells as they come: numbers, codes, dates, eras, wide digits, flags, placeholders, blanks and prose.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,5}",
        "-?[0-9]{1,3}\\.[0-9]{1,4}",
        "[+-]?0?[0-9]{1,2}(e-?[0-9])?",
        "[0-9]{1,3},[0-9]{3}",
        "20[0-9]{2}-0[1-9]-1[0-9]",
        "20[0-9]{2}/[1-9]/1[0-9]",
        "20[0-9]{2}-0[1-9]-1[0-9][T ]1[0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,9})?)?(Z|[+]0[0-9]:?[03]0)?",
        "(令和|平成|民國)[1-9]年([1-9]月([1-9]日)?)?",
        "[０-９]{1,4}(．[０-９])?",
        "(true|FALSE|True)",
        "(-|NA|---| |)",
        "[a-zA-Z \"',;\n東京]{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the cells hold, each text comes back: as the value's text, or from the column beside it.
    #[test]
    fn every_text_survives_the_way_through_parquet(
        rows in (1_usize..4).prop_flat_map(|width| {
            proptest::collection::vec(proptest::collection::vec(cell(), width), 1..8)
        }),
    ) {
        let width = rows[0].len();
        let mut writer = csv::WriterBuilder::new().quote_style(csv::QuoteStyle::Always).from_writer(Vec::new());
        writer.write_record((0..width).map(|at| format!("name {at}"))).expect("memory");
        rows.iter().for_each(|row| writer.write_record(row).expect("memory"));
        let source = writer.into_inner().expect("memory");
        prop_assume!(!source.starts_with(b"sep="));
        let written = csv("a.csv", &source);
        let mut reader = csv::Reader::from_reader(written.as_bytes());
        let names = reader.headers().expect("a header").clone();
        let again: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows");
        // The dialect is guessed: where it was taken for another one, there is nothing to compare.
        prop_assume!(names.iter().any(|name| name == "name 0") && again.len() == rows.len());
        for (row, record) in rows.iter().zip(&again) {
            for (at, text) in row.iter().enumerate() {
                let name = format!("name {at}");
                let kept = names.iter().position(|other| *other == format!("{name}_original"));
                let column = kept.or_else(|| names.iter().position(|other| *other == name)).expect("the column");
                prop_assert_eq!(record.get(column), Some(text.as_str()), "{} of {}", name, written);
            }
        }
    }
}
