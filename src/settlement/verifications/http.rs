//! Verifications over HTTP, for the operator.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp,
    ids::{AccountId, VerificationId},
    verification,
};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;

use super::{model::Findings, service, store};
use crate::{
    auth::actor::{CanFinance, Operating},
    base::page::Page,
    error::{Error, Result},
    http::{Id, Json, PageQuery, Query, extract::page_cursor},
    state::AppState,
};

/// The operations of verifications.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(request_verification))
        .routes(utoipa_axum::routes!(list_verifications))
        .routes(utoipa_axum::routes!(get_verification))
}

/// A verification in short.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "vfy_019352f0a1b27c3d8e4f5061728394a5", "day": "2026-11-21", "created_at": "2026-11-21T03:00:00Z",
    "started_at": "2026-11-21T03:00:00Z", "finished_at": "2026-11-21T03:00:12Z", "violation_count": 0
}))]
pub struct VerificationSummary {
    /// The verification.
    pub id: VerificationId,
    /// The day, in UTC, whose nightly one it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// Who asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<AccountId>,
    /// When it was queued.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// How many promises do not hold; absent until it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violation_count: Option<i32>,
}

/// A verification with what it found.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "vfy_019352f0a1b27c3d8e4f5061728394a5", "day": "2026-11-21", "created_at": "2026-11-21T03:00:00Z",
    "started_at": "2026-11-21T03:00:00Z", "finished_at": "2026-11-21T03:00:12Z", "violation_count": 0,
    "findings": {"counts": [{"name": "ledger entries", "rows": 4711}], "violations": [], "untold": 0}
}))]
pub struct VerificationView {
    /// The verification in short.
    #[serde(flatten)]
    pub summary: VerificationSummary,
    /// What was read and what is wrong; absent until it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Findings>,
}

impl From<verification::Model> for VerificationSummary {
    fn from(row: verification::Model) -> Self {
        let verification::Model { id, day, requested_by, created_at, started_at, finished_at, violation_count, .. } =
            row;
        Self { id, day, requested_by, created_at, started_at, finished_at, violation_count }
    }
}

impl TryFrom<verification::Model> for VerificationView {
    type Error = Error;

    fn try_from(row: verification::Model) -> Result<Self> {
        let findings = row.report.clone().map(serde_json::from_value).transpose()?;
        Ok(Self { summary: row.into(), findings })
    }
}

/// Asks for everything to be verified now: every balance, split, grant, payout and document, from the rows
/// themselves. It runs in the background, like the one of every night.
#[utoipa::path(
    post, path = "/verifications", tag = "settlement", security(("bearer" = [])),
    responses((status = 202, description = "Queued", body = VerificationView),
              (status = 409, description = "Another one is queued or running"))
)]
pub async fn request_verification(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
) -> Result<(StatusCode, Json<VerificationView>)> {
    let row = service::request(&app, &actor).await?;
    Ok((StatusCode::ACCEPTED, Json(row.try_into()?)))
}

/// Lists verifications, the newest first.
#[utoipa::path(
    get, path = "/verifications", tag = "settlement", params(PageQuery), security(("bearer" = [])),
    responses((status = 200, description = "One page of verifications", body = Page<VerificationSummary>,
        example = json!({"items": [{
            "id": "vfy_019352f0a1b27c3d8e4f5061728394a5", "day": "2026-11-21", "created_at": "2026-11-21T03:00:00Z",
            "started_at": "2026-11-21T03:00:00Z", "finished_at": "2026-11-21T03:00:12Z", "violation_count": 0
        }]})))
)]
pub async fn list_verifications(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<VerificationSummary>>> {
    let limit = query.limit()?;
    let before = page_cursor(query.cursor.as_deref())?;
    let rows = store::list(app.db.read(), before, limit as u64 + 1).await?;
    let views = rows.into_iter().map(VerificationSummary::from).collect();
    Ok(Json(Page::from_rows(views, limit, |view: &VerificationSummary| view.id)))
}

/// Shows a verification with what it found.
#[utoipa::path(
    get, path = "/verifications/{id}", tag = "settlement", security(("bearer" = [])),
    params(("id" = VerificationId, Path, description = "The verification")),
    responses((status = 200, description = "The verification", body = VerificationView))
)]
pub async fn get_verification(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Id(id): Id<VerificationId>,
) -> Result<Json<VerificationView>> {
    let row = store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("verification"))?;
    Ok(Json(row.try_into()?))
}
