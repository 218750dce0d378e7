//! The keys that sign tree heads: made when first needed, replaced each year, published for ever.

use entity::{Timestamp, proof_key};
use time::{Duration, OffsetDateTime};
use torv_receipt::KeyId;

use super::store;
use crate::{
    auth::token::generate_pair,
    error::{Error, Result},
    state::AppState,
};

/// How long a key signs.
const KEY_DAYS: i64 = 366;

/// A key that signs now. Its private half is never printed.
pub struct Signer {
    /// Names it.
    pub key_id: KeyId,
    /// PKCS#8.
    pub private_key: Vec<u8>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.key_id)
    }
}

/// The key in force, made if there is none.
///
/// # Errors
/// Those of the database; `Unavailable` when another process is making one.
pub async fn signer(app: &AppState) -> Result<Signer> {
    let now = app.clock.now();
    let keys = store::keys(app.db.read()).await?;
    if let Some(signer) = in_force(app, &keys, now) {
        return Ok(signer);
    }
    add_key(app, keys.first().map_or(1, |key| key.number + 1), now).await?;
    let keys = store::keys(app.db.read()).await?;
    in_force(app, &keys, now).ok_or_else(|| Error::unavailable("A signing key is being made. Try again.", 1))
}

/// The newest key, while it signs. One that was sealed under another master secret can't.
fn in_force(app: &AppState, keys: &[proof_key::Model], now: OffsetDateTime) -> Option<Signer> {
    let newest = keys.first().filter(|key| now < key.signs_until.0)?;
    let private_key = app.secrets.unseal(&newest.sealed_private_key).ok()?;
    Some(Signer { key_id: KeyId(newest.key_id.clone()), private_key })
}

/// Adds a key. Processes that saw the same keys choose the same number, and the database keeps the first.
async fn add_key(app: &AppState, number: i64, now: OffsetDateTime) -> Result<()> {
    let (private, public) = generate_pair()?;
    let raw: [u8; 32] = public.as_slice().try_into().map_err(Error::internal)?;
    let row = proof_key::Model {
        number,
        key_id: KeyId::of(&raw).0,
        sealed_private_key: app.secrets.seal(&private)?,
        public_key: public,
        created_at: Timestamp(now),
        signs_until: Timestamp(now + Duration::days(KEY_DAYS)),
    };
    tracing::info!(key = row.key_id, "made the key {} for tree heads", row.key_id);
    app.db
        .write("settlement.add_proof_key", move |tx| {
            let row = row.clone();
            async move { Ok((store::insert_key(&tx, row).await?, tx)) }
        })
        .await
}
