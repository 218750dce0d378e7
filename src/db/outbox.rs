//! News on its way out, written in the transaction that made it.

use entity::{Timestamp, ids::EventId, outbox};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    EntityTrait as _,
};
use time::OffsetDateTime;

use super::Tx;
use crate::error::Result;

/// One piece of news.
#[derive(Debug, Clone)]
pub struct News {
    /// What it is about and is ordered by: the public id of a listing, order or payout.
    pub topic: String,
    /// What happened, `order.completed`.
    pub kind: &'static str,
    /// The facts, without secrets and without personal data.
    pub payload: serde_json::Value,
}

/// Appends news to the outbox in one statement; the relay job sends it at least once.
///
/// # Errors
/// Those of the database.
pub async fn append(tx: &Tx, news: Vec<News>, now: OffsetDateTime) -> Result<()> {
    if news.is_empty() {
        return Ok(());
    }
    let rows = news.into_iter().map(|one| outbox::ActiveModel {
        seq: NotSet,
        id: Set(EventId::at(now)),
        topic: Set(one.topic),
        kind: Set(one.kind.to_owned()),
        payload: Set(one.payload),
        created_at: Set(Timestamp(now)),
        sent_at: Set(None),
    });
    outbox::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}
