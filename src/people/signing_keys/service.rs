//! Keeping the ring of keys up to date, in step with other processes on the same database.

use entity::{
    Timestamp,
    ids::{AccountId, SessionId},
    signing_key,
};
use time::{Duration, OffsetDateTime};

use super::store;
use crate::{
    auth::token::{Claims, TokenKey, Verdict, generate_pair},
    error::{Error, Result},
    state::AppState,
};

/// A token signed at a key's last moment still verifies this much longer than it lives, for
/// replicas whose clocks differ a little.
const CLOCK_SKEW: Duration = Duration::minutes(1);

/// Signs an access token for a session that goes on; makes a signing key if there is none for now.
///
/// # Errors
/// Those of the database.
pub async fn issue_access_token(app: &AppState, account: AccountId, session: SessionId) -> Result<String> {
    let now = app.clock.now();
    let issue = || app.tokens.issue(account, session, app.config.auth.access_token_seconds, now);
    if let Some(token) = issue()? {
        return Ok(token);
    }
    let seen = load_ring(app, now).await?;
    if let Some(token) = issue()? {
        return Ok(token);
    }
    add_key(app, seen, now).await?;
    load_ring(app, now).await?;
    issue()?.ok_or_else(|| Error::unavailable("A signing key is being made. Try again.", 1))
}

/// The claims of a valid access token; nothing for any other text.
///
/// # Errors
/// Those of the database.
pub(in crate::people) async fn verify_access_token(app: &AppState, token: &str) -> Result<Option<Claims>> {
    let now = app.clock.now();
    let verdict = match app.tokens.verify(token, now) {
        // Another process may have made the key since this one looked. One query on a table of a
        // few rows: no more than any request costs anyway.
        Verdict::UnknownKey => {
            load_ring(app, now).await?;
            app.tokens.verify(token, now)
        }
        verdict => verdict,
    };
    Ok(match verdict {
        Verdict::Valid(claims) => Some(claims),
        Verdict::UnknownKey | Verdict::Refused => None,
    })
}

/// Makes sure that there is a key to publish, and loads what other processes have made.
pub(super) async fn refresh_ring(app: &AppState) -> Result<()> {
    let now = app.clock.now();
    let seen = load_ring(app, now).await?;
    if !app.tokens.ring().iter().any(|key| now < key.signs_until) {
        add_key(app, seen, now).await?;
        load_ring(app, now).await?;
    }
    Ok(())
}

/// Loads the keys that still verify; returns how many there have ever been.
async fn load_ring(app: &AppState, now: OffsetDateTime) -> Result<usize> {
    let rows = store::all(app.db.read()).await?;
    let seen = rows.len();
    let verifying = rows.into_iter().filter(|row| now < row.verifies_until.0);
    app.tokens.install(seen, verifying.map(|row| token_key(app, row)).collect());
    Ok(seen)
}

/// A key sealed under another master secret can't sign here, but what it signed still holds.
fn token_key(app: &AppState, row: signing_key::Model) -> TokenKey {
    let private = app.secrets.unseal(&row.sealed_private_key);
    if private.is_err() {
        tracing::warn!(kid = row.kid, "signing key {} was sealed under another auth.master_secret", row.kid);
    }
    TokenKey::new(row.kid, row.public_key, private.ok().as_deref(), row.signs_until.0, row.verifies_until.0)
}

/// Adds the key after the `seen` ones. Processes that saw the same keys choose the same name, and the
/// database keeps the first; one that saw fewer can't add a second key for the same time.
async fn add_key(app: &AppState, seen: usize, now: OffsetDateTime) -> Result<()> {
    let (private, public) = generate_pair()?;
    let signs_until = now + Duration::days(app.config.auth.signing_key_days.into());
    let verifies_until = signs_until + Duration::seconds(app.config.auth.access_token_seconds.into()) + CLOCK_SKEW;
    let row = signing_key::Model {
        kid: format!("sig_{}", seen + 1),
        sealed_private_key: app.secrets.seal(&private)?,
        public_key: public,
        created_at: Timestamp(now),
        signs_until: Timestamp(signs_until),
        verifies_until: Timestamp(verifies_until),
    };
    tracing::info!(kid = row.kid, "made signing key {}", row.kid);
    app.db
        .write("people.add_signing_key", move |tx| {
            let row = row.clone();
            async move {
                store::add(&tx, row).await?;
                Ok(((), tx))
            }
        })
        .await
}
