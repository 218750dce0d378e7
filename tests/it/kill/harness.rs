//! The parent: prepares flows, has children play them, kills, has others go on, and looks at what Stripe holds.

use std::{
    fmt::Write as _,
    os::unix::process::ExitStatusExt as _,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use stripe_twin::{Clock, DeliveryPlan, Endpoint, Fault, FaultKind, Options, Twin};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

use super::{
    flows::Flow,
    process::{DONE, STANDS, TASK_VARIABLE, TEST_NAME, Task, What},
};
use crate::{
    stripe::WEBHOOK_SECRET,
    support::{Backend, Home},
};

const SIGKILL: i32 = 9;
/// Nothing is this slow: a child that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(180);
/// The last lines that a child said, shown when something is wrong.
const LINES_SHOWN: usize = 60;
/// Longer than our patience with Stripe.
const TIMEOUT_MILLISECONDS: u64 = 1_100;

/// How Stripe fails while a process is killed; nothing is the first.
pub const FAULTS: [Option<FaultKind>; 7] = [
    None,
    Some(FaultKind::TimeoutAfterCommit),
    Some(FaultKind::ErrorAfterCommit),
    Some(FaultKind::Conflict),
    Some(FaultKind::RateLimit),
    Some(FaultKind::ResetAfterCommit),
    Some(FaultKind::ResetBeforeCommit),
];

/// Where a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Nowhere: the flow as it is meant to be.
    Nowhere,
    /// Standing at this step, from 0: before a transaction, before or after its commit, before or after a call.
    Step(usize),
    /// While it waits for the answer to its n-th call that changes something, from 1: Stripe has done it.
    Call(u32),
}

/// One life, and how it is cut short.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub point: Point,
    /// How the n-th call fails, from 1, whoever makes it.
    pub fault: Option<(FaultKind, u32)>,
    /// The step at which the process that goes on is killed too.
    pub second: Option<usize>,
    pub is_quick: bool,
}

/// A flow that can begin any number of times.
pub struct Prepared {
    pub flow: Flow,
    pub backend: Backend,
    /// The steps of its undisturbed course.
    pub steps: Vec<String>,
    /// Its calls that change something.
    pub calls: u32,
    home: Home,
    twin: Twin,
    stage: Value,
}

/// How a child's task ended.
enum End {
    Done(Value),
    Stands(String),
    Holds,
}

struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    said: Vec<String>,
}

impl Running {
    fn start(task: &Task) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        command.args([TEST_NAME, "--exact", "--nocapture", "--test-threads=1"]);
        // Where it failed says its message; unwinding the names takes seconds.
        command.env("RUST_BACKTRACE", "0");
        command.env(TASK_VARIABLE, serde_json::to_string(task).expect("a task"));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("this binary starts again");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        Self { child, lines, said: Vec::new() }
    }

    /// Waits until it is done or stands at its step.
    async fn end(&mut self) -> Result<End, String> {
        while let Ok(Some(line)) = self.lines.next_line().await {
            if let Some(name) = line.strip_prefix(STANDS) {
                return Ok(End::Stands(name.to_owned()));
            }
            if let Some(said) = line.strip_prefix(DONE) {
                let said = serde_json::from_str(said).map_err(|error| error.to_string())?;
                let _ = self.child.wait().await;
                return Ok(End::Done(said));
            }
            self.said.push(line);
        }
        let status = self.child.wait().await;
        Err(format!("ended as {status:?}:\n{}", self.last_words()))
    }

    fn last_words(&self) -> String {
        self.said[self.said.len().saturating_sub(LINES_SHOWN)..].join("\n")
    }

    /// SIGKILL, as nobody can catch or put off.
    async fn kill(mut self) -> Result<(), String> {
        self.child.start_kill().map_err(|error| error.to_string())?;
        let status = self.child.wait().await.map_err(|error| error.to_string())?;
        if status.signal() == Some(SIGKILL) {
            Ok(())
        } else {
            Err(format!("was to be killed, but ended as {status:?}"))
        }
    }
}

