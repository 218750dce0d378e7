use std::collections::HashSet;

use encoding_rs::{BIG5, EUC_JP, Encoding, SHIFT_JIS, WINDOWS_1252};
use proptest::prelude::*;
use serde_json::json;

use super::{names, profile, range, refusal, try_profile};
use crate::{ColumnType, Format, ProfileLimits, report::TopValue};

const TAIPEI: &str = "站名,行政區,緯度,經度,更新日期\n捷運科技大樓站,大安區,25.02605,121.5436,2024-03-22\n\
    復興南路二段,大安區,25.02565,121.54357,2024-03-23\n臺北車站,中正區,25.0478,121.517,2024-03-21\n";
const SHIZUOKA: &str = "観測所名,河川名,水位,日時\n九十九橋,足羽川,1.48,2021/08/14 08:40\n河増,荒川,---,2021/08/14 08:50\n\
    下江守,江端川,0.29,2021/08/14 24:00\n";
const AARHUS: &str = "Vejnavn;Længde;Åbnet\nPaludan Müllers Vej;810,5;22-03-2024\nØstre Allé;60,25;23-03-2024\n";

fn encoded(text: &str, encoding: &'static Encoding) -> Vec<u8> {
    let (bytes, _, failed) = encoding.encode(text);
    assert!(!failed, "the fixture exists in {}", encoding.name());
    bytes.into_owned()
}

fn utf16_le_with_mark(text: &str) -> Vec<u8> {
    "\u{FEFF}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn the_encodings_of_asian_and_european_cities_are_recognised() {
    for (text, encoding) in [(TAIPEI, BIG5), (SHIZUOKA, SHIFT_JIS), (SHIZUOKA, EUC_JP), (AARHUS, WINDOWS_1252)] {
        let plain = profile("data.csv", text);
        let found = profile("data.csv", encoded(text, encoding));
        assert_eq!(found.encoding.as_deref(), Some(encoding.name()));
        assert_eq!((&found.columns, &found.sample), (&plain.columns, &plain.sample), "{}", encoding.name());
        assert!(found.warnings.iter().all(|warning| !warning.contains("characters")));
    }
}

#[test]
fn a_byte_order_mark_is_seen_and_is_no_part_of_the_first_name() {
    let utf8 = profile("data.csv", format!("\u{FEFF}{TAIPEI}"));
    let utf16 = profile("data.csv", utf16_le_with_mark(TAIPEI));
    for (found, encoding) in [(utf8, "UTF-8"), (utf16, "UTF-16LE")] {
        assert_eq!((found.encoding.as_deref(), found.had_bom), (Some(encoding), true));
        assert_eq!(found.columns[0].name, "站名");
        assert_eq!(found.row_count, 3);
    }
}

#[test]
fn utf16_without_a_mark_is_recognised_too() {
    let bytes: Vec<u8> = "name,count\nx,1\ny,2\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let found = profile("data.csv", bytes);
    assert_eq!((found.encoding.as_deref(), found.row_count), (Some("UTF-16BE"), 2));
}

#[test]
fn coordinates_and_days_give_the_extent() {
    let extent = profile("stations.csv", TAIPEI).extent.expect("an extent");
    assert_eq!(extent.bbox, Some([121.517, 25.02565, 121.5436, 25.0478]));
    assert_eq!(extent.place_columns, ["緯度", "經度"]);
    assert_eq!((extent.from.as_deref(), extent.to.as_deref()), (Some("2024-03-21"), Some("2024-03-23")));
}

#[test]
fn a_placeholder_among_numbers_is_a_missing_value() {
    let found = profile("river.csv", SHIZUOKA);
    let level = &found.columns[2];
    assert_eq!((level.kind, level.null_count, level.distinct), (ColumnType::Decimal, 1, 2));
    assert_eq!(range(level), ("0.29", "1.48"));
    assert_eq!(found.columns[3].kind, ColumnType::DateTime);
    assert_eq!(range(&found.columns[3]), ("2021-08-14T08:40:00", "2021-08-15T00:00:00"));
}

