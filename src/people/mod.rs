//! Accounts, organisations, and the log of what they did.

pub mod api_keys;
pub mod audit;

use crate::{
    auth::actor::{Actor, SignedIn},
    error::{Error, Result},
    http::credentials::Credential,
    state::AppState,
};

/// Finds who acts for which organisation.
///
/// # Errors
/// `Unauthenticated` for credentials that don't hold; `NotFound` for an organisation that is not theirs.
pub async fn identify_actor(app: &AppState, credential: Credential) -> Result<Actor> {
    if credential.secret.starts_with(api_keys::KEY_PREFIX) {
        return api_keys::identify(app, &credential).await;
    }
    Err(Error::unauthenticated("The token is not valid."))
}

/// As [`identify_actor`], for pages that anyone may see: a person without organisation is nobody in particular.
///
/// # Errors
/// `Unauthenticated` for credentials that don't hold.
pub async fn identify_visitor(app: &AppState, credential: Credential) -> Result<Option<Actor>> {
    identify_actor(app, credential).await.map(Some)
}

/// Finds the person behind an access token; an API key is no person.
///
/// # Errors
/// `Unauthenticated` for anything else.
pub async fn identify_account(_app: &AppState, _credential: Credential) -> Result<SignedIn> {
    Err(Error::unauthenticated("The token is not valid."))
}
