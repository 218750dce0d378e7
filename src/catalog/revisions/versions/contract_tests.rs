//! What breaks a reader is told from what does not.

use proptest::prelude::*;

use super::*;

const KINDS: [ColumnType; 10] = [
    ColumnType::Boolean,
    ColumnType::Integer,
    ColumnType::Decimal,
    ColumnType::Date,
    ColumnType::DateTime,
    ColumnType::Text,
    ColumnType::Json,
    ColumnType::Geometry,
    ColumnType::Binary,
    ColumnType::Empty,
];

fn table(format: Format, columns: &[(&str, ColumnType)]) -> TablePromise {
    let columns =
        columns.iter().map(|(name, kind)| ColumnPromise { name: (*name).to_owned(), kind: *kind }).collect::<Vec<_>>();
    TablePromise {
        format,
        delimiter: Some(',').filter(|_| columns.len() > 1),
        encoding: Some("UTF-8".to_owned()),
        columns,
    }
}

fn one(sha256: &str, table: TablePromise) -> Contract {
    Contract([("levels.csv".to_owned(), FilePromise { sha256: sha256.to_owned(), table: Some(table) })].into())
}

fn kinds(changes: &[Change]) -> Vec<ChangeKind> {
    changes.iter().map(|change| change.kind).collect()
}

fn step(changes: &[Change]) -> Option<Step> {
    changes.iter().map(|change| change.step).max()
}

#[test]
fn what_is_gone_or_another_thing_is_major_what_is_more_is_minor() {
    use ChangeKind::{ColumnAdded, ColumnRemoved, ColumnRetyped, ColumnTyped, ContentChanged};
    let before = one("1", table(Format::Csv, &[("a", ColumnType::Integer), ("b", ColumnType::Text)]));
    let with = |columns: &[(&str, ColumnType)]| compare(&before, one("2", table(Format::Csv, columns))).1;
    let (int, text) = (ColumnType::Integer, ColumnType::Text);
    assert_eq!(kinds(&with(&[("a", int), ("b", text)])), [ContentChanged]);
    assert_eq!(kinds(&with(&[("b", text), ("a", int)])), [ContentChanged], "columns have names, not places");
    assert_eq!(kinds(&with(&[("a", int), ("b", text), ("c", int)])), [ColumnAdded, ContentChanged]);
    assert_eq!(kinds(&with(&[("a", int)])), [ColumnRemoved, ContentChanged]);
    assert_eq!(kinds(&with(&[("a", text), ("b", text)])), [ColumnRetyped, ContentChanged]);
    assert_eq!(kinds(&with(&[("a", ColumnType::Decimal), ("b", text)])), [ColumnRetyped, ContentChanged]);
    assert_eq!(kinds(&with(&[("a", int), ("B", text)])), [ColumnRemoved, ColumnAdded, ContentChanged]);
    let empty = one("1", table(Format::Csv, &[("a", ColumnType::Empty), ("b", text)]));
    let (_, changes) = compare(&empty, one("2", table(Format::Csv, &[("a", int), ("b", text)])));
    assert_eq!((kinds(&changes), step(&changes)), (vec![ColumnTyped, ContentChanged], Some(Step::Minor)));
}

#[test]
fn a_type_that_is_narrower_by_chance_stays_what_was_promised() {
    let text = one("1", table(Format::Csv, &[("number", ColumnType::Text)]));
    let (kept, changes) = compare(&text, one("2", table(Format::Csv, &[("number", ColumnType::Integer)])));
    assert_eq!(step(&changes), Some(Step::Patch));
    let (_, changes) = compare(&kept, one("3", table(Format::Csv, &[("number", ColumnType::Text)])));
    assert_eq!(step(&changes), Some(Step::Patch), "and is no surprise when it is text again");
    for (format, promised, found, breaks) in [
        (Format::Json, ColumnType::Text, ColumnType::Integer, true),
        (Format::Json, ColumnType::Text, ColumnType::Date, false),
        (Format::JsonLines, ColumnType::Decimal, ColumnType::Integer, false),
        (Format::Parquet, ColumnType::Decimal, ColumnType::Integer, true),
        (Format::Csv, ColumnType::Integer, ColumnType::Decimal, true),
        (Format::Csv, ColumnType::Boolean, ColumnType::Empty, false),
        (Format::Csv, ColumnType::Boolean, ColumnType::Integer, true),
    ] {
        let before = one("1", table(format, &[("a", promised)]));
        let (_, changes) = compare(&before, one("2", table(format, &[("a", found)])));
        assert_eq!(step(&changes) == Some(Step::Major), breaks, "{format:?} {promised:?} {found:?}");
    }
}

