//! Paying: an attempt is written down, then charged; a repeated request goes on with it.

use entity::{
    Timestamp,
    ids::{OrderId, PaymentId},
    payment,
    states::{OrderState, PaymentState},
};
use time::Duration;

use super::{heal::heal_one, outside, settle, store};
use crate::{
    auth::Actor,
    db::idempotency::{Claim, IdempotencyKey, claim},
    error::{Error, Problem, Result},
    people::audit,
    ports::payments::{BANK_TRANSFER, Capture, ChargeRequest, ChargeState, CheckoutRequest},
    state::AppState,
    trade::orders::{OrderFacts, store as orders},
};

/// A repeated request charges until then: well before the attempt could be given up meanwhile.
const REPEAT_SECONDS: i64 = 300;
/// How long a hosted page can be used; processors take up to a day.
const CHECKOUT_HOURS: i64 = 23;

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
pub(super) fn is_refusal(error: &Error) -> bool {
    matches!(error.problem, Problem::Invalid | Problem::PaymentDeclined)
}

pub(super) async fn give_up(app: &AppState, id: PaymentId, code: &'static str, text: &str) -> Result<()> {
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
