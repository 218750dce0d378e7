//! Random walks: everything that can happen to money, in any order, with every invariant checked after each
//! operation, over the same services and the same HTTP API that run in production.
//!
//! A walk is many small worlds, each an exchange on a database of its own whose steps follow from its seed; after
//! every step `verify_with_processor` re-checks all that `torv verify --processor` checks (I1 to I12 of
//! `base::Invariant`), and at the end of a world everything is brought to its end. A failing world is shrunk: steps
//! are left out as long as the same promise still breaks, and what is left is printed with the command that repeats it.
//!
//! The tests walk a little. A million operations is one command (an hour or so on four cores; `/dev/shm` spares the
//! disk the syncs that no crash of a test needs):
//!
//! ```sh
//! TMPDIR=/dev/shm TORV_TEST_WALK_OPERATIONS=1000000 TORV_TEST_WALK_THREADS=4 \
//!   cargo test --release --features stripe -p torv --test it walk::every_invariant_holds_after_every_step::sqlite -- --nocapture
//! ```
//!
//! `TORV_TEST_WALK_SEED` chooses the first seed, `TORV_TEST_WALK_STEPS` the steps of a world, `TORV_TEST_WALK_KEEP`
//! (numbers of steps, with commas) repeats a world with these steps alone.

mod seeded;
mod step;
mod world;

