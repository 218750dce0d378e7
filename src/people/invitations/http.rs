//! Invitations over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{AccountId, InvitationId, OrgId},
    invitation,
    states::Role,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{service, store};
use crate::{
    auth::actor::{Acting, CanManage, SignedIn},
    base::page::Page,
    config::Secret,
    error::Result,
    http::{
        Id, Json, PageQuery, Query,
        extract::{Ids, page_cursor},
    },
    state::AppState,
};

/// The operations of invitations.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(invite_member, list_invitations))
        .routes(utoipa_axum::routes!(revoke_invitation))
        .routes(utoipa_axum::routes!(accept_invitation))
}

/// Whom to invite, and as what.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "jens@example.org", "role": "editor"}))]
pub struct InvitationIn {
    /// The mail address of the account that may accept.
    #[schema(format = Email, max_length = 254)]
    pub email: String,
    /// The role they get.
    pub role: Role,
}

/// An invitation that can still be accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "inv_019352f0a1b27c3d8e4f5061728394a5", "email": "jens@example.org", "role": "editor",
    "invited_by": "acc_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-11-21T10:00:00Z",
    "expires_at": "2026-12-05T10:00:00Z"
}))]
pub struct InvitationView {
    /// Its id.
    pub id: InvitationId,
    /// The mail address of the account that may accept.
    pub email: String,
    /// The role they get.
    pub role: Role,
    /// Who invited them.
    pub invited_by: AccountId,
    /// When.
    pub created_at: Timestamp,
    /// It can't be accepted from then on.
    pub expires_at: Timestamp,
}

impl From<invitation::Model> for InvitationView {
    fn from(row: invitation::Model) -> Self {
        Self {
            id: row.id,
            email: row.email,
            role: row.role,
            invited_by: row.invited_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

/// A fresh invitation with its token. `Debug` is not derived: the token is a secret.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "inv_019352f0a1b27c3d8e4f5061728394a5", "email": "jens@example.org", "role": "editor",
    "invited_by": "acc_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-11-21T10:00:00Z",
    "expires_at": "2026-12-05T10:00:00Z", "token": "torv_invite_5f0c…"
}))]
pub struct InvitationCreated {
    /// The invitation.
    #[serde(flatten)]
    pub invitation: InvitationView,
    /// Hand it to the invited person; it is shown this once.
    pub token: String,
}

/// The token of an invitation.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "torv_invite_5f0c…"}))]
pub struct AcceptIn {
    /// As it was handed to you.
    #[schema(value_type = String, write_only)]
    pub token: Secret,
}

/// The membership an invitation led to.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "role": "editor"}))]
pub struct JoinedView {
    /// The organisation; send it as `Torv-Organization` to act for it.
    pub organization_id: OrgId,
    /// The role there.
    pub role: Role,
}

/// Invites the holder of a mail address; for owners. The token is in this answer alone.
#[utoipa::path(
    post, path = "/organizations/{organization_id}/invitations", tag = "organizations",
    params(("organization_id" = OrgId, Path)), security(("bearer" = [])), request_body = InvitationIn,
    responses(
        (status = 201, description = "Invited", body = InvitationCreated),
        (status = 409, description = "Too many invitations are open"),
    )
)]
pub async fn invite_member(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(org): Id<OrgId>,
    Json(input): Json<InvitationIn>,
) -> Result<(StatusCode, Json<InvitationCreated>)> {
    actor.require_own(org)?;
    let (row, token) = service::invite(&app, &actor, &input.email, input.role).await?;
    Ok((StatusCode::CREATED, Json(InvitationCreated { invitation: row.into(), token })))
}

/// Lists the invitations that can still be accepted; for owners.
#[utoipa::path(
    get, path = "/organizations/{organization_id}/invitations", tag = "organizations",
    params(("organization_id" = OrgId, Path), PageQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of invitations", body = Page<InvitationView>, example = json!({"items": [{
        "id": "inv_019352f0a1b27c3d8e4f5061728394a5", "email": "jens@example.org", "role": "editor",
        "invited_by": "acc_019352f0a1b27c3d8e4f5061728394a5", "created_at": "2026-11-21T10:00:00Z",
        "expires_at": "2026-12-05T10:00:00Z"
    }]})))
)]
pub async fn list_invitations(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(org): Id<OrgId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<InvitationView>>> {
    actor.require_own(org)?;
    let limit = page.limit()?;
    let after = page_cursor(page.cursor.as_deref())?;
    let rows = store::list_open(app.db.read(), actor.org_id(), after, app.clock.now(), limit as u64 + 1).await?;
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(InvitationView::from)))
}

/// Takes an invitation back; for owners.
#[utoipa::path(
    delete, path = "/organizations/{organization_id}/invitations/{invitation_id}", tag = "organizations",
    params(("organization_id" = OrgId, Path), ("invitation_id" = InvitationId, Path)), security(("bearer" = [])),
    responses((status = 204, description = "Taken back"))
)]
pub async fn revoke_invitation(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Ids(org, id): Ids<OrgId, InvitationId>,
) -> Result<StatusCode> {
    actor.require_own(org)?;
    service::revoke_invitation(&app, &actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Joins the organisation that invited the mail address of your account.
#[utoipa::path(
    post, path = "/invitations/accept", tag = "organizations", security(("bearer" = [])), request_body = AcceptIn,
    responses(
        (status = 200, description = "You are a member now", body = JoinedView),
        (status = 409, description = "You are a member already, or the organisation is full"),
        (status = 410, description = "It has expired, was taken back or was accepted before"),
    )
)]
pub async fn accept_invitation(
    State(app): State<AppState>,
    person: SignedIn,
    Json(input): Json<AcceptIn>,
) -> Result<Json<JoinedView>> {
    let (organization_id, role) = service::accept_invitation(&app, &person, input.token.expose()).await?;
    Ok(Json(JoinedView { organization_id, role }))
}
