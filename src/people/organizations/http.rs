//! Organisations over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{Timestamp, ids::OrgId, organization, states::ProviderKind};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{
    service::{self, Change, NewOrganization},
    store,
};
use crate::{
    auth::actor::{Acting, CanManage, SignedIn, Visitor},
    error::{Error, Result},
    http::{Id, Json},
    state::AppState,
};

/// The operations of organisations.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(found_organization))
        .routes(utoipa_axum::routes!(get_organization, change_organization))
}

/// An organisation to be founded.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "Harbour Lab", "country": "DK", "may_provide": true, "may_buy": true, "provider_kind": "company"
}))]
pub struct OrganizationIn {
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// ISO 3166-1 alpha-2.
    #[schema(pattern = "^[A-Z]{2}$")]
    pub country: String,
    /// It lists data.
    #[serde(default)]
    pub may_provide: bool,
    /// It orders.
    #[serde(default)]
    pub may_buy: bool,
    /// What kind of provider it is; needed if it lists. Only the operator can change it afterwards.
    pub provider_kind: Option<ProviderKind>,
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Harbour Laboratory", "may_buy": true}))]
pub struct OrganizationPatch {
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(pattern = "^[A-Z]{2}$")]
    pub country: Option<String>,
    /// It lists data.
    pub may_provide: Option<bool>,
    /// It orders.
    pub may_buy: Option<bool>,
    /// What kind of provider it is; can be said once, and changed by the operator.
    pub provider_kind: Option<ProviderKind>,
}

/// An organisation: what all may see, and what only its members and the operator may.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "org_019352f0a1b27c3d8e4f5061728394a5", "slug": "harbour-lab", "name": "Harbour Lab", "country": "DK",
    "may_provide": true, "provider_kind": "company", "may_operate": false, "created_at": "2026-11-21T10:00:00Z",
    "may_buy": true
}))]
pub struct OrganizationView {
    /// Its id.
    pub id: OrgId,
    /// A short name for addresses.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// It lists data.
    pub may_provide: bool,
    /// What kind of provider it is, if it lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_kind: Option<ProviderKind>,
    /// It runs the exchange.
    pub may_operate: bool,
    /// When it was founded.
    pub created_at: Timestamp,
    /// It orders. For members and the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_buy: Option<bool>,
    /// Its account with the payment processor. For members and the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processor_account: Option<String>,
}

impl OrganizationView {
    fn whole(row: organization::Model) -> Self {
        let (may_buy, processor_account) = (Some(row.may_buy), row.processor_account.clone());
        Self { may_buy, processor_account, ..Self::public(row) }
    }

    fn public(row: organization::Model) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            name: row.name,
            country: row.country,
            may_provide: row.may_provide,
            provider_kind: row.provider_kind,
            may_operate: row.may_operate,
            created_at: row.created_at,
            may_buy: None,
            processor_account: None,
        }
    }
}

/// Founds an organisation; whoever does becomes its owner.
#[utoipa::path(
    post, path = "/organizations", tag = "organizations", security(("bearer" = [])), request_body = OrganizationIn,
    responses(
        (status = 201, description = "Founded", body = OrganizationView),
        (status = 409, description = "You own as many organisations as one account may"),
    )
)]
pub async fn found_organization(
    State(app): State<AppState>,
    person: SignedIn,
    Json(input): Json<OrganizationIn>,
) -> Result<(StatusCode, Json<OrganizationView>)> {
    let OrganizationIn { name, country, may_provide, may_buy, provider_kind } = input;
    let new = NewOrganization { name, country, may_provide, may_buy, provider_kind };
    let row = service::found_organization(&app, person.account_id, new, &person.request_id).await?;
    Ok((StatusCode::CREATED, Json(OrganizationView::whole(row))))
}

/// Shows an organisation; its members and the operator see more than others.
#[utoipa::path(
    get, path = "/organizations/{organization_id}", tag = "organizations",
    params(("organization_id" = OrgId, Path)), security((), ("bearer" = [])),
    responses((status = 200, description = "The organisation", body = OrganizationView))
)]
pub async fn get_organization(
    State(app): State<AppState>,
    Visitor(actor): Visitor,
    Id(id): Id<OrgId>,
) -> Result<Json<OrganizationView>> {
    let found = store::find_public(app.db.read(), id).await?;
    let row = found.ok_or_else(|| Error::not_found("organisation"))?;
    let sees_all = actor.is_some_and(|actor| actor.org_id() == id || actor.organization.may_operate);
    Ok(Json(if sees_all { OrganizationView::whole(row) } else { OrganizationView::public(row) }))
}

/// Changes an organisation; for its owners and the operator.
#[utoipa::path(
    patch, path = "/organizations/{organization_id}", tag = "organizations",
    params(("organization_id" = OrgId, Path)), security(("bearer" = [])), request_body = OrganizationPatch,
    responses(
        (status = 200, description = "As it is now", body = OrganizationView),
        (status = 409, description = "The kind of provider is settled"),
    )
)]
pub async fn change_organization(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanManage>,
    Id(id): Id<OrgId>,
    Json(patch): Json<OrganizationPatch>,
) -> Result<Json<OrganizationView>> {
    let OrganizationPatch { name, country, may_provide, may_buy, provider_kind } = patch;
    let change = Change { name, country, may_provide, may_buy, provider_kind };
    let row = service::change_organization(&app, &actor, id, change).await?;
    Ok(Json(OrganizationView::whole(row)))
}
