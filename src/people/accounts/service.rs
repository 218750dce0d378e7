//! Registering, and changing a password.

use entity::{Timestamp, account, ids::AccountId, states::SessionEnd};
use serde_json::json;

use super::{
    model::{check_email, check_password, normalize_email},
    store,
};
use crate::{
    auth::actor::SignedIn,
    base::text::is_language_tag,
    config::Secret,
    error::{Check, Error, Result},
    limits,
    people::{
        audit::{self, Author},
        sessions,
    },
    state::AppState,
};

/// Somebody who wants to log in from now on.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The mail address, in any spelling.
    pub email: String,
    /// The password, as typed.
    pub password: Secret,
    /// What others call them.
    pub display_name: String,
    /// The language they read, a BCP 47 tag.
    pub locale: String,
}

/// Registers an account.
///
/// A mail address that has an account is answered with a conflict. That tells a guesser that it has
/// one; without mail there is no other way to tell its owner. Every such guess costs a password
/// hash, and logging in gives nothing away.
///
/// # Errors
/// `Invalid` with everything that needs to be changed; `Conflict` for a known mail address.
pub async fn register(app: &AppState, new: NewAccount, request_id: &str) -> Result<account::Model> {
    let row = prepare(app, new).await?;
    let author = Author::person(row.id, request_id);
    app.db
        .write("people.register", move |tx| {
            let (row, author) = (row.clone(), author.clone());
            async move {
                insert(&tx, &row, author).await?;
                Ok((row, tx))
            }
        })
        .await
}

/// Checks what was typed and hashes the password: everything that needs no transaction.
pub(in crate::people) async fn prepare(app: &AppState, new: NewAccount) -> Result<account::Model> {
    let email = normalize_email(&new.email);
    let display_name = new.display_name.trim().to_owned();
    let mut check = Check::new();
    check_email(&mut check, &email, "/email");
    check_password(&mut check, &new.password, &[&email, &display_name], "/password");
    check.name(&display_name, limits::DISPLAY_NAME_CHARS_MAX, "/display_name");
    let locale_ok = new.locale.len() <= limits::LOCALE_CHARS_MAX && is_language_tag(&new.locale);
    check.require(locale_ok, "/locale", "Write a language tag such as en, da, ja or zh-Hant.");
    check.done()?;
    let now = app.clock.now();
    Ok(account::Model {
        id: AccountId::at(now),
        email,
        display_name,
        locale: new.locale,
        password_hash: app.passwords.hash(&new.password).await?,
        created_at: Timestamp(now),
        password_changed_at: Timestamp(now),
        disabled_at: None,
    })
}

/// Adds the account and its line in the log.
pub(in crate::people) async fn insert(tx: &crate::db::Tx, row: &account::Model, author: Author) -> Result<()> {
    if !store::insert(tx, row.clone()).await? {
        return Err(Error::conflict("This mail address has an account already. Log in with it."));
    }
    audit::record(tx, author, "account.register", row.id, json!({}), row.created_at.0).await
}

/// Changes the password of the person who is logged in, and ends all their other sessions.
///
/// # Errors
/// `Invalid` for a wrong present password or a new one that would be guessed; `TooMany` after too many
/// wrong ones.
pub(super) async fn change_password(app: &AppState, person: &SignedIn, old: &Secret, new: &Secret) -> Result<()> {
    let gone = || Error::unauthenticated("The account is no longer there.");
    let row = store::find(app.db.read(), person.account_id).await?.ok_or_else(gone)?;
    let mut check = Check::new();
    check_password(&mut check, new, &[&row.email, &row.display_name], "/new_password");
    check.require(old.expose() != new.expose(), "/new_password", "Choose another one than the present password.");
    check.done()?;
    sessions::count_attempt(app, &row.email).await?;
    if !app.passwords.verify(old, Some(row.password_hash)).await? {
        return Err(Error::invalid("/current_password", "This is not your present password."));
    }
    let hash = app.passwords.hash(new).await?;
    let (email, person, now) = (row.email, person.clone(), app.clock.now());
    app.db
        .write("people.change_password", move |tx| {
            let (hash, email, person) = (hash.clone(), email.clone(), person.clone());
            async move {
                store::set_password(&tx, person.account_id, hash, now).await?;
                let (account, reason) = (person.account_id, SessionEnd::PasswordChange);
                sessions::end_all_but(&tx, account, person.session_id, reason, now).await?;
                sessions::forget_attempts(&tx, &email).await?;
                audit::record(&tx, &person, "account.change_password", account, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}
