//! Takes what is due and does it.

use std::time::Duration;

use entity::job;
use futures::{StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{profile_file, queue, relay};
use crate::{
    catalog::{renditions, revisions},
    delivery::storage,
    error::{Error, Result},
    ledger::seal,
    limits, notify, people,
    settlement::{bank, documents, exceptions, fee_shares, holds, payouts, processor, proof, reversals, verifications},
    state::AppState,
    terms::offers,
    trade::{disputes, grants, orders, payments, refunds, slices, subscriptions},
};

/// How often a process looks for what is due.
const TICK: Duration = Duration::from_millis(500);
/// How long new entries may wait for their seal. Each look goes through all entries of the last minutes.
const SEAL_PAUSE: Duration = Duration::from_secs(2);
/// Jobs a process works on at the same time.
const JOBS_AT_ONCE: usize = 4;
/// Renditions that are made in one round of [`run_due`].
const RENDITIONS_OF_A_ROUND: usize = 16;
/// Rounds after which "quiet" is given up on: something queues itself for ever.
const ROUNDS_MAX: usize = 1_000;

/// Where entries are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sealing {
    /// As one of the sweeps, between the books and the public tree.
    AmongThem,
    /// In a loop of its own.
    BesideThem,
}

/// Looks for due work until `stop`; what is being done is finished first. Jobs, sweeps and webhooks have a
/// loop each, so neither a long queue of jobs nor a slow receiver keeps money waiting. So has the seal: a long bank
/// statement does not wait until its first entries are sealed, nor they until its last is booked.
pub fn start(app: AppState, stop: CancellationToken, tasks: &TaskTracker) {
    let (jobs_app, jobs_stop) = (app.clone(), stop.clone());
    let (seal_app, seal_stop) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while !seal_stop.is_cancelled() {
            if let Err(error) = seal::seal_new_entries(&seal_app).await {
                tracing::error!(error = %cause_of(&error), "new entries were not sealed and will be tried again: {error}");
            }
            pause(SEAL_PAUSE, &seal_stop).await;
        }
    });
    tasks.spawn(async move {
        while !jobs_stop.is_cancelled() {
            let done = run_jobs(&jobs_app).await;
            rest(done, &jobs_stop).await;
        }
    });
    start_renditions(&app, &stop, tasks);
    start_slices(&app, &stop, tasks);
    start_scrub(&app, &stop, tasks);
    app.live_notices.clone().start(app.db.clone(), stop.clone(), tasks);
    start_mails(&app, &stop, tasks);
    notify::Courier::new(app.clone()).start(stop.clone(), tasks);
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let done = run_sweeps(&app, Sealing::BesideThem).await;
            rest(Ok(done), &stop).await;
        }
    });
}

/// Mails have a loop of their own: a slow server keeps nothing else waiting.
fn start_mails(app: &AppState, stop: &CancellationToken, tasks: &TaskTracker) {
    let (app, stop) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let done = notify::post_due(&app).await;
            rest(done, &stop).await;
        }
    });
}

/// Renditions have loops of their own: one may take an hour, and nothing else is to wait for it.
fn start_renditions(app: &AppState, stop: &CancellationToken, tasks: &TaskTracker) {
    for number in 0..limits::RENDITIONS_AT_ONCE {
        let (app, stop) = (app.clone(), stop.clone());
        tasks.spawn(async move {
            if number == 0
                && let Err(error) = renditions::plan_missing(&app).await
            {
                tracing::error!(error = %cause_of(&error), "renditions of older files could not be planned: {error}");
            }
            if number == 0
                && let Err(error) = revisions::rows::plan_missing_files(&app).await
            {
                tracing::error!(error = %cause_of(&error), "files of older changes could not be planned: {error}");
            }
            while !stop.is_cancelled() {
                // Given up where it is when the process ends: the lease runs out, and another attempt begins.
                let Some(done) = stop.run_until_cancelled(renditions::make_due(&app)).await else { return };
                rest(done, &stop).await;
            }
        });
    }
}

/// Slices have a loop of their own, for the same reason.
fn start_slices(app: &AppState, stop: &CancellationToken, tasks: &TaskTracker) {
    let (app, stop) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let Some(done) = stop.run_until_cancelled(next_slice(&app)).await else { return };
            rest(done, &stop).await;
        }
    });
}

async fn next_slice(app: &AppState) -> Result<usize> {
    Ok(slices::plan_indexes(app).await? + slices::make_due(app).await?)
}

/// The re-reading of everything that is stored has a loop of its own, for it is slow on purpose.
fn start_scrub(app: &AppState, stop: &CancellationToken, tasks: &TaskTracker) {
    if app.config.storage.scrub_bytes_per_second == 0 {
        return;
    }
    let (app, stop) = (app.clone(), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let Some(done) = stop.run_until_cancelled(storage::scrub_next(&app)).await else { return };
            rest(done, &stop).await;
        }
    });
}

