//! What a completed order begins or moves on, in the transaction that completes it.

use entity::{
    Timestamp, grant,
    ids::{GrantId, SavedMethodId, SubscriptionId},
    offer,
    states::{Coverage, OfferKind, OrderOrigin, SubscriptionKind, SubscriptionState},
    subscription, subscription_period,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    model::{self, Span},
    month,
    opening::charges_later,
    store,
};
use crate::{
    base::{Money, clock::add_months},
    db::{
        Tx,
        outbox::{self, News},
    },
    error::{Error, Result},
    terms::offers::plan::Plan,
    trade::{
        orders::OrderFacts,
        prices::{self, ChargeRules, Item, discounts::volume_bps},
        usage,
    },
};

/// What is agreed to is a price; whether a processor can charge it was looked at with the offer.
const ANY_SUM: ChargeRules = ChargeRules { min_minor: 1, max_minor: i64::MAX, step_minor: 1 };

/// Begins and moves on what these orders are about; `grants` are about to be written and may be changed.
///
/// For a plain purchase this makes no statement.
pub(in crate::trade) async fn on_completed(
    tx: &Tx,
    all: &[&OrderFacts],
    grants: &mut [grant::Model],
    now: OffsetDateTime,
) -> Result<()> {
    for facts in all {
        let own = grants.iter_mut().find(|grant| grant.order_id == facts.order.id);
        if let Some(id) = facts.order.subscription_id {
            move_on(tx, id, facts, own, now).await?;
        } else if facts.line.offer_kind == OfferKind::QuotaPack {
            let (_, plan) = store::offer(tx.conn(), facts.line.offer_id).await?;
            let meter = usage::add_pack(tx, facts, plan.quota, now).await?;
            grants
                .iter_mut()
                .filter(|grant| grant.order_id == facts.order.id)
                .for_each(|grant| grant.meter_id = Some(meter));
        } else if facts.order.saved_method_id.is_some() {
            begin(tx, facts, own, now).await?;
        }
    }
    Ok(())
}

/// What a period of the offer costs for this quantity, without what only the first purchase takes off.
pub(super) fn period_price(offer: &offer::Model, plan: &Plan, quantity: i32) -> Result<i64> {
    let list_minor = offer.price_minor.checked_mul(i64::from(quantity)).ok_or(crate::base::MoneyError::Overflow)?;
    let item = Item { list_minor, volume_bps: volume_bps(&plan.volume, quantity), in_coupon: false };
    let priced = prices::price(&[item], None, &ANY_SUM)?;
    Ok(priced.first().map_or(list_minor, |priced| priced.net_minor))
}

/// Begins what an order of an offer with later charges is the first charge of.
async fn begin(tx: &Tx, facts: &OrderFacts, own: Option<&mut grant::Model>, now: OffsetDateTime) -> Result<()> {
    let (offer, plan) = store::offer(tx.conn(), facts.line.offer_id).await?;
    if !charges_later(facts.line.offer_kind, &plan) {
        return Ok(());
    }
    let Some(saved_method_id) = facts.order.saved_method_id else { return Ok(()) };
    let kind = match facts.line.offer_kind {
        OfferKind::Metered => SubscriptionKind::Metered,
        _ if !plan.instalments.is_empty() => SubscriptionKind::Instalments,
        _ => SubscriptionKind::Renewing,
    };
    let line = &facts.line;
    let whole_minor = offer.price_minor.saturating_mul(i64::from(line.quantity)).saturating_sub(line.discount_minor);
    if kind == SubscriptionKind::Instalments && whole_minor == 0 {
        // A coupon took all of it off: there are no parts.
        return Ok(());
    }
    let is_trial = kind == SubscriptionKind::Renewing && plan.trial_days > 0 && line.period_until.is_some();
    let mut row = subscription::Model {
        kind,
        plan: serde_json::to_value(&plan)?,
        price_minor: period_price(&offer, &plan, line.quantity)?,
        grant_id: own.as_ref().map(|grant| grant.id),
        ..row_of(facts, saved_method_id, is_trial, now)
    };
    match kind {
        SubscriptionKind::Renewing => first_period(&mut row, &plan, now),
        SubscriptionKind::Instalments => {
            // The discount is of the whole; the parts are of what it left.
            row.price_minor = whole_minor;
            first_part(&mut row, &plan, now)?;
        }
        SubscriptionKind::Metered => month::first(&mut row, &plan, now)?,
    }
    let news = started(&row);
    let period = (kind != SubscriptionKind::Metered).then(|| period_row(&row, facts, false, now));
    store::insert(tx, row.clone()).await?;
    if let Some(period) = period {
        store::insert_period(tx, period).await?;
    }
    if let Some(own) = own {
        match kind {
            SubscriptionKind::Renewing => {
                own.starts_at = Timestamp(now);
                own.ends_at = Some(Timestamp(model::access_until(&row, now)));
            }
            SubscriptionKind::Instalments => {}
            SubscriptionKind::Metered => {
                own.meter_id = Some(usage::open_meter(tx, &row, &plan, own.ends_at, now).await?);
            }
        }
    }
    outbox::append(tx, vec![news], now).await
}

