//! The child: this binary again, in a process of its own that does one task and may be killed at a step of it.

use std::io::Read as _;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::Duration;

use super::{exchange::Exchange, flows::Flow};
use crate::support::Address;

/// Tells a process its task; without it the test below has none.
pub const TASK_VARIABLE: &str = "TORV_KILL_TASK";
/// How the binary is told to run that test alone.
pub const TEST_NAME: &str = "kill::process::does_its_task_in_a_process_of_its_own";
/// Begins a line for the parent.
pub const STANDS: &str = "kill: stands at ";
pub const DONE: &str = "kill: done ";

/// What a child has to do, and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    pub home: Address,
    pub twin: String,
    /// Unix seconds.
    pub now: i64,
    pub flow: Flow,
    pub what: What,
    /// The stage that [`What::Prepare`] told.
    pub stage: Value,
    /// The step at which it tells where it is and goes no further.
    pub stand_at: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// Sets the stage, and tells it.
    Prepare,
    /// Plays the flow, and tells its steps.
    Drive,
    /// Goes on with whatever is left, and checks that all is well. `is_quick`: the client repeats its request before
    /// anything had time to heal. `is_faulty`: Stripe may still fail, so that the client has to repeat it once more.
    Recover { is_quick: bool, is_faulty: bool },
}

/// Ends this process when its parent is gone, also where it stands still.
fn end_with_the_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(3);
    });
}

/// Counts steps, and stands still at one of them. Steps of the test's own writes don't count.
fn watch(it: &Exchange, stand_at: Option<usize>) {
    let mut at = 0;
    it.app.app.db.faults().watch(move |_, name| {
        if name.starts_with("test.") {
            return;
        }
        if Some(at) == stand_at {
            eprintln!("\n{STANDS}{name}");
            loop {
                std::thread::park();
            }
        }
        at += 1;
    });
}

async fn work(task: Task) -> Value {
    let mut it = Exchange::open(task.home, task.twin, task.now).await;
    if task.what == What::Prepare {
        return json!(task.flow.prepare(&it).await);
    }
    let stage = serde_json::from_value(task.stage).expect("a stage");
    watch(&it, task.stand_at);
    if let What::Recover { is_quick, is_faulty } = task.what {
        it.is_again = true;
        if is_quick {
            task.flow.drive(&it, &stage).await;
        }
        for _ in 0..1 + u32::from(is_faulty && !is_quick) {
            it.heal().await;
            task.flow.drive(&it, &stage).await;
        }
        it.pass(Duration::seconds(61)).await;
        it.app.app.db.faults().disarm();
        task.flow.check(&it, &stage).await;
        return Value::Null;
    }
    task.flow.drive(&it, &stage).await;
    let (steps, _) = it.app.app.db.faults().disarm();
    let ours: Vec<String> = steps.into_iter().filter(|name| !name.starts_with("test.")).collect();
    json!(ours)
}

#[tokio::test]
async fn does_its_task_in_a_process_of_its_own() {
    let Ok(text) = std::env::var(TASK_VARIABLE) else { return };
    end_with_the_parent();
    let said = work(serde_json::from_str(&text).expect("a task")).await;
    eprintln!("\n{DONE}{said}");
}
