//! Orders that wait to be paid: charged again after a refusal, and given up in the end.

use entity::{
    Timestamp,
    ids::MeterId,
    states::{OrderState, PaymentState, SubscriptionKind, SubscriptionState},
    subscription,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{
    begin::news,
    follow_up,
    model::{self, Dunning, Schedule},
    store,
    sweep::{CHARGING_SECONDS, Next, finish},
};
use crate::{
    db::{Tx, outbox},
    error::{Error, Result},
    state::AppState,
    trade::{
        orders::{OrderFacts, store as orders},
        payments::store as payment_store,
        usage,
    },
};

/// An order waits to be paid: charge it, note a refusal, or give up.
pub(super) async fn collect(
    app: &AppState,
    tx: &Tx,
    row: &mut subscription::Model,
    due: OrderFacts,
    now: OffsetDateTime,
) -> Result<Next> {
    let attempts = payment_store::of_orders(tx.conn(), &[due.order.id]).await?;
    let placed = (due.order.state, due.order.created_at.0);
    match model::dunning(row, placed, &attempts, Schedule(&app.config.trade.dunning_days), now) {
        Dunning::Paid => Err(Error::internal(format!("{} is paid, and {} does not know", due.order.id, row.id))),
        Dunning::Wait(until) => {
            if row.next_action_at == Some(Timestamp(until)) {
                return Ok(Next::Rest);
            }
            row.next_action_at = Some(Timestamp(until));
            store::update(tx, row).await?;
            Ok(Next::Rest)
        }
        Dunning::Charge => {
            row.next_action_at = Some(Timestamp(now + Duration::seconds(CHARGING_SECONDS)));
            store::update(tx, row).await?;
            let mut facts = due;
            facts.order.saved_method_id = Some(row.saved_method_id);
            let payment = follow_up::attempt(app, tx, &facts, &attempts, true, now).await?;
            Ok(Next::Charge(Box::new(facts), payment))
        }
        Dunning::Declined { attempts: declined, retry_at } => {
            let failure = attempts.iter().find(|payment| payment.state == PaymentState::Failed);
            let code = failure.and_then(|payment| payment.failure_code.clone());
            row.failed_attempts = declined;
            row.state = SubscriptionState::PastDue;
            row.next_action_at = Some(Timestamp(retry_at.max(now)));
            store::update(tx, row).await?;
            let told = json!({"order_id": due.order.id, "code": code, "attempt": declined, "next_try_at": row.next_action_at,
                "access_until": row.grace_until});
            outbox::append(tx, vec![news(row, "subscription.payment_failed", told)], now).await?;
            Ok(Next::Again)
        }
        Dunning::GiveUp => give_up(tx, row, &due, now).await,
    }
}

/// Nobody paid by the end of the schedule: access ends, or of a price in parts is suspended until somebody does.
async fn give_up(tx: &Tx, row: &mut subscription::Model, due: &OrderFacts, now: OffsetDateTime) -> Result<Next> {
    let payable = due.order.state == OrderState::AwaitingPayment && now < due.order.expires_at.0;
    if row.kind == SubscriptionKind::Instalments && payable {
        row.failed_attempts = row.failed_attempts.saturating_add(1);
        row.state = SubscriptionState::PastDue;
        row.next_action_at = Some(due.order.expires_at);
        store::update(tx, row).await?;
        if let Some(grant) = row.grant_id
            && store::suspend_grant(tx, grant, true).await?
        {
            let told = json!({"grant_id": grant, "order_id": due.order.id});
            outbox::append(tx, vec![news(row, "grant.suspended", told)], now).await?;
        }
        return Ok(Next::Again);
    }
    orders::advance(tx, due.order.id, OrderState::AwaitingPayment, OrderState::Expired, now).await?;
    if row.kind == SubscriptionKind::Metered {
        usage::stop(tx, MeterId(row.id.0), Some(now)).await?;
    }
    row.period_until = row.period_until.min(Timestamp(now));
    finish(tx, row, SubscriptionState::Ended, "a payment was due and never made", now).await
}
