//! Placing orders and deciding about them.

use entity::{
    ids::{OfferId, OrderId, SavedMethodId},
    states::{OrderState, PaymentState},
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    checkout::QuotedLine,
    freeze::freeze,
    model::Step,
    placing::{NewOrder, Recorded},
    quote::{Ask, Quote, quote},
    store::{self, OrderFacts},
};
use crate::{
    auth::{Actor, actor::ActingOrg},
    base::Money,
    db::{
        Tx,
        idempotency::{IdempotencyKey, find_claim},
        outbox::{self, News},
    },
    error::{Check, Error, Problem, Result},
    limits,
    people::audit,
    ports::payments::BANK_TRANSFER,
    state::AppState,
    trade::{
        coupons, methods,
        payments::{self, Means, complete, store as payment_store},
        slices::SliceIn,
        subscriptions,
    },
};

/// Overdue orders closed in one sweep.
const BATCH: u64 = 50;

/// What a buyer asks for.
#[derive(Debug, Clone)]
pub struct PlaceOrder {
    /// The offer.
    pub offer_id: OfferId,
    /// The hash of the licence document the buyer read and accepts.
    pub licence_hash: String,
    /// What the data will be used for.
    pub use_case: String,
    /// How to pay; without it the order waits to be paid.
    pub payment_method: Option<String>,
    /// A kept means of payment, for this order where no other is given, and for what follows from it.
    pub saved_method_id: Option<SavedMethodId>,
    /// How many units; 1 where an offer has none.
    pub quantity: i32,
    /// The code of a coupon.
    pub coupon: Option<String>,
    /// The buyer's own number for the order.
    pub purchase_order: Option<String>,
    /// What the buyer expects to pay now; another sum is refused.
    pub expected_total: Option<Money>,
    /// The part that is wanted; the whole without it.
    pub slice: Option<SliceIn>,
}

impl PlaceOrder {
    fn ask(&self) -> Ask {
        let (quantity, coupon) = (self.quantity, self.coupon.clone());
        Ask { offer_id: self.offer_id, quantity, coupon, expected_units: None, slice: self.slice.clone() }
    }
}

/// An order that was placed, or found placed before under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The order.
    pub order_id: OrderId,
    /// False when the key was used before.
    pub fresh: bool,
}

/// Places an order, and pays it if a means of payment came with it.
///
/// The first statement claims the idempotency key, so of racing twins one places and the others find
/// its order. A free order that needs no approval is granted in the same transaction.
///
/// # Errors
/// Those of [`quote`], `Forbidden`, `LicenceChanged` and `PriceChanged` before anything is written; `Conflict` when
/// a coupon was used up meanwhile; those of [`payments::pay`] after, when the order stands and can be paid again.
pub async fn place(app: &AppState, actor: &Actor, input: PlaceOrder, key: IdempotencyKey) -> Result<Placed> {
    check(&actor.organization, &input)?;
    let means = methods::means_for(app, actor, input.payment_method.as_deref(), input.saved_method_id).await?;
    let quote = match acceptable_quote(app, actor, &input).await {
        Ok(quote) => quote,
        Err(refusal) => {
            // The offer may be gone by now; a repeated request still finds the order it placed.
            let earlier = find_claim(app.db.read(), &key).await?.ok_or(refusal)?;
            return resume(app, &earlier, means.as_ref()).await;
        }
    };
    let now = app.clock.now();
    let facts = freeze(app, &quote, actor, &input, now)?;
    let wants_payment = !facts.is_free() && means.is_some();
    let payment = wants_payment.then(|| payments::attempt(&facts, 1, app.payments.name(), now));
    let payment_id = payment.as_ref().map(|payment| payment.id);
    let coupon = quote.coupon;
    let order = NewOrder { facts: facts.clone(), payment, coupon, actor: actor.clone(), key, now };
    match app.counter.orders.ask(order).await? {
        Recorded::Fresh => {
            let placed = Placed { order_id: facts.order.id, fresh: true };
            if let (Some(payment), Some(means)) = (payment_id, means.as_ref()) {
                payments::pay(app, facts, payment, means).await?;
            }
            Ok(placed)
        }
        Recorded::Earlier(earlier) => resume(app, &earlier, means.as_ref()).await,
    }
}

