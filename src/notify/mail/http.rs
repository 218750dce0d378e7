//! Preferences of mails over HTTP, and the end of mails by one click.

use std::collections::BTreeSet;

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use entity::{
    Timestamp,
    ids::{AccountId, OrgId},
    states::MailMode,
};
use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{model::EVERYTHING, store};
use crate::{
    auth::actor::{Acting, Actor, CanRead},
    error::{Check, Error, Result},
    http::Json,
    notify::{kinds, notices},
    state::AppState,
};

/// The operations of mails.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_mail_preferences, set_mail_preferences))
        .routes(routes!(unsubscribe_from_mails))
}

/// When you are mailed about a kind.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "revision.breaking", "mode": "immediate"}))]
pub struct MailPreference {
    /// A kind of `GET /notices/kinds`, or `*` for all without a preference of their own.
    #[schema(max_length = 64)]
    pub kind: String,
    /// At once, in one mail a day, or never.
    pub mode: MailMode,
}

/// When you are mailed. Without any preference, never.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"items": [{"kind": "*", "mode": "daily"}, {"kind": "revision.breaking", "mode": "immediate"}]}))]
pub struct MailPreferences {
    /// The preferences, each kind once.
    #[schema(max_items = 100)]
    pub items: Vec<MailPreference>,
}

/// Shows when you are mailed about what the organisation you act for is told.
#[utoipa::path(get, path = "/notices/mail-preferences", tag = "notices", security(("bearer" = [])),
    responses((status = 200, description = "Your preferences", body = MailPreferences)))]
pub async fn get_mail_preferences(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
) -> Result<Json<MailPreferences>> {
    shown(&app, &actor).await
}

async fn shown(app: &AppState, actor: &Actor) -> Result<Json<MailPreferences>> {
    let rows = store::preferences(app.db.read(), actor.org_id(), actor.person()?).await?;
    let items = rows.into_iter().map(|row| MailPreference { kind: row.kind, mode: row.mode }).collect();
    Ok(Json(MailPreferences { items }))
}

/// Sets when you are mailed, in the language of your account, at the address of your account.
#[utoipa::path(put, path = "/notices/mail-preferences", tag = "notices", security(("bearer" = [])),
    request_body = MailPreferences,
    responses((status = 200, description = "As they are now", body = MailPreferences)))]
pub async fn set_mail_preferences(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Json(input): Json<MailPreferences>,
) -> Result<Json<MailPreferences>> {
    let whose = (actor.org_id(), actor.person()?);
    check(&input)?;
    let (now, wants_digest) = (app.clock.now(), input.items.iter().any(|one| one.mode == MailMode::Daily));
    let end = notices::end(app.db.read()).await?;
    let digest = wants_digest.then(|| (end, Timestamp(now + Duration::DAY)));
    let wishes: Vec<(String, MailMode)> = input.items.into_iter().map(|one| (one.kind, one.mode)).collect();
    app.db
        .write("notify.set_mail_preferences", move |tx| {
            let wishes = wishes.clone();
            async move {
                store::replace_preferences(&tx, whose, wishes, digest).await?;
                Ok(((), tx))
            }
        })
        .await?;
    shown(&app, &actor).await
}

fn check(input: &MailPreferences) -> Result<()> {
    let mut check = Check::new();
    let mut seen = BTreeSet::new();
    for (place, one) in input.items.iter().enumerate() {
        let known = one.kind == EVERYTHING || kinds::find(&one.kind).is_some();
        let pointer = format!("/items/{place}/kind");
        check.require(known, pointer.as_str(), "Use * or a kind that GET /api/v1/notices/kinds lists.");
        check.require(seen.insert(one.kind.as_str()), pointer, "Name each kind once.");
    }
    check.done()
}

/// What the link that ends somebody's mails is signed over.
fn signed(organization: OrgId, account: AccountId) -> String {
    format!("unsubscribe {organization} {account}")
}

/// Where a POST ends the mails of a member. It holds no longer than its signing key does, and opens nothing else.
pub(super) fn unsubscribe_url(app: &AppState, organization: OrgId, account: AccountId) -> String {
    let signature = app.secrets.sign_link(&signed(organization, account));
    let base_url = app.config.public_url();
    format!("{base_url}/api/v1/notices/mail-unsubscribe/{organization}.{account}.{signature}")
}

/// Ends the mails of the member whom a mail with this link went to (RFC 8058). It needs no log-in: the link is signed.
#[utoipa::path(post, path = "/notices/mail-unsubscribe/{token}", tag = "notices",
    params(("token" = String, Path, description = "As the mail's List-Unsubscribe header has it")),
    responses((status = 204, description = "No more mails")))]
pub async fn unsubscribe_from_mails(State(app): State<AppState>, Path(token): Path<String>) -> Result<StatusCode> {
    let missing = || Error::not_found("such link");
    let mut parts = token.split('.');
    let (Some(organization), Some(account), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(missing());
    };
    let organization: OrgId = organization.parse().map_err(|_| missing())?;
    let account: AccountId = account.parse().map_err(|_| missing())?;
    if !app.secrets.verify_link(&signed(organization, account), signature) {
        return Err(missing());
    }
    let now = Timestamp(app.clock.now());
    app.db
        .write("notify.unsubscribe", move |tx| async move {
            store::replace_preferences(&tx, (organization, account), Vec::new(), None).await?;
            store::drop_pending(&tx, organization, account, now).await?;
            Ok(((), tx))
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