impl Prepared {
    /// Sets a flow up and plays it once undisturbed; nothing without a database server.
    pub async fn new(flow: Flow, backend: Backend) -> Option<Result<Self, String>> {
        let home = Home::fresh(backend).await?;
        let start = time::macros::datetime!(2026-11-21 10:00:00 UTC).unix_timestamp();
        let delivery = DeliveryPlan { automatic: false, ..DeliveryPlan::default() };
        // Whoever opens an exchange on it moves the address.
        let endpoints =
            vec![Endpoint { url: "http://127.0.0.1:9/".to_owned(), secrets: vec![WEBHOOK_SECRET.to_owned()] }];
        let options = Options { clock: Clock::FixedAt(start), delivery, endpoints, ..Options::default() };
        let twin = Twin::start(options).await.expect("the twin starts");
        let bare = Self { flow, backend, steps: Vec::new(), calls: 0, home, twin, stage: Value::Null };
        Some(bare.played().await.map_err(|error| format!("{flow:?} on {backend:?}, undisturbed: {error}")))
    }

    async fn played(mut self) -> Result<Self, String> {
        self.stage = done(Running::start(&self.task(&self.home, &self.twin, What::Prepare, None))).await?;
        let (home, twin) = (self.home.copy().await, self.twin.fork().await.expect("an address"));
        let before = calls(&twin);
        let steps = done(Running::start(&self.task(&home, &twin, What::Drive, None))).await?;
        self.calls = calls(&twin) - before;
        self.steps = serde_json::from_value(steps).map_err(|error| error.to_string())?;
        done(Running::start(&self.task(&home, &twin, What::Recover { is_quick: true, is_faulty: false }, None)))
            .await?;
        self.compare(&twin)?;
        Ok(self)
    }

    fn task(&self, home: &Home, twin: &Twin, what: What, stand_at: Option<usize>) -> Task {
        let (flow, stage) = (self.flow, self.stage.clone());
        Task { home: home.address(), twin: twin.url(), now: twin.now(), flow, what, stage, stand_at }
    }

    /// Plays the flow once, kills, has another process go on, and checks what is there. Returns how many were killed.
    pub async fn run(&self, case: Case) -> Result<usize, String> {
        let mut course = String::new();
        let outcome = tokio::time::timeout(PATIENCE, self.course(case, &mut course)).await;
        let outcome = outcome.unwrap_or_else(|_| Err("hangs".to_owned()));
        outcome.map_err(|error| format!("{:?} on {:?}, {case:?}{course}: {error}", self.flow, self.backend))
    }

    async fn course(&self, case: Case, course: &mut String) -> Result<usize, String> {
        let (home, twin) = (self.home.copy().await, self.twin.fork().await.expect("an address"));
        twin.set_faults(planned(case));
        let stand_at = if let Point::Step(at) = case.point { Some(at) } else { None };
        let mut killed = 0;
        let mut running = Running::start(&self.task(&home, &twin, What::Drive, stand_at));
        let end = tokio::select! {
            end = running.end() => end?,
            () = twin.has_held_an_answer(), if matches!(case.point, Point::Call(_)) => End::Holds,
        };
        if let Some(at) = at(&end) {
            write!(course, ", killed at {at}").expect("writes to memory");
            running.kill().await?;
            killed += 1;
        }
        if let Point::Call(_) = case.point {
            twin.set_faults(Vec::new());
        }
        // What an upgrade costs falls with every second: its client does not wait.
        let is_quick = case.is_quick || self.flow == Flow::Upgrade;
        let what = What::Recover { is_quick, is_faulty: case.fault.is_some() };
        if case.second.is_some() {
            let mut running = Running::start(&self.task(&home, &twin, what, case.second));
            let end = running.end().await?;
            let Some(at) = at(&end) else {
                self.compare(&twin)?;
                return Ok(killed);
            };
            write!(course, ", then at {at}").expect("writes to memory");
            running.kill().await?;
            killed += 1;
        }
        done(Running::start(&self.task(&home, &twin, what, None))).await?;
        self.compare(&twin)?;
        Ok(killed)
    }

