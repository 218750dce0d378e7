//! The registry of problems, readable at the address that `type` names.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::extract::Path;
use serde::Serialize;
use utoipa::ToSchema;

use super::Json;
use crate::error::{Error, Problem, Result};

/// A kind of problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({"type": "/problems/price-guard", "title": "This data must be free", "status": 403}))]
pub struct ProblemKind {
    /// The `type` of its documents.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in one line.
    pub title: &'static str,
    /// The HTTP status it comes with.
    pub status: u16,
}

impl From<Problem> for ProblemKind {
    fn from(problem: Problem) -> Self {
        Self { kind: format!("/problems/{}", problem.slug()), title: problem.title(), status: problem.status() }
    }
}

/// All kinds, as committed in `openapi/problems.json`.
pub fn registry() -> Vec<ProblemKind> {
    Problem::ALL.iter().copied().map(ProblemKind::from).collect()
}

/// Lists every kind of problem this API answers with.
#[utoipa::path(get, path = "/problems", tag = "operations", responses((status = 200, description = "All kinds", body = Vec<ProblemKind>)))]
pub async fn list_problems() -> Json<Vec<ProblemKind>> {
    Json(registry())
}

/// Explains one kind of problem.
#[utoipa::path(get, path = "/problems/{slug}", tag = "operations",
    params(("slug" = String, Path, description = "The last part of `type`", example = "price-guard")),
    responses((status = 200, description = "The kind", body = ProblemKind)))]
pub async fn get_problem(Path(slug): Path<String>) -> Result<Json<ProblemKind>> {
    let found = Problem::ALL.iter().copied().find(|problem| problem.slug() == slug);
    found.map(|problem| Json(problem.into())).ok_or_else(|| Error::not_found("kind of problem"))
}
