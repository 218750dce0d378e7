//! Tokens that open one grant and nothing else, for tools that others run.

use entity::{
    Timestamp, api_key,
    ids::{ApiKeyId, GrantId},
};
use serde_json::json;
use time::Duration;

use super::store::{self, KEY_PREFIX, hash};
use crate::{
    auth::{Actor, Right, secrets::random_hex},
    error::{Error, Result},
    limits,
    people::{audit, organizations},
    state::AppState,
};

/// Issues the token of a grant in place of the one before, which stops working at once; returns it with its
/// secret, which is not kept. The caller has seen that the grant is the actor's.
///
/// It expires after [`limits::API_KEY_DAYS_MAX`] days. The grant behind it is looked at whenever it is used, so that
/// it ends with the grant, and goes on when the grant is renewed.
///
/// # Errors
/// `Forbidden` for an API key, and for a person who may not download.
pub async fn issue_grant_token(app: &AppState, actor: &Actor, grant: GrantId) -> Result<(api_key::Model, String)> {
    let created_by = actor.person()?;
    actor.require(Right::Buy)?;
    let secret = format!("{KEY_PREFIX}{}", random_hex::<32>()?);
    let now = app.clock.now();
    let row = api_key::Model {
        id: ApiKeyId::at(now),
        organization_id: actor.org_id(),
        created_by,
        name: format!("Share of {grant}"),
        secret_hash: hash(&secret),
        scopes: json!([Right::Buy]),
        created_at: Timestamp(now),
        expires_at: Timestamp(now + Duration::days(limits::API_KEY_DAYS_MAX)),
        revoked_at: None,
        last_used_at: None,
        grant_id: Some(grant),
    };
    let actor = actor.clone();
    let row = app
        .db
        .write("people.issue_grant_token", move |tx| {
            let (row, actor) = (row.clone(), actor.clone());
            async move {
                organizations::lock(&tx, row.organization_id).await?;
                store::revoke_of_grant(&tx, row.organization_id, grant, now).await?;
                store::insert(&tx, row.clone()).await?;
                audit::record(&tx, &actor, "grant.issue_token", grant, json!({"api_key_id": row.id}), now).await?;
                Ok((row, tx))
            }
        })
        .await?;
    Ok((row, secret))
}

/// Revokes the token of a grant; it stops working at once.
///
/// # Errors
/// `NotFound` when none works; `Forbidden` for a person who may not download.
pub async fn revoke_grant_token(app: &AppState, actor: &Actor, grant: GrantId) -> Result<()> {
    actor.require(Right::Buy)?;
    let (actor, now) = (actor.clone(), app.clock.now());
    app.db
        .write("people.revoke_grant_token", move |tx| {
            let actor = actor.clone();
            async move {
                if store::revoke_of_grant(&tx, actor.org_id(), grant, now).await? == 0 {
                    return Err(Error::not_found("token of this grant"));
                }
                audit::record(&tx, &actor, "grant.revoke_token", grant, json!({}), now).await?;
                Ok(((), tx))
            }
        })
        .await
}
