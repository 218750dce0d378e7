//! Planning indexes, and doing what is due.

use entity::{ids::SliceId, slice_task, states::RenditionState};
use serde_json::json;
use time::Duration;

use super::{
    make, news,
    store::{self, Attempt},
};
use crate::{
    auth::Actor,
    error::{Error, Result},
    limits,
    people::audit,
    state::AppState,
};

/// Indexes planned in one transaction.
const PLANNED_AT_ONCE: u64 = 50;
/// The wait before the second try; it doubles with each further one.
const BACKOFF_SECONDS: i64 = 30;
/// What a buyer reads of a failure that is the exchange's own.
const GAVE_UP: &str = "The exchange failed to make it several times. Its operator can tell why.";

/// Plans the indexes of tables that an offer sells slices of; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn plan_indexes(app: &AppState) -> Result<usize> {
    let wanted = store::find_unindexed(app.db.read(), PLANNED_AT_ONCE).await?;
    if wanted.is_empty() {
        return Ok(0);
    }
    let now = app.clock.now();
    app.db
        .write("trade.plan_slice_indexes", move |tx| {
            let wanted = wanted.clone();
            async move {
                store::insert_indexes(&tx, &wanted, now).await?;
                Ok((wanted.len(), tx))
            }
        })
        .await
}

/// Does one task that is due, if there is one; returns how many.
///
/// # Errors
/// Those of the database. A failure of the task is noted in its row.
pub async fn make_due(app: &AppState) -> Result<usize> {
    let Some((row, attempt)) = lease(app).await? else { return Ok(0) };
    if row.state == RenditionState::Making && row.attempts >= limits::RENDITION_ATTEMPTS_MAX {
        tracing::error!(slice = %row.id, file = %row.file_id, "a slice is given up: each process that made it died");
        make::sweep_earlier(app, &row, attempt).await?;
        put_off(app, &row, attempt).await?;
        return Ok(1);
    }
    if let Err(error) = make::make(app, &row, attempt).await {
        let cause = error.cause.as_ref().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        tracing::warn!(slice = %row.id, file = %row.file_id, attempt = attempt.number, "a slice was not made: {cause}");
        put_off(app, &row, attempt).await?;
    }
    Ok(1)
}

/// Takes the next task that is due under a lease.
async fn lease(app: &AppState) -> Result<Option<(slice_task::Model, Attempt)>> {
    let now = app.clock.now();
    let due = store::find_due(app.db.read(), now).await?;
    if due.is_empty() {
        return Ok(None);
    }
    let until = now + Duration::seconds(limits::RENDITION_LEASE_SECONDS);
    app.db
        .write("trade.lease_slice", move |tx| {
            let due = due.clone();
            async move {
                for row in due {
                    if store::lease(&tx, &row, now, until).await? {
                        let attempt = Attempt { id: row.id, number: row.attempts + 1 };
                        return Ok((Some((row, attempt)), tx));
                    }
                }
                Ok((None, tx))
            }
        })
        .await
}

/// Tries again later, or gives up after too many tries.
async fn put_off(app: &AppState, row: &slice_task::Model, attempt: Attempt) -> Result<()> {
    if attempt.number >= limits::RENDITION_ATTEMPTS_MAX {
        return fail(app, row, attempt, GAVE_UP).await;
    }
    let run_at = app.clock.now() + Duration::seconds(BACKOFF_SECONDS << attempt.number.clamp(0, 8));
    app.db
        .write("trade.put_off_slice", move |tx| async move {
            attempt.retry(&tx, run_at).await?;
            Ok(((), tx))
        })
        .await
}

/// Ends a task without files. Of a slice somebody has paid, so its parties and the operator are told.
pub(super) async fn fail(app: &AppState, row: &slice_task::Model, attempt: Attempt, reason: &str) -> Result<()> {
    if let Some(grant) = row.grant_id {
        tracing::error!(slice = %row.id, %grant, "a slice that was bought can't be made: {reason} Refund its order, or mend the cause.");
    }
    let reason: String = reason.replace('\0', "\u{FFFD}").chars().take(limits::NOTE_CHARS_MAX).collect();
    let (now, own) = (app.clock.now(), row.clone());
    app.db
        .write("trade.fail_slice", move |tx| {
            let (row, reason) = (own.clone(), reason.clone());
            async move {
                if attempt.fail(&tx, reason.clone()).await? {
                    news::tell_failed(&tx, &row, &reason, now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}

/// Tries once more to make what failed.
///
/// # Errors
/// `NotFound` for an unknown id, `Conflict` for what has not failed.
pub(super) async fn retry_failed(app: &AppState, actor: Actor, id: SliceId) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("trade.retry_slice", move |tx| {
            let actor = actor.clone();
            async move {
                if store::revive(&tx, id, now).await? {
                    audit::record(&tx, &actor, "slice.retry", id, json!({}), now).await?;
                    return Ok(((), tx));
                }
                match store::is_known(tx.conn(), id).await? {
                    true => Err(Error::conflict("It has not failed: there is nothing to try again.")),
                    false => Err(Error::not_found("slice")),
                }
            }
        })
        .await
}
