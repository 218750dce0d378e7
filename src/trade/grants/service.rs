//! The end of a term, or of what was paid for.

use entity::{grant, ids::OrderId, states::GrantState};
use serde_json::json;
use time::OffsetDateTime;

use super::store;
use crate::{
    db::{
        Tx,
        outbox::{self, News},
    },
    error::Result,
    state::AppState,
};

/// Grants ended in one transaction.
const BATCH: u64 = 100;

/// What refunds and disputes leave of the access to what an order bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::trade) enum Door {
    /// Nothing closes it.
    Open,
    /// A bank decides about the payment.
    Suspended(String),
    /// The money went back.
    Ended(String),
}

/// Brings the grants of an order to where the money stands, in the caller's transaction: downloads stop, or go on,
/// with its commit. What ended by its term, or is suspended because a part of the price is overdue, is not opened.
pub(in crate::trade) async fn set_door(tx: &Tx, order: OrderId, door: &Door, now: OffsetDateTime) -> Result<()> {
    let (state, reason, kind) = match door {
        Door::Open => (GrantState::Active, None, "grant.resumed"),
        Door::Suspended(reason) => (GrantState::Suspended, Some(reason.as_str()), "grant.suspended"),
        Door::Ended(reason) => (GrantState::Ended, Some(reason.as_str()), "grant.ended"),
    };
    let mut grants = store::that_follow_money(tx, order).await?;
    // Suspended without a reason: a part of the price is overdue, and only paying it, or an end, changes that.
    let is_overdue = |grant: &grant::Model| grant.state == GrantState::Suspended && grant.end_reason.is_none();
    grants.retain(|grant| !is_overdue(grant) || state == GrantState::Ended);
    grants.retain(|grant| grant.state != state || grant.end_reason.as_deref() != reason);
    let ids = grants.iter().map(|grant| grant.id).collect();
    store::set_door(tx, ids, state, (state == GrantState::Ended).then_some(now), reason).await?;
    let news = grants.into_iter().filter(|grant| grant.state != state).map(|grant| {
        let payload = json!({"grant_id": grant.id, "organization_id": grant.organization_id});
        News { topic: grant.listing_id.to_string(), kind, payload }
    });
    outbox::append(tx, news.collect(), now).await
}

/// Ends grants whose term is over; returns how many.
///
/// A download looks at the end of the term itself, so nothing depends on how soon this runs.
///
/// # Errors
/// Those of the database.
pub async fn end_terms(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let over = store::over(app.db.read(), now, BATCH).await?;
    if over.is_empty() {
        return Ok(0);
    }
    app.db
        .write("trade.end_terms", move |tx| {
            let over = over.clone();
            async move {
                let mut news = Vec::new();
                for grant in over {
                    if store::end(&tx, grant.id, "the term is over", now).await? {
                        let payload = json!({"grant_id": grant.id, "organization_id": grant.organization_id});
                        news.push(News { topic: grant.listing_id.to_string(), kind: "grant.ended", payload });
                    }
                }
                let ended = news.len();
                outbox::append(&tx, news, now).await?;
                Ok((ended, tx))
            }
        })
        .await
}
