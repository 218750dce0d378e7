//! Purchases per second, beside what the database can do at best, in one run and turn about.
//!
//! Torv runs in a process of its own (this program, started again) with its real router. A purchase is an
//! order with a card: claimed, frozen, charged by the sandbox, settled, booked and granted. It is bought
//! through HTTP over kept connections (`http`) and by the service call inside Torv's process (`service`).
//! Beside it, over plain sqlx from this process: the statements of one purchase written out (`by hand`), and
//! two updates and three inserts per order in the forms that the table names. Background jobs are
//! off, and no log is written. Afterwards the ledger is verified; the bench fails if it is not clean.
//!
//! `cargo bench --bench purchase [-- --quick] [-- sqlite|postgres]`; `TORV_BENCH_POSTGRES` names the server.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench tells its figures, and stops when it can't run")]

#[path = "purchase/by_hand.rs"]
mod by_hand;
#[path = "purchase/client.rs"]
mod client;
#[path = "purchase/database.rs"]
mod database;
#[path = "purchase/limits.rs"]
mod limits;
#[path = "purchase/measure.rs"]
mod measure;
#[path = "purchase/prefill.rs"]
mod prefill;
#[path = "purchase/server.rs"]
mod server;
#[path = "purchase/sides.rs"]
mod sides;
#[path = "purchase/wire.rs"]
mod wire;
#[path = "purchase/world.rs"]
mod world;

use std::time::Duration;

use database::Database;
use measure::Figures;
use server::{Order, Server};
use sides::{Bench, Side};

/// Buyers at the same time.
const BUYERS: [usize; 3] = [1, 8, 32];

/// How long everything takes.
#[derive(Debug, Clone, Copy)]
struct Plan {
    rounds: usize,
    length: Duration,
    /// Sizes of the ledger, in postings.
    ledgers: &'static [u64],
}

