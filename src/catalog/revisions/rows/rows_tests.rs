//! Whatever two tables are, what changed between them turns the one into the other; also over several steps.

use std::{collections::BTreeMap, io::Write as _, path::PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::catalog::{
    profile::{ProfileError, ProfileLimits, profile_file},
    revisions::rows::diff::{Table, diff},
};

/// Rows by key.
type Rows = BTreeMap<(String, String), BTreeMap<String, Value>>;

fn key() -> Vec<String> {
    ["a", "b"].map(str::to_owned).to_vec()
}

fn keep(dir: &TempDir, name: &str, text: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    File::create(&path).unwrap().write_all(text).unwrap();
    path
}

fn table(dir: &TempDir, name: &str, text: &[u8]) -> Table {
    let path = keep(dir, name, text);
    let profile = profile_file(&path, name, &ProfileLimits::default()).unwrap();
    Table { path, profile }
}

fn changes(dir: &TempDir, before: &Table, after: &Table, key: &[String]) -> Result<(Counts, Vec<u8>), ProfileError> {
    let mut set = Vec::new();
    let counts = diff((before, after), key, &dir.path().join("work"), &mut |line| {
        set.extend_from_slice(line);
        Ok(())
    })?;
    Ok((counts, set))
}

fn text_of(composed: Composed) -> String {
    let mut text = String::new();
    let mut file = composed.file;
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text.len() as u64, composed.size_bytes);
    text
}

fn key_of(row: &BTreeMap<String, Value>) -> (String, String) {
    (row["a"].to_string(), row["b"].to_string())
}

/// As a buyer does it.
fn apply(mut rows: Rows, lines: &str) -> Rows {
    for line in lines.lines() {
        let mut row: BTreeMap<String, Value> = serde_json::from_str(line).unwrap();
        let op = row.remove(CHANGE_TYPE).unwrap();
        let known = rows.remove(&key_of(&row)).is_some();
        assert_eq!(known, op != "insert", "an insert is new, anything else was there: {line}");
        if op != "delete" {
            rows.insert(key_of(&row), row);
        }
    }
    rows
}

/// A table as JSON lines or CSV, and what it holds.
fn written(rows: &BTreeMap<(u8, u8), Option<String>>, wide: bool, as_csv: bool) -> (Vec<u8>, Rows) {
    let mut held = Rows::new();
    let mut lines = String::new();
    let mut csv = csv::Writer::from_writer(Vec::new());
    let columns: &[&str] = if wide { &["a", "b", "value", "more"] } else { &["a", "b", "value"] };
    csv.write_record(columns).unwrap();
    for ((a, b), value) in rows {
        let mut row = BTreeMap::from([
            ("a".to_owned(), Value::from(format!("k{a}"))),
            ("b".to_owned(), Value::from(format!("{b}"))),
        ]);
        let text = value.clone().unwrap_or_default();
        if as_csv || value.is_some() {
            row.insert("value".to_owned(), Value::from(text.clone()));
        }
        let mut record = vec![format!("k{a}"), format!("{b}"), text];
        if wide {
            row.insert("more".to_owned(), Value::from("x"));
            record.push("x".to_owned());
        }
        csv.write_record(record).unwrap();
        lines.push_str(&serde_json::to_string(&row).unwrap());
        lines.push('\n');
        held.insert(key_of(&row), row);
    }
    let bytes = if as_csv { csv.into_inner().unwrap() } else { lines.into_bytes() };
    (bytes, held)
}