/// A subscription that begins with this order, before it is known what follows from its plan.
fn row_of(
    facts: &OrderFacts,
    saved_method_id: SavedMethodId,
    is_trial: bool,
    now: OffsetDateTime,
) -> subscription::Model {
    let line = &facts.line;
    subscription::Model {
        id: SubscriptionId::at(now),
        origin_order_id: facts.order.id,
        buyer_id: facts.order.buyer_id,
        provider_id: line.provider_id,
        listing_id: line.listing_id,
        offer_id: line.offer_id,
        saved_method_id,
        kind: SubscriptionKind::Renewing,
        state: if is_trial { SubscriptionState::Trialing } else { SubscriptionState::Active },
        is_trial,
        currency: facts.order.currency.clone(),
        price_minor: 0,
        quantity: line.quantity,
        licence_hash: line.licence_hash.clone(),
        term_months: line.term_months,
        plan: serde_json::Value::Null,
        period_no: 1,
        period_from: Timestamp(now),
        period_until: Timestamp(now),
        anchor_at: Timestamp(now),
        anchor_no: 1,
        next_action_at: None,
        due_order_id: None,
        failed_attempts: 0,
        grace_until: None,
        cancel_at_period_end: false,
        pause_at_period_end: false,
        ends_by_provider: false,
        next_offer_id: None,
        next_price_minor: None,
        next_licence_hash: None,
        grant_id: None,
        end_reason: None,
        created_at: Timestamp(now),
        ended_at: None,
    }
}

fn first_period(row: &mut subscription::Model, plan: &Plan, now: OffsetDateTime) {
    if row.is_trial {
        // The paid periods are counted from the end of the trial.
        let until = now + Duration::days(i64::from(plan.trial_days));
        (row.anchor_at, row.anchor_no) = (Timestamp(until), 2);
        row.period_until = Timestamp(until);
    } else {
        let months = u16::try_from(model::term_of(row)).unwrap_or(1);
        row.period_until = Timestamp(add_months(now, months));
    }
    row.next_action_at = Some(Timestamp(model::next_look(row.period_until.0, now)));
}

/// The parts of a price, the one that was due at the purchase first.
pub(super) fn parts(row: &subscription::Model, plan: &Plan) -> Result<Vec<prices::Part>> {
    Ok(prices::schedule(row.price_minor, &plan.instalments, row.anchor_at.0)?)
}

fn first_part(row: &mut subscription::Model, plan: &Plan, now: OffsetDateTime) -> Result<()> {
    let next = parts(row, plan)?.get(1).map_or(now, |part| part.due_at);
    row.period_until = Timestamp(next);
    row.next_action_at = Some(Timestamp(next));
    Ok(())
}

fn period_row(
    row: &subscription::Model,
    facts: &OrderFacts,
    follows_on: bool,
    now: OffsetDateTime,
) -> subscription_period::Model {
    subscription_period::Model {
        subscription_id: row.id,
        number: row.period_no,
        from_at: row.period_from,
        until_at: row.period_until,
        follows_on,
        order_id: Some(facts.order.id),
        units: None,
        amount_minor: facts.line.price_minor,
        created_at: Timestamp(now),
    }
}

fn started(row: &subscription::Model) -> News {
    news(row, "subscription.started", json!({"kind": row.kind, "state": row.state}))
}

/// News about a subscription, with what both parties may know in every piece of it.
pub(super) fn news(row: &subscription::Model, kind: &'static str, more: serde_json::Value) -> News {
    let mut payload = json!({
        "subscription_id": row.id, "buyer_id": row.buyer_id, "provider_id": row.provider_id,
        "listing_id": row.listing_id, "period": row.period_no,
    });
    if let (Some(payload), serde_json::Value::Object(more)) = (payload.as_object_mut(), more) {
        payload.extend(more);
    }
    News { topic: row.id.to_string(), kind, payload }
}

/// Moves a subscription on that this order charged.
async fn move_on(
    tx: &Tx,
    id: SubscriptionId,
    facts: &OrderFacts,
    own: Option<&mut grant::Model>,
    now: OffsetDateTime,
) -> Result<()> {
    let mut row = store::lock_alone(tx, id).await?;
    let was_past_due = row.state == SubscriptionState::PastDue;
    if facts.order.origin != OrderOrigin::Upgrade {
        (row.due_order_id, row.failed_attempts, row.grace_until) = (None, 0, None);
    }
    match facts.order.origin {
        OrderOrigin::Renewal => next_period(tx, &mut row, facts, own, now).await?,
        OrderOrigin::Upgrade => upgraded(tx, &mut row, facts, own, now).await?,
        OrderOrigin::Instalment => next_part(tx, &mut row, now).await?,
        OrderOrigin::Usage => month::paid(tx, &mut row, now).await?,
        OrderOrigin::Purchase => return Err(Error::internal(format!("{} is no order of {id}", facts.order.id))),
    }
    store::update(tx, &row).await?;
    let healed = was_past_due.then(|| news(&row, "subscription.recovered", json!({"order_id": facts.order.id})));
    outbox::append(tx, healed.into_iter().collect(), now).await
}

