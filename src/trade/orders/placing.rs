//! Writing new orders down, several in one transaction.

use std::sync::Arc;

use entity::{payment, states::OrderState};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    service::news,
    store::{self, OrderFacts},
};
use crate::{
    auth::Actor,
    db::{
        Db, Tx,
        idempotency::{Claim, IdempotencyKey, claim, claim_all},
        outbox,
    },
    error::{Error, Result},
    people::audit,
    trade::{
        coupons::{self, Use},
        payments::{complete, store as payment_store},
    },
};

/// An order to be written down.
#[derive(Debug, Clone)]
pub(in crate::trade) struct NewOrder {
    pub facts: OrderFacts,
    pub payment: Option<payment::Model>,
    pub coupon: Option<Use>,
    pub actor: Actor,
    pub key: IdempotencyKey,
    pub now: OffsetDateTime,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trade) enum Recorded {
    /// It is written.
    Fresh,
    /// Its key was used before, for the order with this public id.
    Earlier(String),
}

/// Writes `orders` down in one transaction, their keys claimed first.
///
/// # Errors
/// Those of [`claim`] for a single order, and `Conflict` when its coupon is used up; for several also a conflict when a
/// key was used before, and then each has to be written alone.
pub(in crate::trade) async fn record(db: &Db, orders: Vec<NewOrder>) -> Result<Vec<Recorded>> {
    let orders = Arc::new(orders);
    db.write("trade.place_order", move |tx| {
        let orders = orders.clone();
        async move {
            if let [order] = orders.as_slice() {
                let resource = order.facts.order.id.to_string();
                if let Claim::Replay(earlier) = claim(&tx, &order.key, &resource, order.now).await? {
                    return Ok((vec![Recorded::Earlier(earlier)], tx));
                }
            } else {
                let keys = orders.iter().map(|order| (&order.key, order.facts.order.id.to_string(), order.now));
                if !claim_all(&tx, keys.collect()).await? {
                    return Err(Error::conflict("One of these keys was used before."));
                }
            }
            write(&tx, &orders).await?;
            Ok((vec![Recorded::Fresh; orders.len()], tx))
        }
    })
    .await
}

async fn write(tx: &Tx, orders: &[NewOrder]) -> Result<()> {
    let Some(now) = orders.iter().map(|order| order.now).max() else { return Ok(()) };
    store::insert_all(tx, orders.iter().map(|order| &order.facts)).await?;
    let uses =
        orders.iter().filter_map(|order| Some((order.facts.order.id, order.facts.order.buyer_id, order.coupon?)));
    coupons::claim_all(tx, uses.collect(), now).await?;
    payment_store::insert_all(tx, orders.iter().filter_map(|order| order.payment.clone()).collect()).await?;
    let events = orders.iter().map(|order| audit::Event {
        author: (&order.actor).into(),
        action: "order.place",
        resource: order.facts.order.id.to_string(),
        detail: json!({"offer_id": order.facts.line.offer_id}),
        at: order.now,
    });
    audit::record_all(tx, events.collect()).await?;
    let in_state = |state| orders.iter().map(|order| &order.facts).filter(move |facts| facts.order.state == state);
    let completed: Vec<&OrderFacts> = in_state(OrderState::Completed).collect();
    complete(tx, &completed, now).await?;
    let waiting = in_state(OrderState::AwaitingApproval).map(|facts| news(facts, "order.awaiting_approval"));
    outbox::append(tx, waiting.collect(), now).await
}