#[test]
fn semicolons_make_the_comma_a_decimal_mark() {
    let found = profile("veje.csv", AARHUS);
    assert_eq!(found.csv.map(|dialect| dialect.delimiter), Some(';'));
    assert_eq!(range(&found.columns[1]), ("60.25", "810.5"));
    assert_eq!(range(&found.columns[2]), ("2024-03-22", "2024-03-23"));
}

#[test]
fn blanks_separate_when_every_line_agrees() {
    let found =
        profile("site.txt", "station area Latitude Longitude\n公館 大安區 25.02 121.54\n士林 士林區 25.09 121.52\n");
    assert_eq!(names(&found), ["station", "area", "Latitude", "Longitude"]);
    assert_eq!(found.extent.and_then(|extent| extent.bbox), Some([121.52, 25.02, 121.54, 25.09]));
}

#[test]
fn numbers_are_ordered_as_numbers_and_codes_as_text() {
    let found = profile("a.csv", "n,code,views,flag\n10,01,\"7,472\",TRUE\n9,02,\"1,099\",false\n100,10,36,True\n");
    assert_eq!(
        found.columns.iter().map(|column| column.kind).collect::<Vec<_>>(),
        [ColumnType::Integer, ColumnType::Text, ColumnType::Integer, ColumnType::Boolean]
    );
    assert_eq!(range(&found.columns[0]), ("9", "100"));
    assert_eq!(range(&found.columns[1]), ("01", "10"));
    assert_eq!(range(&found.columns[2]), ("36", "7472"));
    assert_eq!(range(&found.columns[3]), ("false", "true"));
}

#[test]
fn compact_days_are_days_when_the_name_says_so() {
    let found = profile("calendar.csv", "service,start_date,number\nw,20171117,20171117\nh,20061201,20061201\n");
    assert_eq!((found.columns[1].kind, found.columns[2].kind), (ColumnType::Date, ColumnType::Integer));
    assert_eq!(range(&found.columns[1]), ("2006-12-01", "2017-11-17"));
}

#[test]
fn a_quoted_field_may_hold_delimiters_and_line_breaks() {
    let found = profile("notes.csv", "id,note\r\n1,\"first, with\r\na second line\"\r\n2,\"say \"\"hi\"\"\"\r\n");
    assert_eq!(found.row_count, 2);
    assert_eq!(found.sample, [[json!("1"), json!("first, with\r\na second line")], [json!("2"), json!("say \"hi\"")]]);
}

#[test]
fn a_few_ragged_rows_are_a_warning_and_many_a_refusal() {
    let found = profile("a.csv", "a,b,c\n1,2,3\n4,5\n6,7,8\n9,10,11\n12,13,14,\n");
    assert_eq!((found.row_count, found.columns[2].null_count), (5, 1));
    assert!(found.warnings[0].contains("row 2 (line 3) has 2 fields, the header has 3"), "{:?}", found.warnings);
    let reason = refusal("a.csv", "a,b,c,d,e,f\n1,2,3,4,5\n1,2,3,4,5\n1,2,3,4\n");
    assert!(reason.starts_with("row 1 (line 2) has 5 fields, the header has 6"), "{reason}");
}

#[test]
fn empty_and_repeated_names_are_made_unique() {
    let found = profile("a.csv", "id,name,,name,name_2\n1,x,2,y,z\n2,x,2,y,z\n");
    assert_eq!(names(&found), ["id", "name", "column_3", "name_2", "name_2_2"]);
    assert_eq!(found.warnings.len(), 2);
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    let found = profile("a.csv", "日時,河川水位,id\n");
    assert_eq!((names(&found), found.row_count), (vec!["日時", "河川水位", "id"], 0));
    assert!(found.columns.iter().all(|column| column.kind == ColumnType::Empty && column.distinct == 0));
}

#[test]
fn broken_characters_are_counted_and_do_not_change_the_encoding() {
    let mut bytes = TAIPEI.repeat(30).into_bytes();
    bytes.truncate(bytes.len() - 20);
    bytes.extend_from_slice(b"\xE5\x8F");
    let found = profile("a.csv", bytes);
    assert_eq!(found.encoding.as_deref(), Some("UTF-8"));
    assert!(found.warnings.iter().any(|warning| warning.starts_with("1 byte sequences are no characters in UTF-8")));
}

