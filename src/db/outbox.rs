//! News on its way out, written in the transaction that made it.

use entity::{Timestamp, ids::EventId, outbox};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
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
        fanned_out_at: Set(None),
    });
    outbox::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Whether there are events that not everybody was told of.
///
/// # Errors
/// Those of the database.
pub async fn is_anything_untold(conn: &impl ConnectionTrait) -> Result<bool> {
    Ok(!untold(conn, None, 1).await?.is_empty())
}

/// Events that not everybody was told of: first the one at `first`, then the others in the order they were written.
/// One that commits late is found all the same, for it has no mark.
///
/// # Errors
/// Those of the database.
pub async fn untold(conn: &impl ConnectionTrait, first: Option<i64>, limit: u64) -> Result<Vec<outbox::Model>> {
    let waiting = || outbox::Entity::find().filter(outbox::Column::FannedOutAt.is_null());
    let mut found = waiting().order_by_asc(outbox::Column::Seq).limit(limit).all(conn).await?;
    if let Some(first) = first
        && let Some(event) = waiting().filter(outbox::Column::Seq.eq(first)).one(conn).await?
    {
        found.retain(|other| other.seq != first);
        found.insert(0, event);
    }
    Ok(found)
}

/// Marks events that everybody was told of.
///
/// # Errors
/// Those of the database.
pub async fn mark_told(tx: &Tx, seqs: Vec<i64>, now: OffsetDateTime) -> Result<()> {
    if seqs.is_empty() {
        return Ok(());
    }
    outbox::Entity::update_many()
        .col_expr(outbox::Column::FannedOutAt, Expr::value(Some(Timestamp(now))))
        .filter(outbox::Column::Seq.is_in(seqs))
        .exec(tx.conn())
        .await?;
    Ok(())
}
