//! Load on one address, and what it cost the server.

use std::{process::Command, time::Instant};

/// Connections kept busy.
pub const CONNECTIONS: usize = 64;
/// Length of a round.
pub const SECONDS: u64 = 3;

/// What one round showed.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    pub per_second: f64,
    /// Of 10^6 bytes, per second.
    pub megabytes: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Of the server's processes, per request.
    pub cpu_ms: f64,
}

impl Figures {
    /// The middle of each figure.
    pub fn median(all: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| {
            let mut values: Vec<f64> = all.iter().map(figure).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        Self {
            per_second: middle(|f| f.per_second),
            megabytes: middle(|f| f.megabytes),
            p50_ms: middle(|f| f.p50_ms),
            p99_ms: middle(|f| f.p99_ms),
            cpu_ms: middle(|f| f.cpu_ms),
        }
    }
}

/// What makes the load.
pub fn tool() -> &'static str {
    if has_wrk() { "wrk, 2 threads" } else { "built in (install wrk for a lighter one)" }
}

fn has_wrk() -> bool {
    Command::new("wrk").arg("--version").output().is_ok()
}

/// Loads `url` for one round; `pids` are the processes of its server.
pub fn run(runtime: &tokio::runtime::Runtime, url: &str, pids: &[u32]) -> Figures {
    let (before, started) = (cpu_seconds(pids), Instant::now());
    let size = f64::from(u32::try_from(runtime.block_on(fetch(url)).len()).expect("a small file"));
    let (requests, p50_ms, p99_ms) = if has_wrk() { wrk(url) } else { runtime.block_on(generate(url)) };
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds(pids) - before);
    let per_second = requests / seconds;
    Figures { per_second, megabytes: per_second * size / 1e6, p50_ms, p99_ms, cpu_ms: cpu * 1e3 / requests }
}

/// The whole answer, which must be 200.
pub async fn fetch(url: &str) -> Vec<u8> {
    let answer = reqwest::get(url).await.expect("an answer");
    assert_eq!(answer.status(), 200, "{url}");
    answer.bytes().await.expect("a whole answer").to_vec()
}

fn wrk(url: &str) -> (f64, f64, f64) {
    let output = Command::new("wrk")
        .args(["-t2", &format!("-c{CONNECTIONS}"), &format!("-d{SECONDS}s"), "--latency", url])
        .output()
        .expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx"), "{text}");
    let word_after = |mark: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(mark)).unwrap_or_else(|| panic!("{text}"));
        line.trim_start().trim_start_matches(mark).trim().to_owned()
    };
    let requests = text.lines().find_map(|line| line.trim().split_once(" requests in ")).expect("a count").0;
    (requests.parse().expect("a number"), milliseconds(&word_after("50%")), milliseconds(&word_after("99%")))
}

fn milliseconds(text: &str) -> f64 {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().expect("a number");
    match &text[digits.len()..] {
        "us" => number / 1e3,
        "ms" => number,
        _ => number * 1e3,
    }
}

/// Keeps the connections busy from this process.
async fn generate(url: &str) -> (f64, f64, f64) {
    let client = reqwest::Client::new();
    let until = Instant::now() + std::time::Duration::from_secs(SECONDS);
    let workers = (0..CONNECTIONS).map(|_| {
        let (client, url) = (client.clone(), url.to_owned());
        tokio::spawn(async move {
            let mut taken = Vec::new();
            while Instant::now() < until {
                let started = Instant::now();
                let answer = client.get(&url).send().await.expect("an answer");
                assert_eq!(answer.status(), 200);
                answer.bytes().await.expect("a whole answer");
                taken.push(started.elapsed().as_secs_f64() * 1e3);
            }
            taken
        })
    });
    let all = futures::future::join_all(workers).await;
    let mut taken: Vec<f64> = all.into_iter().flat_map(|worker| worker.expect("a worker")).collect();
    taken.sort_by(f64::total_cmp);
    let count = f64::from(u32::try_from(taken.len()).expect("a count"));
    (count, taken[taken.len() / 2], taken[taken.len() * 99 / 100])
}

/// User and system time of processes so far. Linux counts it in hundredths of a second.
fn cpu_seconds(pids: &[u32]) -> f64 {
    let of = |pid: &u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a live server");
        let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
        let ticks = |at: usize| after_name.split_whitespace().nth(at).and_then(|text| text.parse::<f64>().ok());
        // Fields 14 and 15, counted from the third, which follows the name.
        ticks(11).zip(ticks(12)).map(|(user, system)| user + system).expect("two numbers")
    };
    pids.iter().map(of).sum::<f64>() / 100.0
}
