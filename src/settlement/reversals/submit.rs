//! Handing reversals to the processor, each once.

use entity::{ids::ReversalId, reversal, states::ReversalState};
use time::Duration;

use super::{
    model, retry,
    service::amount_of,
    store::{self, Outcome},
};
use crate::{
    error::Result,
    ports::payments::{PaymentsError, ReversalRequest},
    state::AppState,
};

/// Hours for which processors surely remember an idempotency key; they promise a day.
const KEY_HOURS: i64 = 20;
/// Reversals handed over in one round.
const REVERSALS_PER_ROUND: u64 = 50;

/// Hands over what is due, refused ones that are still owed with it; returns how many were tried.
///
/// # Errors
/// Those of the database; what the processor says is kept in the reversal.
pub async fn submit_reversals(app: &AppState) -> Result<usize> {
    let mut tried = 0;
    retry::reopen_due(app).await?;
    for id in store::due(app.db.read(), ReversalState::Created, app.clock.now(), REVERSALS_PER_ROUND).await? {
        tried += usize::from(submit(app, id).await?);
    }
    Ok(tried)
}

/// Hands one over if it is due and nobody else is at it; true if the processor was asked.
pub(super) async fn submit(app: &AppState, id: ReversalId) -> Result<bool> {
    let now = app.clock.now();
    let until = now + Duration::seconds(model::LEASE_SECONDS);
    let leased = app
        .db
        .write("settlement.lease_reversal", move |tx| async move { Ok((store::lease(&tx, id, now, until).await?, tx)) })
        .await?;
    let Some(row) = leased else { return Ok(false) };
    let later = now + Duration::seconds(model::LATER_SECONDS);
    let outcome = match ask(app, &row).await? {
        // The transfer is still to leave: there is nothing to take back yet.
        None => Outcome::Unknown(later),
        Some(Ok(processor_ref)) => Outcome::Taken(processor_ref),
        Some(Err(PaymentsError::Refused { code, text })) => {
            tracing::warn!(reversal = %id, attempt = row.attempt, code, "the processor refused reversal {id}: {text}");
            let text = format!("{code}: {text}");
            if model::is_final(&code, row.attempt) {
                Outcome::GivenUp(text, now + model::retry_wait(row.attempt))
            } else {
                Outcome::Refused(text, now + model::refused_wait(row.attempt))
            }
        }
        Some(Err(error)) => {
            tracing::warn!(reversal = %id, attempt = row.attempt, "reversal {id} has no answer yet: {error}");
            Outcome::Unknown(later)
        }
    };
    app.db
        .write("settlement.note_reversal", move |tx| {
            let (row, outcome) = (row.clone(), outcome.clone());
            async move { Ok((store::note_outcome(&tx, &row, &outcome).await?, tx)) }
        })
        .await?;
    Ok(true)
}

/// What the processor says; the outer error is ours, and nothing is asked of a transfer that has not left.
async fn ask(app: &AppState, row: &reversal::Model) -> Result<Option<Result<String, PaymentsError>>> {
    let Some(transfer_ref) = store::transfer_of(app.db.read(), row.payout_id).await? else { return Ok(None) };
    let request = ReversalRequest {
        idempotency_key: model::idempotency_key(row.id, row.attempt),
        our_ref: row.id.to_string(),
        transfer_ref,
        amount: amount_of(row)?,
    };
    app.db.faults().step(|| "payments.reverse: before call".to_owned())?;
    if row.created_at.0 < app.clock.now() - Duration::hours(KEY_HOURS) {
        // The processor may have forgotten the key by now, and would take back again under it.
        match app.payments.find_reversal(&request.transfer_ref, &request.our_ref).await {
            Ok(None) => {}
            Ok(Some(made)) => return Ok(Some(Ok(made))),
            Err(error) => return Ok(Some(Err(error))),
        }
    }
    let answer = app.payments.reverse(&request).await;
    app.db.faults().step(|| "payments.reverse: after call".to_owned())?;
    Ok(Some(answer))
}