/// Goes on where a crash or a lost answer left the order that the key points at.
async fn resume(app: &AppState, earlier: &str, means: Option<&Means>) -> Result<Placed> {
    let order_id: OrderId = earlier.parse().map_err(Error::internal)?;
    let facts = store::load(app.db.read(), order_id).await?;
    let attempts = payment_store::of_orders(app.db.read(), &[order_id]).await?;
    // The first attempt is the one that came with the order; later ones have requests, and means, of their own.
    let unfinished = attempts.iter().find(|row| row.attempt == 1 && payment_store::IN_FLIGHT.contains(&row.state));
    if let (Some(attempt), Some(means)) = (unfinished, means) {
        payments::repeat(app, facts, attempt, means).await?;
    }
    Ok(Placed { order_id, fresh: false })
}

fn check(buyer: &ActingOrg, input: &PlaceOrder) -> Result<()> {
    if !buyer.may_buy {
        return Err(Error::forbidden("Your organisation is not set up to order. Its owner can change that."));
    }
    let mut check = Check::new();
    check.text(&input.use_case, limits::NOTE_CHARS_MAX, "/use_case");
    if let Some(number) = &input.purchase_order {
        check.name(number, limits::PURCHASE_ORDER_CHARS_MAX, "/purchase_order");
    }
    check.done()?;
    input.payment_method.as_deref().map_or(Ok(()), payments::http::check_method)
}

async fn acceptable_quote(app: &AppState, actor: &Actor, input: &PlaceOrder) -> Result<Quote> {
    let quote = quote(app, &input.ask(), Some(actor.org_id())).await?;
    check_against(&quote, actor, input)?;
    subscriptions::require_method(&quote.offer, input.saved_method_id)?;
    Ok(quote)
}

fn check_against(quote: &Quote, actor: &Actor, input: &PlaceOrder) -> Result<()> {
    let own = |line: &QuotedLine| line.provider_id == actor.org_id();
    if quote.offer.provider_id == actor.org_id() || quote.checkout.lines.iter().any(own) {
        return Err(Error::conflict("This is your own listing; there is no need to order it."));
    }
    if let Some(expected) = input.expected_total.filter(|expected| *expected != quote.checkout.total) {
        let detail =
            format!("This costs {} now, not {expected}. Ask for a quote, then order again.", quote.checkout.total);
        return Err(Error::new(Problem::PriceChanged, detail));
    }
    if quote.offer.approval_required && input.payment_method.as_deref() == Some(BANK_TRANSFER) {
        let advice =
            "The provider looks at this order first: leave it out, and pay by bank transfer once it is approved.";
        return Err(Error::invalid("/payment_method", advice));
    }
    if quote.offer.licence_hash != input.licence_hash {
        let detail = format!(
            "The offer's licence document is {}. Read it at /api/v1/licence-documents/{} and send its hash as licence_hash.",
            quote.offer.licence_hash, quote.offer.licence_hash
        );
        return Err(Error::new(Problem::LicenceChanged, detail));
    }
    Ok(())
}

pub(super) fn news(facts: &OrderFacts, kind: &'static str) -> News {
    let payload = json!({
        "order_id": facts.order.id, "buyer_id": facts.order.buyer_id, "provider_id": facts.line.provider_id,
        "provider_ids": facts.providers(),
    });
    News { topic: facts.line.listing_id.to_string(), kind, payload }
}

/// Approves an order; a free one is granted at once, an authorised payment is captured.
///
/// # Errors
/// `NotFound` for an order of somebody else's listing, `Conflict` when it does not wait for approval.
pub async fn approve(app: &AppState, actor: &Actor, id: OrderId, note: Option<String>) -> Result<()> {
    let window = Duration::hours(i64::from(app.config.trade.payment_window_hours));
    let (now, by) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.approve_order", move |tx| {
            let (actor, note) = (by.clone(), note.clone());
            async move {
                let facts = lock_for_provider(&tx, id, &actor).await?;
                let step = if facts.is_free() { Step::ApproveFree } else { Step::Approve };
                let to = step.from(facts.order.state)?;
                facts.require_in_time(now)?;
                store::advance(&tx, id, facts.order.state, to, now).await?;
                store::note_decision(&tx, id, note, Some(now + window), now).await?;
                audit::record(&tx, &actor, "order.approve", id, json!({}), now).await?;
                outbox::append(&tx, vec![news(&facts, "order.approved")], now).await?;
                if facts.is_free() {
                    complete(&tx, &[&facts], now).await?;
                }
                Ok(((), tx))
            }
        })
        .await?;
    let attempts = payment_store::of_orders(app.db.read(), &[id]).await?;
    if let Some(held) = attempts.iter().find(|row| row.state == PaymentState::Authorised) {
        // The decision stands; what the processor does not take now, the sweep takes later.
        if let Err(error) = payments::capture(app, held).await {
            tracing::warn!(order.id = %id, payment.id = %held.id, "an approved hold is taken later: {error}");
        }
    }
    Ok(())
}

