//! Rounds of load, and what they show.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// What one round showed.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Figures {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// User and system time of the process that issues the statements, per purchase.
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
            p50_ms: middle(|f| f.p50_ms),
            p99_ms: middle(|f| f.p99_ms),
            cpu_ms: middle(|f| f.cpu_ms),
        }
    }
}

/// Somebody who does one thing after another.
pub trait Worker: Send + 'static {
    /// Things done by one call of [`Worker::work`].
    const AT_ONCE: u32 = 1;

    /// Does it once; a failure ends the bench.
    fn work(&mut self) -> impl Future<Output = ()> + Send;
}

/// Lets all of them work side by side for `length`; `pid` is the process whose time counts.
pub async fn round<W: Worker>(workers: Vec<W>, length: Duration, pid: u32) -> Figures {
    let (cpu_before, started) = (cpu_seconds(pid), Instant::now());
    let until = started + length;
    let tasks: Vec<_> = workers
        .into_iter()
        .map(|mut worker| {
            tokio::spawn(async move {
                let mut taken_ms = Vec::new();
                while Instant::now() < until {
                    let begun = Instant::now();
                    worker.work().await;
                    taken_ms.push(begun.elapsed().as_secs_f64() * 1e3);
                }
                taken_ms
            })
        })
        .collect();
    let all = futures::future::join_all(tasks).await;
    let seconds = started.elapsed().as_secs_f64();
    let mut taken_ms: Vec<f64> = all.into_iter().flat_map(|task| task.expect("nothing failed")).collect();
    taken_ms.sort_by(f64::total_cmp);
    let done = number(taken_ms.len()) * f64::from(W::AT_ONCE);
    Figures {
        per_second: done / seconds,
        p50_ms: taken_ms[taken_ms.len() / 2],
        p99_ms: taken_ms[taken_ms.len() * 99 / 100],
        cpu_ms: (cpu_seconds(pid) - cpu_before) * 1e3 / done,
    }
}

/// A count as a figure.
pub fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a count"))
}

/// User and system time of a process so far. Linux counts it in hundredths of a second.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a live process");
    let after_name = stat.rsplit_once(')').expect("a name in brackets").1;
    let ticks = |at: usize| after_name.split_whitespace().nth(at).and_then(|text| text.parse::<f64>().ok());
    // Fields 14 and 15, counted from the third, which follows the name.
    ticks(11).zip(ticks(12)).map(|(user, system)| user + system).expect("two numbers") / 100.0
}
