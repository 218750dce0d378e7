//! Accounts, organisations, and the log of what they did.

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
pub async fn identify_actor(_app: &AppState, _credential: Credential) -> Result<Actor> {
    Err(Error::unauthenticated("The token is not valid."))
}

/// As [`identify_actor`], for pages that anyone may see: a person without organisation is nobody in particular.
///
/// # Errors
/// `Unauthenticated` for credentials that don't hold.
pub async fn identify_visitor(_app: &AppState, _credential: Credential) -> Result<Option<Actor>> {
    Err(Error::unauthenticated("The token is not valid."))
}

/// Finds the person behind an access token; an API key is no person.
///
/// # Errors
/// `Unauthenticated` for anything else.
pub async fn identify_account(_app: &AppState, _credential: Credential) -> Result<SignedIn> {
    Err(Error::unauthenticated("The token is not valid."))
}
