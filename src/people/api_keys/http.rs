//! API keys over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp, api_key,
    ids::{AccountId, ApiKeyId, GrantId, OrgId},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{
    service::{self, NewApiKey},
    store,
};
use crate::{
    auth::{
        Right,
        actor::{Acting, CanRead},
    },
    base::page::Page,
    error::Result,
    http::{
        Id, Json, PageQuery, Query,
        extract::{Ids, page_cursor},
    },
    state::AppState,
};

/// The operations of API keys.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(create_api_key, list_api_keys))
        .routes(utoipa_axum::routes!(revoke_api_key))
}

/// A key to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Nightly download", "scopes": ["read", "buy"], "expires_in_days": 90}))]
pub struct ApiKeyIn {
    /// What it is for.
    #[schema(min_length = 1, max_length = 120)]
    pub name: String,
    /// What it may do: never more than you may.
    #[schema(min_items = 1, max_items = 5)]
    pub scopes: Vec<Right>,
    /// Days until it expires.
    #[schema(minimum = 1, maximum = 366)]
    pub expires_in_days: i64,
}

/// A key, without its secret.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "key_019352f0a1b27c3d8e4f5061728394a5", "name": "Nightly download", "scopes": ["read", "buy"],
    "created_by": "acc_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-11-21T10:00:00Z",
    "expires_at": "2027-02-19T10:00:00Z", "last_used_at": "2026-11-22T03:00:00Z"
}))]
pub struct ApiKeyView {
    /// Its id.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// What it may do, as far as its maker still may.
    pub scopes: Vec<Right>,
    /// The member who made it.
    pub created_by: AccountId,
    /// When it was made.
    pub created_at: Timestamp,
    /// It does not work from then on.
    pub expires_at: Timestamp,
    /// When it was revoked, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// The one grant whose files it opens, if it is the token of a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<GrantId>,
}

impl TryFrom<api_key::Model> for ApiKeyView {
    type Error = crate::Error;

    fn try_from(row: api_key::Model) -> Result<Self> {
        Ok(Self {
            id: row.id,
            name: row.name,
            scopes: serde_json::from_value(row.scopes)?,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            grant_id: row.grant_id,
        })
    }
}

/// A fresh key with its secret. `Debug` is not derived.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "key_019352f0a1b27c3d8e4f5061728394a5", "name": "Nightly download", "scopes": ["read", "buy"],
    "created_by": "acc_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-11-21T10:00:00Z",
    "expires_at": "2027-02-19T10:00:00Z", "secret": "torv_key_5f0c…"
}))]
pub struct ApiKeyCreated {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKeyView,
    /// Send it as `Authorization: Bearer …`. It is shown this once.
    pub secret: String,
}

/// Makes a key for the organisation you act for. Its secret is in this answer alone.
#[utoipa::path(
    post, path = "/organizations/{organization_id}/api-keys", tag = "organizations",
    params(("organization_id" = OrgId, Path)), security(("bearer" = [])), request_body = ApiKeyIn,
    responses(
        (status = 201, description = "Made", body = ApiKeyCreated),
        (status = 409, description = "The organisation has as many live keys as it may"),
    )
)]
pub async fn create_api_key(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(org): Id<OrgId>,
    Json(input): Json<ApiKeyIn>,
) -> Result<(StatusCode, Json<ApiKeyCreated>)> {
    actor.require_own(org)?;
    let ApiKeyIn { name, scopes, expires_in_days } = input;
    let (row, secret) = service::create_api_key(&app, &actor, NewApiKey { name, scopes, expires_in_days }).await?;
    Ok((StatusCode::CREATED, Json(ApiKeyCreated { key: row.try_into()?, secret })))
}

/// Lists the keys, also those that no longer work: owners see all, other members their own.
#[utoipa::path(
    get, path = "/organizations/{organization_id}/api-keys", tag = "organizations",
    params(("organization_id" = OrgId, Path), PageQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of keys", body = Page<ApiKeyView>, example = json!({"items": [{
        "id": "key_019352f0a1b27c3d8e4f5061728394a5", "name": "Nightly download", "scopes": ["read", "buy"],
        "created_by": "acc_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-11-21T10:00:00Z",
        "expires_at": "2027-02-19T10:00:00Z"
    }]})))
)]
pub async fn list_api_keys(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(org): Id<OrgId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ApiKeyView>>> {
    actor.require_own(org)?;
    let limit = page.limit()?;
    let after = page_cursor(page.cursor.as_deref())?;
    let maker = service::maker_seen(&actor)?;
    let rows = store::list(app.db.read(), actor.org_id(), maker, after, limit as u64 + 1).await?;
    let page = Page::from_rows(rows, limit, |row| row.id);
    let items = page.items.into_iter().map(ApiKeyView::try_from).collect::<Result<_>>()?;
    Ok(Json(Page { items, next_cursor: page.next_cursor }))
}

/// Revokes a key; it stops working at once. Owners revoke any, other members their own.
#[utoipa::path(
    delete, path = "/organizations/{organization_id}/api-keys/{api_key_id}", tag = "organizations",
    params(("organization_id" = OrgId, Path), ("api_key_id" = ApiKeyId, Path)), security(("bearer" = [])),
    responses((status = 204, description = "Revoked"))
)]
pub async fn revoke_api_key(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Ids(org, id): Ids<OrgId, ApiKeyId>,
) -> Result<StatusCode> {
    actor.require_own(org)?;
    service::revoke_api_key(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
