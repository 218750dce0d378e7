//! Logging in, staying logged in, logging out.

use entity::{
    account,
    ids::{AccountId, SessionId},
    states::SessionEnd,
};
use serde_json::json;
use time::Duration;

use super::{attempts, store};
use crate::{
    auth::{actor::SignedIn, secrets::random_hex},
    base::digest,
    config::Secret,
    db::Tx,
    error::{Error, Result},
    people::{
        accounts::{self, normalize_email},
        audit::{self, Author},
        signing_keys::issue_access_token,
    },
    state::AppState,
};

/// What every refresh token starts with, so that a leaked one is recognised by scanners.
const REFRESH_PREFIX: &str = "torv_refresh_";

/// What a log-in or a refresh gives. `Debug` is not derived: it holds secrets.
pub struct Granted {
    /// Who is logged in.
    pub account_id: AccountId,
    /// The session.
    pub session_id: SessionId,
    /// Proves it for a few minutes.
    pub access_token: String,
    /// Life of the access token.
    pub expires_in_seconds: u32,
    /// Gets the next pair, once.
    pub refresh_token: String,
}

/// Logs in with a mail address and a password.
///
/// An unknown address, a wrong password and a disabled account give the same answer after the same
/// work.
///
/// # Errors
/// `Unauthenticated`; `TooMany` after too many wrong passwords.
pub async fn log_in(app: &AppState, email: &str, password: &Secret, request_id: &str) -> Result<Granted> {
    let email = normalize_email(email);
    attempts::count(app, &email).await?;
    let row = accounts::store::find_by_email(app.db.read(), &email).await?;
    let hash = row.as_ref().map(|row| row.password_hash.clone());
    let right = app.passwords.verify(password, hash).await?;
    let Some(row) = row.filter(|row| right && row.disabled_at.is_none()) else {
        metrics::counter!("log_ins_refused_total").increment(1);
        return Err(Error::unauthenticated("The mail address or the password is not right."));
    };
    open_session(app, row, email, request_id).await
}

async fn open_session(app: &AppState, row: account::Model, email: String, request_id: &str) -> Result<Granted> {
    let now = app.clock.now();
    let session = SessionId::at(now);
    let (refresh_token, hash) = fresh_refresh_token()?;
    let expires_at = now + refresh_life(app);
    let author = Author::person(row.id, request_id);
    app.db
        .write("people.log_in", move |tx| {
            let (hash, email, author) = (hash.clone(), email.clone(), author.clone());
            async move {
                store::insert(&tx, session, row.id, now).await?;
                store::insert_token(&tx, session, hash, now, expires_at).await?;
                attempts::forget(&tx, &email).await?;
                audit::record(&tx, author, "session.log_in", session, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await?;
    grant(app, row.id, session, refresh_token).await
}

/// What became of a refresh token that was sent.
enum Refreshed {
    Yes(AccountId, SessionId),
    No,
    Reused,
}

/// Exchanges a refresh token for a new pair. The token is used up; when it comes again, its whole
/// session ends, for one of the two who sent it has stolen it.
///
/// # Errors
/// `Unauthenticated` for a token that is unknown, used, expired, or of a session that has ended.
pub(super) async fn refresh(app: &AppState, token: &Secret, request_id: &str) -> Result<Granted> {
    let old_hash = digest::sha256_hex(token.expose().as_bytes());
    let (refresh_token, new_hash) = fresh_refresh_token()?;
    let (app_, request_id) = (app.clone(), request_id.to_owned());
    let outcome = app
        .db
        .write("people.refresh", move |tx| {
            let (app, old_hash, new_hash, request_id) =
                (app_.clone(), old_hash.clone(), new_hash.clone(), request_id.clone());
            async move {
                let outcome = rotate(&app, &tx, &old_hash, new_hash, &request_id).await?;
                Ok((outcome, tx))
            }
        })
        .await?;
    match outcome {
        Refreshed::Yes(account, session) => grant(app, account, session, refresh_token).await,
        Refreshed::No => Err(Error::unauthenticated("The refresh token is not valid. Log in again.")),
        Refreshed::Reused => {
            metrics::counter!("refresh_tokens_reused_total").increment(1);
            tracing::warn!("a refresh token was used twice; its session was ended");
            Err(Error::unauthenticated("The refresh token was used before, so its session was ended. Log in again."))
        }
    }
}

/// Uses the old token first: of many who try at the same moment, the database lets one through.
async fn rotate(app: &AppState, tx: &Tx, old_hash: &str, new_hash: String, request_id: &str) -> Result<Refreshed> {
    let now = app.clock.now();
    let won = store::use_token(tx, old_hash, now).await?;
    let Some((token, session)) = store::find_token(tx.conn(), old_hash).await? else { return Ok(Refreshed::No) };
    let author = Author::person(session.account_id, request_id);
    if !won && token.used_at.is_some() {
        if store::end(tx, session.id, SessionEnd::TokenReuse, now).await? {
            audit::record(tx, author, "session.end_for_token_reuse", session.id, json!({}), now).await?;
        }
        return Ok(Refreshed::Reused);
    }
    let disabled =
        accounts::store::find(tx.conn(), session.account_id).await?.is_none_or(|row| row.disabled_at.is_some());
    if !won || session.ended_at.is_some() || disabled {
        return Ok(Refreshed::No);
    }
    store::insert_token(tx, session.id, new_hash, now, now + refresh_life(app)).await?;
    Ok(Refreshed::Yes(session.account_id, session.id))
}

/// Ends the session of the person who is logged in.
///
/// # Errors
/// Those of the database.
pub(super) async fn log_out(app: &AppState, person: &SignedIn) -> Result<()> {
    let (person, now) = (person.clone(), app.clock.now());
    app.db
        .write("people.log_out", move |tx| {
            let person = person.clone();
            async move {
                if store::end(&tx, person.session_id, SessionEnd::Logout, now).await? {
                    audit::record(&tx, &person, "session.log_out", person.session_id, json!({}), now).await?;
                }
                Ok(((), tx))
            }
        })
        .await
}

/// Deletes what has expired: counters of wrong passwords, refresh tokens, and with their last token
/// the sessions themselves. Returns how much it did.
///
/// # Errors
/// Those of the database.
pub(in crate::people) async fn sweep(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    if !store::anything_passed(app.db.read(), now).await? {
        return Ok(0);
    }
    let done = app
        .db
        .write("people.sweep_sessions", move |tx| async move {
            let done = store::delete_passed_attempts(&tx, now).await? + store::expire(&tx, now).await?;
            Ok((done, tx))
        })
        .await?;
    Ok(usize::try_from(done).unwrap_or(usize::MAX))
}

async fn grant(app: &AppState, account_id: AccountId, session_id: SessionId, refresh_token: String) -> Result<Granted> {
    let access_token = issue_access_token(app, account_id, session_id).await?;
    let expires_in_seconds = app.config.auth.access_token_seconds;
    Ok(Granted { account_id, session_id, access_token, expires_in_seconds, refresh_token })
}

fn refresh_life(app: &AppState) -> Duration {
    Duration::days(app.config.auth.refresh_token_days.into())
}

/// A refresh token of 256 random bits, and what is kept of it: its SHA-256.
fn fresh_refresh_token() -> Result<(String, String)> {
    let token = format!("{REFRESH_PREFIX}{}", random_hex::<32>()?);
    let hash = digest::sha256_hex(token.as_bytes());
    Ok((token, hash))
}
