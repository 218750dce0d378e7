//! Paying, and healing what a crash or a lost webhook left.

use entity::{
    Timestamp,
    ids::{OrderId, PaymentId},
    inbox as inbox_row, payment,
    states::{OrderState, PaymentState},
};
use time::Duration;

use super::{outside, settle, store};
use crate::{
    auth::Actor,
    db::{
        idempotency::{Claim, IdempotencyKey, claim},
        inbox,
    },
    error::{Error, Problem, Result},
    people::audit,
    ports::payments::{Capture, ChargeRequest, ChargeState},
    state::AppState,
    trade::orders::{OrderFacts, store as orders},
};

/// After this long without an outcome the janitor asks the processor.
const STUCK_SECONDS: i64 = 60;
/// After this long a payment the processor never heard of is given up: no call lives as long.
const GIVE_UP_SECONDS: i64 = 600;
/// Rows looked at in one sweep.
const BATCH: u64 = 50;
/// Tries to handle a webhook before it waits for a person.
const INBOX_ATTEMPTS_MAX: i32 = 10;

/// A fresh attempt to pay `facts`.
pub(in crate::trade) fn attempt(
    facts: &OrderFacts,
    number: i32,
    processor: &str,
    now: time::OffsetDateTime,
) -> payment::Model {
    payment::Model {
        id: PaymentId::at(now),
        order_id: facts.order.id,
        attempt: number,
        state: PaymentState::Created,
        processor: processor.to_owned(),
        processor_ref: None,
        amount_minor: facts.order.total_minor,
        currency: facts.order.currency.clone(),
        failure_code: None,
        failure_text: None,
        created_at: Timestamp(now),
        settled_at: None,
    }
}

/// Charges an attempt that is written down already, and settles what comes of it.
///
/// Repeating it with the same payment has no second effect, here or at the processor.
///
/// # Errors
/// `PaymentDeclined` with the processor's sentence; `Unavailable` when it gave no answer, in which
/// case the janitor finds out.
pub async fn pay(app: &AppState, facts: OrderFacts, payment: PaymentId, method: &str) -> Result<()> {
    let capture = match facts.order.state {
        OrderState::AwaitingApproval => Capture::Manual,
        _ => Capture::Automatic,
    };
    let request = ChargeRequest {
        payment_id: payment,
        amount: facts.total()?,
        method: method.to_owned(),
        capture,
        description: format!("Torv {}", facts.order.id),
    };
    let charge = outside::charge(app, &request).await?;
    settle(app, &charge, Some(facts), None).await?;
    match charge.state {
        ChargeState::Failed { text, .. } => Err(Error::new(Problem::PaymentDeclined, text)),
        _ => Ok(()),
    }
}

/// Starts another attempt to pay an order that waits for it.
///
/// # Errors
/// `NotFound` for somebody else's order; `Conflict` when it is not to be paid, or is being paid.
pub async fn start_payment(
    app: &AppState,
    actor: &Actor,
    order: OrderId,
    method: String,
    key: IdempotencyKey,
) -> Result<()> {
    let (now, processor) = (app.clock.now(), app.payments.name());
    let actor = actor.clone();
    let (facts, payment) = app
        .db
        .write("trade.start_payment", move |tx| {
            let (actor, key) = (actor.clone(), key.clone());
            async move {
                let id = PaymentId::at(now);
                let claimed = claim(&tx, &key, &id.to_string(), now).await?;
                let facts = orders::lock(&tx, order).await?;
                if facts.order.buyer_id != actor.org_id() {
                    return Err(Error::not_found("order"));
                }
                if let Claim::Replay(earlier) = claimed {
                    let earlier: PaymentId = earlier.parse().map_err(Error::internal)?;
                    return Ok(((facts, earlier), tx));
                }
                let earlier = store::of_orders(tx.conn(), &[order]).await?;
                may_start(&facts, &earlier)?;
                let number = earlier.first().map_or(1, |last| last.attempt + 1);
                let payment = payment::Model { id, ..attempt(&facts, number, processor, now) };
                store::insert(&tx, payment).await?;
                audit::record(&tx, &actor, "order.pay", order, serde_json::json!({"payment_id": id}), now).await?;
                Ok(((facts, id), tx))
            }
        })
        .await?;
    pay(app, facts, payment, &method).await
}