/// Pauses when nothing was due.
async fn rest(done: Result<usize>, stop: &CancellationToken) {
    match done {
        Ok(0) => {}
        Ok(_) => return,
        Err(error) => tracing::error!(error = %cause_of(&error), "background work could not be taken: {error}"),
    }
    pause(TICK, stop).await;
}

#[expect(clippy::disallowed_methods, reason = "between two looks at the queue there is nothing else to wait for")]
async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

/// Runs due jobs and every sweep once, and sends due webhooks and mails; returns how much was done.
///
/// # Errors
/// Those of taking and settling jobs, webhooks and mails; a job's own failure is noted in its row.
pub async fn run_due(app: &AppState) -> Result<usize> {
    let mut done = run_jobs(app).await?;
    for _ in 0..RENDITIONS_OF_A_ROUND {
        let made = renditions::make_due(app).await?;
        if made == 0 {
            break;
        }
        done += made;
    }
    for _ in 0..RENDITIONS_OF_A_ROUND {
        let made = next_slice(app).await?;
        if made == 0 {
            break;
        }
        done += made;
    }
    Ok(done
        + run_sweeps(app, Sealing::AmongThem).await
        + notify::deliver_due(app).await?
        + notify::post_due(app).await?)
}

async fn run_jobs(app: &AppState) -> Result<usize> {
    let jobs = queue::lease(&app.db, app.clock.now()).await?;
    let count = jobs.len();
    stream::iter(jobs).map(Ok).try_for_each_concurrent(JOBS_AT_ONCE, |row| run(app, row)).await?;
    Ok(count)
}

async fn run_sweeps(app: &AppState, sealing: Sealing) -> usize {
    let mut done = 0;
    for (name, outcome) in sweep(app, sealing).await {
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
        revisions::rows::COMPARE_JOB => revisions::rows::compare_stored_tables(app, row.payload.clone()).await,
        payments::FOLLOW_PAYOUTS_JOB => payouts::follow(app).await.map(drop),
        verifications::VERIFY_JOB => verifications::run(app, row.payload.clone()).await,
        notify::REPLAY_JOB => notify::replay_some(app, row.payload.clone()).await,
        offers::REPROJECT_JOB => offers::reproject(app, &row.payload).await,
        kind => Err(Error::internal(format!("no job is called {kind}"))),
    }
}

/// Everything that looks for what is due; each tells how much it did.
async fn sweep(app: &AppState, sealing: Sealing) -> Vec<(&'static str, Result<usize>)> {
    // Boxed, so that the loop above carries none of their state on its stack.
    let mut sweeps: Vec<(&'static str, BoxFuture<'_, Result<usize>>)> = vec![
        ("trade.handle_inbox", Box::pin(payments::handle_inbox(app))),
        ("trade.heal_payments", Box::pin(payments::heal(app))),
        ("trade.void_abandoned", Box::pin(payments::void_abandoned(app))),
        ("trade.expire_orders", Box::pin(orders::expire_due(app))),
        ("trade.advance_subscriptions", Box::pin(subscriptions::advance_due(app))),
        ("trade.end_terms", Box::pin(grants::end_terms(app))),
        ("trade.escalate_refunds", Box::pin(refunds::escalate_overdue(app))),
        ("trade.submit_refunds", Box::pin(refunds::submit_refunds(app))),
        ("trade.poll_disputes", Box::pin(disputes::poll(app))),
        ("catalog.assign_versions", Box::pin(revisions::versions::assign_due(app))),
        ("jobs.relay_outbox", Box::pin(relay::relay_outbox(app))),
        ("delivery.note_damaged_reads", Box::pin(storage::note_damaged_reads(app))),
        ("notify.fan_out", Box::pin(notify::fan_out(app))),
        ("notify.queue_mails", Box::pin(notify::queue_immediate(app))),
        ("notify.queue_digests", Box::pin(notify::queue_digests(app))),
        ("notify.forget_deliveries", Box::pin(notify::forget_old(app))),
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
        ("settlement.queue_verification", Box::pin(verifications::queue_nightly(app))),
    ];
    if sealing == Sealing::AmongThem {
        sweeps.push(("ledger.seal_new_entries", Box::pin(seal::seal_new_entries(app))));
    }
    sweeps.push(("settlement.append_proof", Box::pin(proof::append_leaves(app))));
    sweeps.push(("settlement.sign_head", Box::pin(proof::sign_head(app))));
    let mut outcomes = Vec::with_capacity(sweeps.len());
    for (name, work) in sweeps {
        outcomes.push((name, work.await));
    }
    outcomes
}
