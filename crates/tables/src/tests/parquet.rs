use std::sync::Arc;

use ::parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding, GzipLevel, ZstdLevel},
    file::{metadata::KeyValue, properties::WriterProperties},
};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray, types::Int32Type,
};
use proptest::prelude::*;
use serde_json::json;

use super::{names, profile, range, refusal, try_profile};
use crate::{ColumnType, Format, ProfileError, ProfileLimits};

const MICROS_2021_08_14: i64 = 1_628_899_200_000_000;

fn batch() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("station", Arc::new(StringArray::from(vec![Some("九十九橋"), None, Some("河増")]))),
        ("count", Arc::new(Int64Array::from(vec![9, 10, 100]))),
        ("level", Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN), Some(-2.0)]))),
        ("open", Arc::new(BooleanArray::from(vec![true, false, true]))),
        ("day", Arc::new(Date32Array::from(vec![18_853, 18_854, 18_855]))),
        ("at", Arc::new(TimestampMicrosecondArray::from(vec![MICROS_2021_08_14; 3]).with_timezone("UTC"))),
        ("local", Arc::new(TimestampNanosecondArray::from(vec![MICROS_2021_08_14 * 1_000 + 1; 3]))),
        ("price", Arc::new(Decimal128Array::from(vec![-5, 12_345, 0]).with_precision_and_scale(10, 2).unwrap())),
        ("lat", Arc::new(Float64Array::from(vec![36.06, 36.07, 36.08]))),
        ("lon", Arc::new(Float64Array::from(vec![136.2, 136.1, 136.3]))),
        (
            "tags",
            Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
                Some(vec![Some(1), None]),
                None,
                Some(vec![]),
            ])),
        ),
        ("geometry", Arc::new(BinaryArray::from(vec![&b"\x01\x01\0\0\0"[..], b"\x01\x02\0\0\0", b"\x01\x01\0\0\0"]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn written(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn file(compression: Compression) -> Vec<u8> {
    let geo = r#"{"version":"1.1.0","columns":{"geometry":{"encoding":"WKB","bbox":[136.0,36.0,136.5,36.5]}}}"#;
    let geo = KeyValue::new("geo".to_owned(), geo.to_owned());
    let properties = WriterProperties::builder().set_compression(compression).set_key_value_metadata(Some(vec![geo]));
    written(&batch(), properties.build())
}

#[test]
fn every_codec_gives_the_same_profile_of_the_schema_and_values() {
    let plain = profile("a.parquet", file(Compression::UNCOMPRESSED));
    for compression in
        [Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default()), Compression::GZIP(GzipLevel::default())]
    {
        assert_eq!(profile("a.parquet", file(compression)).columns, plain.columns);
    }
    assert_eq!((plain.format, plain.row_count, plain.encoding.as_deref()), (Format::Parquet, 3, None));
    let column = |name: &str| plain.columns.iter().find(|column| column.name == name).expect("the column");
    for (name, kind, nulls, min, max) in [
        ("station", ColumnType::Text, 1, "九十九橋", "河増"),
        ("count", ColumnType::Integer, 0, "9", "100"),
        ("level", ColumnType::Decimal, 1, "-2", "1.5"),
        ("open", ColumnType::Boolean, 0, "false", "true"),
        ("day", ColumnType::Date, 0, "2021-08-14", "2021-08-16"),
        ("at", ColumnType::DateTime, 0, "2021-08-14T00:00:00Z", "2021-08-14T00:00:00Z"),
        ("local", ColumnType::DateTime, 0, "2021-08-14T00:00:00.000000001", "2021-08-14T00:00:00.000000001"),
        ("price", ColumnType::Decimal, 0, "-0.05", "123.45"),
        ("tags", ColumnType::Json, 1, "none", "none"),
        ("geometry", ColumnType::Geometry, 0, "none", "none"),
    ] {
        let found = column(name);
        assert_eq!((found.kind, found.null_count, range(found)), (kind, nulls, (min, max)), "{name}");
    }
    assert_eq!(plain.sample[0][10], json!([1, null]));
    let extent = plain.extent.expect("an extent");
    assert_eq!(extent.bbox, Some([136.0, 36.0, 136.5, 36.5]));
    assert_eq!(extent.place_columns, ["geometry", "lat", "lon"]);
}

#[test]
fn a_file_without_rows_still_has_its_columns() {
    let found = profile("a.parquet", written(&batch().slice(0, 0), WriterProperties::new()));
    assert_eq!((found.row_count, found.columns.len(), found.columns[1].kind), (0, 12, ColumnType::Integer));
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bytes = file(Compression::SNAPPY);
    for end in (4..bytes.len()).step_by(7) {
        let reason = refusal("a.parquet", &bytes[..end]);
        assert!(reason.contains("Parquet"), "{end}: {reason}");
    }
}

#[test]
fn more_columns_than_the_limit_are_left_out() {
    let limits = ProfileLimits { max_columns: 3, ..ProfileLimits::default() };
    let found = try_profile("a.parquet", &file(Compression::SNAPPY), &limits).expect("a profile");
    assert_eq!((names(&found), found.row_count), (vec!["station", "count", "level"], 3));
    assert!(found.warnings.iter().any(|warning| warning.contains("only the first 3 columns")), "{:?}", found.warnings);
}

#[test]
fn a_page_that_decodes_to_too_much_is_refused_unread() {
    let zeros: ArrayRef = Arc::new(StringArray::from(vec!["0".repeat(3 << 20)]));
    let batch = RecordBatch::try_from_iter([("zeros", zeros)]).unwrap();
    for compression in [Compression::ZSTD(ZstdLevel::default()), Compression::GZIP(GzipLevel::default())] {
        let properties = WriterProperties::builder().set_compression(compression).build();
        let bytes = written(&batch, properties);
        assert!(bytes.len() < 20_000);
        let limits = ProfileLimits { max_page_bytes: 1 << 20, ..ProfileLimits::default() };
        let error = try_profile("a.parquet", &bytes, &limits).expect_err("a refusal").to_string();
        assert!(error.contains("at most 1048576 are read"), "{error}");
        let limits = ProfileLimits { max_decoded_bytes: 1 << 20, ..ProfileLimits::default() };
        let error = try_profile("a.parquet", &bytes, &limits).expect_err("a refusal").to_string();
        assert!(error.contains("decodes to more than 1048576 bytes"), "{error}");
    }
}

#[test]
fn a_value_repeated_by_a_dictionary_does_not_keep_the_reader_for_ever() {
    let long = "x".repeat(100_000);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![long.as_str(); 1_000]));
    let bytes = written(&RecordBatch::try_from_iter([("t", texts)]).unwrap(), WriterProperties::new());
    assert!(bytes.len() < 1_000_000);
    let limits = ProfileLimits { max_decoded_bytes: 5_000_000, ..ProfileLimits::default() };
    let found = try_profile("a.parquet", &bytes, &limits).expect("a profile");
    assert!(found.truncated && found.row_count < 60, "{}", found.row_count);
}

#[test]
fn a_nested_column_of_too_many_values_is_listed_without_figures() {
    let limits = ProfileLimits { max_values_at_once: 2, ..ProfileLimits::default() };
    let tags: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1); 10]), Some(vec![Some(2)])]));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let properties = WriterProperties::builder().set_dictionary_enabled(false).build();
    let bytes = written(&RecordBatch::try_from_iter([("tags", tags), ("id", ids)]).unwrap(), properties);
    let found = try_profile("a.parquet", &bytes, &limits).expect("a profile");
    assert_eq!((found.row_count, range(&found.columns[1])), (2, ("1", "2")));
    assert!(found.warnings.iter().any(|warning| warning.contains("nests too many values")), "{:?}", found.warnings);
}

