use proptest::prelude::*;

use super::{profile, refusal, try_profile};
use crate::ProfileLimits;

#[test]
fn what_is_no_table_is_refused_with_its_name() {
    assert_eq!(refusal("a.csv", ""), "the file is empty");
    assert_eq!(refusal("a.csv", " \n\n\t"), "the file holds nothing but white space");
    assert!(refusal("gtfs.zip", b"PK\x03\x04rest").starts_with("ZIP archives"));
    assert!(refusal("a.csv", b"%PDF-1.7").starts_with("PDF documents are listed but not profiled"));
    assert!(refusal("a.xml", "\u{FEFF}\n<?xml version=\"1.0\"?><a/>").starts_with("XML and HTML documents"));
    assert!(refusal("a.bin", [7, 0, 0, 0, 1, 2, 3, 200, 0, 1]).contains("binary"));
    assert!(
        refusal("readme.txt", "This is a text.\nIt has no columns, only commas.\nNone.\n").contains("rows of fields")
    );
    assert!(refusal("a.parquet", "a,b\n1,2\n").contains("PAR1"));
}

#[test]
fn an_open_quotation_mark_does_not_swallow_the_file() {
    let limits = ProfileLimits { max_row_bytes: 10_000, ..ProfileLimits::default() };
    let text = format!("a,b\n1,2\n3,\"open\n{}", "4,5\n".repeat(200_000));
    let error = try_profile("a.csv", text.as_bytes(), &limits).expect_err("a refusal").to_string();
    assert!(error.contains("row 2") && error.contains("quotation mark"), "{error}");
}

#[test]
fn a_huge_cell_is_kept_short() {
    let found = profile("a.csv", format!("a,b\n1,{}\n2,y\n", "水".repeat(1_000_000)));
    let shown = found.sample[0][1].as_str().unwrap_or_default();
    assert!(shown.ends_with('…') && shown.len() <= 256);
    assert!(serde_json::to_string(&found).unwrap().len() < 8_000);
}

#[test]
fn ten_thousand_columns_are_not_all_profiled() {
    let header: Vec<String> = (0..10_000).map(|n| format!("c{n}")).collect();
    let found = profile("wide.csv", format!("{}\n{}1\n", header.join(","), "1,".repeat(9_999)));
    assert_eq!(found.columns.len(), 1_024);
    assert_eq!(
        profile("same.csv", format!("{}\n{}\n", "a,".repeat(100_000), "1,".repeat(100_000))).columns.len(),
        1_024
    );
    let rows: Vec<String> = (0..5_000).map(|n| format!("{{\"k{n}\": {n}}}")).collect();
    assert_eq!(profile("wide.json", format!("[{}]", rows.join(","))).columns.len(), 1_024);
}

#[test]
fn deep_nesting_ends_in_a_refusal_or_a_profile_but_never_in_a_crash() {
    for depth in [100, 200, 100_000] {
        for (open, close) in
            [("[", "]"), ("{\"a\":", "}"), ("[{\"type\":\"Feature\",\"geometry\":{\"coordinates\":", "}}]")]
        {
            let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let _ = try_profile("a.json", text.as_bytes(), &ProfileLimits::default());
            let _ = try_profile("a.jsonl", text.as_bytes(), &ProfileLimits::default());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        name in prop::sample::select(vec!["a.csv", "a.json", "a.jsonl", "a.txt", "a.parquet", ""]),
        magic in prop::sample::select(vec![&b""[..], b"PAR1", b"[", b"{\"a\":", b"\xEF\xBB\xBF", b"\xFF\xFE"]),
    ) {
        let bytes = [magic, &bytes].concat();
        let _ = try_profile(name, &bytes, &ProfileLimits::default());
    }

    #[test]
    fn no_text_makes_it_panic(
        text in "[\\[\\]{}\",:;\t\n 0-9a-e水é.-]{0,400}",
        name in prop::sample::select(vec!["a.csv", "a.json", "a.jsonl", "a.txt"]),
    ) {
        if let Ok(found) = try_profile(name, text.as_bytes(), &ProfileLimits::default()) {
            prop_assert!(found.sample.iter().all(|row| row.len() == found.columns.len()));
            prop_assert!(found.columns.iter().all(|column| column.null_count <= found.row_count));
        }
    }
}
