//! Tax profiles over HTTP.

use axum::extract::State;
use entity::{Timestamp, ids::OrgId};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    model::TaxProfile,
    service::{self, Known},
};
use crate::{
    auth::actor::{Acting, CanFinance},
    error::Result,
    http::{Id, Json},
    state::AppState,
};

/// The operations of tax profiles.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_tax_profile, put_tax_profile))
}

/// A tax profile and the version it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "version": 1, "valid_from": "2026-11-21T10:00:00Z",
    "profile": {
        "legal_name": "Torvet Drift ApS", "country": "DK", "is_business": true, "vat_id": "DK13585628",
        "address": {"street": "Rådhuspladsen 2", "postal_code": "8000", "city": "Aarhus C"}
    }
}))]
pub struct TaxProfileView {
    /// Whose.
    pub organization_id: OrgId,
    /// Which version; 0 is what the organisation's name and country say, where nobody gave a profile.
    pub version: i32,
    /// Since when it is in force.
    pub valid_from: Timestamp,
    /// What it says.
    pub profile: TaxProfile,
}

impl TaxProfileView {
    fn of(organization_id: OrgId, known: Known) -> Self {
        Self { organization_id, version: known.version, valid_from: known.valid_from, profile: known.profile }
    }
}

/// Shows what the organisation's invoices say of it; the operator sees that of any.
#[utoipa::path(get, path = "/organizations/{organization_id}/tax-profile", tag = "organizations",
    security(("bearer" = [])),
    params(("organization_id" = OrgId, Path, description = "The organisation")),
    responses((status = 200, description = "The profile in force", body = TaxProfileView)))]
pub async fn get_tax_profile(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Id(organization): Id<OrgId>,
) -> Result<Json<TaxProfileView>> {
    Ok(Json(TaxProfileView::of(organization, service::read(&app, &actor, organization).await?)))
}

/// Says what the organisation's invoices say of it from now on.
///
/// It counts for orders placed from now on; documents of earlier orders stay as they are.
#[utoipa::path(put, path = "/organizations/{organization_id}/tax-profile", tag = "organizations",
    security(("bearer" = [])),
    params(("organization_id" = OrgId, Path, description = "The organisation")),
    request_body = TaxProfile,
    responses((status = 200, description = "The profile in force", body = TaxProfileView)))]
pub async fn put_tax_profile(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Id(organization): Id<OrgId>,
    Json(input): Json<TaxProfile>,
) -> Result<Json<TaxProfileView>> {
    Ok(Json(TaxProfileView::of(organization, service::put(&app, &actor, organization, input).await?)))
}
