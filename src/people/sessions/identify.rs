//! From an access token to a person, and to the organisation they act for.

use super::store::{self, MemberRow};
use crate::{
    auth::{
        Actor, Right,
        actor::{ActingOrg, SignedIn},
        token::Claims,
    },
    error::{Error, Result},
    http::credentials::Credential,
    people::signing_keys::verify_access_token,
    state::AppState,
};

/// Who acts for the organisation named, or for the only one there is.
pub(in crate::people) async fn actor(app: &AppState, credential: &Credential) -> Result<Actor> {
    let claims = claims(app, &credential.secret).await?;
    let rows = store::find_member(app.db.read(), &claims, credential.organization).await?;
    match sole(rows)? {
        Membership::One(organization, rights) => Ok(member(&claims, organization, rights, credential)),
        Membership::None if credential.organization.is_some() => Err(Error::not_found("organisation")),
        Membership::None => {
            Err(Error::forbidden("You belong to no organisation yet. Found one, or accept an invitation."))
        }
        Membership::Several => Err(Error::invalid(
            "Torv-Organization",
            "You belong to several organisations. Name the one you act for in a Torv-Organization header.",
        )),
    }
}

/// As [`actor`], but somebody who names no organisation and has none, or several, is nobody in particular.
pub(in crate::people) async fn visitor(app: &AppState, credential: &Credential) -> Result<Option<Actor>> {
    let claims = claims(app, &credential.secret).await?;
    let rows = store::find_member(app.db.read(), &claims, credential.organization).await?;
    match sole(rows)? {
        Membership::One(organization, rights) => Ok(Some(member(&claims, organization, rights, credential))),
        Membership::None if credential.organization.is_some() => Err(Error::not_found("organisation")),
        Membership::None | Membership::Several => Ok(None),
    }
}

/// The person, whatever organisation they act for.
pub(in crate::people) async fn account(app: &AppState, credential: Credential) -> Result<SignedIn> {
    let claims = claims(app, &credential.secret).await?;
    if !store::is_live(app.db.read(), &claims).await? {
        return Err(ended());
    }
    Ok(SignedIn { account_id: claims.sub, session_id: claims.sid, request_id: credential.request_id })
}

async fn claims(app: &AppState, secret: &str) -> Result<Claims> {
    let refused = || Error::unauthenticated("The access token is not valid or has expired. Refresh it, or log in.");
    verify_access_token(app, secret).await?.ok_or_else(refused)
}

fn ended() -> Error {
    Error::unauthenticated("The session has ended. Log in again.")
}

enum Membership {
    None,
    One(ActingOrg, Vec<Right>),
    Several,
}

fn sole(rows: Vec<MemberRow>) -> Result<Membership> {
    if rows.len() > 1 {
        return Ok(Membership::Several);
    }
    let row = rows.into_iter().next().ok_or_else(ended)?;
    let (Some(id), Some(role)) = (row.id, row.role) else { return Ok(Membership::None) };
    let organization = ActingOrg {
        id,
        may_provide: row.may_provide.unwrap_or_default(),
        may_buy: row.may_buy.unwrap_or_default(),
        may_operate: row.may_operate.unwrap_or_default(),
        provider_kind: row.provider_kind,
        country: row.country.unwrap_or_default(),
    };
    Ok(Membership::One(organization, Right::of(role)))
}

fn member(claims: &Claims, organization: ActingOrg, rights: Vec<Right>, credential: &Credential) -> Actor {
    Actor {
        account_id: Some(claims.sub),
        api_key_id: None,
        organization,
        rights,
        request_id: credential.request_id.clone(),
    }
}
