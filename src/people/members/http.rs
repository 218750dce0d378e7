//! Members over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp, account,
    ids::{AccountId, OrgId},
    membership,
    states::Role,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{service, store};
use crate::{
    auth::actor::{Acting, CanManage, CanRead},
    base::page::Page,
    error::Result,
    http::{
        Id, Json, PageQuery, Query,
        extract::{Ids, page_cursor},
    },
    state::AppState,
};

/// The operations of members.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(list_members))
        .routes(utoipa_axum::routes!(change_member_role, remove_member))
}

/// A member of an organisation.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "account_id": "acc_019352f0a1b27c3d8e4f5061728394a5", "display_name": "Mette Juul", "email": "mette@example.org",
    "role": "editor", "since": "2026-11-21T10:00:00Z"
}))]
pub struct MemberView {
    /// The person.
    pub account_id: AccountId,
    /// What others call them.
    pub display_name: String,
    /// Their mail address.
    pub email: String,
    /// Their role.
    pub role: Role,
    /// When they joined.
    pub since: Timestamp,
}

impl From<(membership::Model, account::Model)> for MemberView {
    fn from((member, account): (membership::Model, account::Model)) -> Self {
        Self {
            account_id: account.id,
            display_name: account.display_name,
            email: account.email,
            role: member.role,
            since: member.created_at,
        }
    }
}

/// Another role for a member.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "editor"}))]
pub struct MemberPatch {
    /// The new role.
    pub role: Role,
}

/// Lists the members of the organisation you act for.
#[utoipa::path(
    get, path = "/organizations/{organization_id}/members", tag = "organizations",
    params(("organization_id" = OrgId, Path), PageQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of members", body = Page<MemberView>, example = json!({"items": [{
        "account_id": "acc_019352f0a1b27c3d8e4f5061728394a5", "display_name": "Mette Juul",
        "email": "mette@example.org", "role": "editor", "since": "2026-11-21T10:00:00Z"
    }]})))
)]
pub async fn list_members(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Id(org): Id<OrgId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<MemberView>>> {
    actor.require_own(org)?;
    let limit = page.limit()?;
    let after = page_cursor(page.cursor.as_deref())?;
    let rows = store::list(app.db.read(), actor.org_id(), after, limit as u64 + 1).await?;
    Ok(Json(Page::from_rows(rows, limit, |(member, _)| member.account_id).map(MemberView::from)))
}

/// Gives a member another role; for owners. The last owner stays one.
#[utoipa::path(
    patch, path = "/organizations/{organization_id}/members/{account_id}", tag = "organizations",
    params(("organization_id" = OrgId, Path), ("account_id" = AccountId, Path)), security(("bearer" = [])),
    request_body = MemberPatch,
    responses(
        (status = 204, description = "The member has this role now"),
        (status = 409, description = "This is the last owner"),
    )
)]
pub async fn change_member_role(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Ids(org, member): Ids<OrgId, AccountId>,
    Json(patch): Json<MemberPatch>,
) -> Result<StatusCode> {
    actor.require_own(org)?;
    service::change_role(&app, &actor, member, patch.role).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a member; owners remove anybody, members themselves. The last owner stays.
#[utoipa::path(
    delete, path = "/organizations/{organization_id}/members/{account_id}", tag = "organizations",
    params(("organization_id" = OrgId, Path), ("account_id" = AccountId, Path)), security(("bearer" = [])),
    responses(
        (status = 204, description = "No longer a member"),
        (status = 409, description = "This is the last owner"),
    )
)]
pub async fn remove_member(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Ids(org, member): Ids<OrgId, AccountId>,
) -> Result<StatusCode> {
    actor.require_own(org)?;
    service::remove_member(&app, &actor, member).await?;
    Ok(StatusCode::NO_CONTENT)
}
