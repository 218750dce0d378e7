//! What a provider states of a file that does not say it itself: its zone, and the system of its coordinates.

use time::macros::datetime;

use super::*;
use crate::convert::Zone;

fn in_zone(name: &str) -> Options {
    Options { zone: Zone::of_name(name), ..Options::default() }
}

fn in_system(code: u32) -> Options {
    Options { crs: Crs::of_code(code), ..Options::default() }
}

/// The microseconds since 1970 of a column of times.
fn instants(file: &fs::File, column: usize) -> Vec<Option<i64>> {
    use arrow_array::{cast::AsArray as _, types::TimestampMicrosecondType};
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file.try_clone().expect("a handle"));
    let batches =
        reader.and_then(parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::build).expect("a table");
    let of_batch =
        |batch: RecordBatch| batch.column(column).as_primitive::<TimestampMicrosecondType>().iter().collect::<Vec<_>>();
    batches.flat_map(|batch| of_batch(batch.expect("rows"))).collect()
}

fn micros(at: time::OffsetDateTime) -> Option<i64> {
    Some(at.unix_timestamp() * 1_000_000)
}

#[test]
fn times_of_a_stated_zone_become_instants_and_are_written_as_they_were() {
    let source = "at,n\n2021-01-15 12:00,1\n2021-07-15 12:00,2\n2021-10-31 02:30,3\n,4\n";
    let (table, file) = try_parquet("a.csv", source.as_bytes(), &in_zone("Europe/Copenhagen")).expect("a table");
    assert_eq!(types(&table), pairs(&[("at", "timestamp"), ("n", "long")]));
    assert_eq!(table.columns[0].source_zone.as_deref(), Some("Europe/Copenhagen"));
    let expected = [datetime!(2021-01-15 11:00 UTC), datetime!(2021-07-15 10:00 UTC), datetime!(2021-10-31 00:30 UTC)];
    assert_eq!(instants(&file, 0), [micros(expected[0]), micros(expected[1]), micros(expected[2]), None]);
    assert_eq!(text(&file, TextFormat::Csv), source);
    assert!(text(&file, TextFormat::JsonLines).starts_with("{\"at\":\"2021-01-15 12:00\","));
    // Another zone gives other instants, and the same texts.
    let (_, other) = try_parquet("a.csv", source.as_bytes(), &in_zone("Asia/Taipei")).expect("a table");
    assert_eq!(instants(&other, 0)[0], micros(datetime!(2021-01-15 4:00 UTC)));
    assert_eq!(text(&other, TextFormat::Csv), source);
}

#[test]
fn a_time_that_clocks_left_out_is_kept_beside() {
    let source = "at\n2021-03-28T01:30:00\n2021-03-28T02:30:00\n2021-03-28T03:30:00\n";
    let (table, file) = try_parquet("a.csv", source.as_bytes(), &in_zone("Europe/Copenhagen")).expect("a table");
    assert_eq!(types(&table), pairs(&[("at", "timestamp"), ("at_original", "string")]));
    let expected = [datetime!(2021-03-28 0:30 UTC), datetime!(2021-03-28 1:30 UTC), datetime!(2021-03-28 1:30 UTC)];
    assert_eq!(instants(&file, 0), expected.map(micros));
    assert_eq!(
        text(&file, TextFormat::Csv),
        "at,at_original\n2021-03-28T01:30:00,2021-03-28T01:30:00\n2021-03-28T03:30:00,2021-03-28T02:30:00\n\
         2021-03-28T03:30:00,2021-03-28T03:30:00\n"
    );
    let (table, _) = try_parquet("a.csv", source.as_bytes(), &in_zone("UTC")).expect("a table");
    assert_eq!(types(&table), pairs(&[("at", "timestamp")]));
}

#[test]
fn what_the_file_says_itself_goes_before_what_is_stated() {
    let source = "zoned,day\n2021-08-14T08:40:00+09:00,2021-08-14\n";
    let (table, file) = try_parquet("a.csv", source.as_bytes(), &in_zone("Europe/Copenhagen")).expect("a table");
    assert_eq!(table.columns[0].source_zone.as_deref(), Some("+09:00"));
    assert_eq!(table.columns[1].source_zone, None, "a day is no instant");
    assert_eq!(instants(&file, 0), [micros(datetime!(2021-08-13 23:40 UTC))]);
    assert_eq!(text(&file, TextFormat::Csv), source);
    let (table, _) =
        try_parquet("a.csv", b"id,wkt\n1,SRID=3826;POINT(302000 2770000)\n", &in_system(25832)).expect("a table");
    assert_eq!(table.crs.as_deref(), Some("EPSG:3826"));
}