fn any_rows() -> impl Strategy<Value = BTreeMap<(u8, u8), Option<String>>> {
    prop::collection::btree_map((0_u8..6, 0_u8..3), prop::option::of("[a-z,\"\u{e5}\n]{0,4}"), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_changes_of_any_steps_put_together_turn_the_first_table_into_the_last(
        tables in prop::collection::vec((any_rows(), any::<bool>()), 2..5),
        as_csv in any::<bool>(),
    ) {
        let dir = TempDir::new().unwrap();
        let name = if as_csv { "t.csv" } else { "t.jsonl" };
        let written: Vec<(Table, Rows)> = tables
            .iter()
            .enumerate()
            .map(|(place, (rows, wide))| {
                let (bytes, held) = written(rows, *wide, as_csv);
                (table(&dir, &format!("{place}{name}"), &bytes), held)
            })
            .collect();
        let mut sets = Vec::new();
        for (place, pair) in written.windows(2).enumerate() {
            let (counts, set) = changes(&dir, &pair[0].0, &pair[1].0, &key()).unwrap();
            let lines = String::from_utf8(set.clone()).unwrap();
            prop_assert_eq!(apply(pair[0].1.clone(), &lines), pair[1].1.clone(), "one step");
            prop_assert_eq!(lines.lines().count() as u64, counts.inserted + counts.updated + counts.deleted);
            let untouched = pair[0].1.iter().filter(|(key, row)| pair[1].1.get(*key) == Some(row)).count();
            prop_assert_eq!(untouched as u64 + counts.updated + counts.deleted, pair[0].1.len() as u64, "and no more");
            sets.push(keep(&dir, &format!("set{place}"), &set));
        }
        let (first, last) = (written.first().unwrap().1.clone(), written.last().unwrap().1.clone());
        let composed = compose(&sets, &key(), Layout::JsonLines, &dir.path().join("work")).unwrap();
        let all = composed.counts;
        let lines = text_of(composed);
        prop_assert_eq!(lines.lines().count() as u64, all.inserted + all.updated + all.deleted);
        prop_assert_eq!(apply(first, &lines), last, "all steps");
    }
}

#[test]
fn each_kind_of_change_is_written_with_its_row() {
    let dir = TempDir::new().unwrap();
    let one = table(&dir, "1.csv", b"a,b,v\nx,1,old\ny,1,same\nz,1,gone\n");
    let two = table(&dir, "2.csv", b"b,a,v\n1,y,same\n1,x,new\n1,w,come\n");
    let (counts, set) = changes(&dir, &one, &two, &key()).unwrap();
    assert_eq!((counts.inserted, counts.updated, counts.deleted), (1, 1, 1));
    let expected = "{\"_change_type\":\"delete\",\"a\":\"z\",\"b\":\"1\",\"v\":\"gone\"}\n\
        {\"_change_type\":\"update_postimage\",\"a\":\"x\",\"b\":\"1\",\"v\":\"new\"}\n\
        {\"_change_type\":\"insert\",\"a\":\"w\",\"b\":\"1\",\"v\":\"come\"}\n";
    assert_eq!(String::from_utf8(set.clone()).unwrap(), expected, "the order of columns is no change");
    let sets = [keep(&dir, "set", &set)];
    let columns = ["b", "a", "v"].map(str::to_owned).to_vec();
    let csv = text_of(compose(&sets, &key(), Layout::Csv(columns), &dir.path().join("work")).unwrap());
    let mut lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.remove(0), "_change_type,b,a,v");
    lines.sort_unstable();
    assert_eq!(lines, ["delete,1,z,gone", "insert,1,w,come", "update_postimage,1,x,new"]);
    assert_eq!(std::fs::read_dir(dir.path().join("work")).unwrap().count(), 0, "working files have no names");
}

#[test]
fn what_can_not_be_compared_is_said_without_a_value_of_it() {
    let dir = TempDir::new().unwrap();
    let good = table(&dir, "good.csv", b"a,b\nx,1\ny,2\n");
    let refused = |name: &str, text: &[u8]| {
        let other = table(&dir, name, text);
        match changes(&dir, &good, &other, &key()) {
            Err(ProfileError::Unparsable { reason }) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused("twice.csv", b"a,b\nx,1\ny,2\nx,1\n").contains("rows 1 and 3 have the same"));
    assert!(refused("no.csv", b"a,c\nx,1\n").contains("no column \"b\""));
    assert!(refused("short.csv", b"a,b\nx,1\ny,2\nz,3\nw\n").contains("row 4 has no value"));
    assert!(refused("named.csv", b"a,b,_change_type\nx,1,1\n").contains(CHANGE_TYPE));
    assert!(refused("array.json", b"[{\"a\": \"x\", \"b\": \"1\"}]").contains("not read by row"));
}

#[test]
fn numbers_of_json_stay_numbers_and_differ_from_text() {
    let dir = TempDir::new().unwrap();
    let one = table(&dir, "1.jsonl", b"{\"a\": 1, \"b\": \"1\", \"v\": 1}\n");
    let two =
        table(&dir, "2.jsonl", b"{\"a\": \"1\", \"b\": \"1\", \"v\": null}\n{\"a\": 1, \"b\": \"1\", \"v\": \"1\"}\n");
    let (counts, set) = changes(&dir, &one, &two, &key()).unwrap();
    assert_eq!((counts.inserted, counts.updated, counts.deleted), (1, 1, 0));
    let lines = String::from_utf8(set).unwrap();
    assert!(lines.contains("\"a\":1,") && lines.contains("\"a\":\"1\""), "{lines}");
}
