//! A bank statement of a million rows through the exchange: sent over HTTP, checked, stored, and each line booked.
//!
//! Torv runs in a process of its own with its background work; a statement (camt.053) is streamed to it as an operator
//! sends one. Nine lines in ten settle a payout each by its reference, nine in a hundred are charges of the bank, one in
//! a hundred is explained by nothing and becomes an exception, which is asserted. Each booked line is a match, a ledger entry of two
//! postings, and a changed payout. Beside it, in the same run, the *limit*: plain sqlx writing rows of the same tables
//! with the same indexes (SQLite: a prepared INSERT per row, 2 000 a commit; PostgreSQL: COPY). Run it with
//! `cargo bench --bench bank [-- --quick] [--rows N] [sqlite|postgres]`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench tells its figures, and stops when it can't run")]

#[path = "purchase/database.rs"]
mod database;
#[path = "bank/limit.rs"]
mod limit;
#[path = "bank/server.rs"]
mod server;
#[path = "bank/statement.rs"]
mod statement;
#[expect(dead_code, reason = "this bench writes one format")]
#[path = "../crates/bank/tests/it/writers.rs"]
mod writers;

use std::time::{Duration, Instant};

use database::Database;
use serde_json::Value;
use server::{Counts, Server};
use statement::Explained;

/// Rows of the two statements, and of the two of a quick run.
const ROWS: [i64; 2] = [200_000, 1_000_000];
const ROWS_QUICK: [i64; 2] = [10_000, 50_000];
/// Promised of a million rows.
const SECONDS_PER_MILLION_MAX: f64 = 60.0;
/// Promised of the memory, however long a statement is.
const MEMORY_MIB_MAX: u64 = 150;
/// How often the process is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often seals are counted, which reads whole tables.
const LOOK_AT_SEALS: Duration = Duration::from_secs(1);

fn main() {
    if server::run_if_told() {
        return;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| words.iter().any(|one| one == word);
    let after = words.iter().position(|word| word == "--rows").and_then(|at| words.get(at + 1));
    let rows = match after.and_then(|text| text.parse().ok()) {
        Some(rows) => vec![rows],
        None if has("--quick") => ROWS_QUICK.to_vec(),
        None => ROWS.to_vec(),
    };
    let both = !has("sqlite") && !has("postgres");
    println!("a statement through the exchange, beside rows of the same tables by plain sqlx\n");
    println!(
        "database   |      rows |  file MB | store s | match s | seal s |  rows/s | limit/s | ratio | RSS MiB | WAL MiB"
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for rows in rows {
            if both || has("sqlite") {
                let dir = tempfile::tempdir().expect("a directory");
                measure_on("SQLite", Database::sqlite(dir.path()), rows).await;
            }
            if both || has("postgres") {
                match Database::postgres().await {
                    Some(database) => measure_on("PostgreSQL", database, rows).await,
                    None => println!("PostgreSQL | no server"),
                }
            }
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "a bench watches the server from outside")]
async fn measure_on(name: &str, database: Database, rows: i64) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("statement.xml");
    let bytes = statement::write(&file, rows);
    let mut server = Server::start(dir.path(), &database.url(), rows);
    let (begun, mut peak) = (Instant::now(), Peak::default());
    let sending = tokio::spawn(send(server.address.clone(), server.token.clone(), file));
    while !sending.is_finished() {
        peak.look(&server);
        tokio::time::sleep(LOOK).await;
    }
    let import = sending.await.expect("sent");
    let stored = begun.elapsed().as_secs_f64();
    while server.get(&format!("/api/v1/settlement/bank-statements/{import}")).await["booked_at"].is_null() {
        peak.look(&server);
        tokio::time::sleep(LOOK).await;
    }
    let matched = begun.elapsed().as_secs_f64();
    peak.look(&server);
    check(server.count(), rows);
    while server.count().sealed < rows.unsigned_abs() {
        peak.look(&server);
        tokio::time::sleep(LOOK_AT_SEALS).await;
    }
    let sealed = begun.elapsed().as_secs_f64();
    peak.look(&server);
    drop(server);
    let limit = limit::rows_per_second(&database, rows).await;
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    let (count, bytes) = (rows as f64, bytes as f64);
    let rate = count / matched;
    let wal = peak.wal_mib;
    println!(
        "{name:<10} | {rows:>9} | {:>8.1} | {stored:>7.1} | {:>7.1} | {:>6.1} | {rate:>7.0} | {limit:>7.0} | {:>5.2} | {:>7} | {wal:>7}",
        bytes / 1e6,
        matched - stored,
        sealed - matched,
        rate / limit,
        peak.rss_mib,
    );
    let promised = SECONDS_PER_MILLION_MAX * count / 1e6;
    println!(
        "           | {} lines explained by nothing, as many exceptions; {} < {promised:.0} s, memory {} < {MEMORY_MIB_MAX} MiB",
        strange(rows),
        if matched < promised { "met:" } else { "missed:" },
        if peak.rss_mib < MEMORY_MIB_MAX { "met:" } else { "missed:" },
    );
    database.drop().await;
}

/// Lines of a statement that nothing explains.
fn strange(rows: i64) -> u64 {
    (0..rows).filter(|row| statement::explained(*row) == Explained::Nothing).count() as u64
}

/// Each line is there, has its match and its entry, and each that nothing explains its exception, once the server calls
/// the statement booked.
fn check(counts: Counts, rows: i64) {
    let all = rows.unsigned_abs();
    let of = (counts.lines, counts.matches, counts.entries, counts.exceptions);
    assert_eq!(of, (all, all, all, strange(rows)), "{counts:?}");
}

/// The most that was seen of a server.
#[derive(Debug, Default)]
struct Peak {
    rss_mib: u64,
    wal_mib: u64,
}

impl Peak {
    fn look(&mut self, server: &Server) {
        self.rss_mib = self.rss_mib.max(server.rss_mib());
        self.wal_mib = self.wal_mib.max(server.wal_mib());
    }
}

/// Streams the statement; returns the id of its import.
async fn send(address: String, token: String, file: std::path::PathBuf) -> String {
    let file = tokio::fs::File::open(file).await.expect("the statement");
    let body = reqwest::Body::wrap_stream(tokio_util::io::ReaderStream::with_capacity(file, 1 << 18));
    let request = reqwest::Client::new()
        .post(format!("http://{address}/api/v1/settlement/bank-statements"))
        .bearer_auth(token)
        .body(body);
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let value: Value = answer.json().await.expect("JSON");
    assert_eq!(status, 201, "{value}");
    value["id"].as_str().expect("an id").to_owned()
}
