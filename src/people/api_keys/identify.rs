//! From a key to who acts with it.

use std::{collections::HashMap, fmt};

use entity::ids::ApiKeyId;
use time::{Duration, OffsetDateTime};

use super::store::{self, LiveKey};
use crate::{
    auth::{
        Actor, Right,
        actor::{ActingOrg, Recipient},
    },
    base::Clock,
    db::{Db, Gather, deal},
    error::{Error, Result},
    http::credentials::Credential,
    state::AppState,
};

/// `last_used_at` is this coarse, so that a busy key does not write with every request.
const USE_NOTED_EVERY: Duration = Duration::hours(1);

/// Where requests ask about keys. The database is asked for each request, for many of them at once: a
/// revocation holds from the next request on.
#[derive(Clone)]
pub struct LiveKeys(Gather<String, Option<LiveKey>>);

impl fmt::Debug for LiveKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveKeys")
    }
}

impl LiveKeys {
    /// Starts asking `db`.
    pub fn start(db: Db, clock: Clock) -> Self {
        Self(Gather::start(move |hashes: Vec<String>| {
            let (db, now) = (db.clone(), clock.now());
            async move {
                let found = store::find_live(db.read(), &hashes, now).await;
                let by_hash = |keys: Vec<LiveKey>| {
                    keys.into_iter().map(|key| (key.secret_hash.clone(), key)).collect::<HashMap<_, _>>()
                };
                deal(&hashes, found.map(by_hash))
            }
        }))
    }

    async fn find(&self, secret: &str) -> Result<Option<LiveKey>> {
        self.0.ask(store::hash(secret)).await
    }
}

/// Finds who a key acts for. The token of a share acts for nobody.
pub(in crate::people) async fn identify(app: &AppState, credential: &Credential) -> Result<Actor> {
    let Recipient { actor, grant } = identify_recipient(app, credential).await?;
    if grant.is_some() {
        let advice = "This token only opens the files of one grant. Send an API key or an access token here.";
        return Err(Error::unauthenticated(advice));
    }
    Ok(actor)
}

/// Finds whose files a key opens. Its rights are its scopes, as far as its maker still has them.
pub(in crate::people) async fn identify_recipient(app: &AppState, credential: &Credential) -> Result<Recipient> {
    let refused = || Error::unauthenticated("The API key is not valid: unknown, expired or revoked.");
    let now = app.clock.now();
    let key = app.live_keys.find(&credential.secret).await?.ok_or_else(refused)?;
    if credential.organization.is_some_and(|named| named != key.id) {
        return Err(Error::not_found("organisation"));
    }
    note_use(app, &key, now).await;
    let scopes: Vec<Right> = serde_json::from_value(key.scopes)?;
    let rights = scopes.into_iter().filter(|right| right.allowed_to(key.role)).collect();
    let organization = ActingOrg {
        id: key.id,
        may_provide: key.may_provide,
        may_buy: key.may_buy,
        may_operate: key.may_operate,
        provider_kind: key.provider_kind,
        country: key.country,
    };
    let request_id = credential.request_id.clone();
    let actor = Actor { account_id: None, api_key_id: Some(key.key_id), organization, rights, request_id };
    Ok(Recipient { actor, grant: key.grant_id })
}

/// A request does not fail because its key's last use could not be noted.
async fn note_use(app: &AppState, key: &LiveKey, now: OffsetDateTime) {
    if key.last_used_at.is_some_and(|at| now - at.0 < USE_NOTED_EVERY) {
        return;
    }
    if let Err(error) = touch(app, key.key_id, now).await {
        tracing::warn!(api_key.id = %key.key_id, error = %error, "the use of key {} was not noted: {error}", key.key_id);
    }
}

async fn touch(app: &AppState, id: ApiKeyId, now: OffsetDateTime) -> Result<()> {
    app.db
        .write("people.note_key_use", move |tx| async move {
            store::touch(&tx, id, now).await?;
            Ok(((), tx))
        })
        .await
}
