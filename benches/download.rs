//! Downloads beside nginx, in one run: the same sizes, the same load, turn about.
//!
//! Torv runs in a process of its own (this program, started again) with its real router, the database
//! check of the grant and the recording of each delivery; nginx with `secure_link` and `sendfile`, once as
//! its packages set it and once (`nginx+`) with `open_file_cache`. `accel` is another Torv behind an nginx as
//! `deploy/nginx.conf` says: it decides, nginx sends. None of them writes an access log. Each figure is the median of three rounds. Run it with
//! `cargo bench --bench download`; it uses `wrk` if that is installed, else a generator of its own, which
//! takes more of the machine away from both.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a bench tells its figures, and stops when it can't run")]

#[path = "fixtures/buyer.rs"]
mod buyer;
#[path = "download/load.rs"]
mod load;
#[path = "download/nginx.rs"]
mod nginx;
#[path = "download/torv_server.rs"]
mod torv_server;

use load::Figures;

/// Name, size in bytes, and the part of nginx's rate that is promised.
const SIZES: [(&str, usize, f64); 3] = [("4 KB", 4 << 10, 0.5), ("64 KB", 64 << 10, 0.5), ("1 MB", 1 << 20, 0.55)];
/// The part of nginx's rate that is promised where nginx sends the file.
const ACCEL_GOAL: f64 = 0.85;
/// Rounds of which the median counts.
const ROUNDS: usize = 3;

/// A server under load.
struct Side {
    name: &'static str,
    pids: Vec<u32>,
    /// One address per size.
    urls: Vec<String>,
}

fn main() {
    if std::env::var_os(torv_server::VARIABLE).is_some() {
        return torv_server::run();
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files: Vec<Vec<u8>> = SIZES.iter().map(|(_, size, _)| pattern(*size)).collect();
    for ((_, size, _), bytes) in SIZES.iter().zip(&files) {
        std::fs::write(dir.path().join(size.to_string()), bytes).expect("the file is written");
    }
    let torv = torv_server::start(dir.path(), false);
    let decides = torv_server::start(dir.path(), true);
    let accel = nginx::in_front_of(dir.path(), &decides);
    let sizes = SIZES.map(|(_, size, _)| size);
    let nginx: Vec<_> = [false, true].iter().filter_map(|open| nginx::start(dir.path(), &sizes, *open)).collect();
    let plain = nginx.iter().map(|nginx| &nginx.side);
    let sides: Vec<&Side> =
        std::iter::once(&torv.side).chain(plain).chain(accel.iter().map(|accel| &accel.side)).collect();
    if nginx.is_empty() {
        println!("\n!!! nginx is not installed: there is nothing to compare with. Torv's own figures follow.\n");
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for side in &sides {
        for (url, bytes) in side.urls.iter().zip(&files) {
            let got = runtime.block_on(load::fetch(url));
            assert!(got == *bytes, "{} does not serve the file at {url}", side.name);
        }
    }
    println!(
        "load: {}, {} connections, {ROUNDS} rounds of {} s each\n",
        load::tool(),
        load::CONNECTIONS,
        load::SECONDS
    );
    println!("size  | server | requests/s |   MB/s |  p50 ms |  p99 ms | CPU ms/request | of nginx / nginx+ | goal");
    for (at, (name, _, goal)) in SIZES.iter().enumerate() {
        measure(&runtime, &sides, at, name, *goal);
    }
}

fn measure(runtime: &tokio::runtime::Runtime, sides: &[&Side], at: usize, name: &str, goal: f64) {
    let mut rounds: Vec<Vec<Figures>> = sides.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for (side, figures) in sides.iter().zip(&mut rounds) {
            let measured = load::run(runtime, &side.urls[at], &side.pids);
            // The first round only warms up.
            if round > 0 {
                figures.push(measured);
            }
        }
    }
    let medians: Vec<Figures> = rounds.iter().map(|figures| Figures::median(figures)).collect();
    for (side, median) in sides.iter().zip(&medians) {
        let ratio = |peer: &Figures| format!("{:.2}", median.per_second / peer.per_second);
        let is_plain = |side: &&&Side| side.name.starts_with("nginx");
        let plain = sides.iter().zip(&medians).filter(|(side, _)| is_plain(side));
        let ratios: Vec<String> = plain.map(|(_, peer)| ratio(peer)).collect();
        let judged = match side.name {
            "torv" => format!("{} | {goal:.2}", ratios.join(" / ")),
            "accel" => format!("{} | {ACCEL_GOAL:.2}", ratios.join(" / ")),
            _ => String::new(),
        };
        let Figures { per_second, megabytes, p50_ms, p99_ms, cpu_ms } = median;
        println!(
            "{name:5} | {:6} | {per_second:10.0} | {megabytes:6.0} | {p50_ms:7.2} | {p99_ms:7.2} | {cpu_ms:14.4} | {judged}",
            side.name
        );
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at.wrapping_mul(2_654_435_761) >> 13) & 0xff).unwrap_or(0)).collect()
}
