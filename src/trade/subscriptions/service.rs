//! What buyers and providers decide about a running subscription.

use entity::{
    Timestamp,
    ids::{MeterId, OfferId, OrgId, SavedMethodId, SubscriptionId},
    states::{OrderState, SubscriptionKind, SubscriptionState},
    subscription,
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    begin::{money, news},
    follow_up::terms_for_sale,
    model::{self, Outcome, Schedule, Wish},
    store,
    sweep::{Next, advance, begin_next, charge, finish, sync_access},
};
use crate::{
    auth::Actor,
    base::Money,
    db::{Tx, outbox},
    error::{Error, Problem, Result},
    people::audit,
    state::AppState,
    trade::{
        methods,
        orders::{OrderFacts, store as orders},
        payments::store as payment_store,
        usage,
    },
};

/// Whose decision it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    Buyer,
    Provider,
}

/// Locks a subscription for a decision of `org`.
pub(super) async fn lock_for(
    tx: &Tx,
    id: SubscriptionId,
    org: OrgId,
    party: Party,
) -> Result<(subscription::Model, Option<OrderFacts>)> {
    let (row, due) = store::lock(tx, id).await?;
    let own = match party {
        Party::Buyer => row.buyer_id,
        Party::Provider => row.provider_id,
    };
    if own == org { Ok((row, due)) } else { Err(Error::not_found("subscription")) }
}

/// Carries a wish out; asking for what is so already changes nothing.
///
/// # Errors
/// `NotFound` for a subscription of somebody else; `Conflict` where the state does not allow it, or a payment is
/// under way.
pub(super) async fn wish(
    app: &AppState,
    actor: &Actor,
    id: SubscriptionId,
    wish: Wish,
    note: Option<String>,
) -> Result<()> {
    let (now, by, handle) = (app.clock.now(), actor.clone(), app.clone());
    let party = if wish == Wish::EndByProvider { Party::Provider } else { Party::Buyer };
    let next = app
        .db
        .write("trade.decide_subscription", move |tx| {
            let (actor, note, app) = (by.clone(), note.clone(), handle.clone());
            async move {
                let (mut row, due) = lock_for(&tx, id, actor.org_id(), party).await?;
                let outcome = model::apply(&mut row, wish)?;
                if outcome == Outcome::Same {
                    return Ok((Next::Rest, tx));
                }
                let told = json!({"action": wish.action(), "note": note, "period_until": row.period_until});
                audit::record(&tx, &actor, wish.action(), id, json!({"note": note}), now).await?;
                outbox::append(&tx, vec![news(&row, "subscription.changed", told)], now).await?;
                let next = carry_out(&app, &tx, (row, due), outcome, now).await?;
                Ok((next, tx))
            }
        })
        .await?;
    follow(app, id, next).await
}

async fn carry_out(
    app: &AppState,
    tx: &Tx,
    (mut row, due): (subscription::Model, Option<OrderFacts>),
    outcome: Outcome,
    now: OffsetDateTime,
) -> Result<Next> {
    match outcome {
        Outcome::Same => Ok(Next::Rest),
        Outcome::Noted if row.kind == SubscriptionKind::Metered => {
            // Of a metered one the month that runs is the last, which may not be the one to be closed next.
            let month = usage::month_of(row.anchor_at.0, now);
            let until = model::span(row.anchor_at.0, row.anchor_no, 1, month).until;
            let until = row.cancel_at_period_end.then_some(until);
            usage::stop(tx, MeterId(row.id.0), until).await?;
            if let Some(grant) = row.grant_id {
                store::move_grant_end(tx, grant, until).await?;
            }
            store::update(tx, &row).await?;
            Ok(Next::Rest)
        }
        Outcome::Noted => {
            if due.is_none() {
                row.next_action_at = Some(Timestamp(model::next_look(row.period_until.0, now)));
            }
            store::update(tx, &row).await?;
            sync_access(tx, &row, now).await?;
            Ok(Next::Rest)
        }
        Outcome::EndNow => {
            if let Some(due) = due {
                withdraw(tx, &due, now).await?;
            }
            row.period_until = row.period_until.min(Timestamp(now));
            finish(tx, &mut row, SubscriptionState::Cancelled, "cancelled", now).await.map(|_| Next::Rest)
        }
        Outcome::BeginNow if due.is_some() => Err(being_charged()),
        Outcome::BeginNow => {
            let wanted = (row.offer_id, row.price_minor, row.licence_hash.clone());
            let terms = terms_for_sale(tx.conn(), &row, (wanted.0, wanted.1, &wanted.2), now).await?;
            let changed = "What you had agreed to is not offered any more. Cancel this subscription and order what is offered now.";
            let terms = terms.ok_or_else(|| Error::conflict(changed))?;
            // Nothing is open until it is paid: the grant of the period before is over.
            row.grant_id = None;
            let schedule = Schedule(&app.config.trade.dunning_days);
            begin_next(app, tx, &mut row, (wanted.1, terms), schedule, now).await
        }
    }
}

