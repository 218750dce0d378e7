use serde_json::{Value, json};

use super::{names, profile, range, refusal, try_profile};
use crate::{ColumnType, Format, ProfileLimits};

#[test]
fn an_array_of_objects_is_a_table_of_all_their_keys() {
    let found = profile(
        "a.json",
        r#"[{"編號": 1, "名稱": "a"}, {"編號": 10, "更新": "2018-07-02"}, {"編號": null, "x": [1, {"y": 2}]}]"#,
    );
    assert_eq!((found.format, found.row_count), (Format::Json, 3));
    assert_eq!(names(&found), ["編號", "名稱", "更新", "x"]);
    let kinds: Vec<_> = found.columns.iter().map(|column| (column.kind, column.null_count)).collect();
    assert_eq!(kinds, [(ColumnType::Integer, 1), (ColumnType::Text, 2), (ColumnType::Date, 2), (ColumnType::Json, 2)]);
    assert_eq!(found.sample[2], [Value::Null, Value::Null, Value::Null, json!([1, {"y": 2}])]);
}

#[test]
fn a_portal_wraps_its_records_and_they_are_found() {
    let text = r#"{"success": true, "result": {"fields": [{"id": "a"}], "note": "x", "records": [{"a": "1", "b": 2.5}, {"a": "12", "b": 3}]}}"#;
    let found = profile("api.json", text);
    assert_eq!((names(&found), found.row_count), (vec!["a", "b"], 2));
    assert_eq!((found.columns[0].kind, range(&found.columns[0])), (ColumnType::Integer, ("1", "12")));
    assert!(found.warnings.iter().any(|warning| warning.contains("result.records")), "{:?}", found.warnings);
    assert!(found.warnings.iter().any(|warning| warning.contains("written as text")), "{:?}", found.warnings);
}

#[test]
fn one_object_is_one_row_and_bare_values_are_a_column() {
    let found = profile("a.json", r#"{"name": "x", "size": {"w": 1}}"#);
    assert_eq!((found.row_count, names(&found)), (1, vec!["name", "size"]));
    let found = profile("a.json", "[1, 2.5, null]");
    assert_eq!((found.row_count, names(&found), found.columns[0].null_count), (3, vec!["value"], 1));
    let found = profile("a.json", r#"[["a", 1], ["b", 2]]"#);
    assert_eq!((found.row_count, names(&found)), (2, vec!["column_1", "column_2"]));
    assert_eq!(profile("a.json", "[]").row_count, 0);
}

#[test]
fn lines_of_objects_are_recognised_without_the_name() {
    for name in ["a.jsonl", "a.json", "a"] {
        let found = profile(name, "{\"a\": 1}\n{\"a\": 2, \"b\": true}\n\n{\"a\": 3}\n");
        assert_eq!((found.format, found.row_count, names(&found)), (Format::JsonLines, 3, vec!["a", "b"]), "{name}");
    }
}

#[test]
fn features_become_rows_of_their_properties_with_a_box() {
    let text = json!({
        "features": [
            {"type": "Feature", "id": 7, "geometry": {"type": "Point", "coordinates": [10.18, 56.16, 12.5]},
             "properties": {"vej": "Østre Allé", "opened": "2024-03-22T07:15:00Z"}},
            {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [[10.1, 56.2, 1], [10.3, 56.1, 2]]},
             "properties": {"vej": null}},
            {"type": "Feature", "geometry": null, "properties": null}
        ],
        "type": "FeatureCollection"
    });
    let found = profile("roads.json", text.to_string());
    assert_eq!((found.format, found.row_count), (Format::GeoJson, 3));
    let column = |name: &str| found.columns.iter().find(|column| column.name == name).expect("the column");
    assert_eq!((column("geometry").kind, column("geometry").null_count), (ColumnType::Geometry, 1));
    assert_eq!((column("vej").null_count, column("id").null_count), (2, 2));
    let extent = found.extent.expect("an extent");
    assert_eq!(extent.bbox, Some([10.1, 56.1, 10.3, 56.2]));
    assert_eq!(extent.from.as_deref(), Some("2024-03-22T07:15:00Z"));
    assert_eq!(profile("none.geojson", r#"{"type":"FeatureCollection","features":[]}"#).format, Format::GeoJson);
}

#[test]
fn projected_coordinates_give_a_warning_and_no_box() {
    let feature =
        r#"{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[302000.5,2770000.1]}}"#;
    let found = profile("twd97.geojson", format!("{{\"type\":\"FeatureCollection\",\"features\":[{feature}]}}"));
    assert_eq!(found.extent, None);
    assert!(found.warnings.iter().any(|warning| warning.contains("outside of the range of degrees")));
}

#[test]
fn broken_json_names_the_place() {
    assert!(refusal("a.json", "[{\"a\": 1},\n {\"a\": }]").contains("line 2 column 8"));
    assert!(refusal("a.json", "[{\"a\": 1},\n {\"a\": 2").contains("ends in the middle, at line 2"));
    assert!(refusal("a.jsonl", "{\"a\": 1}\n{\"a\": \n").contains("line 3"));
    assert!(refusal("a.json", "a,b\n1,2\n").contains("does not begin with a brace"));
}

#[test]
fn a_record_beyond_the_limit_is_refused_before_it_is_held() {
    let limits = ProfileLimits { max_row_bytes: 1_000, ..ProfileLimits::default() };
    for text in [format!("[\"{}\"]", "x".repeat(400_000)), format!("{{\"{}\": 1}}", "k".repeat(400_000))] {
        let error = try_profile("a.json", text.as_bytes(), &limits).expect_err("a refusal");
        assert!(error.to_string().contains("longer than 1000 bytes"), "{error}");
    }
    let many = format!("[{}]", vec!["{\"a\": 1}"; 100_000].join(","));
    assert_eq!(try_profile("a.json", many.as_bytes(), &limits).expect("a profile").row_count, 100_000);
}

#[test]
fn json_in_big5_is_read_as_well() {
    let text = r#"[{"資料集名稱": "臺北捷運車站無障礙設施異常公告", "提供機關": "臺北大眾捷運股份有限公司"}]"#;
    let found = profile("a.json", encoding_rs::BIG5.encode(text).0);
    assert_eq!((found.encoding.as_deref(), names(&found)), (Some("Big5"), vec!["資料集名稱", "提供機關"]));
}

#[test]
fn a_key_that_occurs_twice_counts_once() {
    let found = profile("a.json", r#"[{"a": 1, "a": 2}, {"a": 3}]"#);
    assert_eq!((found.columns[0].null_count, range(&found.columns[0])), (0, ("1", "3")));
}
