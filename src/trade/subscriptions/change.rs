//! Going over to a larger offer within a period.

use entity::{
    ids::{OfferId, OrderId, OrgId, SubscriptionId},
    states::{OrderOrigin, OrderState, SubscriptionState},
    subscription,
};
use sea_orm::ConnectionTrait;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    begin::period_price,
    follow_up::{self, Charge},
    model::Span,
    service::{Consent, Party, lock_for, require_offered, require_renewing},
    store,
};
use crate::{
    auth::Actor,
    base::Money,
    db::{
        Tx,
        idempotency::{Claim, IdempotencyKey, claim},
    },
    error::{Error, Result},
    people::audit,
    state::AppState,
    terms::offers::offer_for_sale,
    trade::{
        methods,
        orders::{OrderFacts, store as orders},
        payments::{self, Means, store as payment_store},
        prices::{self, Period},
    },
};

/// An upgrade that is not paid by then is closed: its price was for the time that was left.
const UPGRADE_MINUTES: i64 = 60;

/// What an upgrade costs now, and the parts of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proration {
    /// What the new offer costs for the time that is left.
    pub rest: Money,
    /// What of the price that was paid is for that time.
    pub unused: Money,
    /// What is to be paid, before tax.
    pub charge: Money,
}

/// What going over to another offer costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cost {
    /// A whole period, before tax.
    pub price: Money,
    /// The licence of the offer.
    pub licence_hash: String,
    /// The change now.
    pub now: Proration,
    /// What is paid for the change now, with tax.
    pub total: Money,
}

/// What going over to `price_minor` costs at `now`. A trial was not paid, so nothing of it is unused.
async fn prorate(
    conn: &impl ConnectionTrait,
    row: &subscription::Model,
    price_minor: i64,
    now: OffsetDateTime,
) -> Result<Proration> {
    let period = Period::new(row.period_from.0, row.period_until.0)?;
    let mut paid = Vec::new();
    for order in orders::of_subscription(conn, row.id).await? {
        let line = &order.line;
        let (Some(from), Some(until)) = (line.period_from, line.period_until) else { continue };
        if order.order.state == OrderState::Completed && until == row.period_until && from >= row.period_from {
            paid.push((line.price_minor, Period::new(from.0, until.0)?));
        }
    }
    if row.period_no == 1 && !row.is_trial {
        let origin = orders::load(conn, row.origin_order_id).await?;
        paid.push((origin.line.price_minor, period));
    }
    let unused_minor = prices::unused(&paid, now)?;
    // A trial's days are given: for the rest of it the new offer costs nothing either.
    let price_minor = if row.state == SubscriptionState::Trialing { 0 } else { price_minor };
    let change = prices::change(unused_minor, period, price_minor, period, now)?;
    let money = |minor| super::begin::money(row, minor);
    Ok(Proration {
        rest: money(change.rest_minor)?,
        unused: money(change.unused_minor)?,
        charge: money(change.charge_minor)?,
    })
}

/// Places and charges an upgrade; a repeated request finds the order it placed.
///
/// # Errors
/// `Conflict` where only the end of the period is possible, when another upgrade waits, or when the sum is not what
/// was expected; `PaymentDeclined` when the order stands and can be paid otherwise.
pub(super) async fn upgrade(
    app: &AppState,
    actor: &Actor,
    id: SubscriptionId,
    (offer, agreed, expected_charge): (OfferId, Consent, Money),
    key: IdempotencyKey,
) -> Result<OrderId> {
    let (now, by, handle) = (app.clock.now(), actor.clone(), app.clone());
    let (facts, fresh) = app
        .db
        .write("trade.upgrade_subscription", move |tx| {
            let (actor, app, key, agreed) = (by.clone(), handle.clone(), key.clone(), agreed.clone());
            async move {
                let order = OrderId::at(now);
                if let Claim::Replay(earlier) = claim(&tx, &key, &order.to_string(), now).await? {
                    let facts = orders::load(tx.conn(), earlier.parse().map_err(Error::internal)?).await?;
                    return Ok(((facts, false), tx));
                }
                let (row, due) = lock_for(&tx, id, actor.org_id(), Party::Buyer).await?;
                require_upgradable(&tx, &row, due.is_some(), now).await?;
                let facts = order_of(&app, &tx, &row, (order, offer, &agreed), expected_charge, now).await?;
                follow_up::place(&app, &tx, &facts, false, now).await?;
                let detail = json!({"order_id": order, "offer_id": offer, "charge": expected_charge});
                audit::record(&tx, &actor, "subscription.upgrade", id, detail, now).await?;
                Ok(((facts, true), tx))
            }
        })
        .await?;
    let order = facts.order.id;
    let attempts = payment_store::of_orders(app.db.read(), &[order]).await?;
    let Some(first) = attempts.iter().find(|payment| payment.attempt == 1) else { return Ok(order) };
    let means = on_session(app, actor, &facts).await?;
    if fresh {
        payments::pay(app, facts, first.id, &means).await?;
    } else {
        payments::repeat(app, facts, first, &means).await?;
    }
    Ok(order)
}

