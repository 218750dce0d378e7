//! Keys in the database, as hashes.

use entity::{Timestamp, api_key, organization};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use time::OffsetDateTime;

use crate::{
    auth::{Actor, Right, actor::ActingOrg},
    base::digest,
    error::{Error, Result},
    http::credentials::Credential,
    state::AppState,
};

/// What every key starts with, so that a leaked one is recognised by scanners.
pub const KEY_PREFIX: &str = "torv_key_";

/// What is kept of a key. A key holds 256 random bits, so a fast hash is enough.
pub fn hash(secret: &str) -> String {
    digest::sha256_hex(secret.as_bytes())
}

/// Finds who a key acts for.
pub(in crate::people) async fn identify(app: &AppState, credential: &Credential) -> Result<Actor> {
    let refused = || Error::unauthenticated("The API key is not valid: unknown, expired or revoked.");
    let key = find_live(app, &credential.secret, app.clock.now()).await?.ok_or_else(refused)?;
    if credential.organization.is_some_and(|named| named != key.organization_id) {
        return Err(Error::not_found("organisation"));
    }
    let org = organization::Entity::find_by_id(key.organization_id).one(app.db.read()).await?.ok_or_else(refused)?;
    let rights: Vec<Right> = serde_json::from_value(key.scopes)?;
    let organization = ActingOrg {
        id: org.id,
        may_provide: org.may_provide,
        may_buy: org.may_buy,
        may_operate: org.may_operate,
        provider_kind: org.provider_kind,
        country: org.country,
    };
    Ok(Actor {
        account_id: None,
        api_key_id: Some(key.id),
        organization,
        rights,
        request_id: credential.request_id.clone(),
    })
}

async fn find_live(app: &AppState, secret: &str, now: OffsetDateTime) -> Result<Option<api_key::Model>> {
    Ok(api_key::Entity::find()
        .filter(api_key::Column::SecretHash.eq(hash(secret)))
        .filter(api_key::Column::RevokedAt.is_null())
        .filter(api_key::Column::ExpiresAt.gt(Timestamp(now)))
        .one(app.db.read())
        .await?)
}