fn being_charged() -> Error {
    Error::conflict("A payment of this subscription is under way. Try again in a minute.")
}

/// Closes an order that waits to be paid, unless it is being paid.
async fn withdraw(tx: &Tx, due: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    let attempts = payment_store::of_orders(tx.conn(), &[due.order.id]).await?;
    if attempts.iter().any(|payment| payment_store::IN_FLIGHT.contains(&payment.state)) {
        return Err(being_charged());
    }
    orders::advance(tx, due.order.id, OrderState::AwaitingPayment, OrderState::Cancelled, now).await?;
    Ok(())
}

/// Charges what a decision placed. What the processor does not do now, the sweep does.
pub(super) async fn follow(app: &AppState, id: SubscriptionId, next: Next) -> Result<()> {
    let Next::Charge(facts, payment) = next else { return Ok(()) };
    if let Err(error) = charge(app, *facts, payment).await {
        if error.problem != Problem::Unavailable {
            return Err(error);
        }
        tracing::warn!(subscription.id = %id, payment.id = %payment, "a subscription is charged later: {error}");
        return Ok(());
    }
    advance(app, id, true).await.map(|_| ())
}

/// What a buyer agrees to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Consent {
    /// The offer from the next period on; the present one when absent.
    pub offer_id: Option<OfferId>,
    /// What a period costs, as the buyer read it.
    pub expected_total: Money,
    /// The licence document the buyer read.
    pub licence_hash: String,
}

