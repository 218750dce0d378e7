//! Takes what is due and does it.

use std::time::Duration;

use entity::job;
use futures::{StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{profile_file, queue, relay};
use crate::{
    catalog::revisions,
    error::{Error, Result},
    ledger::seal,
    people,
    settlement::{bank, documents, exceptions, fee_shares, holds, payouts, processor, proof, reversals},
    state::AppState,
    terms::offers,
    trade::{disputes, grants, orders, payments, refunds, subscriptions},
};

/// How often a process looks for what is due.
const TICK: Duration = Duration::from_millis(500);
/// Jobs a process works on at the same time.
const JOBS_AT_ONCE: usize = 4;
/// Rounds after which "quiet" is given up on: something queues itself for ever.
const ROUNDS_MAX: usize = 1_000;

/// Looks for due work until `stop`; what is being done is finished first. Jobs and sweeps have a
/// loop each, so a long queue of jobs never keeps money waiting.
pub fn start(app: AppState, stop: CancellationToken, tasks: &TaskTracker) {
    let (jobs_app, jobs_stop) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while !jobs_stop.is_cancelled() {
            let done = run_jobs(&jobs_app).await;
            rest(done, &jobs_stop).await;
        }
    });
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let done = run_sweeps(&app).await;
            rest(Ok(done), &stop).await;
        }
    });
}

/// Pauses when nothing was due.
#[expect(clippy::disallowed_methods, reason = "between two looks at the queue there is nothing else to wait for")]
async fn rest(done: Result<usize>, stop: &CancellationToken) {
    match done {
        Ok(0) => {}
        Ok(_) => return,
        Err(error) => tracing::error!(error = %cause_of(&error), "background work could not be taken: {error}"),
    }
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(TICK) => {}
    }
}

/// Runs due jobs and every sweep once; returns how much was done.
///
/// # Errors
/// Those of taking and settling jobs; a job's own failure is noted in its row.
pub async fn run_due(app: &AppState) -> Result<usize> {
    Ok(run_jobs(app).await? + run_sweeps(app).await)
}

async fn run_jobs(app: &AppState) -> Result<usize> {
    let jobs = queue::lease(&app.db, app.clock.now()).await?;
    let count = jobs.len();
    stream::iter(jobs).map(Ok).try_for_each_concurrent(JOBS_AT_ONCE, |row| run(app, row)).await?;
    Ok(count)
}

async fn run_sweeps(app: &AppState) -> usize {
    let mut done = 0;
    for (name, outcome) in sweep(app).await {
        match outcome {
            Ok(count) => done += count,
            Err(error) => {
                tracing::error!(sweep = name, error = %cause_of(&error), "the sweep {name} failed and will be tried again");
            }
        }
    }
    done
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
        payments::FOLLOW_PAYOUTS_JOB => payouts::follow(app).await.map(drop),
        offers::REPROJECT_JOB => offers::reproject(app, &row.payload).await,
        kind => Err(Error::internal(format!("no job is called {kind}"))),
    }
}

/// Everything that looks for what is due; each tells how much it did.
async fn sweep(app: &AppState) -> Vec<(&'static str, Result<usize>)> {
    // Boxed, so that the loop above carries none of their state on its stack.
    let sweeps: Vec<(&'static str, BoxFuture<'_, Result<usize>>)> = vec![
        ("trade.handle_inbox", Box::pin(payments::handle_inbox(app))),
        ("trade.heal_payments", Box::pin(payments::heal(app))),
        ("trade.void_abandoned", Box::pin(payments::void_abandoned(app))),
        ("trade.expire_orders", Box::pin(orders::expire_due(app))),
        ("trade.advance_subscriptions", Box::pin(subscriptions::advance_due(app))),
        ("trade.end_terms", Box::pin(grants::end_terms(app))),
        ("trade.escalate_refunds", Box::pin(refunds::escalate_overdue(app))),
        ("trade.submit_refunds", Box::pin(refunds::submit_refunds(app))),
        ("trade.poll_disputes", Box::pin(disputes::poll(app))),
        ("jobs.relay_outbox", Box::pin(relay::relay_outbox(app))),
        ("people", Box::pin(people::sweep(app))),
        ("people.ask_about_accounts", Box::pin(people::payout_accounts::ask_about_stale(app))),
        ("settlement.keep_back", Box::pin(payouts::keep_back(app))),
        ("settlement.import_transactions", Box::pin(processor::import_transactions(app))),
        ("settlement.book_available_funds", Box::pin(processor::book_available_funds(app))),
        ("settlement.book_fee_shares", Box::pin(fee_shares::book_fee_shares(app))),
        ("trade.book_dispute_fees", Box::pin(disputes::book_fees(app))),
        ("settlement.ask_for_debts", Box::pin(reversals::ask_for_debts(app))),
        ("settlement.submit_reversals", Box::pin(reversals::submit_reversals(app))),
        ("settlement.end_holds", Box::pin(holds::end_holds(app))),
        ("settlement.follow_payouts", Box::pin(payouts::follow_payouts(app))),
        ("settlement.submit_payouts", Box::pin(payouts::submit_payouts(app))),
        ("settlement.issue_documents", Box::pin(documents::issue_due(app))),
        ("settlement.remove_abandoned", Box::pin(bank::imports::remove_abandoned(app))),
        ("settlement.book_bank_lines", Box::pin(bank::matching::book_lines(app))),
        ("settlement.detect_exceptions", Box::pin(exceptions::detect_due(app))),
        ("ledger.seal_new_entries", Box::pin(seal::seal_new_entries(app))),
        ("settlement.append_proof", Box::pin(proof::append_leaves(app))),
        ("settlement.sign_head", Box::pin(proof::sign_head(app))),
    ];
    let mut outcomes = Vec::with_capacity(sweeps.len());
    for (name, work) in sweeps {
        outcomes.push((name, work.await));
    }
    outcomes
}
