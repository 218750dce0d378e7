//! Healing what a crash or a lost webhook left, and taking or giving back what is held.

use entity::{
    ids::OrderId,
    payment,
    states::{OrderState, PaymentState},
};
use time::Duration;

use super::{
    outside,
    service::{give_up, is_refusal},
    settle, store,
};
use crate::{
    error::{Error, Problem, Result},
    ports::payments::{Charge, ChargeState},
    state::AppState,
};

/// After this long without an outcome the janitor asks the processor.
const STUCK_SECONDS: i64 = 60;
/// After this long a payment the processor never heard of is given up: no call lives as long.
const GIVE_UP_SECONDS: i64 = 600;
/// Rows looked at in one go.
const BATCH: u64 = 50;

/// Asks the processor about payments without an outcome: how a lost answer or webhook heals.
/// Returns how many were brought forward.
///
/// # Errors
/// Those of the database; an unreachable processor is asked again next time.
pub async fn heal(app: &AppState) -> Result<usize> {
    let until = app.clock.now() - Duration::seconds(STUCK_SECONDS);
    let (mut healed, mut after) = (0, None);
    loop {
        // Page by page, so that slow but healthy payments don't stand before a lost one for ever.
        let rows = store::stuck(app.db.read(), until, after, BATCH).await?;
        let Some(last) = rows.last() else { break };
        after = Some((last.created_at, last.id));
        for row in &rows {
            healed += tried(row, heal_one(app, row).await)?;
        }
    }
    Ok(healed + capture_approved(app).await?)
}

/// Asks about one payment; true when it was brought forward.
pub(super) async fn heal_one(app: &AppState, row: &payment::Model) -> Result<bool> {
    let unknown =
        |cause| Error::unavailable("The processor has not answered. Try again in a minute.", 60).because(cause);
    match app.payments.find_charge(row.id, row.processor_ref.as_deref()).await.map_err(unknown)? {
        Some(charge) if is_waiting(&charge.state, row.state) => Ok(false),
        Some(charge) => settle(app, &charge, None, None).await.map(|()| true),
        None if row.created_at.0 <= app.clock.now() - Duration::seconds(GIVE_UP_SECONDS) => {
            let text = "The processor was never reached. Pay again.";
            give_up(app, row.id, "not_attempted", text).await.map(|()| true)
        }
        None => Ok(false),
    }
}

/// Nothing happened since: the processor is still at it, or the buyer has not acted yet.
fn is_waiting(at_processor: &ChargeState, here: PaymentState) -> bool {
    match at_processor {
        ChargeState::Processing => here == PaymentState::Processing,
        ChargeState::ActionRequired(_) => here == PaymentState::ActionRequired,
        _ => false,
    }
}

/// How many payments (0 or 1) were brought forward; one that can't be is told of and stops no other.
fn tried(row: &payment::Model, outcome: Result<bool>) -> Result<usize> {
    match outcome {
        Ok(forward) => Ok(usize::from(forward)),
        Err(error) if error.problem == Problem::Unavailable => Err(error),
        Err(error) => {
            let text = error.cause.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
            tracing::error!(payment.id = %row.id, "a payment can't be brought forward: {text}");
            Ok(0)
        }
    }
}

/// Captures authorisations whose order was approved.
async fn capture_approved(app: &AppState) -> Result<usize> {
    let mut captured = 0;
    for row in store::authorised(app.db.read(), &[OrderState::AwaitingPayment], BATCH).await? {
        captured += tried(&row, capture(app, &row).await.map(|()| true))?;
    }
    Ok(captured)
}

/// Captures one authorisation and settles it.
pub(in crate::trade) async fn capture(app: &AppState, row: &payment::Model) -> Result<()> {
    let Some(reference) = &row.processor_ref else { return Ok(()) };
    let outcome = outside::capture(app, reference).await;
    settle_hold(app, row, reference, outcome).await
}

async fn void(app: &AppState, row: &payment::Model) -> Result<()> {
    let Some(reference) = &row.processor_ref else { return Ok(()) };
    let outcome = outside::void(app, reference).await;
    settle_hold(app, row, reference, outcome).await
}

/// Settles what became of an authorisation. Where the processor refused, it was captured, voided or
/// has lapsed there already, and that is what counts.
async fn settle_hold(app: &AppState, row: &payment::Model, reference: &str, outcome: Result<Charge>) -> Result<()> {
    let charge = match outcome {
        Err(refusal) if is_refusal(&refusal) => {
            let found = app.payments.find_charge(row.id, Some(reference)).await.map_err(Error::internal)?;
            found.filter(|charge| charge.state != ChargeState::Authorised).ok_or(refusal)?
        }
        outcome => outcome?,
    };
    settle(app, &charge, None, None).await
}

/// Gives the authorisations of a closed order back; what the processor does not do now, the sweep
/// does later.
pub(in crate::trade) async fn release(app: &AppState, order: OrderId) -> Result<()> {
    for row in store::of_orders(app.db.read(), &[order]).await? {
        if row.state == PaymentState::Authorised
            && let Err(error) = void(app, &row).await
        {
            tracing::warn!(order.id = %order, payment.id = %row.id, "a hold is given back later: {error}");
        }
    }
    Ok(())
}

/// Gives up what the buyer of an order was to do and has not done, so that the order can be closed.
///
/// # Errors
/// Those of the processor and of the database.
pub(in crate::trade) async fn stop_waiting(app: &AppState, order: OrderId) -> Result<()> {
    for row in store::of_orders(app.db.read(), &[order]).await? {
        if row.state == PaymentState::ActionRequired {
            void(app, &row).await?;
        }
    }
    Ok(())
}

/// Gives authorisations back whose order was declined, cancelled or has expired, and gives up what buyers
/// were to do and did not do in time; returns how many.
///
/// # Errors
/// Those of the processor and of the database.
pub async fn void_abandoned(app: &AppState) -> Result<usize> {
    let closed = [OrderState::Declined, OrderState::Cancelled, OrderState::Expired];
    let mut abandoned = store::authorised(app.db.read(), &closed, BATCH).await?;
    abandoned.extend(store::never_acted_on(app.db.read(), app.clock.now(), BATCH).await?);
    let mut voided = 0;
    for row in abandoned {
        voided += tried(&row, void(app, &row).await.map(|()| true))?;
    }
    Ok(voided)
}
