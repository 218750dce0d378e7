//! Every flow of money, killed for real.
//!
//! A process plays a flow against Stripe's twin, which lives on in another process, and gets SIGKILL: while it stands
//! at a step (before a transaction, before and after its commit, before and after a call), or while it waits for an
//! answer to what Stripe has done. Stripe may fail on top of it. A second process goes on with the same database, the
//! client repeats its requests under their keys, and in the end there is one charge, transfer, refund and reversal each,
//! the books agree with Stripe to the cent, and nothing is open. The binary of the tests is its own child.
//!
//! `TORV_KILL_STRIDE=1 TORV_KILL_FAULTS=all cargo test --features stripe --test it kill:: -- --nocapture` is all of it;
//! `TORV_KILL_SEEDS=10000` draws that many cases, `TORV_KILL_SEED=17` repeats one of them.

mod exchange;
mod flows;
mod harness;
mod process;

use std::collections::BTreeMap;

use flows::Flow;
use futures::{StreamExt as _, stream};
use harness::{Case, FAULTS, Point, Prepared, Tally};

use crate::support::{Backend, Dice};

/// Every n-th step is killed, beginning with another one in each flow; 1 is every step.
const STRIDE_VARIABLE: &str = "TORV_KILL_STRIDE";
/// `all` kills each step under each fault; else each step meets one of them, in turn.
const FAULTS_VARIABLE: &str = "TORV_KILL_FAULTS";
/// Flows by name, separated by commas; without it all.
const FLOWS_VARIABLE: &str = "TORV_KILL_FLOWS";
/// Processes at the same time; without it as many as there are cores.
const JOBS_VARIABLE: &str = "TORV_KILL_JOBS";
const SEED_VARIABLE: &str = "TORV_KILL_SEED";
/// How many cases are drawn, from the seed in [`SEED_VARIABLE`] on.
const SEEDS_VARIABLE: &str = "TORV_KILL_SEEDS";

/// Steps to the next one that is killed where nobody says otherwise: what a change can wait for.
const STRIDE: usize = 45;
/// The flows of a short run on PostgreSQL; there only the database differs.
const FLOWS_POSTGRES: [Flow; 5] = [Flow::Card, Flow::Renewal, Flow::Payout, Flow::RefundAfterPayout, Flow::DisputeLost];

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

fn jobs() -> usize {
    number(JOBS_VARIABLE).unwrap_or_else(|| std::thread::available_parallelism().map_or(2, std::num::NonZero::get))
}

fn flows(all: &[Flow]) -> Vec<Flow> {
    let Ok(names) = std::env::var(FLOWS_VARIABLE) else { return all.to_vec() };
    let is_named = |flow: &Flow| names.split(',').any(|name| name == format!("{flow:?}"));
    Flow::ALL.into_iter().filter(is_named).collect()
}

/// The cases of a flow: every `stride`-th step and every call (a short run: every third), under each fault in turn, or under all of them.
fn cases(prepared: &Prepared, stride: usize, with_all_faults: bool) -> Vec<Case> {
    let offset = prepared.flow as usize % stride;
    let of_step = |at: usize| {
        let kinds = if with_all_faults {
            FAULTS.to_vec()
        } else {
            vec![FAULTS[(at / stride + prepared.flow as usize) % FAULTS.len()]]
        };
        let nth = 1 + u32::try_from(at).expect("few") % prepared.calls.max(1);
        kinds.into_iter().map(move |kind| Case {
            point: Point::Step(at),
            fault: kind.map(|kind| (kind, nth)),
            second: None,
            is_quick: (at / stride).is_multiple_of(2),
        })
    };
    let steps = (offset..prepared.steps.len()).step_by(stride).flat_map(of_step);
    let of_call =
        |nth: u32| Case { point: Point::Call(nth), fault: None, second: None, is_quick: nth.is_multiple_of(2) };
    let calls = (1..=prepared.calls).step_by(stride.min(3));
    steps.chain(calls.map(of_call)).collect()
}

/// A case under a fault may go another way and never come to its step; then it is killed there without the fault.
async fn killed(prepared: &Prepared, case: Case) -> Result<usize, String> {
    match prepared.run(case).await? {
        0 if case.point != Point::Nowhere => match prepared.run(Case { fault: None, ..case }).await? {
            0 => Err(format!("{:?} on {:?}, {case:?} was not killed", prepared.flow, prepared.backend)),
            killed => Ok(killed),
        },
        killed => Ok(killed),
    }
}

