//! What a query may take is kept, whatever it asks for.

use std::{sync::Arc, time::Instant};

use datafusion::arrow::array::{ArrayRef, Int64Array, StringArray};
use serde_json::json;
use torv_sql::{Class, Format, Outcome};

use super::{MIB, Query};

/// A table of so many rows with 64 bytes of text in each, which no two share.
fn wide(query: Query, name: &str, rows: i64) -> Query {
    let texts =
        StringArray::from_iter_values((0..rows).map(|n| format!("{:064x}", n.wrapping_mul(0x1e37_79b9_7f4a_7c15))));
    let columns: Vec<(&str, ArrayRef)> =
        vec![("n", Arc::new(Int64Array::from_iter_values(0..rows))), ("text", Arc::new(texts))];
    query.table(name, columns)
}

#[test]
fn what_does_not_fit_into_memory_is_sorted_on_the_disk() {
    let sql = "SELECT count(*), max(place) FROM (SELECT row_number() OVER (ORDER BY text) AS place FROM t)";
    let query = wide(Query::new(sql), "t", 400_000).limited(|limits| limits.memory_bytes = 40 * MIB);
    assert_eq!(query.rows(), json!([[400_000, 400_000]]));
    // The same without a disk to go to.
    let query = query.limited(|limits| limits.spill_bytes = 1);
    let message = query.refused(Class::OutOfMemory);
    assert!(message.contains("40 MiB"), "{message}");
}

#[test]
fn what_fits_neither_into_memory_nor_on_the_disk_is_refused() {
    for sql in [
        "SELECT text FROM t ORDER BY text",
        "SELECT text, count(*) FROM t GROUP BY text",
        "SELECT count(*) FROM t a JOIN t b ON a.text = b.text",
    ] {
        let query = wide(Query::new(sql), "t", 200_000);
        let query = query.limited(|limits| (limits.memory_bytes, limits.spill_bytes) = (2 * MIB, MIB));
        query.refused(Class::OutOfMemory);
    }
}

#[test]
fn a_query_without_end_is_ended() {
    let cross = "SELECT count(*) FROM t a CROSS JOIN t b CROSS JOIN t c WHERE a.n + b.n + c.n = -1";
    let endless = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT count(*) FROM r";
    for sql in [cross, endless, "SELECT sum(value) FROM generate_series(1, 1000000000000)"] {
        let started = Instant::now();
        let query = wide(Query::new(sql), "t", 20_000).limited(|limits| limits.time_ms = 1_500);
        let message = query.refused(Class::TooSlow);
        assert!(message.contains("1.5 s"), "{message}");
        assert!(started.elapsed().as_secs() < 30, "{sql}: {:?}", started.elapsed());
    }
}

#[test]
fn the_system_ends_what_takes_too_much_time_of_the_processors() {
    let sql = "SELECT count(*) FROM t a CROSS JOIN t b CROSS JOIN t c WHERE a.n + b.n + c.n = -1";
    let ended = wide(Query::new(sql), "t", 20_000).limited(|limits| limits.cpu_seconds = 1).run();
    assert_eq!((ended.signal, ended.outcome), (Some(24), None), "SIGXCPU");
}

#[test]
fn a_result_is_whole_or_refused() {
    for format in [Format::Json, Format::Csv, Format::Arrow] {
        let query = wide(Query::new("SELECT n FROM t"), "t", 1_000).format(format);
        let bytes = query.done().len() as u64;
        let query = query.limited(|limits| (limits.rows_max, limits.result_bytes_max) = (1_000, bytes));
        assert!(matches!(query.run().outcome, Some(Outcome::Done { rows: 1_000, .. })), "{format:?}");
        let query = query.limited(|limits| limits.rows_max = 999);
        assert!(query.refused(Class::TooLarge).contains("999 rows"));
        let query = query.limited(|limits| (limits.rows_max, limits.result_bytes_max) = (1_000, bytes - 1));
        assert!(query.refused(Class::TooLarge).contains("bytes"), "{format:?}");
    }
}

#[test]
fn a_text_that_every_row_repeats_does_not_fill_the_memory() {
    // A quarter of a mebibyte in a dictionary, which four thousand rows share: together a gibibyte.
    let text = "x".repeat(256 * 1024);
    let columns: Vec<(&str, ArrayRef)> = vec![("text", Arc::new(StringArray::from(vec![text.as_str(); 4_000])))];
    let mut query = Query::new("SELECT text FROM t").table("t", columns);
    for format in [Format::Json, Format::Csv, Format::Arrow] {
        query = query.format(format);
        query.refused(Class::TooLarge);
    }
}

/// `DataFusion` 55.2 panics where a nested loop does not fit into the memory ("partition not used yet").
#[test]
fn a_fault_of_the_engine_is_told_as_one() {
    let sql = "SELECT count(*) FROM t a, t b, t c WHERE a.n + b.n > c.n";
    let query = wide(Query::new(sql), "t", 20_000).limited(|limits| limits.memory_bytes = 64 * MIB);
    let Some(Outcome::Refused(failure)) = query.limited(|limits| limits.time_ms = 20_000).run().outcome else {
        panic!("a result of eight billion rows is not counted that soon")
    };
    assert!(matches!(failure.class, Class::EngineFault | Class::OutOfMemory | Class::TooSlow), "{failure:?}");
    assert!(!failure.message.contains("partition"), "{failure:?}");
}

#[test]
fn nesting_has_an_end() {
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let message = Query::new(&deep).refused(Class::Syntax);
    assert!(message.contains("deep"), "{message}");
    // Flat to a reader and deep to the engine: carried out, refused, or the end of this process and of no other.
    let long = format!("SELECT {}", vec!["1"; 20_000].join("+"));
    let ended = Query::new(&long).run();
    assert!(ended.outcome.is_some() || ended.signal == Some(6), "{ended:?}");
}