    /// What Stripe holds is exactly what it has to hold.
    fn compare(&self, twin: &Twin) -> Result<(), String> {
        let dump = twin.dump();
        let all = |kind: &str| dump["objects"][kind].as_array().cloned().unwrap_or_default();
        // What lies on a provider's account mirrors transfers and reversals; it bears no payment intent.
        let ours = |one: &Value| one["payment_intent"].is_string();
        let mut charges: Vec<i64> = all("charge").iter().filter(|one| ours(one)).filter_map(captured).collect();
        let mut transfers: Vec<i64> = all("transfer").iter().filter_map(|one| one["amount"].as_i64()).collect();
        let mut refunds: Vec<i64> =
            all("refund").iter().filter(|one| ours(one)).filter_map(|one| one["amount"].as_i64()).collect();
        let mut reversals: Vec<i64> =
            all("transfer_reversal").iter().filter_map(|one| one["amount"].as_i64()).collect();
        for all in [&mut charges, &mut transfers, &mut refunds, &mut reversals] {
            all.sort_unstable();
        }
        let ought = self.flow.at_stripe();
        let found = (charges.as_slice(), transfers.as_slice(), refunds.as_slice(), reversals.as_slice());
        if found == (ought.charges, ought.transfers, ought.refunds, ought.reversals) {
            return Ok(());
        }
        Err(format!("Stripe holds charges, transfers, refunds, reversals {found:?}, not {ought:?}"))
    }
}

fn captured(charge: &Value) -> Option<i64> {
    charge["amount_captured"].as_i64().filter(|minor| *minor > 0 && charge["paid"] == true)
}

fn at(end: &End) -> Option<&str> {
    match end {
        End::Done(_) => None,
        End::Stands(name) => Some(name),
        End::Holds => Some("a call that Stripe has done and not answered"),
    }
}

async fn done(mut running: Running) -> Result<Value, String> {
    match running.end().await? {
        End::Done(said) => Ok(said),
        _ => Err("stands still although nobody asked for it".to_owned()),
    }
}

fn planned(case: Case) -> Vec<Fault> {
    let nth = |kind, nth, milliseconds| Fault { nth, milliseconds, ..Fault::first(kind, "POST", "*") };
    match (case.point, case.fault) {
        (Point::Call(number), _) => vec![nth(FaultKind::TimeoutAfterCommit, number, 60_000)],
        (_, Some((kind, number))) => vec![nth(kind, number, TIMEOUT_MILLISECONDS)],
        _ => Vec::new(),
    }
}

/// Calls so far that change something.
fn calls(twin: &Twin) -> u32 {
    let requests = twin.control("requests", &Value::Null).unwrap_or_default();
    let count = requests.as_array().into_iter().flatten().filter(|one| one["method"] == "POST").count();
    u32::try_from(count).expect("few")
}

/// Kills and seconds, told as they grow.
pub struct Tally {
    pub killed: usize,
    pub cases: usize,
    pub failures: Vec<String>,
    started: Instant,
}

impl Tally {
    pub fn new() -> Self {
        Self { killed: 0, cases: 0, failures: Vec::new(), started: Instant::now() }
    }

    pub fn add(&mut self, outcome: Result<usize, String>) {
        self.cases += 1;
        match outcome {
            Ok(killed) => self.killed += killed,
            Err(failure) => {
                eprintln!("kill: FAILED {failure}\n");
                self.failures.push(failure);
            }
        }
        if self.cases.is_multiple_of(20) {
            eprintln!("kill: {self}");
        }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.started.elapsed().as_secs_f64();
        let (cases, killed, failed) = (self.cases, self.killed, self.failures.len());
        write!(f, "{cases} runs, {killed} processes killed, {failed} failed, {seconds:.1} s")
    }
}