#[test]
fn local_times_of_parquet_become_instants_too() {
    // 2021-03-28 02:30, which clocks in Denmark left out, and 2021-07-15 12:00.
    let local = [1_616_898_600_000_000_i64, 1_626_350_400_000_000];
    let nanos: Vec<i64> = local.iter().map(|micros| micros * 1_000).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("gap", Arc::new(TimestampMicrosecondArray::from(local.to_vec()))),
        ("fine", Arc::new(TimestampNanosecondArray::from(vec![nanos[1], nanos[1]]))),
        ("zoned", Arc::new(TimestampMicrosecondArray::from(local.to_vec()).with_timezone("UTC"))),
    ];
    let bytes = parquet_of(columns, None);
    let (table, file) = try_parquet("a.parquet", &bytes, &in_zone("Europe/Copenhagen")).expect("a table");
    let expected = [("gap", "timestamp"), ("gap_original", "string"), ("fine", "timestamp"), ("zoned", "timestamp")];
    assert_eq!(types(&table), pairs(&expected));
    let zones: Vec<_> = table.columns.iter().map(|column| column.source_zone.as_deref()).collect();
    assert_eq!(zones, [Some("Europe/Copenhagen"), None, Some("Europe/Copenhagen"), Some("UTC")]);
    assert_eq!(instants(&file, 0), [micros(datetime!(2021-03-28 1:30 UTC)), micros(datetime!(2021-07-15 10:00 UTC))]);
    assert_eq!(instants(&file, 2), [micros(datetime!(2021-07-15 10:00 UTC)); 2]);
    assert_eq!(instants(&file, 3)[1], micros(datetime!(2021-07-15 12:00 UTC)));
    let first = text(&file, TextFormat::Csv).lines().nth(1).expect("a row").to_owned();
    assert_eq!(first, "2021-03-28T01:30:00Z,2021-03-28T02:30:00,2021-07-15T10:00:00Z,2021-03-28T02:30:00Z");
}

#[test]
fn metres_of_a_stated_system_become_wgs84() {
    for (code, x, y, longitude, latitude) in PROJ.into_iter().filter(|(code, ..)| matches!(code, 25832 | 3826)) {
        for names in ["x,y", "Easting,Northing", "Rechtswert,Hochwert"] {
            let source = format!("id,{names}\n1,{x},{y}\n");
            let (table, file) = try_parquet("a.csv", source.as_bytes(), &in_system(code)).expect("a table");
            assert_eq!(table.crs.as_deref(), Some(format!("EPSG:{code}").as_str()), "{names}");
            let document: Value = serde_json::from_str(&text(&file, TextFormat::GeoJson)).expect("JSON");
            let at = &document["features"][0]["geometry"]["coordinates"];
            let near = |value: &Value, expected: f64| {
                (value.as_f64().unwrap_or(f64::NAN) - expected).abs() < TOLERANCE_DEGREES
            };
            assert!(near(&at[0], longitude) && near(&at[1], latitude), "{code}: {at}");
            let (unsaid, _) = try_parquet("a.csv", source.as_bytes(), &Options::default()).expect("a table");
            assert_eq!(unsaid.crs, None, "nobody says what they are");
        }
    }
    let (table, _) = try_parquet("a.csv", b"lat,lon\n56.1,10.2\n", &in_system(4258)).expect("a table");
    assert_eq!(table.crs.as_deref(), Some("EPSG:4258"));
}

#[test]
fn a_system_of_metres_for_degrees_is_told() {
    for source in ["id,wkt\n1,POINT(10.2 56.1)\n2,POINT(10.3 56.2)\n", "id,x,y\n1,10.2,56.1\n"] {
        let (table, _) = try_parquet("a.csv", source.as_bytes(), &in_system(25832)).expect("a table");
        let told = table.no_geometry.expect("why there is none");
        assert!(table.crs.is_none() && told.contains("look like degrees") && told.contains("EPSG:25832"), "{told}");
    }
}

#[test]
fn geoparquet_that_does_not_know_its_system_takes_the_stated_one() {
    let mut wkb = Vec::new();
    crate::convert::geometry::Geometry::of_json(r#"{"type":"Point","coordinates":[574000,6222000]}"#)
        .expect("a point")
        .write_wkb(&mut wkb);
    let geo = json!({"version": "1.1.0", "primary_column": "g", "columns": {"g": {"encoding": "WKB",
        "geometry_types": ["Point"], "crs": null}}});
    let column: Vec<(&str, ArrayRef)> = vec![("g", Arc::new(BinaryArray::from(vec![Some(wkb.as_slice())])))];
    let bytes = parquet_of(column, Some(geo));
    let (table, file) = try_parquet("a.parquet", &bytes, &in_system(25832)).expect("a table");
    assert_eq!((table.crs.as_deref(), table.is_original), (Some("EPSG:25832"), false));
    let document: Value = serde_json::from_str(&text(&file, TextFormat::GeoJson)).expect("JSON");
    let at = &document["features"][0]["geometry"]["coordinates"];
    assert!((at[0].as_f64().unwrap_or(0.0) - 10.190_766_927_5).abs() < TOLERANCE_DEGREES, "{at}");
    let (unsaid, _) = try_parquet("a.parquet", &bytes, &Options::default()).expect("a table");
    assert!(unsaid.crs.is_none() && unsaid.no_geometry.is_some());
}

proptest! {
    /// Whatever clocks show around their changes, each text comes back: as the value's text, or from the column beside it.
    #[test]
    fn every_text_of_a_clock_comes_back(minutes in proptest::collection::vec(-300_i64..300, 1..8), autumn in any::<bool>()) {
        let change = if autumn { datetime!(2021-10-31 02:00) } else { datetime!(2021-03-28 02:00) };
        let texts: Vec<String> = minutes
            .iter()
            .map(|minutes| {
                let at = change + time::Duration::minutes(*minutes);
                format!("{} {:02}:{:02}", at.date(), at.hour(), at.minute())
            })
            .collect();
        let source = format!("at,n\n{},1\n", texts.join(",1\n"));
        let (_, file) = try_parquet("a.csv", source.as_bytes(), &in_zone("Europe/Copenhagen")).expect("a table");
        let written = text(&file, TextFormat::Csv);
        let mut reader = csv::Reader::from_reader(written.as_bytes());
        let kept = reader.headers().expect("a header").iter().position(|name| name == "at_original").unwrap_or(0);
        let again: Vec<String> = reader.records().map(|row| row.expect("a row")[kept].to_owned()).collect();
        prop_assert_eq!(again, texts);
    }
}