use std::{
    fmt::Write as _,
    panic::AssertUnwindSafe,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use futures::FutureExt as _;
use step::Step;
use torv::settlement::verify::verify_with_processor;
use world::World;

use crate::support::{Backend, Home, TestApp};

/// Worlds that shrinking may build.
const SHRINK_WORLDS_MAX: usize = 120;
/// Operations between two signs of life.
const TELL_EVERY: u64 = 2_000;

fn variable<T: FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Why a world stopped.
#[derive(Debug, Clone)]
struct Failure {
    /// The promises that broke, or what was answered.
    what: String,
    /// Everything that was said.
    text: String,
    /// How many of the steps were taken.
    taken: usize,
}

/// Takes these steps of a world, and then settles it.
async fn walk(backend: Backend, seed: u64, steps: &[Step], operations: &AtomicU64) -> Result<(), Failure> {
    let Some(home) = Home::fresh(backend).await else { return Ok(()) };
    let app = TestApp::start(home, |config| config.database.connections_max = 4).await;
    // Every other world has no money but what it sells for; in every fourth a provider bears fees.
    let mut world = World::new(app, seed.is_multiple_of(2), seed % 4 == 3).await;
    let mut story = String::new();
    let failure = |what: &str, text: &str, story: &str, taken: usize| {
        let (what, text) = (what.to_owned(), format!("{text}\n--- what happened:\n{story}"));
        Failure { what, text, taken }
    };
    for (taken, step) in (1..).zip(steps) {
        let outcome = AssertUnwindSafe(world.take(*step)).catch_unwind().await;
        match outcome {
            Ok(Ok(said)) => writeln!(story, "{taken:>4} {step:?}: {said}").expect("writes"),
            Ok(Err(said)) => {
                let what: String = said.chars().take(40).collect();
                return Err(failure(&what, &format!("{step:?}: {said}"), &story, taken));
            }
            Err(panic) => return Err(failure("panic", &format!("{step:?}: {}", words_of(&*panic)), &story, taken)),
        }
        if let Err((what, text)) = check(&world).await {
            writeln!(story, "{taken:>4} {step:?}: broke it").expect("writes");
            return Err(failure(&what, &text, &story, taken));
        }
        operations.fetch_add(1, Ordering::Relaxed);
    }
    let taken = steps.len();
    match AssertUnwindSafe(world.settle()).catch_unwind().await {
        Ok(Ok(_)) => {}
        Ok(Err(said)) => {
            let what: String = said.chars().take(40).collect();
            return Err(failure(&what, &said, &story, taken));
        }
        Err(panic) => return Err(failure("panic at the end", words_of(&*panic), &story, taken)),
    }
    check(&world).await.map_err(|(what, text)| failure(&what, &format!("at the end: {text}"), &story, taken))
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words")
}

/// The promises that are broken, and the sentences.
async fn check(world: &World) -> Result<(), (String, String)> {
    let report = verify_with_processor(&world.app.app, |_, _| {}).await;
    let report = report.map_err(|error| ("unreadable".to_owned(), format!("{error}: {:?}", error.cause)))?;
    if report.is_clean() {
        return Ok(());
    }
    let names: Vec<&str> = report.broken().iter().map(|invariant| invariant.name()).collect();
    Err((names.join(", "), report.all_violations().collect::<Vec<_>>().join("\n")))
}

/// Leaves steps out as long as the same thing goes wrong; returns the numbers of those that are needed.
async fn shrunk(backend: Backend, seed: u64, all: &[Step], failure: &Failure) -> (Vec<usize>, Failure) {
    let nobody = AtomicU64::new(0);
    let (mut keep, mut last): (Vec<usize>, Failure) = ((0..failure.taken).collect(), failure.clone());
    let (mut piece, mut worlds) = ((keep.len() / 2).max(1), 0);
    while worlds < SHRINK_WORLDS_MAX {
        let (mut at, mut fewer) = (0, false);
        while at < keep.len() && worlds < SHRINK_WORLDS_MAX {
            let kept: Vec<usize> = keep
                .iter()
                .enumerate()
                .filter(|(n, _)| !(at..at + piece).contains(n))
                .map(|(_, place)| *place)
                .collect();
            let steps: Vec<Step> = kept.iter().map(|place| all[*place]).collect();
            worlds += 1;
            match walk(backend, seed, &steps, &nobody).await {
                Err(next) if next.what == failure.what => {
                    keep = kept.into_iter().take(next.taken).collect();
                    (last, fewer) = (next, true);
                }
                _ => at += piece,
            }
        }
        if piece == 1 && !fewer {
            break;
        }
        piece = (piece / 2).max(1);
    }
    (keep, last)
}

async fn one_world(backend: Backend, seed: u64, count: usize, operations: &AtomicU64) -> Result<(), String> {
    let all = step::steps(seed, count);
    let kept = std::env::var("TORV_TEST_WALK_KEEP").ok();
    if let Some(kept) = kept {
        let steps: Vec<Step> =
            kept.split(',').filter_map(|number| all.get(number.trim().parse::<usize>().ok()?)).copied().collect();
        let outcome = walk(backend, seed, &steps, operations).await;
        return outcome.map_err(|failure| format!("{}\n{}", failure.what, failure.text));
    }
    let Err(failure) = walk(backend, seed, &all, operations).await else { return Ok(()) };
    eprintln!("seed {seed} breaks {} after {} steps; shrinking", failure.what, failure.taken);
    let (keep, last) = shrunk(backend, seed, &all, &failure).await;
    let numbers: Vec<String> = keep.iter().map(ToString::to_string).collect();
    Err(format!(
        "{}\n{}\n--- {} of {} steps are needed; repeat them with\n\
         TORV_TEST_WALK_SEED={seed} TORV_TEST_WALK_STEPS={count} TORV_TEST_WALK_KEEP={} cargo test --features stripe -p torv --test it walk::every_invariant_holds_after_every_step::sqlite",
        last.what,
        last.text,
        keep.len(),
        failure.taken,
        numbers.join(","),
    ))
}

/// Walks worlds on several threads until so many operations were checked, or something broke.
fn worlds(backend: Backend, default: u64, steps: usize) {
    if !is_there(backend) {
        return;
    }
    let wanted = variable("TORV_TEST_WALK_OPERATIONS", default);
    let (first, steps) = (variable("TORV_TEST_WALK_SEED", 0_u64), variable("TORV_TEST_WALK_STEPS", steps));
    let alone = std::env::var_os("TORV_TEST_WALK_KEEP").is_some();
    let failures_max = variable("TORV_TEST_WALK_FAILURES", 1_usize);
    let threads = if alone { 1 } else { variable("TORV_TEST_WALK_THREADS", 2_usize) };
    let (seed, operations, told) = (AtomicU64::new(first), AtomicU64::new(0), AtomicU64::new(TELL_EVERY));
    let failures = std::sync::Mutex::new(Vec::<String>::new());
    let began = Instant::now();
    let full = |failures: &std::sync::Mutex<Vec<String>>| failures.lock().expect("not poisoned").len() >= failures_max;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
                let runtime = runtime.expect("a runtime");
                while operations.load(Ordering::Relaxed) < wanted && !full(&failures) {
                    let mine = seed.fetch_add(1, Ordering::Relaxed);
                    let outcome = runtime.block_on(one_world(backend, mine, steps, &operations));
                    if let Err(text) = outcome {
                        eprintln!("FAILURE {text}");
                        failures.lock().expect("not poisoned").push(text);
                    }
                    let done = operations.load(Ordering::Relaxed);
                    if done >= told.load(Ordering::Relaxed) {
                        told.store(done + TELL_EVERY, Ordering::Relaxed);
                        let count = failures.lock().expect("not poisoned").len();
                        eprintln!("{done} operations, seeds {first}..={mine}, {count} failures, {:?}", began.elapsed());
                    }
                    if alone {
                        break;
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("not poisoned");
    let done = operations.into_inner();
    eprintln!("{done} operations in {:?} from seed {first}, {} failures", began.elapsed(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n=====\n"));
}

/// False where the database's server is not there, which was said: no world would ever take a step.
fn is_there(backend: Backend) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Home::fresh(backend)).is_some()
}

mod every_invariant_holds_after_every_step {
    use super::*;

    #[test]
    fn sqlite() {
        worlds(Backend::Sqlite, 600, 120);
    }

    #[test]
    fn postgres() {
        // The long walk is SQLite's; here the same code meets the other database.
        if std::env::var_os("TORV_TEST_WALK_OPERATIONS").is_none() {
            worlds(Backend::Postgres, 80, 80);
        }
    }
}