fn main() {
    if server::run_if_told() {
        return;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let told = |word: &str| words.iter().any(|given| given == word);
    let plan = if told("--quick") {
        Plan { rounds: 3, length: Duration::from_millis(400), ledgers: &[1_000, 10_000] }
    } else {
        Plan { rounds: 3, length: Duration::from_millis(1_200), ledgers: &[1_000, 10_000, 100_000, 1_000_000] }
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let wanted = |database: &str, other: &str| told(database) || !told(other);
    runtime.block_on(async {
        for part in [Part::Compare, Part::Grow] {
            if wanted("sqlite", "postgres") {
                let dir = tempfile::tempdir().expect("a temporary directory");
                // A tenth of the largest ledger: a file fills up through one writer.
                let ledgers = &plan.ledgers[..plan.ledgers.len().min(3)];
                let name = "SQLite (WAL, synchronous FULL)";
                run(name, dir.path(), &Database::sqlite(dir.path()), Plan { ledgers, ..plan }, part).await;
            }
            if wanted("postgres", "sqlite") {
                let dir = tempfile::tempdir().expect("a temporary directory");
                match Database::postgres().await {
                    Some(postgres) => {
                        run("PostgreSQL (fsync on)", dir.path(), &postgres, plan, part).await;
                        postgres.drop().await;
                    }
                    None => println!("\n!!! No PostgreSQL: its half was NOT run. Set TORV_BENCH_POSTGRES.\n"),
                }
            }
        }
    });
}

/// What is shown on a fresh database of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Torv beside the limits.
    Compare,
    /// Torv on ledgers of several sizes.
    Grow,
}

async fn run(name: &str, dir: &std::path::Path, database: &Database, plan: Plan, part: Part) {
    let server = Server::start(dir, &database.url());
    let mut bench = Bench::new(server, database, dir).await;
    // A step of the growing ledger is measured in shorter rounds: there are more of them.
    let plan = if part == Part::Grow { Plan { length: plan.length / 2, ..plan } } else { plan };
    println!("\n{name}, medians of {} rounds of {:.1} s each\n", plan.rounds, plan.length.as_secs_f64());
    match part {
        Part::Compare => {
            println!("buyers | side           |  rate/s |  p50 ms |  p99 ms | CPU ms each");
            let mut table = Vec::new();
            for buyers in BUYERS {
                let sides = bench.sides(buyers);
                table.extend(compare(&mut bench, &sides, buyers, plan).await);
            }
            judge(&table, matches!(database, Database::Sqlite { .. }));
        }
        Part::Grow => grow(&mut bench, plan).await,
    }
    println!("\n{}", bench.server.tell::<String>(&Order::Verify));
}

/// Fills the ledger up, step by step; the purchases of one step count for the next.
async fn grow(bench: &mut Bench, plan: Plan) {
    println!("postings   | http/s (8 buyers) | service/s (8 buyers) | http p99 ms");
    for postings in plan.ledgers {
        let there: u64 = bench.server.tell(&Order::Fill { postings: *postings });
        let http = bench.median(Side::Http, 8, plan.rounds, plan.length).await;
        let service = bench.median(Side::Service, 8, plan.rounds, plan.length).await;
        println!("{there:10} | {:17.0} | {:20.0} | {:11.2}", http.per_second, service.per_second, http.p99_ms);
    }
}

/// All sides turn about, after a first round that only warms up.
async fn compare(bench: &mut Bench, sides: &[Side], buyers: usize, plan: Plan) -> Vec<(usize, Side, Figures)> {
    let mut rounds: Vec<Vec<Figures>> = sides.iter().map(|_| Vec::new()).collect();
    for round in 0..=plan.rounds {
        for (side, figures) in sides.iter().zip(&mut rounds) {
            let length = if round == 0 { plan.length / 2 } else { plan.length };
            let measured = bench.round(*side, buyers, length).await;
            if round > 0 {
                figures.push(measured);
            }
        }
    }
    let rows: Vec<_> = sides.iter().zip(&rounds).map(|(side, all)| (buyers, *side, Figures::median(all))).collect();
    for (buyers, side, Figures { per_second, p50_ms, p99_ms, cpu_ms }) in &rows {
        let name = side.name();
        println!("{buyers:6} | {name:14} | {per_second:7.0} | {p50_ms:7.2} | {p99_ms:7.2} | {cpu_ms:11.3}");
    }
    rows
}

/// Prints the promised ratios.
fn judge(table: &[(usize, Side, Figures)], sqlite: bool) {
    let rate = |buyers: usize, side: Side| {
        let found = table.iter().find(|(at, of, _)| *at == buyers && *of == side);
        found.map_or(f64::NAN, |(_, _, figures)| figures.per_second)
    };
    println!("\nbuyers | ratio                    | value | goal");
    let limit = if sqlite { Side::Batch16 } else { Side::Spread };
    let goal = if sqlite { "0.40" } else { "0.35" };
    for buyers in BUYERS {
        let of = |one: Side, other: Side| rate(buyers, one) / rate(buyers, other);
        println!("{buyers:6} | http / {:17} | {:5.2} | {goal}", limit.name(), of(Side::Http, limit));
        println!("{buyers:6} | service / {:14} | {:5.2} |", limit.name(), of(Side::Service, limit));
        println!("{buyers:6} | service / by hand        | {:5.2} | 0.70", of(Side::Service, Side::ByHand));
        if !sqlite {
            println!("{buyers:6} | service / hot row        | {:5.2} |", of(Side::Service, Side::HotRow));
            println!("{buyers:6} | service / one statement  | {:5.2} |", of(Side::Service, Side::OneStatement));
        }
    }
    let hot = |side: Side, spread: Side| rate(32, side) / rate(32, spread);
    println!("{:6} | http, one hot listing    | {:5.2} | of http", 32, hot(Side::HttpHot, Side::Http));
    println!("{:6} | service, one hot listing | {:5.2} | of service", 32, hot(Side::ServiceHot, Side::Service));
}
