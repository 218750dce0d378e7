//! CSV to Parquet beside `DuckDB`'s own conversion, on the same file in the same run.
//!
//! `cargo bench -p torv-tables --bench convert [-- MEGABYTES]`; it needs a Python with the package duckdb at
//! `TORV_BENCH_PYTHON` (`python3` without it). Each conversion is a process of its own, so that its peak of memory is its own.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a bench prints, and stops when it can't go on")]

#[path = "../tests/gauges/mod.rs"]
mod gauges;

use std::{
    fs::File,
    path::Path,
    process::{Command, Output},
    sync::Arc,
    time::Instant,
};

use torv_tables::convert::{Options, Watch, to_parquet};

/// Each side goes so many times, in turn; the fastest counts.
const ROUNDS: usize = 3;
/// What our own conversion may take, as the exchange promises.
const PEAK_MB_MAX: u64 = 300;
/// At least this part of `DuckDB`'s speed.
const RATIO_MIN: f64 = 0.5;
const MB_DEFAULT: u64 = 1_000;
/// Makes the bench a child that converts.
const CHILD: &str = "convert-child";

/// Times itself without the start of Python, and prints seconds and peak memory as the child of ours does.
const DUCKDB: &str = r#"
import resource, sys, time, duckdb
con = duckdb.connect()
con.execute("SET enable_progress_bar = false")
if sys.argv[3] != "0":
    con.execute(f"SET threads = {sys.argv[3]}")
began = time.monotonic()
con.execute(f"COPY (SELECT * FROM read_csv('{sys.argv[1]}')) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
print(time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"#;

/// What a conversion took.
#[derive(Clone, Copy)]
struct Took {
    seconds: f64,
    peak_mb: u64,
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let [first, csv, parquet] = words.as_slice()
        && first == CHILD
    {
        return convert(Path::new(csv), Path::new(parquet));
    }
    let mb = words.first().and_then(|word| word.parse().ok()).unwrap_or(MB_DEFAULT);
    let folder = tempfile::tempdir().expect("a folder");
    let (csv, out) = (folder.path().join("levels.csv"), folder.path().join("levels.parquet"));
    let rows = gauges::write_csv(File::create(&csv).expect("a file"), mb).expect("room");
    let mut best: [Option<Took>; 3] = [None; 3];
    for _ in 0..ROUNDS {
        let now = [ours(&csv, &out), duckdb(&csv, &out, "0"), duckdb(&csv, &out, "1")];
        for (best, now) in best.iter_mut().zip(now) {
            *best = Some(best.filter(|best| best.seconds < now.seconds).unwrap_or(now));
        }
    }
    let [Some(torv), Some(duckdb), Some(one)] = best else { return };
    println!("{mb} MB of CSV, {rows} rows, to Parquet (zstd); the fastest of {ROUNDS}\n");
    println!("side               | seconds | speed | peak MB");
    for (name, took) in [("torv", torv), ("duckdb", duckdb), ("duckdb, 1 thread", one)] {
        println!("{name:<18} | {:>7.2} | {:>5.2} | {:>7}", took.seconds, torv.seconds / took.seconds, took.peak_mb);
    }
    let ratio = duckdb.seconds / torv.seconds;
    let word = |good| if good { "met" } else { "missed" };
    println!("\n{ratio:.2} x DuckDB's speed (goal {RATIO_MIN}): {}", word(ratio >= RATIO_MIN));
    println!("peak {} MB (goal under {PEAK_MB_MAX}): {}", torv.peak_mb, word(torv.peak_mb < PEAK_MB_MAX));
}

/// The child: converts, and prints seconds and peak memory.
fn convert(csv: &Path, parquet: &Path) {
    let (csv, out) = (File::open(csv).expect("the CSV"), File::create(parquet).expect("a file"));
    let began = Instant::now();
    to_parquet(&csv, "levels.csv", out, &Options::default(), &Arc::new(Watch::default())).expect("a table");
    println!("{} {}", began.elapsed().as_secs_f64(), gauges::peak_mb().expect("the kernel says"));
}

fn ours(csv: &Path, out: &Path) -> Took {
    let own = std::env::current_exe().expect("this bench");
    read(Command::new(own).arg(CHILD).arg(csv).arg(out).output())
}

fn duckdb(csv: &Path, out: &Path, threads: &str) -> Took {
    let python = std::env::var("TORV_BENCH_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    read(Command::new(python).args(["-c", DUCKDB]).arg(csv).arg(out).arg(threads).output())
}

fn read(output: std::io::Result<Output>) -> Took {
    let output = output.expect("a program");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut words = said.split_whitespace();
    let seconds = words.next().and_then(|word| word.parse().ok()).expect("seconds");
    let peak_mb = words.next().and_then(|word| word.parse().ok()).expect("megabytes");
    Took { seconds, peak_mb }
}
