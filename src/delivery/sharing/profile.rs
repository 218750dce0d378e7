//! Profile files: where the shares are, and the token of one grant.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use entity::{
    Timestamp, api_key,
    ids::{ApiKeyId, GrantId},
};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::{
        Actor,
        actor::{Acting, CanBuy, Recipient},
    },
    delivery::{
        downloads::store::find_grant,
        tables::{Share, list_shares},
    },
    error::{Error, Result},
    http::{Id, Json},
    people,
    state::AppState,
};

/// The addresses below `/api/v1`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_share_access, issue_share_profile, revoke_share_profile))
}

/// A profile file of Delta Sharing, as its clients read it. `Debug` is not derived: it holds a token.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "shareCredentialsVersion": 1, "endpoint": "https://exchange.example/delta-sharing",
    "bearerToken": "torv_key_5f0c…", "expirationTime": "2027-11-21T10:00:00Z"
}))]
struct ShareProfile {
    /// Version 1, which every client reads.
    share_credentials_version: u8,
    endpoint: String,
    /// Opens this one grant, for reading. It is shown this once.
    bearer_token: String,
    /// When the token ends, or the grant as it stands; a grant that is renewed goes on.
    expiration_time: Timestamp,
}

/// What is known of a grant's share, without its token.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "endpoint": "https://exchange.example/delta-sharing", "share": "river_levels_019352f0a1b27c3d",
    "schema": "echizen", "token": {
        "id": "key_019352f0a1b27c3d8e4f5061728394a5", "issued_at": "2026-11-21T10:00:00Z",
        "expires_at": "2027-11-22T10:00:00Z"
    }
}))]
struct ShareAccessView {
    /// Where the protocol is spoken.
    endpoint: String,
    /// The name of the share.
    share: String,
    /// The name of its schema.
    schema: String,
    /// The token in use, if one was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<ShareTokenView>,
}

/// The token of a grant, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "key_019352f0a1b27c3d8e4f5061728394a5", "issued_at": "2026-11-21T10:00:00Z",
    "expires_at": "2027-11-22T10:00:00Z"
}))]
struct ShareTokenView {
    id: ApiKeyId,
    issued_at: Timestamp,
    expires_at: Timestamp,
    /// To the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<Timestamp>,
}

impl From<api_key::Model> for ShareTokenView {
    fn from(row: api_key::Model) -> Self {
        Self { id: row.id, issued_at: row.created_at, expires_at: row.expires_at, last_used_at: row.last_used_at }
    }
}

async fn open_share(app: &AppState, actor: &Actor, id: GrantId) -> Result<Share> {
    if let Some(grant) = find_grant(app.db.read(), actor.org_id(), id).await? {
        grant.require_whole()?;
    }
    let recipient = Recipient { actor: actor.clone(), grant: Some(id) };
    let page = list_shares(app, &recipient, None, 1).await?;
    page.items.into_iter().next().ok_or_else(|| Error::not_found("grant"))
}

fn endpoint(app: &AppState) -> String {
    format!("{}/delta-sharing", app.config.public_url())
}

/// Tells where a grant is shared, under which names, and which token is in use.
#[utoipa::path(get, path = "/grants/{id}/share-profile", tag = "sharing", security(("bearer" = [])),
    params(("id" = GrantId, Path, description = "The grant")),
    responses((status = 200, description = "The share", body = ShareAccessView),
        (status = 409, description = "The grant is of a slice, which is delivered as files alone"),
        (status = 410, description = "The grant has ended")))]
async fn get_share_access(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<GrantId>,
) -> Result<Json<ShareAccessView>> {
    let share = open_share(&app, &actor, id).await?;
    let token = people::find_grant_token(app.db.read(), actor.org_id(), id, app.clock.now()).await?;
    let token = token.map(ShareTokenView::from);
    Ok(Json(ShareAccessView { endpoint: endpoint(&app), share: share.name, schema: share.schema, token }))
}

/// Issues the profile file of a grant for clients of Delta Sharing, with a fresh token in place of the one before.
///
/// The token is in this answer alone, and opens this grant and nothing else. It works as long as the grant does, for
/// 366 days at most.
#[utoipa::path(post, path = "/grants/{id}/share-profile", tag = "sharing", security(("bearer" = [])),
    params(("id" = GrantId, Path, description = "The grant")),
    responses((status = 201, description = "The profile file", body = ShareProfile,
            headers(("Content-Disposition" = String, description = "attachment, NAME.share"))),
        (status = 409, description = "The grant is of a slice, which is delivered as files alone"),
        (status = 410, description = "The grant has ended")))]
async fn issue_share_profile(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<GrantId>,
) -> Result<Response> {
    let share = open_share(&app, &actor, id).await?;
    let (row, secret) = people::issue_grant_token(&app, &actor, id).await?;
    let profile = ShareProfile {
        share_credentials_version: 1,
        endpoint: endpoint(&app),
        bearer_token: secret,
        expiration_time: Timestamp(earlier(row.expires_at.0, share.grant.ends_at)),
    };
    let mut response = (StatusCode::CREATED, Json(profile)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = crate::delivery::downloads::content_disposition(&format!("{}.share", share.name));
    headers.extend(HeaderValue::from_str(&name).ok().map(|name| (header::CONTENT_DISPOSITION, name)));
    Ok(response)
}

fn earlier(end: OffsetDateTime, other: Option<OffsetDateTime>) -> OffsetDateTime {
    other.map_or(end, |other| other.min(end))
}

/// Revokes the token of a grant's profile; tools that have it stop at once.
#[utoipa::path(delete, path = "/grants/{id}/share-profile", tag = "sharing", security(("bearer" = [])),
    params(("id" = GrantId, Path, description = "The grant")),
    responses((status = 204, description = "Revoked")))]
async fn revoke_share_profile(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanBuy>,
    Id(id): Id<GrantId>,
) -> Result<StatusCode> {
    let grant = find_grant(app.db.read(), actor.org_id(), id).await?.ok_or_else(|| Error::not_found("grant"))?;
    people::revoke_grant_token(&app, &actor, grant.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
