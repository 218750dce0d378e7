//! From an `Authorization` header to an actor.

use std::marker::PhantomData;

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};
use entity::ids::OrgId;

use super::middleware::RequestId;
use crate::{
    auth::actor::{Acting, Actor, Operating, RightMarker, SignedIn, Visitor},
    error::{Error, Result},
    people,
    state::AppState,
};

/// Names the organisation a member of several acts for.
pub const ORGANIZATION_HEADER: &str = "torv-organization";

/// What came with the request to prove who is asking. `Debug` is not derived: it is a secret.
pub struct Credential {
    /// An access token or an API key.
    pub secret: String,
    /// The organisation to act for, if one was named.
    pub organization: Option<OrgId>,
    /// The request.
    pub request_id: String,
}

/// Reads the credential of a request; nothing if none came.
///
/// # Errors
/// `Unauthenticated` for an `Authorization` header of another form, `NotFound` for an organisation
/// header that is no organisation id.
pub fn credential(parts: &Parts) -> Result<Option<Credential>> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let form = || Error::unauthenticated("Send Authorization: Bearer followed by an access token or an API key.");
    let text = value.to_str().map_err(|_| form())?;
    let (scheme, secret) = text.split_once(' ').ok_or_else(form)?;
    if !scheme.eq_ignore_ascii_case("bearer") || secret.trim().is_empty() {
        return Err(form());
    }
    let organization = match parts.headers.get(ORGANIZATION_HEADER) {
        Some(value) => {
            let id = value.to_str().ok().and_then(|text| text.parse().ok());
            Some(id.ok_or_else(|| Error::not_found("organisation"))?)
        }
        None => None,
    };
    Ok(Some(Credential { secret: secret.trim().to_owned(), organization, request_id: request_id(parts) }))
}

fn request_id(parts: &Parts) -> String {
    parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}

/// The id of the request, for the audit log of what needs no credentials.
impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> std::result::Result<Self, Self::Rejection> {
        Ok(Self(request_id(parts)))
    }
}

fn nobody() -> Error {
    Error::unauthenticated("This needs a log-in: send Authorization: Bearer with an access token or an API key.")
}

async fn actor(parts: &Parts, app: &AppState) -> Result<Actor> {
    people::identify_actor(app, credential(parts)?.ok_or_else(nobody)?).await
}

impl<R: RightMarker> FromRequestParts<AppState> for Acting<R> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let actor = actor(parts, app).await?;
        actor.require(R::RIGHT)?;
        Ok(Self(actor, PhantomData))
    }
}

impl<R: RightMarker> FromRequestParts<AppState> for Operating<R> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let actor = actor(parts, app).await?;
        if !actor.organization.may_operate {
            return Err(Error::forbidden("Only the operator of the exchange may do this."));
        }
        actor.require(R::RIGHT)?;
        Ok(Self(actor, PhantomData))
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        match credential(parts)? {
            Some(credential) => people::identify_visitor(app, credential).await.map(Self),
            None => Ok(Self(None)),
        }
    }
}

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        people::identify_account(app, credential(parts)?.ok_or_else(nobody)?).await
    }
}