#[test]
fn texts_in_a_delta_encoding_are_listed_without_figures() {
    let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    let properties = WriterProperties::builder().set_dictionary_enabled(false).set_encoding(Encoding::DELTA_BYTE_ARRAY);
    let found = profile("a.parquet", written(&RecordBatch::try_from_iter([("n", names)]).unwrap(), properties.build()));
    assert_eq!((found.row_count, found.columns[0].kind), (2, ColumnType::Text));
    assert!(found.warnings[0].contains("delta encoding"), "{:?}", found.warnings);
}

#[test]
fn columns_that_are_too_large_together_are_listed_without_figures() {
    let column = || -> ArrayRef { Arc::new(StringArray::from(vec!["x".repeat(600_000)])) };
    let batch = RecordBatch::try_from_iter([("a", column()), ("b", column()), ("c", column())]).unwrap();
    let limits = ProfileLimits { max_held_bytes: 2 << 20, ..ProfileLimits::default() };
    let bytes = written(&batch, WriterProperties::builder().set_dictionary_enabled(false).build());
    let found = try_profile("a.parquet", &bytes, &limits).expect("a profile");
    assert_eq!(found.columns.iter().map(|column| column.unread).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(found.columns.iter().map(|column| column.distinct).collect::<Vec<_>>(), [1, 0, 0]);
}

#[test]
fn a_footer_that_nests_without_end_is_refused_before_it_is_followed() {
    // Field 2 of the footer: a list of a hundred thousand nodes, each with one child and no name.
    let mut footer = vec![0x15, 0x02, 0x19, 0xFC];
    footer.extend([0xA0, 0x8D, 0x06]);
    footer.extend([0x55, 0x02, 0x00].repeat(100_000));
    footer.extend([0x16, 0x00, 0x19, 0x0C, 0x00]);
    let mut bytes = b"PAR1".to_vec();
    let length = u32::try_from(footer.len()).unwrap();
    bytes.extend(footer);
    bytes.extend(length.to_le_bytes());
    bytes.extend(b"PAR1");
    assert!(refusal("a.parquet", &bytes).contains("nested too deeply"));
    let claim = [&b"PAR1"[..], &[0; 8], &[0xFF; 4], b"PAR1"].concat();
    assert!(refusal("a.parquet", claim).contains("claims 4294967295 bytes"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_file_is_refused_or_profiled_but_never_fatal(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        codec in prop::sample::select(vec![Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(GzipLevel::default())]),
    ) {
        let mut bytes = file(codec);
        for (at, byte) in damage {
            let at = 4 + at.index(bytes.len() - 8);
            bytes[at] = byte;
        }
        let outcome = try_profile("a.parquet", &bytes, &ProfileLimits::default());
        prop_assert!(!matches!(outcome, Err(ProfileError::Io(_))));
    }
}