async fn prepare_all(backend: Backend, flows: &[Flow]) -> Option<Vec<Prepared>> {
    let prepared: Vec<_> =
        stream::iter(flows.iter().map(|flow| Prepared::new(*flow, backend))).buffered(jobs()).collect().await;
    let prepared: Option<Result<Vec<_>, String>> = prepared.into_iter().collect();
    Some(prepared?.unwrap_or_else(|error| panic!("{error}")))
}

async fn survive(backend: Backend) {
    let wished = number(STRIDE_VARIABLE);
    let stride = wished.unwrap_or(STRIDE).max(1);
    let is_short = wished.is_none() && backend == Backend::Postgres;
    let flows = flows(if is_short { &FLOWS_POSTGRES } else { &Flow::ALL });
    let with_all_faults = std::env::var(FAULTS_VARIABLE).is_ok_and(|word| word == "all");
    let Some(prepared) = prepare_all(backend, &flows).await else { return };
    let mut tally = Tally::new();
    let mut all = Vec::new();
    for one in &prepared {
        assert!(one.steps.len() > 2, "{:?} has {} steps", one.flow, one.steps.len());
        let cases = cases(one, stride, with_all_faults);
        eprintln!(
            "kill: {:?} on {backend:?}: {} steps, {} calls, {} runs",
            one.flow,
            one.steps.len(),
            one.calls,
            cases.len()
        );
        all.extend(cases.into_iter().map(|case| (one, case)));
    }
    let steps: usize = prepared.iter().map(|one| one.steps.len()).sum();
    let mut outcomes = stream::iter(all.into_iter().map(|(one, case)| killed(one, case))).buffer_unordered(jobs());
    while let Some(outcome) = outcomes.next().await {
        tally.add(outcome);
    }
    eprintln!("kill: {backend:?}: {} flows, {steps} steps, every {stride}: {tally}", prepared.len());
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n\n"));
    assert!(tally.killed >= tally.cases, "every one was killed");
}

/// What a seed draws: a database, a flow, a point, a fault, and perhaps a second kill.
fn drawn(seed: u64, worlds: &BTreeMap<usize, Vec<Prepared>>) -> (&Prepared, Case) {
    let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut below = |end: usize| usize::try_from(dice.below(u64::try_from(end.max(1)).expect("few"))).expect("few");
    let world = worlds.values().nth(below(worlds.len())).expect("a world");
    let one = &world[below(world.len())];
    let calls = usize::try_from(one.calls).expect("few");
    let point = if below(6) == 0 && calls > 0 {
        Point::Call(u32::try_from(1 + below(calls)).expect("few"))
    } else {
        Point::Step(below(one.steps.len()))
    };
    let fault = FAULTS[below(FAULTS.len())].map(|kind| (kind, u32::try_from(1 + below(calls)).expect("few")));
    let second = if below(5) < 2 { Some(below(60)) } else { None };
    (one, Case { point, fault, second, is_quick: below(2) == 0 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_seed_comes_right() {
    let (first, count) = (number(SEED_VARIABLE), number(SEEDS_VARIABLE));
    if first.is_none() && count.is_none() {
        return;
    }
    let mut worlds = BTreeMap::new();
    for (place, backend) in [Backend::Sqlite, Backend::Postgres].into_iter().enumerate() {
        if let Some(prepared) = prepare_all(backend, &flows(&Flow::ALL)).await {
            worlds.insert(place, prepared);
        }
    }
    let first = first.unwrap_or(0);
    let seeds = first..first + count.unwrap_or(1);
    let run = async |seed: usize| {
        let (one, case) = drawn(u64::try_from(seed).expect("few"), &worlds);
        one.run(case).await.map_err(|error| format!("TORV_KILL_SEED={seed}: {error}"))
    };
    let mut tally = Tally::new();
    let mut outcomes = stream::iter(seeds.clone().map(run)).buffer_unordered(jobs());
    while let Some(outcome) = outcomes.next().await {
        tally.add(outcome);
    }
    eprintln!("kill: seeds {seeds:?}: {tally}");
    assert!(tally.failures.is_empty(), "{}", tally.failures.join("\n\n"));
}

mod every_flow_of_money_survives_being_killed {
    use super::{Backend, survive};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        survive(Backend::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        survive(Backend::Postgres).await;
    }
}
