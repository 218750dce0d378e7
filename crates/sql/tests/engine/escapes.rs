//! A query reads the tables it was given, and touches nothing else.

use serde_json::json;
use torv_sql::{Class, Outcome};

use super::Query;

/// Everything that is no query, and what hides something else in one.
const NO_QUERIES: &[&str] = &[
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'file:///'",
    "CREATE TABLE t AS SELECT * FROM gauges",
    "CREATE VIEW v AS SELECT * FROM gauges",
    "CREATE DATABASE d",
    "CREATE SCHEMA s",
    "CREATE FUNCTION f(x INT) RETURNS INT RETURN x",
    "COPY gauges TO '/tmp/torv-escaped.csv'",
    "COPY (SELECT 1) TO 'out.parquet' STORED AS PARQUET",
    "INSERT INTO gauges VALUES ('x', 1)",
    "UPDATE gauges SET level = 1",
    "DELETE FROM gauges",
    "TRUNCATE TABLE gauges",
    "DROP TABLE gauges",
    "SET datafusion.catalog.information_schema = true",
    "RESET datafusion.catalog.information_schema",
    "SHOW TABLES",
    "SHOW ALL",
    "SHOW COLUMNS FROM gauges",
    "DESCRIBE gauges",
    "EXPLAIN SELECT * FROM gauges",
    "EXPLAIN ANALYZE SELECT * FROM gauges",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "BEGIN",
    "COMMIT",
    "USE torv",
];

/// Queries that name what they were not given.
const STRANGE_TABLES: &[&str] = &[
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM 'file:///etc/passwd'",
    "SELECT * FROM \"../result\"",
    "SELECT * FROM 'tables/0.parquet'",
    "SELECT * FROM \"0.parquet\"",
    "SELECT * FROM 'torv://tables/0.parquet'",
    "SELECT * FROM 'https://example.org/a.parquet'",
    "SELECT * FROM 's3://bucket/a.parquet'",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM torv.information_schema.columns",
    "SELECT * FROM information_schema.df_settings",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('0.parquet')",
    "SELECT * FROM parquet_metadata('0.parquet')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM gauges, other",
    "SELECT * FROM other.tables.gauges",
];

#[test]
fn only_queries_are_carried_out() {
    for sql in NO_QUERIES {
        let query = Query::new(sql).gauges();
        let Some(Outcome::Refused(failure)) = query.run().outcome else { panic!("{sql} was carried out") };
        assert!(matches!(failure.class, Class::NotAQuery | Class::Syntax), "{sql}: {failure:?}");
        let left: Vec<_> = std::fs::read_dir(query.tables()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["0.parquet"], "{sql}");
    }
    assert!(!std::path::Path::new("/tmp/torv-escaped.csv").exists());
}

#[test]
fn what_changes_something_is_found_inside_of_a_query() {
    for sql in
        ["SELECT * INTO t FROM gauges", "WITH t AS (INSERT INTO gauges VALUES ('x', 1)) SELECT 1", "SELECT 1; SELECT 2"]
    {
        let Some(Outcome::Refused(failure)) = Query::new(sql).gauges().run().outcome else {
            panic!("{sql} was carried out")
        };
        let is_refused = matches!(failure.class, Class::NotAQuery | Class::Syntax | Class::Failed);
        assert!(is_refused, "{sql}: {failure:?}");
    }
}

#[test]
fn there_are_no_tables_but_those_that_were_given() {
    for sql in STRANGE_TABLES {
        let message = Query::new(sql).gauges().refused(Class::UnknownTable);
        assert!(message.ends_with("not found"), "{message}");
    }
}

#[test]
fn functions_tell_nothing_of_the_machine() {
    for sql in [
        "SELECT input_file_name() FROM gauges",
        "SELECT getenv('HOME')",
        "SELECT current_setting('x')",
        "SELECT @@version",
    ] {
        let Some(Outcome::Refused(failure)) = Query::new(sql).gauges().run().outcome else {
            panic!("{sql} was answered")
        };
        assert!(failure.class == Class::Failed || failure.class == Class::Syntax, "{sql}: {failure:?}");
    }
}

#[test]
fn a_file_outside_of_the_folder_of_tables_is_not_taken() {
    for file in ["../result", "/etc/passwd", ".", "..", "a/b"] {
        let mut query = Query::new("SELECT 1");
        query.request.tables.push(torv_sql::Table { names: vec![vec!["t".to_owned()]], files: vec![file.to_owned()] });
        query.refused(Class::Internal);
    }
}

#[test]
fn a_query_says_which_tables_it_reads() {
    let read = |sql: &str| {
        let query =
            Query::new(sql).gauges().table("other", vec![("n", std::sync::Arc::new(super::Int64Array::from(vec![1])))]);
        match query.run().outcome {
            Some(Outcome::Done { tables, .. }) => tables,
            other => panic!("{sql}: {other:?}"),
        }
    };
    assert_eq!(read("SELECT 1"), Vec::<usize>::new());
    assert_eq!(read("SELECT count(*) FROM gauges"), [0]);
    assert_eq!(read("SELECT * FROM other WHERE n IN (SELECT level FROM gauges)"), [0, 1]);
    assert_eq!(read("WITH o AS (SELECT n FROM other) SELECT (SELECT max(n) FROM o)"), [1]);
    assert_eq!(read("SELECT * FROM gauges WHERE false"), [0]);
}

#[test]
fn a_table_is_found_by_each_of_its_names() {
    let full = ["levels_01a0", "harbour-office", "gauges"].map(str::to_owned).to_vec();
    let names = vec![full, vec!["gauges".to_owned()]];
    for from in ["\"levels_01a0\".\"harbour-office\".\"gauges\"", "gauges", "\"gauges\""] {
        let columns = vec![("n", std::sync::Arc::new(super::Int64Array::from(vec![5])) as super::ArrayRef)];
        let rows = Query::new(&format!("SELECT n FROM {from}")).named(names.clone(), columns).rows();
        assert_eq!(rows, json!([[5]]), "{from}");
    }
}

/// The system's own guard, where it has one: what the engine could be made to open, the process can't.
#[test]
fn the_process_opens_no_other_file_and_connects_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    for dir in ["tables", "spill"] {
        std::fs::create_dir(folder.path().join(dir)).unwrap();
    }
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_torv-sql"));
    let said = { program }.arg("check").current_dir(folder.path()).output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    if said.starts_with("Landlock: no") {
        eprintln!("SKIPPED: this kernel has no Landlock, so limits alone hold here");
        return;
    }
    assert_eq!(said, "Landlock: yes\nopens other files: no\nconnects: no\n");
}
