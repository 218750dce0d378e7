//! Queueing a verification, and running it once.

use entity::{ids::VerificationId, verification};
use serde::Deserialize;
use serde_json::json;

use super::{
    model::{self, Findings},
    store::{self, Reason},
};
use crate::{
    auth::Actor,
    db::Tx,
    error::{Error, Result},
    jobs::{NewJob, enqueue},
    people::audit,
    settlement::verify,
    state::AppState,
};

/// The job that runs one.
pub const VERIFY_JOB: &str = "settlement.verify";

#[derive(Debug, Deserialize)]
struct Payload {
    verification_id: VerificationId,
}

/// Queues this day's verification from its hour on; returns 1 if it did.
///
/// # Errors
/// Those of the database.
pub async fn queue_nightly(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let hour = app.config.reconciliation.verify_hour_utc;
    let Some(day) = hour.and_then(|hour| model::due_day(now, hour)) else { return Ok(0) };
    if store::exists_of(app.db.read(), &day).await? {
        return Ok(0);
    }
    let id = VerificationId::at(now);
    app.db
        .write("settlement.queue_verification", move |tx| {
            let reason = Reason::Night(day.clone());
            async move { Ok((usize::from(queue_in(&tx, id, reason, now).await?), tx)) }
        })
        .await
}

async fn queue_in(tx: &Tx, id: VerificationId, reason: Reason, now: time::OffsetDateTime) -> Result<bool> {
    if !store::insert(tx, id, reason, now).await? {
        return Ok(false);
    }
    let payload = json!({ "verification_id": id });
    let unique_key = Some(format!("{VERIFY_JOB}:{id}"));
    enqueue(tx, NewJob { kind: VERIFY_JOB, unique_key, payload, run_at: now }, now).await?;
    Ok(true)
}

/// Queues a verification because a person asks.
///
/// # Errors
/// `Conflict` while another one is queued or running; those of the database.
pub async fn request(app: &AppState, actor: &Actor) -> Result<verification::Model> {
    let (now, actor) = (app.clock.now(), actor.clone());
    let id = VerificationId::at(now);
    app.db
        .write("settlement.request_verification", move |tx| {
            let actor = actor.clone();
            async move {
                if let Some(other) = store::unfinished(tx.conn(), now).await? {
                    return Err(Error::conflict(format!("{} is not finished yet: wait for it.", other.id)));
                }
                queue_in(&tx, id, Reason::Asked(actor.account_id), now).await?;
                audit::record(&tx, &actor, "verification.request", id, json!({}), now).await?;
                let row = store::find(tx.conn(), id).await?.ok_or_else(|| Error::not_found("verification"))?;
                Ok((row, tx))
            }
        })
        .await
}

/// Runs a queued verification, unless another process does. A violation is logged as an error, and counted in the
/// metric `verify_violations`.
///
/// # Errors
/// Those of the database; what is wrong in the data is kept.
pub async fn run(app: &AppState, payload: serde_json::Value) -> Result<()> {
    let Payload { verification_id: id } = serde_json::from_value(payload)?;
    let now = app.clock.now();
    let start = app
        .db
        .write("settlement.start_verification", move |tx| async move { Ok((store::start(&tx, id, now).await?, tx)) });
    if !start.await? {
        return Ok(());
    }
    match verify::verify_all(app, |_, _| ()).await {
        Ok(report) => finish(app, id, Findings::of(&report)).await,
        Err(error) => {
            app.db
                .write("settlement.give_verification_back", move |tx| async move {
                    Ok((store::give_back(&tx, id).await?, tx))
                })
                .await?;
            Err(error)
        }
    }
}

async fn finish(app: &AppState, id: VerificationId, findings: Findings) -> Result<()> {
    let count = findings.violation_count();
    metrics::gauge!("verify_violations").set(f64::from(count));
    if count > 0 {
        let told = findings.violations.join("; ");
        tracing::error!(verification = %id, count, "verification {id} found {count} violations: {told}");
    }
    let now = app.clock.now();
    app.db
        .write("settlement.finish_verification", move |tx| {
            let findings = findings.clone();
            async move { Ok((store::finish(&tx, id, &findings, now).await?, tx)) }
        })
        .await
}
