//! Messages from outside: stored raw first, handled once.

use entity::{Timestamp, inbox, states::InboxState};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use time::{Duration, OffsetDateTime};

use super::{Db, Tx};
use crate::error::Result;

/// Tries to handle a message before it waits for a person; the last is 511 seconds after it came.
const ATTEMPTS_MAX: i32 = 10;

/// A verified message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who sent it, `sandbox`.
    pub source: String,
    /// The sender's id of the event; the same id twice is the same event.
    pub event_id: String,
    /// The sender's word for what happened.
    pub kind: String,
    /// The body as it came.
    pub body: String,
}

/// Stores a message; false when it was there already.
///
/// # Errors
/// Those of the database.
pub async fn store(tx: &Tx, message: &Message, now: OffsetDateTime) -> Result<bool> {
    let row = inbox::ActiveModel {
        source: Set(message.source.clone()),
        event_id: Set(message.event_id.clone()),
        kind: Set(message.kind.clone()),
        body: Set(message.body.clone()),
        state: Set(InboxState::Received),
        attempts: Set(0),
        received_at: Set(Timestamp(now)),
        processed_at: Set(None),
        error: Set(None),
    };
    let inserted = inbox::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(inserted == 1)
}

/// Marks a message as handled; false when somebody else did first, and the work must not be done again.
///
/// # Errors
/// Those of the database.
pub async fn finish(tx: &Tx, source: &str, event_id: &str, now: OffsetDateTime) -> Result<bool> {
    let updated = inbox::Entity::update_many()
        .col_expr(inbox::Column::State, Expr::value(InboxState::Processed))
        .col_expr(inbox::Column::ProcessedAt, Expr::value(Some(Timestamp(now))))
        .filter(inbox::Column::Source.eq(source))
        .filter(inbox::Column::EventId.eq(event_id))
        .filter(inbox::Column::State.eq(InboxState::Received))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Notes that handling failed; after `ATTEMPTS_MAX` tries the message is dead and waits for a person.
///
/// # Errors
/// Those of the database.
pub async fn fail(tx: &Tx, row: &inbox::Model, error: &str) -> Result<()> {
    let attempts = row.attempts + 1;
    let state = if attempts >= ATTEMPTS_MAX { InboxState::Dead } else { InboxState::Received };
    inbox::Entity::update_many()
        .col_expr(inbox::Column::State, Expr::value(state))
        .col_expr(inbox::Column::Attempts, Expr::value(attempts))
        .col_expr(inbox::Column::Error, Expr::value(error.chars().take(2_000).collect::<String>()))
        .filter(inbox::Column::Source.eq(&row.source))
        .filter(inbox::Column::EventId.eq(&row.event_id))
        .filter(inbox::Column::State.eq(InboxState::Received))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Messages to be handled now, oldest first, at most `limit`. One that failed `n` times waits until
/// `2^n - 1` seconds after it came, so that the tries span minutes and not one short disturbance.
///
/// # Errors
/// Those of the database.
pub async fn waiting(db: &Db, now: OffsetDateTime, limit: u64) -> Result<Vec<inbox::Model>> {
    let due = (0..ATTEMPTS_MAX).fold(Condition::any(), |due, attempts| {
        let came_before = Timestamp(now - Duration::seconds((1 << attempts) - 1));
        let waited = inbox::Column::ReceivedAt.lte(came_before);
        due.add(Condition::all().add(inbox::Column::Attempts.eq(attempts)).add(waited))
    });
    Ok(inbox::Entity::find()
        .filter(inbox::Column::State.eq(InboxState::Received))
        .filter(due)
        .order_by_asc(inbox::Column::ReceivedAt)
        .limit(limit)
        .all(db.read())
        .await?)
}
