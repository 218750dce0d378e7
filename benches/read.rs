//! Listing pages and details per second, beside a bare axum handler that gives the same bytes.
//!
//! Torv and the bare handler run in one process of their own (this program, started again), on the same
//! runtime; the square is in SQLite. The load comes over kept connections from this process. Medians of
//! three rounds, turn about. Run it with `cargo bench --bench read [-- --quick]`.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench tells its figures, and stops when it can't run")]

#[path = "purchase/measure.rs"]
mod measure;
#[path = "read/square.rs"]
mod square;
#[path = "purchase/wire.rs"]
mod wire;
#[expect(dead_code, reason = "readers need less of it than buyers")]
#[path = "purchase/world.rs"]
mod world;

use std::time::Duration;

use measure::{Figures, Worker};
use wire::Wire;

/// Connections kept busy.
const CONNECTIONS: usize = 16;
/// Rounds of which the median counts.
const ROUNDS: usize = 3;
/// Listings of the squares.
const SQUARES: [usize; 2] = [157, 10_000];
/// Name and address of what is read; `{id}` is a listing.
const PAGES: [(&str, &str); 4] = [
    ("page of 20", "/api/v1/listings?limit=20"),
    ("page, facets", "/api/v1/listings?limit=20&facets=true"),
    ("page, text", "/api/v1/listings?limit=20&q=water"),
    ("detail", "/api/v1/listings/{id}"),
];

/// Somebody who reads one address again and again.
struct Reader {
    wire: Wire,
    request: String,
}

impl Worker for Reader {
    async fn work(&mut self) {
        let answer = self.wire.ask(&self.request).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
    }
}

fn main() {
    if square::run_if_told() {
        return;
    }
    let quick = std::env::args().any(|word| word == "--quick");
    let length = Duration::from_millis(if quick { 300 } else { 1_500 });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!("{CONNECTIONS} connections, medians of {ROUNDS} rounds of {:.1} s each\n", length.as_secs_f64());
    println!("listings | what         | server |  bytes | requests/s |  p50 ms |  p99 ms | CPU ms each | of bare");
    for listings in SQUARES {
        let square = square::Square::start(listings);
        for (name, path) in PAGES {
            let path = path.replace("{id}", &square.told.listing);
            runtime.block_on(compare(&square, listings, name, &path, length));
        }
    }
}

async fn compare(square: &square::Square, listings: usize, name: &str, path: &str, length: Duration) {
    let told = &square.told;
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let answer = Wire::connect(&told.torv).await.ask(&request).await.to_vec();
    let body = answer.len() - answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") - 4;
    let bare = format!("GET /{body} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let sides = [("torv", &told.torv, request), ("bare", &told.bare, bare)];
    let mut rounds = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for ((_, address, request), figures) in sides.iter().zip(&mut rounds) {
            let mut readers = Vec::new();
            for _ in 0..CONNECTIONS {
                readers.push(Reader { wire: Wire::connect(address).await, request: request.clone() });
            }
            let measured = measure::round(readers, length, told.pid).await;
            // The first round only warms up.
            if round > 0 {
                figures.push(measured);
            }
        }
    }
    let medians = rounds.map(|all| Figures::median(&all));
    for ((server, ..), median) in sides.iter().zip(&medians) {
        let Figures { per_second, p50_ms, p99_ms, cpu_ms } = median;
        let part = per_second / medians[1].per_second;
        println!(
            "{listings:8} | {name:12} | {server:6} | {body:6} | {per_second:10.0} | {p50_ms:7.2} | {p99_ms:7.2} | \
             {cpu_ms:11.4} | {part:7.3}"
        );
    }
}
