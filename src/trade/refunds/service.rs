//! Asking for a refund, answering, appealing, and deciding.

use entity::{
    Timestamp,
    ids::{OrderId, PaymentId, RefundId},
    refund,
    states::{OrderState, RefundOrigin, RefundState},
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    booking,
    model::{self, Clock, Verdict},
    store, submit,
};
use crate::{
    auth::Actor,
    base::Money,
    db::{
        Tx,
        idempotency::{Claim, IdempotencyKey, claim},
    },
    error::{Error, Result},
    ledger,
    people::audit,
    state::AppState,
    trade::{
        disputes,
        orders::{OrderFacts, store as orders},
        payments::store as payments,
        reductions,
    },
};

/// Requests passed on to the operator in one go.
const BATCH: u64 = 100;

/// What is asked for, or issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How much; all that is left when absent.
    pub amount_minor: Option<i64>,
    /// Why.
    pub reason: String,
    /// The grants end although it is partial; only for who decides.
    pub ends_access: bool,
}

/// A buyer asks for money back.
///
/// The provider has some business days to answer; of an order of several providers the operator decides
/// at once.
///
/// # Errors
/// `NotFound` for somebody else's order; `Conflict` for one that was not paid, is disputed, is too old,
/// or of which less is left; those of the database.
pub async fn request(
    app: &AppState,
    actor: &Actor,
    order: OrderId,
    asked: Asked,
    key: IdempotencyKey,
) -> Result<RefundId> {
    let facts = party_order(app, actor, order, |facts| facts.order.buyer_id == actor.org_id()).await?;
    require_step(app, &facts, asked.amount_minor)?;
    booking::open_accounts(app, &facts).await?;
    let (now, actor, trade) = (app.clock.now(), actor.clone(), app.config.trade.clone());
    let currency = facts.total()?.currency;
    app.db
        .write("trade.request_refund", move |tx| {
            let (actor, asked, key) = (actor.clone(), asked.clone(), key.clone());
            let window = Duration::days(i64::from(trade.refund_window_days));
            let business_days = trade.refund_answer_business_days;
            async move {
                let fresh = RefundId::at(now);
                if let Claim::Replay(earlier) = claim(&tx, &key, &fresh.to_string(), now).await? {
                    return Ok((earlier.parse().map_err(Error::internal)?, tx));
                }
                ledger::lock_currency(&tx, currency).await?;
                let facts = orders::lock(&tx, order).await?;
                if facts.order.closed_at.is_none_or(|at| at.0 + window < now) {
                    return Err(Error::conflict("The time in which a refund of this order can be asked for is over."));
                }
                let (payment, amount_minor) = refundable(&tx, &facts, asked.amount_minor).await?;
                let due_at = Clock { asked_at: now, business_days }.due_at();
                let alone = model::sole_provider(&facts).is_some();
                let row = refund::Model {
                    id: fresh,
                    state: if alone { RefundState::Requested } else { RefundState::Escalated },
                    reason: asked.reason,
                    created_by: actor.account_id,
                    answer_due_at: alone.then_some(Timestamp(due_at)),
                    ..booking::new_refund(&facts, payment, amount_minor, now)
                };
                store::insert(&tx, row.clone()).await?;
                booking::announce(&tx, &row, "refund.requested", now).await?;
                let detail = json!({"order_id": order, "amount_minor": amount_minor});
                audit::record(&tx, &actor, "refund.request", fresh, detail, now).await?;
                Ok((fresh, tx))
            }
        })
        .await
}

