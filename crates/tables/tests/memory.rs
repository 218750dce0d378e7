//! A large table is converted in bounded memory: a program of its own, so that its peak is that of the conversion.
//!
//! `TORV_TEST_CSV_MB=1000 cargo test --release -p torv-tables --test memory -- --nocapture` prints the figures for a
//! gigabyte; by default the table is small.

mod gauges;

use std::{io::Seek as _, sync::Arc, time::Instant};

use gauges::{peak_mb, write_csv};

use torv_tables::convert::{Options, TextFormat, Watch, from_parquet, to_parquet};

/// What a conversion may take, whatever the size of the table.
const PEAK_MB_MAX: u64 = 300;

#[test]
fn a_table_of_any_size_takes_little_memory() {
    let mb = std::env::var("TORV_TEST_CSV_MB").ok().and_then(|mb| mb.parse().ok()).unwrap_or(8);
    let csv = tempfile::tempfile().expect("a temporary file");
    let rows = write_csv(csv.try_clone().expect("a handle"), mb).expect("room");
    let (watch, options) = (Arc::new(Watch::default()), Options::default());
    let mut parquet = tempfile::tempfile().expect("a temporary file");
    let started = Instant::now();
    let table =
        to_parquet(&csv, "levels.csv", parquet.try_clone().expect("a handle"), &options, &watch).expect("a table");
    assert_eq!((table.rows, table.crs.as_deref()), (rows, Some("EPSG:4326")));
    let size = parquet.metadata().expect("a size").len() >> 20;
    eprintln!(
        "{mb} MB of CSV, {rows} rows -> Parquet of {size} MB in {:.1?}, peak {} MB",
        started.elapsed(),
        peak_mb().expect("the kernel says")
    );
    for format in [TextFormat::Csv, TextFormat::JsonLines, TextFormat::GeoJson] {
        parquet.rewind().expect("a file");
        let (out, started) = (tempfile::tempfile().expect("a temporary file"), Instant::now());
        let written =
            from_parquet(&parquet, format, out.try_clone().expect("a handle"), &options, &watch).expect("a text");
        assert_eq!(written, rows);
        let size = out.metadata().expect("a size").len() >> 20;
        eprintln!(
            "-> {format:?} of {size} MB in {:.1?}, peak {} MB",
            started.elapsed(),
            peak_mb().expect("the kernel says")
        );
    }
    let peak = peak_mb().expect("the kernel says");
    assert!(peak < PEAK_MB_MAX, "{peak} MB");
}