async fn on_session(app: &AppState, actor: &Actor, facts: &OrderFacts) -> Result<Means> {
    let missing = || Error::invalid("/saved_method_id", "Give the subscription a means of payment first.");
    methods::means_for(app, actor, None, facts.order.saved_method_id).await?.ok_or_else(missing)
}

async fn require_upgradable(tx: &Tx, row: &subscription::Model, is_due: bool, now: OffsetDateTime) -> Result<()> {
    require_renewing(row)?;
    let running = matches!(
        row.state,
        SubscriptionState::Trialing | SubscriptionState::Active | SubscriptionState::AwaitingConsent
    );
    if is_due || !running || now >= row.period_until.0 || row.cancel_at_period_end || row.pause_at_period_end {
        return Err(Error::conflict("Within a period only a subscription that is paid and goes on can be upgraded."));
    }
    if let Some(open) = store::open_upgrade(tx.conn(), row.id).await? {
        return Err(Error::conflict(format!("Another upgrade waits to be paid: {open}. Pay it, or wait an hour.")));
    }
    Ok(())
}

async fn order_of(
    app: &AppState,
    tx: &Tx,
    row: &subscription::Model,
    (order, offer, agreed): (OrderId, OfferId, &Consent),
    expected_charge: Money,
    now: OffsetDateTime,
) -> Result<OrderFacts> {
    let terms = require_offered(tx, row, offer, agreed, now).await?;
    if terms.term_months != row.term_months {
        return Err(Error::conflict("An offer of another length can only begin with the next period."));
    }
    let cost = prorate(tx.conn(), row, agreed.expected_total.minor, now).await?;
    let rules = app.payments.charge_rules(cost.charge.currency);
    if rules.chargeable(cost.charge.minor) == 0 {
        return Err(Error::conflict(
            "This offer costs no more for the rest of the period. Change at the period's end.",
        ));
    }
    if cost.charge.minor > expected_charge.minor || cost.charge.currency != expected_charge.currency {
        let detail = format!(
            "The rest of the period costs {}, less {} that is unused of what you paid: {} before tax. Send that as expected_charge; it falls as time passes.",
            cost.rest, cost.unused, cost.charge
        );
        return Err(Error::conflict(detail));
    }
    let expires_at = (now + Duration::minutes(UPGRADE_MINUTES)).min(row.period_until.0);
    let span = Span { number: row.period_no, from: now, until: row.period_until.0 };
    let charge = Charge { origin: OrderOrigin::Upgrade, terms, price_minor: cost.charge.minor, span, expires_at };
    let mut facts = follow_up::order_over(app, tx.conn(), row, charge, now).await?;
    (facts.order.id, facts.line.order_id) = (order, order);
    Ok(facts)
}

/// What going over to a renewing offer of the same listing costs: a period of it, and the rest of the one that runs.
///
/// # Errors
/// `NotFound` for a subscription of somebody else or an offer that is not open to it.
pub(super) async fn preview(app: &AppState, org: OrgId, id: SubscriptionId, offer: OfferId) -> Result<Cost> {
    let (now, conn) = (app.clock.now(), app.db.read());
    let row = store::find_party(conn, id, org).await?.filter(|row| row.buyer_id == org);
    let row = row.ok_or_else(|| Error::not_found("subscription"))?;
    require_renewing(&row)?;
    let missing = || Error::not_found("offer open to this subscription");
    let sale = offer_for_sale(conn, offer, now).await?.filter(|sale| sale.listing_id == row.listing_id);
    let sale = sale.ok_or_else(missing)?;
    let (model, plan) = store::offer(conn, offer).await?;
    let price_minor = period_price(&model, &plan, row.quantity)?;
    let wanted = (offer, price_minor, sale.licence_hash.as_str());
    follow_up::terms_for_sale(conn, &row, wanted, now).await?.ok_or_else(missing)?;
    let cost = prorate(conn, &row, price_minor, now).await?;
    let decided = follow_up::taxes(app, conn, &row, (cost.charge.minor, now.date()), now).await?;
    let taxed = follow_up::taxed(app, &row, &decided)?;
    let charged = if taxed.rules.chargeable(cost.charge.minor) == 0 { 0 } else { taxed.agreed(cost.charge.minor) };
    let money = |minor| super::begin::money(&row, minor);
    let (price, total) = (money(price_minor)?, money(taxed.gross(charged)?)?);
    Ok(Cost { price, licence_hash: sale.licence_hash, now: cost, total })
}
