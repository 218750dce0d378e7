//! Signing what the tree has come to.

use std::sync::Arc;

use entity::{Timestamp, proof_head};
use time::{Duration, OffsetDateTime};
use torv_receipt::{Hash, KeyId, Signature, TreeHead};

use super::{
    keys::{self, Signer},
    model::{day, rfc3339},
    nodes::Nodes,
    store,
};
use crate::{
    auth::signing,
    db::Tx,
    error::{Error, Result},
    state::AppState,
};

/// Signs a head when it is time: one each day, and in between whenever there are new leaves and the last
/// head is older than `transparency.head_seconds`. Returns how many were signed, 0 or 1.
///
/// The last head of a day closes it. Safe to run at any time in any number of processes.
///
/// # Errors
/// Those of the database.
pub async fn sign_head(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let pause = Duration::seconds(app.config.transparency.head_seconds.into());
    let size = store::progress(app.db.read()).await?.size;
    if !is_due(store::newest_head(app.db.read()).await?.as_ref(), size, now, pause) {
        return Ok(0);
    }
    let signer = Arc::new(keys::signer(app).await?);
    app.db
        .write("settlement.sign_head", move |tx| {
            let signer = signer.clone();
            async move { Ok((sign_in(&tx, &signer, now, pause).await?, tx)) }
        })
        .await
}

/// True when a head over `size` leaves should be signed after `newest`.
fn is_due(newest: Option<&proof_head::Model>, size: i64, now: OffsetDateTime, pause: Duration) -> bool {
    let today = day(Timestamp(now));
    match newest {
        _ if size == 0 => false,
        None => true,
        // A clock that went back signs nothing until it has caught up.
        Some(head) if head.signed_at.0 > now => false,
        Some(head) => head.day < today || (head.size < size && now - head.signed_at.0 >= pause),
    }
}

async fn sign_in(tx: &Tx, signer: &Signer, now: OffsetDateTime, pause: Duration) -> Result<usize> {
    let size = store::lock_progress(tx).await?.size;
    let newest = store::newest_head(tx.conn()).await?;
    if !is_due(newest.as_ref(), size, now, pause) {
        return Ok(0);
    }
    let leaves = u64::try_from(size).map_err(Error::internal)?;
    let root = Nodes::edge(tx.conn(), leaves).await?.root(leaves);
    let at = Timestamp(now);
    let head = TreeHead { day: day(at), key_id: signer.key_id.clone(), root, signed_at: rfc3339(at)?, size: leaves };
    let signature = Signature(signing::sign(&signer.private_key, &head.message())?);
    let row = proof_head::Model {
        number: newest.map_or(1, |head| head.number + 1),
        day: head.day,
        size,
        root: root.to_string(),
        signed_at: at,
        key_id: head.key_id.0,
        signature: signature.to_string(),
    };
    store::insert_head(tx, row).await?;
    Ok(1)
}

/// A stored head as it was signed.
///
/// # Errors
/// Internal, for a row that holds no head.
pub fn stored(row: &proof_head::Model) -> Result<(TreeHead, Signature)> {
    let head = TreeHead {
        day: row.day.clone(),
        key_id: KeyId(row.key_id.clone()),
        root: row.root.parse::<Hash>().map_err(Error::internal)?,
        signed_at: rfc3339(row.signed_at)?,
        size: u64::try_from(row.size).map_err(Error::internal)?,
    };
    Ok((head, row.signature.parse().map_err(Error::internal)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: OffsetDateTime = time::macros::datetime!(2026-11-21 12:00:00 UTC);
    const PAUSE: Duration = Duration::minutes(1);

    fn head(size: i64) -> proof_head::Model {
        proof_head::Model {
            number: 1,
            day: "2026-11-21".to_owned(),
            size,
            root: String::new(),
            signed_at: Timestamp(NOON),
            key_id: String::new(),
            signature: String::new(),
        }
    }

    #[test]
    fn a_head_is_signed_each_day_and_for_new_leaves_after_a_pause() {
        let due = |size, after: Duration| is_due(Some(&head(5)), size, NOON + after, PAUSE);
        assert!(!is_due(None, 0, NOON, PAUSE), "an empty tree has no head");
        assert!(is_due(None, 1, NOON, PAUSE));
        assert!(!due(5, Duration::hours(11)), "nothing new today");
        assert!(due(5, Duration::hours(12)), "a new day");
        assert!(!due(6, Duration::seconds(59)));
        assert!(due(6, PAUSE));
        assert!(!due(6, -Duration::days(2)), "the clock went back");
    }
}