/// The next period was paid: its grant begins where the one before ends.
async fn next_period(
    tx: &Tx,
    row: &mut subscription::Model,
    facts: &OrderFacts,
    own: Option<&mut grant::Model>,
    now: OffsetDateTime,
) -> Result<()> {
    let line = &facts.line;
    let (Some(from), Some(until)) = (line.period_from, line.period_until) else {
        return Err(Error::internal(format!("{} renews {} for no period", facts.order.id, row.id)));
    };
    if let Some(before) = row.grant_id {
        store::move_grant_end(tx, before, Some(from.0)).await?;
    }
    let before = row.grant_id;
    let span = Span { number: row.period_no.saturating_add(1), from: from.0, until: until.0 };
    enter(row, span);
    row.state = SubscriptionState::Active;
    row.next_action_at = Some(Timestamp(model::next_look(until.0, now)));
    if let Some(own) = own {
        if let Some(before) = before {
            stay_on_major(tx, own, before).await?;
        }
        row.grant_id = Some(own.id);
        own.ends_at = Some(Timestamp(model::access_until(row, now)));
    }
    Ok(())
}

/// A renewal is no consent to data that breaks what the grant before was made on.
async fn stay_on_major(tx: &Tx, own: &mut grant::Model, before: GrantId) -> Result<()> {
    let before = store::grant(tx, before).await?;
    if own.coverage == Coverage::WhileActive && before.coverage == Coverage::WhileActive {
        own.through_revision = before.through_revision;
        own.accepted_major = before.accepted_major;
    }
    Ok(())
}

fn enter(row: &mut subscription::Model, span: Span) {
    row.period_no = span.number;
    (row.period_from, row.period_until) = (Timestamp(span.from), Timestamp(span.until));
}

/// A larger offer within the period was paid: the old grant ends as the new one begins.
async fn upgraded(
    tx: &Tx,
    row: &mut subscription::Model,
    facts: &OrderFacts,
    own: Option<&mut grant::Model>,
    now: OffsetDateTime,
) -> Result<()> {
    let (offer, plan) = store::offer(tx.conn(), facts.line.offer_id).await?;
    row.offer_id = offer.id;
    row.price_minor = period_price(&offer, &plan, row.quantity)?;
    row.licence_hash = facts.line.licence_hash.clone();
    row.plan = serde_json::to_value(&plan)?;
    (row.next_offer_id, row.next_price_minor, row.next_licence_hash) = (None, None, None);
    if let Some(before) = row.grant_id {
        store::end_grant(tx, before, "upgraded to a larger offer", now).await?;
    }
    if let Some(own) = own {
        row.grant_id = Some(own.id);
        own.starts_at = Timestamp(now);
        own.ends_at = Some(Timestamp(model::access_until(row, now)));
    }
    let told = news(row, "subscription.upgraded", json!({"order_id": facts.order.id, "offer_id": row.offer_id}));
    outbox::append(tx, vec![told], now).await
}

/// A part of a price was paid; a suspended grant opens again.
async fn next_part(tx: &Tx, row: &mut subscription::Model, now: OffsetDateTime) -> Result<()> {
    let plan = model::plan_of(row)?;
    let parts = parts(row, &plan)?;
    row.period_no = row.period_no.saturating_add(1);
    row.state = SubscriptionState::Active;
    if let Some(grant) = row.grant_id
        && store::suspend_grant(tx, grant, false).await?
    {
        outbox::append(tx, vec![news(row, "grant.resumed", json!({"grant_id": grant}))], now).await?;
    }
    let place = usize::try_from(row.period_no).unwrap_or(usize::MAX);
    row.period_from = row.period_until;
    match parts.get(place) {
        Some(next) => {
            row.period_until = Timestamp(next.due_at);
            row.next_action_at = Some(Timestamp(next.due_at));
        }
        None => model::end(row, SubscriptionState::Ended, "all parts are paid", now),
    }
    Ok(())
}

/// A sum of the subscription's currency.
pub(super) fn money(row: &subscription::Model, minor: i64) -> Result<Money> {
    let currency = row.currency.parse().map_err(|e: crate::base::currency::UnknownCurrency| Error::internal(e))?;
    Ok(Money::new(minor, currency))
}
