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
    jobs::{self, NewJob},
    people::{audit, payout_accounts},
    ports::payments::{BANK_TRANSFER, Capture, Charge, ChargeRequest, ChargeState, CheckoutRequest, Subject},
    state::AppState,
    trade::{
        disputes,
        orders::{OrderFacts, store as orders},
        refunds,
    },
};

/// The job that asks the processor what became of its payouts.
pub const FOLLOW_PAYOUTS_JOB: &str = "settlement.follow_payouts";

/// After this long without an outcome the janitor asks the processor.
const STUCK_SECONDS: i64 = 60;
/// After this long a payment the processor never heard of is given up: no call lives as long.
const GIVE_UP_SECONDS: i64 = 600;
/// A repeated request charges until then: well before the attempt could be given up meanwhile.
const REPEAT_SECONDS: i64 = 300;
/// How long a hosted page can be used; processors take up to a day.
const CHECKOUT_HOURS: i64 = 23;
/// Rows looked at in one go.
const BATCH: u64 = 50;

/// What a charge is made on.
#[derive(Clone)]
pub struct Means {
    /// The processor's token, or its name for a means of payment that it keeps.
    pub method: String,
    /// The processor's name for the buyer, of a kept means.
    pub customer_ref: Option<String>,
    /// The buyer is not there.
    pub off_session: bool,
}

impl Means {
    /// A token that was made in the buyer's browser.
    pub fn token(method: &str) -> Self {
        Self { method: method.to_owned(), customer_ref: None, off_session: false }
    }
}

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
        action: None,
        off_session: false,
    }
}

/// Charges an attempt that is written down already, and settles what comes of it.
///
/// Repeating it with the same payment has no second effect, here or at the processor.
///
/// # Errors
/// `PaymentDeclined` with the processor's sentence; `Unavailable` when it gave no answer, in which
/// case the janitor finds out.
pub async fn pay(app: &AppState, facts: OrderFacts, payment: PaymentId, means: &Means) -> Result<()> {
    let capture = match facts.order.state {
        OrderState::AwaitingApproval => Capture::Manual,
        _ => Capture::Automatic,
    };
    let request = ChargeRequest {
        payment_id: payment,
        buyer: facts.order.buyer_id,
        amount: facts.total()?,
        method: means.method.clone(),
        capture,
        description: format!("Torv {}", facts.order.id),
        group: facts.order.id.to_string(),
        customer_ref: means.customer_ref.clone(),
        off_session: means.off_session,
        return_url: Some(app.config.return_url()),
    };
    let charge = match outside::charge(app, &request).await {
        Err(refusal) if is_refusal(&refusal) => {
            give_up(app, payment, "refused", &refusal.detail).await?;
            return Err(refusal);
        }
        outcome => outcome?,
    };
    settle(app, &charge, Some(facts), None).await?;
    match charge.state {
        ChargeState::Failed { text, .. } => Err(Error::new(Problem::PaymentDeclined, text)),
        _ => Ok(()),
    }
}

/// A definitive no of the processor, unlike no answer.
fn is_refusal(error: &Error) -> bool {
    matches!(error.problem, Problem::Invalid | Problem::PaymentDeclined)
}