/// The provider, or the operator, gives money back of its own accord.
///
/// # Errors
/// As [`request`], without an end of the time.
pub async fn issue(
    app: &AppState,
    actor: &Actor,
    order: OrderId,
    asked: Asked,
    key: IdempotencyKey,
) -> Result<RefundId> {
    let may = |facts: &OrderFacts| {
        actor.organization.may_operate || model::sole_provider(facts).is_some_and(|org| org == actor.org_id())
    };
    let facts = party_order(app, actor, order, may).await?;
    require_step(app, &facts, asked.amount_minor)?;
    booking::open_accounts(app, &facts).await?;
    let (now, actor, currency) = (app.clock.now(), actor.clone(), facts.total()?.currency);
    let id = app
        .db
        .write("trade.issue_refund", move |tx| {
            let (actor, asked, key) = (actor.clone(), asked.clone(), key.clone());
            async move {
                let fresh = RefundId::at(now);
                if let Claim::Replay(earlier) = claim(&tx, &key, &fresh.to_string(), now).await? {
                    return Ok((earlier.parse().map_err(Error::internal)?, tx));
                }
                ledger::lock_currency(&tx, currency).await?;
                let facts = orders::lock(&tx, order).await?;
                let (payment, amount_minor) = refundable(&tx, &facts, asked.amount_minor).await?;
                let operates = actor.organization.may_operate;
                let row = refund::Model {
                    id: fresh,
                    origin: if operates { RefundOrigin::Operator } else { RefundOrigin::Provider },
                    reason: asked.reason,
                    ends_access: asked.ends_access,
                    created_by: actor.account_id,
                    ..booking::approved(booking::new_refund(&facts, payment, amount_minor, now), actor.account_id, now)
                };
                store::insert(&tx, row.clone()).await?;
                booking::book(&tx, &row, &facts, now).await?;
                let detail = json!({"order_id": order, "amount_minor": amount_minor});
                audit::record(&tx, &actor, "refund.issue", fresh, detail, now).await?;
                Ok((fresh, tx))
            }
        })
        .await?;
    submit::submit(app, id).await?;
    Ok(id)
}

async fn party_order(
    app: &AppState,
    actor: &Actor,
    order: OrderId,
    is_party: impl Fn(&OrderFacts) -> bool,
) -> Result<OrderFacts> {
    let facts = orders::load(app.db.read(), order).await?;
    if is_party(&facts) {
        return Ok(facts);
    }
    let sees = facts.is_sold_by(actor.org_id()) || facts.order.buyer_id == actor.org_id();
    Err(if sees { Error::forbidden("This is for another party of the order.") } else { Error::not_found("order") })
}

/// Refuses a sum that the processor can't send back, before anybody decides about it.
fn require_step(app: &AppState, facts: &OrderFacts, amount_minor: Option<i64>) -> Result<()> {
    let currency = facts.total()?.currency;
    let step_minor = app.payments.charge_rules(currency).step_minor.max(1);
    if amount_minor.is_none_or(|minor| minor % step_minor == 0) {
        return Ok(());
    }
    let step = Money::new(step_minor, currency);
    Err(Error::invalid("/amount_minor", format!("Only multiples of {step} can be sent back.")))
}

/// The payment to give back from, and how much: what is asked for, if it is left and nothing is disputed.
async fn refundable(tx: &Tx, facts: &OrderFacts, wanted_minor: Option<i64>) -> Result<(PaymentId, i64)> {
    let order = &facts.order;
    if order.state != OrderState::Completed || facts.is_free() {
        return Err(Error::conflict("There is nothing to refund: the order was not paid."));
    }
    if disputes::is_open(tx.conn(), order.id).await? {
        return Err(Error::conflict("The payment is disputed: the bank decides about it."));
    }
    let taken = reductions::taken(&reductions::active(tx.conn(), facts).await?)?;
    let asked = store::open_requests_minor(tx.conn(), order.id).await?;
    let left_minor = order.total_minor - taken - asked;
    let amount_minor = wanted_minor.unwrap_or(left_minor);
    if left_minor <= 0 {
        return Err(Error::conflict("Nothing is left to refund: all of it was given back, or is asked for."));
    }
    if amount_minor > left_minor {
        return Err(Error::conflict(format!("Only {left_minor} minor units are left to refund of this order.")));
    }
    let payment = payments::that_paid(tx.conn(), order.id).await?;
    let payment = payment.ok_or_else(|| Error::internal(format!("{} is completed without a payment", order.id)))?;
    Ok((payment.id, amount_minor))
}

