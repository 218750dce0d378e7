//! The end of a term.

use serde_json::json;

use super::store;
use crate::{
    db::outbox::{self, News},
    error::Result,
    state::AppState,
};

/// Grants ended in one transaction.
const BATCH: u64 = 100;

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
