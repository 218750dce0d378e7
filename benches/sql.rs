//! SQL through the exchange's HTTP API, beside `DataFusion` called directly on the same files.
//!
//! Both sides are processes of their own and have the same threads; medians of five rounds, turn about. Needs
//! `cargo build --release -p torv-sql --features engine --bins --examples`; then `cargo bench --bench sql [-- --rows N]`
//! (10,000,000 rows of readings by default).
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench tells its figures, and stops when it can't run")]

#[path = "fixtures/buyer.rs"]
mod buyer;
#[path = "sql/direct.rs"]
mod direct;
#[path = "sql/tables.rs"]
mod tables;
#[path = "sql/torv_server.rs"]
mod torv_server;

use std::{path::PathBuf, time::Instant};

/// Rounds of which the median counts, after one that only warms up.
const ROUNDS: usize = 5;
/// Threads of a query on both sides.
const THREADS: usize = 2;
/// How much longer a query may take through the exchange.
const GOAL: f64 = 1.3;
const ROWS: usize = 10_000_000;
const QUERIES: [(&str, &str); 5] = [
    ("count", "SELECT count(*) FROM readings"),
    ("filter", "SELECT count(*), min(at), max(at) FROM readings WHERE level > 900 AND station < 100"),
    ("group by", "SELECT station, count(*), avg(level) FROM readings GROUP BY station ORDER BY station"),
    (
        "join",
        "SELECT s.river, max(r.level) FROM readings r JOIN stations s ON s.station = r.station GROUP BY s.river ORDER BY s.river",
    ),
    ("top 10", "SELECT station, at, level FROM readings ORDER BY level DESC, at, station LIMIT 10"),
];

/// A program that is built beside this bench.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this program");
    let target = own.parent().and_then(std::path::Path::parent).expect("the folder of builds");
    let path = target.join(name);
    let advice = "cargo build --release -p torv-sql --features engine --bins --examples";
    assert!(path.is_file(), "there is no {}: {advice}", path.display());
    path
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn main() {
    if torv_server::run_if_told() {
        return;
    }
    let words: Vec<String> = std::env::args().collect();
    let rows = words.iter().position(|word| word == "--rows").map_or(ROWS, |at| {
        words.get(at + 1).and_then(|text| text.replace('_', "").parse().ok()).expect("--rows NUMBER")
    });
    let dir = tempfile::tempdir().expect("a temporary directory");
    let folder = dir.path().join("tables");
    std::fs::create_dir(&folder).expect("a folder");
    let bytes = tables::write(&folder, rows);
    println!("{rows} rows in {} kB, {THREADS} threads, medians of {ROUNDS} rounds\n", bytes / 1_000);
    let server = torv_server::Server::start(dir.path(), &program("torv-sql"));
    let mut direct = direct::Direct::start(&program("examples/direct"), &folder, THREADS);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("query    | torv ms | direct ms | ratio | goal");
    for (name, sql) in QUERIES {
        let (mut torv, mut alone) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let started = Instant::now();
            let count = runtime.block_on(server.ask(sql));
            let seconds = started.elapsed().as_secs_f64();
            let (told, expected) = direct.ask(sql);
            assert_eq!(count, expected, "{name}: both find the same number of rows");
            if round > 0 {
                torv.push(seconds);
                alone.push(told);
            }
        }
        let (torv, alone) = (median(torv), median(alone));
        let (ratio, torv_ms, alone_ms) = (torv / alone, torv * 1e3, alone * 1e3);
        println!("{name:8} | {torv_ms:7.1} | {alone_ms:9.1} | {ratio:5.2} | {GOAL:.1}");
    }
}
