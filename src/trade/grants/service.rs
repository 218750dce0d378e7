//! The end of a term, or of what was paid for.

use entity::ids::OrderId;
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

/// Ends all active grants of an order in the caller's transaction: downloads stop with its commit.
pub(in crate::trade) async fn end_of_order(tx: &Tx, order: OrderId, reason: &str, now: OffsetDateTime) -> Result<()> {
    let ended = store::end_of_order(tx, order, reason, now).await?;
    let news = ended.into_iter().map(|grant| {
        let payload = json!({"grant_id": grant.id, "organization_id": grant.organization_id});
        News { topic: grant.listing_id.to_string(), kind: "grant.ended", payload }
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
