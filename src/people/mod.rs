//! Accounts, organisations, and the log of what they did.

pub mod accounts;
pub mod api_keys;
pub mod audit;
pub mod invitations;
pub mod members;
pub mod organizations;
pub mod payout_accounts;
pub mod sessions;
pub mod signing_keys;
pub mod tax_profiles;

pub use accounts::{NewAccount, register};
pub use api_keys::{NewApiKey, create_api_key, find_grant_token, issue_grant_token, revoke_grant_token};
pub use members::act_as;
pub use organizations::{NewOrganization, create_operator, found_organization};
pub use sessions::log_in;
pub use signing_keys::issue_access_token;

use crate::{
    auth::actor::{Actor, Recipient, SignedIn},
    error::{Error, Result},
    http::credentials::Credential,
    state::AppState,
};

/// Finds who acts for which organisation.
///
/// # Errors
/// `Unauthenticated` for credentials that don't hold; `NotFound` for an organisation that is not
/// theirs; `Invalid` for a member of several who names none; `Forbidden` for a member of none.
pub async fn identify_actor(app: &AppState, credential: Credential) -> Result<Actor> {
    if credential.secret.starts_with(api_keys::KEY_PREFIX) {
        return api_keys::identify(app, &credential).await;
    }
    sessions::actor(app, &credential).await
}

/// Finds whose files may be read: those of who acts, or those of the one grant that a token opens.
///
/// # Errors
/// Those of [`identify_actor`].
pub async fn identify_recipient(app: &AppState, credential: Credential) -> Result<Recipient> {
    if credential.secret.starts_with(api_keys::KEY_PREFIX) {
        return api_keys::identify_recipient(app, &credential).await;
    }
    Ok(Recipient { actor: sessions::actor(app, &credential).await?, grant: None })
}

/// As [`identify_actor`], for pages that anyone may see: a person without organisation, or with
/// several and none named, is nobody in particular.
///
/// # Errors
/// `Unauthenticated` for credentials that don't hold; `NotFound` for an organisation that is not theirs.
pub async fn identify_visitor(app: &AppState, credential: Credential) -> Result<Option<Actor>> {
    if credential.secret.starts_with(api_keys::KEY_PREFIX) {
        return api_keys::identify(app, &credential).await.map(Some);
    }
    sessions::visitor(app, &credential).await
}

/// Finds the person behind an access token; an API key is no person.
///
/// # Errors
/// `Unauthenticated` for anything else.
pub async fn identify_account(app: &AppState, credential: Credential) -> Result<SignedIn> {
    if credential.secret.starts_with(api_keys::KEY_PREFIX) {
        return Err(Error::unauthenticated("This is about a person: log in, and send the access token."));
    }
    sessions::account(app, credential).await
}

/// Deletes what has expired; returns how much.
///
/// # Errors
/// Those of the database.
pub async fn sweep(app: &AppState) -> Result<usize> {
    sessions::sweep(app).await
}
