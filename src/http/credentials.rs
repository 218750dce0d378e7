//! From an `Authorization` header to an actor.

use std::marker::PhantomData;

use axum::{
    extract::FromRequestParts,
    http::{Method, header, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use entity::ids::OrgId;

use super::middleware::RequestId;
use crate::{
    auth::{
        Right,
        actor::{Acting, Actor, Operating, Recipient, RightMarker, SignedIn, Visitor},
    },
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
    let secret = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => secret.trim().to_owned(),
        "basic" if is_read(&parts.method) => basic_password(secret.trim()).ok_or_else(form)?,
        _ => return Err(form()),
    };
    if secret.is_empty() {
        return Err(form());
    }
    let organization = match parts.headers.get(ORGANIZATION_HEADER) {
        Some(value) => {
            let id = value.to_str().ok().and_then(|text| text.parse().ok());
            Some(id.ok_or_else(|| Error::not_found("organisation"))?)
        }
        None => None,
    };
    Ok(Some(Credential { secret, organization, request_id: request_id(parts) }))
}

/// Browsers send Basic credentials by themselves, so they never change anything.
fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The password of the user `token`: what desktop tools can be given an API key as.
///
/// Source: RFC 7617, section 2.
fn basic_password(encoded: &str) -> Option<String> {
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    pair.strip_prefix("token:").map(|secret| secret.trim().to_owned())
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

/// An actor whose request outlives a look at their credentials: they are looked at again and again. `Debug` is not
/// derived: it holds the secret.
pub struct Lasting<R: RightMarker> {
    credential: Credential,
    right: PhantomData<R>,
}

impl<R: RightMarker> Lasting<R> {
    /// The actor as they stand now, with the right `R`.
    ///
    /// # Errors
    /// `Unauthenticated` once a token has expired, a session or a key has ended; `Forbidden` once the right is gone.
    pub async fn still(&self, app: &AppState) -> Result<Actor> {
        let Credential { secret, organization, request_id } = &self.credential;
        let (secret, organization, request_id) = (secret.clone(), *organization, request_id.clone());
        let actor = people::identify_actor(app, Credential { secret, organization, request_id }).await?;
        actor.require(R::RIGHT)?;
        Ok(actor)
    }
}

impl<R: RightMarker> FromRequestParts<AppState> for Lasting<R> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let lasting = Self { credential: credential(parts)?.ok_or_else(nobody)?, right: PhantomData };
        lasting.still(app).await?;
        Ok(lasting)
    }
}

impl FromRequestParts<AppState> for Recipient {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let recipient = people::identify_recipient(app, credential(parts)?.ok_or_else(nobody)?).await?;
        recipient.actor.require(Right::Buy)?;
        Ok(recipient)
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
