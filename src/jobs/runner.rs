//! Takes what is due and does it.

use std::time::Duration;

use entity::job;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{profile_file, queue, relay};
use crate::{
    catalog::revisions,
    error::{Error, Result},
    ledger::seal,
    people,
    settlement::{holds, payouts, processor},
    state::AppState,
    terms::offers,
    trade::{grants, orders, payments},
};

/// How often a process looks for what is due.
const TICK: Duration = Duration::from_millis(500);
/// Rounds after which "quiet" is given up on: something queues itself for ever.
const ROUNDS_MAX: usize = 1_000;

/// Looks for due work until `stop`; what is being done is finished first.
pub fn start(app: AppState, stop: CancellationToken, tasks: &TaskTracker) {
    tasks.spawn(async move {
        loop {
            if let Err(error) = run_due(&app).await {
                tracing::error!(error = %error, "the background round failed: {error}");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = pause() => {}
            }
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "between two looks at the queue there is nothing else to wait for")]
async fn pause() {
    tokio::time::sleep(TICK).await;
}

/// Runs due jobs and every sweep once; returns how much was done.
///
/// # Errors
/// Those of taking and settling jobs; a job's own failure is noted in its row.
pub async fn run_due(app: &AppState) -> Result<usize> {
    let mut done = 0;
    let jobs = queue::lease(&app.db, app.clock.now()).await?;
    for row in jobs {
        run(app, row).await?;
        done += 1;
    }
    for (name, outcome) in sweep(app).await {
        match outcome {
            Ok(count) => done += count,
            Err(error) => {
                tracing::error!(sweep = name, error = %cause_of(&error), "the sweep {name} failed and will be tried again");
            }
        }
    }
    Ok(done)
}

/// Repeats [`run_due`] until nothing is due; for tests and the demo.
///
/// # Errors
/// As [`run_due`].
pub async fn run_until_quiet(app: &AppState) -> Result<()> {
    for _ in 0..ROUNDS_MAX {
        if run_due(app).await? == 0 {
            return Ok(());
        }
    }
    Err(Error::internal("background work does not come to an end"))
}

async fn run(app: &AppState, row: job::Model) -> Result<()> {
    match dispatch(app, &row).await {
        Ok(()) => queue::finish(&app.db, row.id, app.clock.now()).await,
        Err(error) => {
            let text = cause_of(&error);
            tracing::warn!(job = %row.id, kind = row.kind, attempt = row.attempts + 1, "job {} failed: {text}", row.kind);
            queue::fail(&app.db, &row, text, app.clock.now()).await
        }
    }
}

fn cause_of(error: &Error) -> String {
    error.cause.as_ref().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

/// Which job is which function.
async fn dispatch(app: &AppState, row: &job::Model) -> Result<()> {
    match row.kind.as_str() {
        revisions::PROFILE_JOB => profile_file::run(app, row.payload.clone()).await,
        offers::REPROJECT_JOB => offers::reproject(app, &row.payload).await,
        kind => Err(Error::internal(format!("no job is called {kind}"))),
    }
}

/// Everything that looks for what is due; each tells how much it did.
async fn sweep(app: &AppState) -> Vec<(&'static str, Result<usize>)> {
    vec![
        ("trade.handle_inbox", payments::handle_inbox(app).await),
        ("trade.heal_payments", payments::heal(app).await),
        ("trade.void_abandoned", payments::void_abandoned(app).await),
        ("trade.expire_orders", orders::expire_due(app).await),
        ("trade.end_terms", grants::end_terms(app).await),
        ("jobs.relay_outbox", relay::relay_outbox(app).await),
        ("people", people::sweep(app).await),
        ("settlement.import_transactions", processor::import_transactions(app).await),
        ("settlement.book_available_funds", processor::book_available_funds(app).await),
        ("settlement.end_holds", holds::end_holds(app).await),
        ("settlement.submit_payouts", payouts::submit_payouts(app).await),
        ("ledger.seal_new_entries", seal::seal_new_entries(app).await),
    ]
}
