//! Looks at subscriptions that are due, takes the next step of each, and charges what that placed.
//!
//! A step is one transaction under the row's lock. What a crash leaves (an order without a charge, a charge
//! without its note) is in the rows, and the next look goes on from there.

use entity::{
    Timestamp,
    ids::{OfferId, PaymentId, SubscriptionId},
    states::{OrderState, SubscriptionKind, SubscriptionState},
    subscription, subscription_period,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    begin::news,
    dunning,
    follow_up::{self, Charge, Terms, terms_for_sale},
    model::{self, Schedule, next_span},
    month, parts, store,
};
use crate::{
    db::{Tx, outbox},
    error::{Problem, Result},
    state::AppState,
    trade::{
        methods,
        orders::{OrderFacts, store as orders},
        payments::{self, store as payment_store},
    },
};

/// Subscriptions looked at in one go.
const BATCH: u64 = 50;
/// How long a charge that was placed is left alone before somebody looks whether it came through.
pub(super) const CHARGING_SECONDS: i64 = 60;
/// Steps of one subscription in one round: a metered one may have several months to close.
const STEPS_MAX: usize = 64;

/// What a step leads to.
#[derive(Debug)]
pub(super) enum Next {
    /// It was not its turn.
    Rest,
    /// Something changed; there may be more to do.
    Again,
    /// This has to be charged, outside of the transaction.
    Charge(Box<OrderFacts>, PaymentId),
}

/// Takes the steps that are due; returns how many subscriptions moved.
///
/// # Errors
/// Those of the database; one subscription that can't be moved stops no other.
pub async fn advance_due(app: &AppState) -> Result<usize> {
    let (mut moved, mut after) = (0, None);
    loop {
        let due = store::due(app.db.read(), app.clock.now(), after, BATCH).await?;
        let Some(last) = due.last().copied() else { return Ok(moved) };
        after = Some(last);
        for (_, id) in due {
            match advance(app, id, false).await {
                Ok(one) => moved += usize::from(one),
                Err(error) => {
                    let cause = error.cause.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
                    tracing::error!(subscription.id = %id, "a subscription can't be moved on: {cause}");
                }
            }
        }
    }
}

/// Takes steps until nothing is due; `charged` looks at what came of a charge before its time. True when
/// something changed.
pub(super) async fn advance(app: &AppState, id: SubscriptionId, mut charged: bool) -> Result<bool> {
    let mut moved = false;
    for _ in 0..STEPS_MAX {
        match step(app, id, charged).await? {
            Next::Rest => break,
            Next::Again => (moved, charged) = (true, false),
            Next::Charge(facts, payment) => {
                charge(app, *facts, payment).await?;
                (moved, charged) = (true, true);
            }
        }
    }
    Ok(moved)
}

/// Charges a placed order without the buyer. A refusal is no error here: the next step notes it.
pub(super) async fn charge(app: &AppState, facts: OrderFacts, payment: PaymentId) -> Result<()> {
    let owner = facts.order.buyer_id;
    let means = match facts.order.saved_method_id {
        Some(id) => methods::off_session(app.db.read(), owner, id).await?,
        None => None,
    };
    let Some(means) = means else { return without_means(app, payment).await };
    match payments::pay(app, facts, payment, &means).await {
        Err(error) if matches!(error.problem, Problem::PaymentDeclined | Problem::Invalid) => Ok(()),
        outcome => outcome,
    }
}

async fn without_means(app: &AppState, payment: PaymentId) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("trade.give_up_payment", move |tx| async move {
            let text = "The means of payment was removed. Give the subscription another one.";
            payment_store::give_up(&tx, payment, "no_means", text, now).await?;
            Ok(((), tx))
        })
        .await
}

async fn step(app: &AppState, id: SubscriptionId, charged: bool) -> Result<Next> {
    let (now, handle) = (app.clock.now(), app.clone());
    app.db
        .write("trade.advance_subscription", move |tx| {
            let app = handle.clone();
            async move {
                let (mut row, due) = store::lock(&tx, id).await?;
                let is_due = row.next_action_at.is_some_and(|at| at.0 <= now);
                let next = match due {
                    _ if !is_due && !charged => Next::Rest,
                    Some(due) => dunning::collect(&app, &tx, &mut row, due, now).await?,
                    None if !is_due => Next::Rest,
                    None => proceed(&app, &tx, &mut row, now).await?,
                };
                Ok((next, tx))
            }
        })
        .await
}