fn may_start(facts: &OrderFacts, earlier: &[payment::Model]) -> Result<()> {
    if facts.order.state != OrderState::AwaitingPayment {
        let state = facts.order.state.as_str().replace('_', " ");
        return Err(Error::conflict(format!("There is nothing to pay: the order is {state}.")));
    }
    let open = |payment: &payment::Model| {
        store::IN_FLIGHT.contains(&payment.state) || payment.state == PaymentState::Authorised
    };
    if earlier.iter().any(open) {
        return Err(Error::conflict("A payment of this order is under way. Look at the order in a minute."));
    }
    Ok(())
}

/// Asks the processor about payments without an outcome: how a lost answer or webhook heals.
/// Returns how many were brought forward.
///
/// # Errors
/// Those of the database; an unreachable processor is asked again next time.
pub async fn heal(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let mut healed = 0;
    for row in store::stuck(app.db.read(), now - Duration::seconds(STUCK_SECONDS), BATCH).await? {
        let found = app.payments.find_charge(row.id).await.map_err(Error::internal)?;
        match found {
            Some(charge) if charge.state == ChargeState::Processing && row.state == PaymentState::Processing => {}
            Some(charge) => {
                settle(app, &charge, None, None).await?;
                healed += 1;
            }
            None if row.created_at.0 <= now - Duration::seconds(GIVE_UP_SECONDS) => {
                let id = row.id;
                app.db
                    .write("trade.give_up_payment", move |tx| async move {
                        store::give_up(&tx, id, now).await?;
                        Ok(((), tx))
                    })
                    .await?;
                healed += 1;
            }
            None => {}
        }
    }
    Ok(healed + capture_approved(app).await?)
}

/// Captures authorisations whose order was approved.
pub(in crate::trade) async fn capture_approved(app: &AppState) -> Result<usize> {
    let approved = store::authorised(app.db.read(), &[OrderState::AwaitingPayment], BATCH).await?;
    for row in &approved {
        capture(app, row).await?;
    }
    Ok(approved.len())
}

/// Captures one authorisation and settles it.
pub(in crate::trade) async fn capture(app: &AppState, row: &payment::Model) -> Result<()> {
    let Some(reference) = &row.processor_ref else { return Ok(()) };
    let charge = outside::capture(app, reference).await?;
    settle(app, &charge, None, None).await
}

/// Gives authorisations back whose order was declined, cancelled or has expired; returns how many.
///
/// # Errors
/// Those of the processor and of the database.
pub async fn void_abandoned(app: &AppState) -> Result<usize> {
    let closed = [OrderState::Declined, OrderState::Cancelled, OrderState::Expired];
    let abandoned = store::authorised(app.db.read(), &closed, BATCH).await?;
    for row in &abandoned {
        let Some(reference) = &row.processor_ref else { continue };
        let charge = outside::void(app, reference).await?;
        settle(app, &charge, None, None).await?;
    }
    Ok(abandoned.len())
}

/// Handles webhooks that were stored but not handled; returns how many.
///
/// # Errors
/// Those of the database; a message that can't be handled is noted and, after some tries, set aside.
pub async fn handle_inbox(app: &AppState) -> Result<usize> {
    let waiting = inbox::waiting(&app.db, BATCH).await?;
    let mut handled = 0;
    for row in waiting {
        match handle_message(app, &row).await {
            Ok(()) => handled += 1,
            Err(error) => {
                let text = error.cause.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
                tracing::warn!(event = row.event_id, kind = row.kind, "a webhook could not be handled: {text}");
                app.db
                    .write("trade.fail_message", move |tx| {
                        let (row, text) = (row.clone(), text.clone());
                        async move {
                            inbox::fail(&tx, &row, &text, INBOX_ATTEMPTS_MAX).await?;
                            Ok(((), tx))
                        }
                    })
                    .await?;
            }
        }
    }
    Ok(handled)
}

/// Handles one stored webhook: an event about a charge settles it, any other is noted as seen.
pub(super) async fn handle_message(app: &AppState, row: &inbox_row::Model) -> Result<()> {
    let via = (row.source.clone(), row.event_id.clone());
    let event = app.payments.parse_event(row.body.as_bytes()).map_err(Error::internal)?;
    if let Some(charge) = event.charge {
        return settle(app, &charge, None, Some(via)).await;
    }
    let now = app.clock.now();
    app.db
        .write("trade.note_event", move |tx| {
            let (source, event) = via.clone();
            async move {
                inbox::finish(&tx, &source, &event, now).await?;
                Ok(((), tx))
            }
        })
        .await
}