/// A dispute that was lost since can have taken of what a request asks for.
async fn require_left(tx: &Tx, facts: &OrderFacts, amount_minor: i64) -> Result<()> {
    let taken = reductions::taken(&reductions::active(tx.conn(), facts).await?)?;
    let left_minor = facts.order.total_minor - taken;
    if amount_minor <= left_minor {
        return Ok(());
    }
    Err(Error::conflict(format!("Only {left_minor} minor units are left of this order: decline what asks for more.")))
}

/// Approves or declines a request: the provider in time, the operator after it or after an appeal.
///
/// Repeating an approval is a conflict; what the processor does not take now is handed over later.
///
/// # Errors
/// `NotFound`; `Conflict` where it is decided, or another one's turn; those of the database.
pub async fn decide(app: &AppState, actor: &Actor, id: RefundId, verdict: Verdict) -> Result<()> {
    let missing = || Error::not_found("refund");
    let row = store::find(app.db.read(), id).await?.ok_or_else(missing)?;
    let facts = booking::order_of(app, &row).await?;
    model::may_decide(&row, &facts, actor)?;
    booking::open_accounts(app, &facts).await?;
    let (now, actor, currency) = (app.clock.now(), actor.clone(), facts.total()?.currency);
    app.db
        .write("trade.decide_refund", move |tx| {
            let (actor, verdict) = (actor.clone(), verdict.clone());
            async move {
                ledger::lock_currency(&tx, currency).await?;
                let facts = orders::lock(&tx, row_order(&tx, id).await?).await?;
                let row = store::find(tx.conn(), id).await?.ok_or_else(missing)?;
                model::may_decide(&row, &facts, &actor)?;
                decide_in(&tx, &actor, row, &facts, verdict, now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    submit::submit(app, id).await.map(|_| ())
}

async fn row_order(tx: &Tx, id: RefundId) -> Result<OrderId> {
    store::find(tx.conn(), id).await?.map(|row| row.order_id).ok_or_else(|| Error::not_found("refund"))
}

async fn decide_in(
    tx: &Tx,
    actor: &Actor,
    row: refund::Model,
    facts: &OrderFacts,
    verdict: Verdict,
    now: OffsetDateTime,
) -> Result<()> {
    let (id, was) = (row.id, row.state);
    let (decided, action) = match verdict {
        Verdict::Approve { note, ends_access } => {
            if disputes::is_open(tx.conn(), facts.order.id).await? {
                return Err(Error::conflict("The payment is disputed: the bank decides about it."));
            }
            require_left(tx, facts, row.amount_minor).await?;
            let row = refund::Model { ends_access, ..booking::approved(row, actor.account_id, now) };
            (worded(row, was, note, now), "refund.approve")
        }
        Verdict::Decline { note } => {
            let decided_at = (was == RefundState::Escalated).then_some(Timestamp(now));
            let row = refund::Model {
                state: RefundState::Declined,
                decided_at,
                decided_by: decided_at.and(actor.account_id),
                ..row
            };
            (worded(row, was, Some(note), now), "refund.decline")
        }
    };
    store::replace(tx, decided.clone()).await?;
    if decided.state == RefundState::Approved {
        booking::book(tx, &decided, facts, now).await?;
    } else {
        booking::announce(tx, &decided, "refund.declined", now).await?;
    }
    audit::record(tx, actor, action, id, json!({"order_id": facts.order.id}), now).await
}

/// Keeps the words of a verdict as the provider's answer, or as the operator's decision.
fn worded(row: refund::Model, was: RefundState, note: Option<String>, now: OffsetDateTime) -> refund::Model {
    if was == RefundState::Requested {
        return refund::Model { answered_at: Some(Timestamp(now)), answer_note: note, ..row };
    }
    refund::Model { decision_note: note, ..row }
}

/// A buyer has the operator decide about a request that the provider declined.
///
/// # Errors
/// `NotFound`; `Conflict` for one that the provider did not decline, or too late, or of which less is
/// left by now; those of the database.
pub async fn appeal(app: &AppState, actor: &Actor, id: RefundId, note: String) -> Result<()> {
    let row = store::find(app.db.read(), id).await?.filter(|row| row.buyer_id == actor.org_id());
    let row = row.ok_or_else(|| Error::not_found("refund"))?;
    let facts = booking::order_of(app, &row).await?;
    let (now, actor, currency) = (app.clock.now(), actor.clone(), facts.total()?.currency);
    let window = Duration::days(i64::from(app.config.trade.refund_appeal_days));
    app.db
        .write("trade.appeal_refund", move |tx| {
            let (actor, note) = (actor.clone(), note.clone());
            async move {
                ledger::lock_currency(&tx, currency).await?;
                let facts = orders::lock(&tx, row_order(&tx, id).await?).await?;
                let row = store::find(tx.conn(), id).await?.ok_or_else(|| Error::not_found("refund"))?;
                let declined = row.state == RefundState::Declined && row.decided_at.is_none();
                if !declined || row.answered_at.is_none_or(|at| at.0 + window < now) {
                    return Err(Error::conflict("Only what the provider declined a short time ago can be appealed."));
                }
                refundable(&tx, &facts, Some(row.amount_minor)).await?;
                let appealed = refund::Model {
                    state: RefundState::Escalated,
                    appealed_at: Some(Timestamp(now)),
                    appeal_note: Some(note),
                    ..row
                };
                store::replace(&tx, appealed.clone()).await?;
                booking::announce(&tx, &appealed, "refund.escalated", now).await?;
                audit::record(&tx, &actor, "refund.appeal", id, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// A buyer takes a request back that nobody has decided: what it asked for can be asked for again.
///
/// # Errors
/// `NotFound` for another buyer's; `Conflict` for one that was decided or taken back; those of the database.
pub async fn withdraw(app: &AppState, actor: &Actor, id: RefundId) -> Result<()> {
    let missing = || Error::not_found("refund");
    let row = store::find(app.db.read(), id).await?.filter(|row| row.buyer_id == actor.org_id()).ok_or_else(missing)?;
    let (now, actor, order) = (app.clock.now(), actor.clone(), row.order_id);
    app.db
        .write("trade.withdraw_refund", move |tx| {
            let actor = actor.clone();
            async move {
                orders::lock(&tx, order).await?;
                let row = store::find(tx.conn(), id).await?.ok_or_else(missing)?;
                if !model::OPEN.contains(&row.state) {
                    let text =
                        format!("Only a request that nobody has decided can be withdrawn: this one is {}.", row.state);
                    return Err(Error::conflict(text));
                }
                let state = RefundState::Withdrawn;
                let withdrawn = refund::Model { state, withdrawn_at: Some(Timestamp(now)), ..row };
                store::replace(&tx, withdrawn.clone()).await?;
                booking::announce(&tx, &withdrawn, "refund.withdrawn", now).await?;
                audit::record(&tx, &actor, "refund.withdraw", id, json!({"order_id": order}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Passes requests to the operator that no provider answered in time; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn escalate_overdue(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let overdue = store::overdue(app.db.read(), now, BATCH).await?;
    if overdue.is_empty() {
        return Ok(0);
    }
    app.db
        .write("trade.escalate_refunds", move |tx| {
            let overdue = overdue.clone();
            async move {
                let escalated = store::escalate(&tx, &overdue).await?;
                for row in &escalated {
                    booking::announce(&tx, row, "refund.escalated", now).await?;
                }
                Ok((escalated.len(), tx))
            }
        })
        .await
}