#[test]
fn a_spreadsheet_may_announce_its_delimiter() {
    let found = profile("a.csv", "sep=;\r\na;b\r\n1;2\r\n");
    assert_eq!((names(&found), found.row_count), (vec!["a", "b"], 1));
}

#[test]
fn names_in_brackets_are_no_json() {
    let found = profile("export.csv", "[id],[name]\n1,x\n2,y\n");
    assert_eq!((names(&found), found.row_count), (vec!["[id]", "[name]"], 2));
    assert_eq!(profile("mislabelled.csv", "[{\"a\": 1}]").format, Format::Json);
}

#[test]
fn limits_cut_the_profile_and_it_says_so() {
    let limits = ProfileLimits { max_rows: 10, max_columns: 2, max_cell_bytes: 8, ..ProfileLimits::default() };
    let rows: String = (0..50).map(|n| format!("{n},河川水位観測所,3\n")).collect();
    let found = try_profile("a.csv", format!("a,b,c\n{rows}").as_bytes(), &limits).expect("a profile");
    assert_eq!((found.row_count, found.truncated, found.columns.len()), (10, true, 2));
    assert_eq!(found.columns[1].top_values, [TopValue { value: "河…".to_owned(), count: 10 }]);
    assert_eq!(found.warnings.len(), 2, "{:?}", found.warnings);
}

#[test]
fn the_sample_is_the_first_hundred_rows() {
    let rows: String = (0..500).map(|n| format!("{n},x\n")).collect();
    let found = profile("a.csv", format!("a,b\n{rows}"));
    assert_eq!((found.sample.len(), found.row_count), (100, 500));
    assert_eq!(found.sample[99], [json!("99"), json!("x")]);
}

#[test]
fn a_million_rows_keep_their_sums_right() {
    let mut text = String::from("id,kind\n");
    for n in 0..1_000_000 {
        text += if n % 4 == 0 { "1234567,often\n" } else { "7,rare\n" };
    }
    let found = profile("big.csv", text);
    assert_eq!((found.row_count, found.format, found.truncated), (1_000_000, Format::Csv, false));
    assert_eq!(found.columns[1].top_values[1], TopValue { value: "often".to_owned(), count: 250_000 });
    assert_eq!(range(&found.columns[0]), ("7", "1234567"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_figures_are_those_of_a_naive_count(rows in prop::collection::vec((any::<Option<i32>>(), "[a-e ,\"\n]{0,4}"), 1..200)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["number", "word"]).unwrap();
        for (number, word) in &rows {
            writer.write_record([number.map_or_else(String::new, |n| n.to_string()), word.clone()]).unwrap();
        }
        let found = profile("a.csv", writer.into_inner().unwrap());

        let numbers: Vec<i32> = rows.iter().filter_map(|row| row.0).collect();
        let words: Vec<&str> = rows.iter().map(|row| row.1.trim()).filter(|word| !word.is_empty()).collect();
        let text = |n: Option<&i32>| n.map(i32::to_string);
        prop_assert_eq!(found.row_count, rows.len() as u64);
        prop_assert_eq!(found.columns[0].null_count, (rows.len() - numbers.len()) as u64);
        prop_assert_eq!(found.columns[1].null_count, (rows.len() - words.len()) as u64);
        prop_assert_eq!(&found.columns[0].min, &text(numbers.iter().min()));
        prop_assert_eq!(&found.columns[0].max, &text(numbers.iter().max()));
        prop_assert_eq!(found.columns[1].min.as_deref(), words.iter().min().copied());
        prop_assert_eq!(found.columns[1].max.as_deref(), words.iter().max().copied());
        prop_assert_eq!(found.columns[0].distinct, numbers.iter().collect::<HashSet<_>>().len() as u64);
        prop_assert_eq!(found.columns[1].distinct, words.iter().collect::<HashSet<_>>().len() as u64);
        for top in &found.columns[1].top_values {
            prop_assert_eq!(top.count, words.iter().filter(|word| **word == top.value).count() as u64);
        }
    }
}
