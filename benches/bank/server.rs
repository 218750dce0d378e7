//! Torv in a process of its own, with its background work and an operator who may import.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use entity::{Timestamp, bank_line, bank_match, bank_payout, ledger_entry, reconciliation_exception, sealed_entry};
use sea_orm::{ActiveValue::Set, EntityTrait as _, PaginatorTrait as _};
use serde_json::{Value, json};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use torv::{
    AppState,
    base::Clock,
    bootstrap,
    config::Config,
    db::bulk::{self, Known},
    jobs,
    people::organizations,
};

use crate::statement::{self, Explained, IBAN};

const DIR_VARIABLE: &str = "TORV_BENCH_DIR";
const URL_VARIABLE: &str = "TORV_BENCH_URL";
const ROWS_VARIABLE: &str = "TORV_BENCH_ROWS";
const MAIL: &str = "operator@example.org";
const PASSWORD: &str = "a long password of the bench";
/// Payouts written in one transaction.
const PAYOUTS_PER_BATCH: usize = 5_000;

/// Rows in the tables of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub lines: u64,
    pub matches: u64,
    pub entries: u64,
    pub sealed: u64,
    pub exceptions: u64,
}

/// A running Torv; dropping it ends it.
pub struct Server {
    pub address: String,
    pub token: String,
    child: Child,
    dir: PathBuf,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // The server ends when its input does.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts this program again as a server that knows the payouts of a statement of `rows`.
    pub fn start(dir: &Path, url: &str, rows: i64) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(DIR_VARIABLE, dir)
            .env(URL_VARIABLE, url)
            .env(ROWS_VARIABLE, rows.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let input = child.stdin.take();
        let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut line = || output.next().expect("the server runs").expect("a line");
        let (address, token) = (line(), line());
        let dir = url.strip_prefix("sqlite://").map_or_else(|| dir.to_owned(), PathBuf::from);
        Self { address, token, child, dir, input, output }
    }

    /// What the server counts in its tables.
    pub fn count(&mut self) -> Counts {
        writeln!(self.input.as_ref().expect("its input"), "count").expect("the server listens");
        let line = self.output.next().expect("the server runs").expect("a line");
        let counts: Vec<u64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [lines, matches, entries, sealed, exceptions] = counts[..] else { panic!("{line}") };
        Counts { lines, matches, entries, sealed, exceptions }
    }

    pub async fn get(&self, path: &str) -> Value {
        let request = reqwest::Client::new().get(format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    /// The memory that the process has to itself and shares, as the kernel counts it.
    pub fn rss_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    }

    /// The size of SQLite's write-ahead log.
    pub fn wal_mib(&self) -> u64 {
        let wal = PathBuf::from(format!("{}-wal", self.dir.display()));
        std::fs::metadata(wal).map_or(0, |file| file.len() >> 20)
    }
}

/// Runs as the server, if this process is one.
pub fn run_if_told() -> bool {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else { return false };
    let url = std::env::var(URL_VARIABLE).expect("an address");
    let rows = std::env::var(ROWS_VARIABLE).expect("a number").parse().expect("a number");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(serve(Path::new(&dir), &url, rows));
    true
}

async fn serve(dir: &Path, url: &str, rows: i64) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut config = Config::embedded(dir);
    config.database.url = url.into();
    let address = listener.local_addr().expect("an address").to_string();
    config.server.listen.clone_from(&address);
    let app = bootstrap::build(config, Clock::system()).await.expect("the exchange starts").app;
    let made = organizations::create_operator(&app, MAIL, "Operator", &PASSWORD.into(), "City of the bench").await;
    made.expect("an operator");
    make_payouts(&app, rows).await;
    let router = torv::router::router(app.clone());
    tokio::spawn(axum::serve(listener, router).into_future());
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    jobs::start(app.clone(), stop, &tasks);
    let token = log_in(&address).await;
    println!("{address}\n{token}");
    let (orders, mut told) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines() {
            let _ = orders.send(line.expect("a line"));
        }
    });
    while told.recv().await.is_some() {
        println!("{}", count(&app).await);
    }
}

async fn log_in(address: &str) -> String {
    let client = reqwest::Client::new();
    let post = |path: &str| client.post(format!("http://{address}/api/v1{path}"));
    let session = post("/sessions").json(&json!({"email": MAIL, "password": PASSWORD})).send().await.expect("answers");
    let session: Value = session.json().await.expect("JSON");
    let token = session["access_token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
    let account = post("/settlement/bank-accounts").bearer_auth(&token);
    let account = account.json(&json!({"name": "main", "number": IBAN, "currency": "EUR"})).send().await;
    assert_eq!(account.expect("answers").status(), 201);
    token
}

/// What the processor sent to the bank, as its lines are taken up.
async fn make_payouts(app: &AppState, rows: i64) {
    let settled: Vec<i64> = (0..rows).filter(|row| statement::explained(*row) == Explained::Payout).collect();
    for chunk in settled.chunks(PAYOUTS_PER_BATCH) {
        let payouts: Vec<_> = chunk.iter().map(|row| payout(*row, rows)).collect();
        let written = app.db.write("bench.payouts", move |tx| {
            let payouts = payouts.clone();
            async move {
                bulk::insert(&tx, payouts, Known::Refuse).await?;
                Ok(((), tx))
            }
        });
        written.await.expect("payouts");
    }
}

fn payout(row: i64, rows: i64) -> bank_payout::ActiveModel {
    bank_payout::ActiveModel {
        id: Set(format!("txn_{row:010}")),
        payout_id: Set(None),
        reference: Set(statement::reference(row)),
        trace_id: Set(None),
        currency: Set("EUR".to_owned()),
        amount_minor: Set(statement::amount_minor(row)),
        sent_at: Set(Timestamp(statement::day(row, rows).midnight().assume_utc())),
        expected_on: Set(None),
        settled_minor: Set(0),
        settled_at: Set(None),
        returned_at: Set(None),
        returned_by: Set(None),
    }
}

async fn count(app: &AppState) -> String {
    let conn = app.db.read();
    let lines = bank_line::Entity::find().count(conn).await.expect("counted");
    let matches = bank_match::Entity::find().count(conn).await.expect("counted");
    let entries = ledger_entry::Entity::find().count(conn).await.expect("counted");
    let sealed = sealed_entry::Entity::find().count(conn).await.expect("counted");
    let exceptions = reconciliation_exception::Entity::find().count(conn).await.expect("counted");
    format!("{lines} {matches} {entries} {sealed} {exceptions}")
}