#[test]
fn files_are_added_removed_and_renamed() {
    let file = |sha: &str| FilePromise { sha256: sha.to_owned(), table: None };
    let of = |files: &[(&str, &str)]| Contract(files.iter().map(|(n, sha)| ((*n).to_owned(), file(sha))).collect());
    let before = of(&[("a.pdf", "1"), ("b.pdf", "2")]);
    let changes = |found| compare(&before, found).1;
    assert!(changes(before.clone()).is_empty());
    assert_eq!(kinds(&changes(of(&[("a.pdf", "1"), ("b.pdf", "2"), ("c.pdf", "1")]))), [ChangeKind::FileAdded]);
    assert_eq!(kinds(&changes(of(&[("a.pdf", "1")]))), [ChangeKind::FileRemoved]);
    let renamed = changes(of(&[("a.pdf", "1"), ("c.pdf", "2")]));
    assert_eq!(kinds(&renamed), [ChangeKind::FileRenamed]);
    assert_eq!((renamed[0].from.as_deref(), renamed[0].to.as_deref()), (Some("b.pdf"), Some("c.pdf")));
    let twice = changes(of(&[("a.pdf", "1"), ("c.pdf", "2"), ("d.pdf", "2")]));
    assert_eq!(kinds(&twice), [ChangeKind::FileAdded, ChangeKind::FileRenamed], "one name moves once");
}

#[test]
fn the_layout_is_promised_too() {
    let before = table(Format::Csv, &[("a", ColumnType::Text), ("b", ColumnType::Text)]);
    let changed = |table: TablePromise| kinds(&compare(&one("1", before.clone()), one("2", table)).1)[0];
    assert_eq!(changed(TablePromise { delimiter: Some(';'), ..before.clone() }), ChangeKind::DelimiterChanged);
    let latin = TablePromise { encoding: Some("windows-1252".to_owned()), ..before.clone() };
    assert_eq!(changed(latin), ChangeKind::EncodingChanged);
    assert_eq!(changed(TablePromise { format: Format::JsonLines, ..before.clone() }), ChangeKind::FormatChanged);
    let (_, lost) = compare(
        &one("1", before.clone()),
        Contract([("levels.csv".to_owned(), FilePromise { sha256: "2".to_owned(), table: None })].into()),
    );
    assert_eq!(kinds(&lost), [ChangeKind::TableLost, ChangeKind::ContentChanged]);
}

fn any_table() -> impl Strategy<Value = TablePromise> {
    let column = ("[a-f]", prop::sample::select(KINDS.to_vec()));
    prop::collection::btree_map(column.0, column.1, 1..6).prop_map(|columns| {
        let columns: Vec<(&str, ColumnType)> = columns.iter().map(|(name, kind)| (name.as_str(), *kind)).collect();
        table(Format::Csv, &columns)
    })
}

proptest! {
    #[test]
    fn what_is_compared_with_itself_breaks_nothing(table in any_table()) {
        let (kept, changes) = compare(&one("1", table.clone()), one("2", table.clone()));
        prop_assert_eq!(kinds(&changes), vec![ChangeKind::ContentChanged]);
        prop_assert_eq!(kept, one("2", table));
    }

    #[test]
    fn a_reader_of_the_old_columns_is_told_of_everything_that_breaks_it(old in any_table(), new in any_table()) {
        let (kept, changes) = compare(&one("1", old.clone()), one("2", new.clone()));
        let still_read = old.columns.iter().all(|column| {
            new.columns.iter().any(|other| {
                other.name == column.name && (column.kind == ColumnType::Empty || fits(column.kind, other.kind, Format::Csv))
            })
        });
        // A table of one column says nothing of its delimiter, so no change of it is seen there.
        prop_assert_eq!(step(&changes) == Some(Step::Major), !still_read);
        let more = new.columns.iter().any(|column| old.columns.iter().all(|other| other.name != column.name));
        prop_assert!(!more || step(&changes) >= Some(Step::Minor));
        let kept = kept.0["levels.csv"].table.clone().unwrap();
        for (promise, found) in kept.columns.iter().zip(&new.columns) {
            prop_assert!(promise.name == found.name);
            prop_assert!(fits(promise.kind, found.kind, Format::Csv), "what is promised is true");
        }
    }

    #[test]
    fn a_promise_is_read_as_it_was_kept(table in any_table()) {
        let contract = one("1", table);
        let text = serde_json::to_string(&contract).unwrap();
        prop_assert_eq!(serde_json::from_str::<Contract>(&text).unwrap(), contract);
    }
}
