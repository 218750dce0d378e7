//! Metered months: closed once their usage can't be reported any more, and charged by what was used.

use entity::{
    Timestamp,
    ids::MeterId,
    states::{OrderOrigin, SubscriptionState},
    subscription, subscription_period,
};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    begin::{money, news},
    follow_up::{self, Charge, Terms},
    model::{self, Schedule, Span},
    store,
    sweep::{Next, to_charge},
};
use crate::{
    db::{Tx, outbox},
    error::{Error, Result},
    state::AppState,
    terms::offers::plan::{Meter, Plan},
    trade::{orders::store as orders, usage},
};

fn meter_of(plan: &Plan) -> Result<&Meter> {
    plan.meter.as_ref().ok_or_else(|| Error::internal("a metered subscription has no meter"))
}

fn enter(row: &mut subscription::Model, plan: &Plan, number: i32) -> Result<Span> {
    let span = model::span(row.anchor_at.0, row.anchor_no, 1, number);
    row.period_no = number;
    (row.period_from, row.period_until) = (Timestamp(span.from), Timestamp(span.until));
    row.next_action_at = Some(Timestamp(model::closes_at(span, meter_of(plan)?.late_hours)));
    Ok(span)
}

/// Sets the row to its first month.
pub(super) fn first(row: &mut subscription::Model, plan: &Plan, _now: OffsetDateTime) -> Result<()> {
    enter(row, plan, 1).map(|_| ())
}

/// Goes on to the next month to be closed, or ends after the last.
async fn go_on(tx: &Tx, row: &mut subscription::Model, closed: Span, now: OffsetDateTime) -> Result<()> {
    let ends_at = usage::ends_at(tx.conn(), MeterId(row.id.0)).await?;
    if ends_at.is_some_and(|end| end <= closed.until) {
        let (state, reason) = if row.cancel_at_period_end {
            (SubscriptionState::Cancelled, "cancelled")
        } else {
            (SubscriptionState::Ended, "the term of the licence is over")
        };
        model::end(row, state, reason, now);
        return outbox::append(tx, vec![news(row, "subscription.ended", json!({"reason": reason}))], now).await;
    }
    let plan = model::plan_of(row)?;
    enter(row, &plan, closed.number.saturating_add(1)).map(|_| ())
}

/// Closes the month that is due: counts it, and places the order over exactly what it costs.
///
/// A month that cost nothing has no order, and is closed all the same.
pub(super) async fn close(
    app: &AppState,
    tx: &Tx,
    row: &mut subscription::Model,
    schedule: Schedule<'_>,
    now: OffsetDateTime,
) -> Result<Next> {
    let span = model::span(row.anchor_at.0, row.anchor_no, 1, row.period_no);
    let bill = usage::close_month(tx, MeterId(row.id.0), span.number, span.until).await?;
    let rules = app.payments.charge_rules(money(row, 0)?.currency);
    let is_waived = rules.chargeable(bill.amount_minor) == 0;
    let mut period = subscription_period::Model {
        subscription_id: row.id,
        number: span.number,
        from_at: Timestamp(span.from),
        until_at: Timestamp(span.until),
        follows_on: span.number > 1,
        order_id: None,
        units: Some(bill.units),
        amount_minor: 0,
        created_at: Timestamp(now),
    };
    if is_waived {
        store::insert_period(tx, period).await?;
        go_on(tx, row, span, now).await?;
        store::update(tx, row).await?;
        return Ok(Next::Again);
    }
    let origin = orders::load(tx.conn(), row.origin_order_id).await?;
    let charge = Charge {
        origin: OrderOrigin::Usage,
        terms: Terms::of_origin(&origin),
        price_minor: bill.amount_minor.min(rules.max_minor),
        span,
        expires_at: schedule.expires_at(row.kind, now),
    };
    let facts = follow_up::order_over(app, tx.conn(), row, charge, now).await?;
    let payment = follow_up::place(app, tx, &facts, true, now).await?;
    (period.order_id, period.amount_minor) = (Some(facts.order.id), facts.line.price_minor);
    store::insert_period(tx, period).await?;
    to_charge(row, &facts, schedule, now);
    store::update(tx, row).await?;
    let told = json!({"order_id": facts.order.id, "units": bill.units, "amount_minor": facts.line.price_minor});
    outbox::append(tx, vec![news(row, "usage.billed", told)], now).await?;
    Ok(Next::Charge(Box::new(facts), payment))
}

/// The order over the last closed month was paid.
pub(super) async fn paid(tx: &Tx, row: &mut subscription::Model, now: OffsetDateTime) -> Result<()> {
    row.state = SubscriptionState::Active;
    let closed = model::span(row.anchor_at.0, row.anchor_no, 1, row.period_no);
    go_on(tx, row, closed, now).await
}