/// Notes that an order waits to be paid, and who looks after it from when on.
pub(super) fn to_charge(
    row: &mut subscription::Model,
    facts: &OrderFacts,
    schedule: Schedule<'_>,
    now: OffsetDateTime,
) {
    row.due_order_id = Some(facts.order.id);
    row.failed_attempts = 0;
    row.grace_until = Some(Timestamp(schedule.grace_until(now)));
    row.next_action_at = Some(Timestamp(now + Duration::seconds(CHARGING_SECONDS)));
}

/// The next period, month or part.
async fn proceed(app: &AppState, tx: &Tx, row: &mut subscription::Model, now: OffsetDateTime) -> Result<Next> {
    let schedule = Schedule(&app.config.trade.dunning_days);
    match row.kind {
        SubscriptionKind::Metered => month::close(app, tx, row, schedule, now).await,
        SubscriptionKind::Instalments => parts::place(app, tx, row, schedule, now).await,
        SubscriptionKind::Renewing => renew(app, tx, row, schedule, now).await,
    }
}

/// Writes the order, its period and its first attempt down.
pub(super) async fn place(
    app: &AppState,
    tx: &Tx,
    row: &mut subscription::Model,
    charge: Charge,
    now: OffsetDateTime,
) -> Result<Next> {
    let (span, schedule) = (charge.span, Schedule(&app.config.trade.dunning_days));
    let facts = follow_up::order_over(app, tx.conn(), row, charge, now).await?;
    let payment = follow_up::place(app, tx, &facts, true, now).await?;
    let period = subscription_period::Model {
        subscription_id: row.id,
        number: span.number,
        from_at: Timestamp(span.from),
        until_at: Timestamp(span.until),
        follows_on: row.state != SubscriptionState::Paused,
        order_id: Some(facts.order.id),
        units: None,
        amount_minor: facts.line.price_minor,
        created_at: Timestamp(now),
    };
    store::insert_period(tx, period).await?;
    to_charge(row, &facts, schedule, now);
    store::update(tx, row).await?;
    if row.kind == SubscriptionKind::Renewing {
        sync_access(tx, row, now).await?;
    }
    Ok(Next::Charge(Box::new(facts), payment))
}

/// Brings the end of the current grant to where the row says.
pub(super) async fn sync_access(tx: &Tx, row: &subscription::Model, now: OffsetDateTime) -> Result<()> {
    match row.grant_id {
        Some(grant) => store::move_grant_end(tx, grant, Some(model::access_until(row, now))).await,
        None => Ok(()),
    }
}

/// What the next period is charged by: what the buyer agreed to, here or for the future.
fn agreed(row: &subscription::Model) -> (OfferId, i64, String) {
    (
        row.next_offer_id.unwrap_or(row.offer_id),
        row.next_price_minor.unwrap_or(row.price_minor),
        row.next_licence_hash.clone().unwrap_or_else(|| row.licence_hash.clone()),
    )
}

async fn renew(
    app: &AppState,
    tx: &Tx,
    row: &mut subscription::Model,
    schedule: Schedule<'_>,
    now: OffsetDateTime,
) -> Result<Next> {
    if row.cancel_at_period_end || row.pause_at_period_end {
        return stop(tx, row, now).await;
    }
    let (offer, price_minor, hash) = agreed(row);
    let terms = terms_for_sale(tx.conn(), row, (offer, price_minor, &hash), now).await?;
    let is_over = now >= row.period_until.0;
    match terms {
        Some(_) if !is_over => {
            row.next_action_at = Some(Timestamp(model::next_look(row.period_until.0, now)));
            store::update(tx, row).await?;
            Ok(Next::Again)
        }
        Some(_) if upgrade_is_open(tx, row, now).await? => Ok(Next::Again),
        Some(terms) => begin_next(app, tx, row, (price_minor, terms), schedule, now).await,
        None if !is_over => ask_consent(tx, row, now).await,
        None => {
            let reason = "the offer changed, and nobody consented to what is new";
            finish(tx, row, SubscriptionState::Ended, reason, now).await
        }
    }
}

