//! Handing decided payouts to the processor, each once.

use entity::{ids::PayoutId, payout, states::PayoutRecipient};
use time::Duration;

use super::{
    model,
    service::amount_of,
    store::{self, Outcome},
};
use crate::{
    error::Result,
    people::payout_accounts,
    ports::payments::{PaymentsError, PayoutRequest, TransferRequest},
    state::AppState,
};

/// Payouts handed over in one round.
const PAYOUTS_PER_ROUND: u64 = 50;

/// Hands over what is due: decided payouts, refused ones after a wait, those without an answer.
/// Returns how many were tried.
///
/// # Errors
/// Those of the database; what the processor says is kept in the payout.
pub async fn submit_payouts(app: &AppState) -> Result<usize> {
    let mut tried = 0;
    for id in store::due_to_submit(app.db.read(), app.clock.now(), PAYOUTS_PER_ROUND).await? {
        tried += usize::from(submit(app, id).await?);
    }
    Ok(tried)
}

/// Hands one payout over if it is due and nobody else is at it; true if the processor was asked.
///
/// The lease keeps a second process from asking at the same time: between its call and ours the first
/// could be refused and start a new attempt, and both would move money.
pub async fn submit(app: &AppState, id: PayoutId) -> Result<bool> {
    let now = app.clock.now();
    let until = now + Duration::seconds(model::LEASE_SECONDS);
    let leased = app
        .db
        .write("settlement.lease_payout", move |tx| async move { Ok((store::lease(&tx, id, now, until).await?, tx)) })
        .await?;
    let Some(row) = leased else { return Ok(false) };
    let outcome = match ask(app, &row).await? {
        Ok(processor_ref) => Outcome::Taken(processor_ref),
        Err(PaymentsError::Refused { code, text }) => {
            tracing::warn!(payout = %row.id, attempt = row.attempt, code, "the processor refused payout {}: {text}", row.id);
            Outcome::Refused(format!("{code}: {text}"), now + model::refused_wait(row.attempt))
        }
        Err(error) => {
            tracing::warn!(payout = %row.id, attempt = row.attempt, "payout {} has no answer yet: {error}", row.id);
            Outcome::Unknown(now + Duration::seconds(model::UNKNOWN_WAIT_SECONDS))
        }
    };
    app.db
        .write("settlement.note_payout", move |tx| {
            let (row, outcome) = (row.clone(), outcome.clone());
            async move { Ok((store::note_outcome(&tx, &row, &outcome).await?, tx)) }
        })
        .await?;
    Ok(true)
}

/// What the processor says; the outer error is ours.
async fn ask(app: &AppState, row: &payout::Model) -> Result<Result<String, PaymentsError>> {
    let idempotency_key = model::idempotency_key(row.id, row.recipient, row.attempt);
    let (our_ref, amount) = (row.id.to_string(), amount_of(row)?);
    let step = |text: &'static str| app.db.faults().step(|| text.to_owned());
    if row.recipient == PayoutRecipient::Operator {
        step("payments.payout: before call")?;
        let answer = app.payments.payout(&PayoutRequest { idempotency_key, our_ref, amount }).await;
        step("payments.payout: after call")?;
        return Ok(answer);
    }
    let destination = match payout_accounts::opened(app, row.organization_id).await? {
        Ok(account) => account,
        Err(error) => return Ok(Err(error)),
    };
    if let Err(error) = payout_accounts::require_active(app, row.organization_id).await? {
        return Ok(Err(error));
    }
    step("payments.transfer: before call")?;
    let answer = app
        .payments
        .transfer(&TransferRequest {
            idempotency_key,
            our_ref,
            destination,
            amount,
            source: row.source_ref.clone(),
            group: store::group_of(app.db.read(), row).await?,
        })
        .await;
    step("payments.transfer: after call")?;
    Ok(answer)
}