/// Declines an order with a reason; an authorised payment is given back.
///
/// # Errors
/// As [`approve`].
pub async fn decline(app: &AppState, actor: &Actor, id: OrderId, note: String) -> Result<()> {
    let (now, by) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.decline_order", move |tx| {
            let (actor, note) = (by.clone(), note.clone());
            async move {
                let facts = lock_for_provider(&tx, id, &actor).await?;
                let to = Step::Decline.from(facts.order.state)?;
                store::advance(&tx, id, facts.order.state, to, now).await?;
                store::note_decision(&tx, id, Some(note), None, now).await?;
                audit::record(&tx, &actor, "order.decline", id, json!({}), now).await?;
                close_unpaid(&tx, &facts, "order.declined", now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    payments::release(app, id).await
}

/// Gives back what an order took that is closed without being paid, and tells of it.
async fn close_unpaid(tx: &Tx, facts: &OrderFacts, kind: &'static str, now: OffsetDateTime) -> Result<()> {
    // Only a discount can come from a coupon.
    if facts.lines().any(|line| line.discount_minor > 0) {
        coupons::give_back(tx, facts.order.id, now).await?;
    }
    outbox::append(tx, vec![news(facts, kind)], now).await
}

async fn lock_for_provider(tx: &Tx, id: OrderId, actor: &Actor) -> Result<OrderFacts> {
    let facts = store::lock(tx, id).await?;
    if facts.is_sold_by(actor.org_id()) { Ok(facts) } else { Err(Error::not_found("order")) }
}

/// Cancels an order that is neither paid nor being paid.
///
/// # Errors
/// `NotFound` for somebody else's order, `Conflict` when it is closed or a payment is under way.
pub async fn cancel(app: &AppState, actor: &Actor, id: OrderId) -> Result<()> {
    if store::load(app.db.read(), id).await?.order.buyer_id == actor.org_id() {
        payments::stop_waiting(app, id).await?;
    }
    let (now, by) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.cancel_order", move |tx| {
            let actor = by.clone();
            async move {
                let facts = store::lock(&tx, id).await?;
                if facts.order.buyer_id != actor.org_id() {
                    return Err(Error::not_found("order"));
                }
                if facts.order.subscription_id.is_some() {
                    return Err(Error::conflict("This order belongs to a subscription. Cancel that instead."));
                }
                let to = Step::Cancel.from(facts.order.state)?;
                if is_being_paid(&tx, &facts).await? {
                    return Err(Error::conflict("A payment of this order is under way. Try again in a minute."));
                }
                store::advance(&tx, id, facts.order.state, to, now).await?;
                audit::record(&tx, &actor, "order.cancel", id, json!({}), now).await?;
                close_unpaid(&tx, &facts, "order.cancelled", now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    payments::release(app, id).await
}

/// Whether the money may be taken any moment: a charge is under way, or the hold of an approved order
/// is about to be captured.
async fn is_being_paid(tx: &Tx, facts: &OrderFacts) -> Result<bool> {
    let approved = facts.order.state == OrderState::AwaitingPayment;
    let taken_soon = |state: PaymentState| {
        payment_store::IN_FLIGHT.contains(&state) || approved && state == PaymentState::Authorised
    };
    let attempts = payment_store::of_orders(tx.conn(), &[facts.order.id]).await?;
    Ok(attempts.iter().any(|payment| taken_soon(payment.state)))
}

/// Closes orders that nobody approved or paid in time; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn expire_due(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let (mut expired, mut after) = (0, None);
    loop {
        // Page by page, so that orders which are being paid don't stand before the others for ever.
        let overdue = store::overdue(app.db.read(), now, after, BATCH).await?;
        let Some(last) = overdue.last().copied() else { return Ok(expired) };
        after = Some(last);
        for (_, id) in overdue {
            expired += usize::from(expire(app, id).await?);
        }
    }
}

async fn expire(app: &AppState, id: OrderId) -> Result<bool> {
    let now = app.clock.now();
    app.db
        .write("trade.expire_order", move |tx| async move {
            let facts = store::lock(&tx, id).await?;
            let Ok(to) = Step::Expire.from(facts.order.state) else { return Ok((false, tx)) };
            if facts.order.expires_at.0 > now || is_being_paid(&tx, &facts).await? {
                return Ok((false, tx));
            }
            let done = store::advance(&tx, id, facts.order.state, to, now).await?;
            close_unpaid(&tx, &facts, "order.expired", now).await?;
            Ok((done, tx))
        })
        .await
}