async fn give_up(app: &AppState, id: PaymentId, code: &'static str, text: &str) -> Result<()> {
    let (now, text) = (app.clock.now(), text.to_owned());
    app.db
        .write("trade.give_up_payment", move |tx| {
            let text = text.clone();
            async move {
                store::give_up(&tx, id, code, &text, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Goes on with an attempt whose request is repeated, since a crash or a lost answer may have left it
/// unfinished. It charges nothing for an order that is closed, and no attempt that is over or old:
/// the buyer may have paid in another way since.
///
/// # Errors
/// As [`pay`].
pub(in crate::trade) async fn repeat(
    app: &AppState,
    facts: OrderFacts,
    attempt: &payment::Model,
    means: &Means,
) -> Result<()> {
    let is_open = matches!(facts.order.state, OrderState::AwaitingApproval | OrderState::AwaitingPayment);
    let is_fresh = attempt.created_at.0 > app.clock.now() - Duration::seconds(REPEAT_SECONDS);
    match attempt.state {
        PaymentState::Created if is_open && is_fresh => pay(app, facts, attempt.id, means).await,
        PaymentState::Created | PaymentState::Processing | PaymentState::ActionRequired => {
            heal_one(app, attempt).await.map(|_| ())
        }
        PaymentState::Failed => {
            Err(Error::new(Problem::PaymentDeclined, attempt.failure_text.clone().unwrap_or_default()))
        }
        PaymentState::Authorised | PaymentState::Succeeded => Ok(()),
    }
}

/// Where a hosted page sends the buyer back to.
#[derive(Debug, Clone)]
pub struct Pages {
    /// After paying.
    pub success_url: String,
    /// Without.
    pub cancel_url: String,
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
    let by_bank = method == BANK_TRANSFER;
    let (facts, payment, fresh) = begin(app, actor, order, by_bank, key).await?;
    let means = Means::token(&method);
    if fresh { pay(app, facts, payment.id, &means).await } else { repeat(app, facts, &payment, &means).await }
}

/// Writes an attempt down, or finds the one that the key began; true for a fresh one.
async fn begin(
    app: &AppState,
    actor: &Actor,
    order: OrderId,
    by_bank: bool,
    key: IdempotencyKey,
) -> Result<(OrderFacts, payment::Model, bool)> {
    let (now, processor) = (app.clock.now(), app.payments.name());
    let invoice_window = Duration::days(i64::from(app.config.trade.invoice_window_days));
    let actor = actor.clone();
    app.db
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
                    let earlier = store::find(tx.conn(), earlier).await?.ok_or_else(|| Error::not_found("payment"))?;
                    return Ok(((facts, earlier, false), tx));
                }
                let earlier = store::of_orders(tx.conn(), &[order]).await?;
                may_start(&facts, &earlier, now)?;
                let number = earlier.first().map_or(1, |last| last.attempt + 1);
                let payment = payment::Model { id, ..attempt(&facts, number, processor, now) };
                store::insert(&tx, payment.clone()).await?;
                if by_bank {
                    orders::extend(&tx, order, now + invoice_window).await?;
                }
                audit::record(&tx, &actor, "order.pay", order, serde_json::json!({"payment_id": id}), now).await?;
                Ok(((facts, payment, true), tx))
            }
        })
        .await
}

/// Opens a page at the processor on which an order that waits for its payment is paid.
///
/// # Errors
/// As [`start_payment`]; `Conflict` where the processor has no such pages.
pub async fn start_checkout(
    app: &AppState,
    actor: &Actor,
    order: OrderId,
    pages: Pages,
    key: IdempotencyKey,
) -> Result<()> {
    let (facts, payment, _) = begin(app, actor, order, false, key).await?;
    if payment.state != PaymentState::Created {
        return Ok(());
    }
    let latest = app.clock.now() + Duration::hours(CHECKOUT_HOURS);
    let request = CheckoutRequest {
        payment_id: payment.id,
        group: facts.order.id.to_string(),
        amount: facts.total()?,
        description: format!("Torv {}", facts.order.id),
        success_url: pages.success_url,
        cancel_url: pages.cancel_url,
        expires_at: latest.min(facts.order.expires_at.0),
    };
    match outside::open_checkout(app, &request).await {
        Err(refusal) if is_refusal(&refusal) => {
            give_up(app, payment.id, "refused", &refusal.detail).await?;
            Err(Error::conflict(refusal.detail))
        }
        outcome => settle(app, &outcome?, Some(facts), None).await,
    }
}

fn may_start(facts: &OrderFacts, earlier: &[payment::Model], now: time::OffsetDateTime) -> Result<()> {
    if facts.order.state != OrderState::AwaitingPayment {
        let state = facts.order.state.as_str().replace('_', " ");
        return Err(Error::conflict(format!("There is nothing to pay: the order is {state}.")));
    }
    facts.require_in_time(now)?;
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
async fn heal_one(app: &AppState, row: &payment::Model) -> Result<bool> {
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

/// Handles webhooks that were stored but not handled; returns how many.
///
/// # Errors
/// Those of the database; a message that can't be handled is noted and, after some tries, set aside.
pub async fn handle_inbox(app: &AppState) -> Result<usize> {
    let waiting = inbox::waiting(&app.db, app.clock.now(), BATCH).await?;
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
                            inbox::fail(&tx, &row, &text).await?;
                            Ok(((), tx))
                        }
                    })
                    .await?;
            }
        }
    }
    Ok(handled)
}

/// Handles one stored webhook: an event about a charge, a refund or a dispute brings it
/// forward, any other is noted as seen.
pub(super) async fn handle_message(app: &AppState, row: &inbox_row::Model) -> Result<()> {
    let via = (row.source.clone(), row.event_id.clone());
    let event = app.payments.parse_event(row.body.as_bytes()).map_err(Error::internal)?;
    match event.subject {
        Subject::Charge(charge) => return Box::pin(settle(app, &charge, None, Some(via))).await,
        Subject::Account(status) => return payout_accounts::note_status(app, status, via).await,
        Subject::Refund(refund) => return Box::pin(refunds::hear(app, &refund, Some(via))).await,
        Subject::Dispute(dispute) => return Box::pin(disputes::follow(app, &dispute, Some(via))).await,
        Subject::Payout(_) | Subject::Other => {}
    }
    let is_payout = matches!(event.subject, Subject::Payout(_));
    let now = app.clock.now();
    app.db
        .write("trade.note_event", move |tx| {
            let (source, event) = via.clone();
            async move {
                if inbox::finish(&tx, &source, &event, now).await? && is_payout {
                    // Payouts are settlement's: it asks the processor what became of them.
                    let unique_key = Some(format!("{FOLLOW_PAYOUTS_JOB}:{event}"));
                    let job =
                        NewJob { kind: FOLLOW_PAYOUTS_JOB, unique_key, payload: serde_json::json!({}), run_at: now };
                    jobs::enqueue(&tx, job, now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}
