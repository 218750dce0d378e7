//! The log as owners and operators read it.

use axum::extract::State;
use entity::{
    Timestamp, audit_event,
    ids::{AccountId, ApiKeyId, AuditId, OrgId},
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::store;
use crate::{
    auth::actor::{Acting, CanManage},
    base::page::Page,
    error::{Check, Error, Result},
    http::{
        Json, Query,
        extract::{page_cursor, page_limit},
    },
    state::AppState,
};

/// Longest resource that lines are looked up by, as the document says.
const RESOURCE_CHARS_MAX: usize = 80;
/// Longest action that lines are looked up by, as the document says.
const ACTION_CHARS_MAX: usize = 64;

/// The operations of the log.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(utoipa_axum::routes!(list_audit_events))
}

/// Which lines, and which page of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Lines written by this organisation or about it. Owners name only their own.
    pub organization: Option<OrgId>,
    /// Lines about this resource, by its public id.
    #[param(max_length = 80, example = "lst_019352f0a1b27c3d8e4f5061728394a5")]
    pub resource: Option<String>,
    /// Lines with this action.
    #[param(max_length = 64, example = "listing.publish")]
    pub action: Option<String>,
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// One line of the log.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "aud_019352f0a1b27c3d8e4f5061728394a5", "at": "2026-11-21T10:00:00Z",
    "account_id": "acc_019352f0a1b27c3d8e4f5061728394a5", "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5",
    "action": "member.change_role", "resource": "acc_019352f0a1b27c3d8e4f506172839400",
    "request_id": "req_0193f5a1b27c", "detail": {"from": "viewer", "to": "editor"}
}))]
pub struct AuditEventView {
    /// Its id; ids sort by time.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// The person who did it, if a person did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<AccountId>,
    /// The API key that did it, if a key did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key_id: Option<ApiKeyId>,
    /// The organisation it was done for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrgId>,
    /// What was done.
    pub action: String,
    /// What it was done to, by public id.
    pub resource: String,
    /// The request it was done in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What changed.
    pub detail: serde_json::Value,
}

impl From<audit_event::Model> for AuditEventView {
    fn from(row: audit_event::Model) -> Self {
        Self {
            id: row.id,
            at: row.at,
            account_id: row.account_id,
            api_key_id: row.api_key_id,
            organization_id: row.organization_id,
            action: row.action,
            resource: row.resource,
            request_id: row.request_id,
            detail: row.detail,
        }
    }
}

/// Lists what was done, the newest first: owners see their organisation's lines, the operator all.
#[utoipa::path(
    get, path = "/audit-events", tag = "organizations", params(AuditQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of the log", body = Page<AuditEventView>, example = json!({"items": [{
        "id": "aud_019352f0a1b27c3d8e4f5061728394a5", "at": "2026-11-21T10:00:00Z",
        "account_id": "acc_019352f0a1b27c3d8e4f5061728394a5",
        "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "action": "organization.update",
        "resource": "org_019352f0a1b27c3d8e4f5061728394a5", "request_id": "req_0193f5a1b27c", "detail": {"changed": ["name"]}
    }]})))
)]
pub async fn list_audit_events(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEventView>>> {
    let limit = page_limit(query.limit)?;
    let mut check = Check::new();
    check.at_most(query.resource.as_deref().unwrap_or_default(), RESOURCE_CHARS_MAX, "resource");
    check.at_most(query.action.as_deref().unwrap_or_default(), ACTION_CHARS_MAX, "action");
    check.done()?;
    let organization = match query.organization {
        asked if actor.organization.may_operate => asked,
        Some(other) if other != actor.org_id() => return Err(Error::not_found("organisation")),
        _ => Some(actor.org_id()),
    };
    let before = page_cursor(query.cursor.as_deref())?;
    let wanted = store::Wanted { organization, resource: query.resource, action: query.action, before };
    let rows = store::list(app.db.read(), wanted, limit as u64 + 1).await?;
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(AuditEventView::from)))
}