/// Places the next period under `terms`, which the subscription has from now on.
pub(super) async fn begin_next(
    app: &AppState,
    tx: &Tx,
    row: &mut subscription::Model,
    (price_minor, terms): (i64, Terms),
    schedule: Schedule<'_>,
    now: OffsetDateTime,
) -> Result<Next> {
    if row.next_offer_id.is_some() {
        let (_, plan) = store::offer(tx.conn(), terms.offer_id).await?;
        row.plan = serde_json::to_value(&plan)?;
        (row.offer_id, row.price_minor) = (terms.offer_id, price_minor);
        row.licence_hash.clone_from(&terms.licence_hash);
        if row.term_months != terms.term_months {
            // Another length is counted from where the period before ended.
            (row.anchor_at, row.anchor_no) = (row.period_until, row.period_no.saturating_add(1));
            row.term_months = terms.term_months;
        }
        (row.next_offer_id, row.next_price_minor, row.next_licence_hash) = (None, None, None);
    }
    let span = next_span(row, now);
    if row.state == SubscriptionState::Paused {
        (row.anchor_at, row.anchor_no) = (Timestamp(span.from), span.number);
    }
    let charge = follow_up::renewal(row, price_minor, terms, span, schedule, now);
    place(app, tx, row, charge, now).await
}

/// The period is over and no other follows.
async fn stop(tx: &Tx, row: &mut subscription::Model, now: OffsetDateTime) -> Result<Next> {
    if now < row.period_until.0 {
        row.next_action_at = Some(row.period_until);
        store::update(tx, row).await?;
        return Ok(Next::Again);
    }
    if row.cancel_at_period_end {
        let reason = if row.ends_by_provider { "ended by the provider" } else { "cancelled" };
        return finish(tx, row, SubscriptionState::Cancelled, reason, now).await;
    }
    row.state = SubscriptionState::Paused;
    row.pause_at_period_end = false;
    row.next_action_at = None;
    store::update(tx, row).await?;
    outbox::append(tx, vec![news(row, "subscription.paused", json!({}))], now).await?;
    Ok(Next::Again)
}

async fn ask_consent(tx: &Tx, row: &mut subscription::Model, now: OffsetDateTime) -> Result<Next> {
    row.next_action_at = Some(row.period_until);
    if row.state != SubscriptionState::AwaitingConsent {
        row.state = SubscriptionState::AwaitingConsent;
        let told = json!({"ends_at": row.period_until, "offer_id": row.next_offer_id.unwrap_or(row.offer_id)});
        outbox::append(tx, vec![news(row, "subscription.consent_needed", told)], now).await?;
    }
    store::update(tx, row).await?;
    sync_access(tx, row, now).await?;
    Ok(Next::Again)
}

/// Ends it for good; what gives access ends at `now` at the latest.
pub(super) async fn finish(
    tx: &Tx,
    row: &mut subscription::Model,
    state: SubscriptionState,
    reason: &'static str,
    now: OffsetDateTime,
) -> Result<Next> {
    model::end(row, state, reason, now);
    store::update(tx, row).await?;
    if row.kind == SubscriptionKind::Renewing && now <= row.period_until.0 {
        sync_access(tx, row, now).await?;
    } else if let Some(grant) = row.grant_id {
        store::end_grant(tx, grant, reason, now).await?;
    }
    outbox::append(tx, vec![news(row, "subscription.ended", json!({"reason": reason}))], now).await?;
    Ok(Next::Again)
}

/// True while an upgrade is being paid; one that nobody pays is closed, since its period is over.
async fn upgrade_is_open(tx: &Tx, row: &mut subscription::Model, now: OffsetDateTime) -> Result<bool> {
    let Some(id) = store::open_upgrade(tx.conn(), row.id).await? else { return Ok(false) };
    let attempts = payment_store::of_orders(tx.conn(), &[id]).await?;
    if attempts.iter().any(|payment| payment_store::IN_FLIGHT.contains(&payment.state)) {
        row.next_action_at = Some(Timestamp(now + Duration::seconds(CHARGING_SECONDS)));
        store::update(tx, row).await?;
        return Ok(true);
    }
    orders::advance(tx, id, OrderState::AwaitingPayment, OrderState::Expired, now).await?;
    Ok(false)
}