/// Agrees to another offer, price or licence from the next period on.
///
/// # Errors
/// `Conflict` when that offer can't be had at this price, or the subscription does not renew; `LicenceChanged` when
/// its licence is another.
pub(super) async fn consent(app: &AppState, actor: &Actor, id: SubscriptionId, given: Consent) -> Result<()> {
    let (now, by) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.consent", move |tx| {
            let (actor, given) = (by.clone(), given.clone());
            async move {
                let (mut row, due) = lock_for(&tx, id, actor.org_id(), Party::Buyer).await?;
                require_renewing(&row)?;
                let offer = given.offer_id.unwrap_or_else(|| row.next_offer_id.unwrap_or(row.offer_id));
                require_offered(&tx, &row, offer, &given, now).await?;
                row.next_offer_id = Some(offer);
                row.next_price_minor = Some(given.expected_total.minor);
                row.next_licence_hash = Some(given.licence_hash.clone());
                settle(&tx, &mut row, due.is_some(), now).await?;
                let detail =
                    json!({"offer_id": offer, "total": given.expected_total, "licence_hash": given.licence_hash});
                audit::record(&tx, &actor, "subscription.consent", id, detail.clone(), now).await?;
                outbox::append(&tx, vec![news(&row, "subscription.consented", detail)], now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Takes back what was agreed to for the next period.
///
/// # Errors
/// As [`consent`].
pub(super) async fn drop_change(app: &AppState, actor: &Actor, id: SubscriptionId) -> Result<()> {
    let (now, by) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.drop_change", move |tx| {
            let actor = by.clone();
            async move {
                let (mut row, due) = lock_for(&tx, id, actor.org_id(), Party::Buyer).await?;
                require_renewing(&row)?;
                if row.next_offer_id.is_some() {
                    (row.next_offer_id, row.next_price_minor, row.next_licence_hash) = (None, None, None);
                    settle(&tx, &mut row, due.is_some(), now).await?;
                    audit::record(&tx, &actor, "subscription.drop_change", id, json!({}), now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}

/// Writes a change of what comes next down; whether that can still be had is looked at right away.
async fn settle(tx: &Tx, row: &mut subscription::Model, is_due: bool, now: OffsetDateTime) -> Result<()> {
    if row.state == SubscriptionState::AwaitingConsent {
        let trial = row.is_trial && row.period_no == 1;
        row.state = if trial { SubscriptionState::Trialing } else { SubscriptionState::Active };
    }
    if !is_due && row.state != SubscriptionState::Paused {
        row.next_action_at = Some(Timestamp(now));
    }
    store::update(tx, row).await?;
    sync_access(tx, row, now).await
}

pub(super) fn require_renewing(row: &subscription::Model) -> Result<()> {
    if !model::is_live(row.state) {
        return Err(Error::conflict("This subscription is over. Order again."));
    }
    if row.kind == SubscriptionKind::Renewing {
        return Ok(());
    }
    Err(Error::conflict("Only a subscription that renews can go over to another offer."))
}

/// Refuses an offer that is not what the buyer read.
pub(super) async fn require_offered(
    tx: &Tx,
    row: &subscription::Model,
    offer: OfferId,
    given: &Consent,
    now: OffsetDateTime,
) -> Result<super::follow_up::Terms> {
    let wanted = (offer, given.expected_total.minor, given.licence_hash.as_str());
    let found = terms_for_sale(tx.conn(), row, wanted, now).await?;
    if let Some(terms) = found.filter(|_| given.expected_total.currency.code() == row.currency) {
        return Ok(terms);
    }
    let sale = crate::terms::offers::offer_for_sale(tx.conn(), offer, now).await?;
    let sale =
        sale.filter(|sale| sale.listing_id == row.listing_id && sale.plan.as_ref().is_some_and(|plan| plan.renews));
    let Some(sale) = sale else {
        return Err(Error::conflict(
            "This offer is not open to this subscription. Choose a renewing offer of the same listing.",
        ));
    };
    if sale.licence_hash != given.licence_hash {
        let detail = format!(
            "The offer's licence document is {0}. Read it at /api/v1/licence-documents/{0}.",
            sale.licence_hash
        );
        return Err(Error::new(Problem::LicenceChanged, detail));
    }
    let (model, plan) = store::offer(tx.conn(), offer).await?;
    let price = money(row, super::begin::period_price(&model, &plan, row.quantity)?)?;
    Err(Error::conflict(format!(
        "A period of this offer costs {price} for you. Send that as expected_total if you agree."
    )))
}

/// Gives a subscription another means of payment; what is due is charged on it at once.
///
/// # Errors
/// `Invalid` for a means that is not kept; `Conflict` for a subscription that is over.
pub(super) async fn change_method(
    app: &AppState,
    actor: &Actor,
    id: SubscriptionId,
    method: SavedMethodId,
) -> Result<()> {
    let (now, by) = (app.clock.now(), actor.clone());
    app.db
        .write("trade.change_method", move |tx| {
            let actor = by.clone();
            async move {
                let (mut row, due) = lock_for(&tx, id, actor.org_id(), Party::Buyer).await?;
                if !model::is_live(row.state) {
                    return Err(Error::conflict("This subscription is over. Order again."));
                }
                methods::require_usable(tx.conn(), actor.org_id(), method).await?;
                row.saved_method_id = method;
                if due.is_some() {
                    row.next_action_at = Some(Timestamp(now));
                }
                store::update(&tx, &row).await?;
                let detail = json!({"saved_method_id": method});
                audit::record(&tx, &actor, "subscription.change_method", id, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    if let Err(error) = advance(app, id, false).await {
        tracing::warn!(subscription.id = %id, "a subscription is charged later: {error}");
    }
    Ok(())
}
