//! Idempotency keys: claimed first, in the transaction of the work they protect.
//!
//! A claim exists only for what was committed, so there is no "in progress": a racing twin waits for
//! the row and then finds the first one's resource. Check-then-insert fails under racing requests.

use entity::{Timestamp, idempotency};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, sea_query::OnConflict,
};
use time::OffsetDateTime;

use super::Tx;
use crate::error::{Error, Problem, Result};

/// A key sent by a client, with what it was sent for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Operation and organisation: the same key of two organisations is two keys.
    pub scope: String,
    /// What the client sent.
    pub key: String,
    /// SHA-256 of the request, so that a reuse for something else is noticed.
    pub request_hash: String,
}

/// What a claim found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key is ours: do the work.
    Fresh,
    /// The work was done before and made this resource.
    Replay(String),
}

/// Claims several keys in one statement, each for its resource; false when some were used before, and
/// then the transaction has to be given up.
///
/// # Errors
/// Those of the database.
pub async fn claim_all(tx: &Tx, mut keys: Vec<(&IdempotencyKey, String, OffsetDateTime)>) -> Result<bool> {
    // In one order, so that two transactions with the same keys can't wait for each other.
    keys.sort_by(|(one, ..), (other, ..)| (&one.scope, &one.key).cmp(&(&other.scope, &other.key)));
    let wanted = keys.len();
    let rows = keys.into_iter().map(|(key, resource, now)| idempotency::ActiveModel {
        scope: Set(key.scope.clone()),
        key: Set(key.key.clone()),
        request_hash: Set(key.request_hash.clone()),
        resource: Set(resource),
        created_at: Set(Timestamp(now)),
    });
    let insert = idempotency::Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
    let inserted = insert.exec_without_returning(tx.conn()).await?;
    Ok(usize::try_from(inserted).is_ok_and(|inserted| inserted == wanted))
}

/// Claims `key` for `resource` (the id the work is about to create). The first statement of the work.
///
/// # Errors
/// [`Problem::IdempotencyKeyReused`] when the key was used for another request.
pub async fn claim(tx: &Tx, key: &IdempotencyKey, resource: &str, now: OffsetDateTime) -> Result<Claim> {
    if claim_all(tx, vec![(key, resource.to_owned(), now)]).await? {
        return Ok(Claim::Fresh);
    }
    let earlier = find_claim(tx.conn(), key).await?;
    earlier.map(Claim::Replay).ok_or_else(|| Error::unavailable("The same request is being worked on. Try again.", 1))
}

/// The resource that `key` was claimed for, if it was: for a request that would be refused by now, but
/// may be the repetition of one that was not.
///
/// # Errors
/// [`Problem::IdempotencyKeyReused`] when the key was used for another request.
pub async fn find_claim(conn: &impl ConnectionTrait, key: &IdempotencyKey) -> Result<Option<String>> {
    let earlier = idempotency::Entity::find()
        .filter(idempotency::Column::Scope.eq(&key.scope))
        .filter(idempotency::Column::Key.eq(&key.key))
        .one(conn)
        .await?;
    if earlier.as_ref().is_some_and(|earlier| earlier.request_hash != key.request_hash) {
        let detail = "This Idempotency-Key was used for another request. Use a fresh key, or repeat the same body.";
        return Err(Error::new(Problem::IdempotencyKeyReused, detail));
    }
    Ok(earlier.map(|earlier| earlier.resource))
}
