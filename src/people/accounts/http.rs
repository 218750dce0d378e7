//! Accounts over HTTP.

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp, account,
    ids::{AccountId, OrgId},
    membership, organization,
    states::Role,
};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{
    service::{self, NewAccount},
    store,
};
use crate::{
    auth::actor::SignedIn,
    config::Secret,
    error::{Error, Result},
    http::{Json, middleware::RequestId},
    state::AppState,
};

/// The operations of accounts.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(register_account))
        .routes(utoipa_axum::routes!(get_my_account))
        .routes(utoipa_axum::routes!(change_my_password))
}

/// Somebody who wants to log in from now on.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "email": "mette@example.org", "password": "harbour seagull lamp", "display_name": "Mette Juul", "locale": "da"
}))]
pub struct AccountIn {
    /// The mail address to log in with, in ASCII.
    #[schema(format = Email, max_length = 254)]
    pub email: String,
    /// 12 to 200 characters that nobody would guess.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 200, write_only)]
    pub password: Secret,
    /// What others call them.
    #[schema(min_length = 1, max_length = 120)]
    pub display_name: String,
    /// The language they read, a BCP 47 tag; English without it.
    #[serde(default = "english")]
    #[schema(max_length = 16, default = "en")]
    pub locale: String,
}

fn english() -> String {
    "en".to_owned()
}

/// An account, as its owner sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "acc_019352f0a1b27c3d8e4f5061728394a5", "email": "mette@example.org", "display_name": "Mette Juul",
    "locale": "da", "created_at": "2026-11-21T10:00:00Z"
}))]
pub struct AccountView {
    /// Its id.
    pub id: AccountId,
    /// The mail address it logs in with, in lower case.
    pub email: String,
    /// What others call them.
    pub display_name: String,
    /// The language they read.
    pub locale: String,
    /// When it was registered.
    pub created_at: Timestamp,
}

impl From<account::Model> for AccountView {
    fn from(row: account::Model) -> Self {
        Self {
            id: row.id,
            email: row.email,
            display_name: row.display_name,
            locale: row.locale,
            created_at: row.created_at,
        }
    }
}

/// An account with the organisations it belongs to.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "acc_019352f0a1b27c3d8e4f5061728394a5", "email": "mette@example.org", "display_name": "Mette Juul",
    "locale": "da", "created_at": "2026-11-21T10:00:00Z", "memberships": [{
        "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "slug": "harbour-lab", "name": "Harbour Lab",
        "role": "owner", "since": "2026-11-21T10:05:00Z"
    }]
}))]
pub struct MyAccountView {
    /// The account.
    #[serde(flatten)]
    pub account: AccountView,
    /// The organisations, in the order of joining.
    pub memberships: Vec<MembershipView>,
}

/// An organisation somebody belongs to.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MembershipView {
    /// The organisation; send it as `Torv-Organization` to act for it.
    pub organization_id: OrgId,
    /// Its short name.
    pub slug: String,
    /// Its name.
    pub name: String,
    /// The role there.
    pub role: Role,
    /// When it was joined.
    pub since: Timestamp,
}

impl From<(membership::Model, organization::Model)> for MembershipView {
    fn from((member, org): (membership::Model, organization::Model)) -> Self {
        Self { organization_id: org.id, slug: org.slug, name: org.name, role: member.role, since: member.created_at }
    }
}

/// Replaces a password.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"current_password": "harbour seagull lamp", "new_password": "lantern pier oatmeal"}))]
pub struct PasswordChangeIn {
    /// The present one.
    #[schema(value_type = String, format = Password, write_only)]
    pub current_password: Secret,
    /// 12 to 200 characters that nobody would guess.
    #[schema(value_type = String, format = Password, min_length = 12, max_length = 200, write_only)]
    pub new_password: Secret,
}

/// Registers an account; it can log in at once.
#[utoipa::path(
    post, path = "/accounts", tag = "accounts", request_body = AccountIn,
    responses(
        (status = 201, description = "Registered", body = AccountView),
        (status = 409, description = "The mail address has an account already"),
    )
)]
pub async fn register_account(
    State(app): State<AppState>,
    request_id: RequestId,
    Json(input): Json<AccountIn>,
) -> Result<(StatusCode, Json<AccountView>)> {
    let AccountIn { email, password, display_name, locale } = input;
    let new = NewAccount { email, password, display_name, locale };
    let row = service::register(&app, new, &request_id.0).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// Shows the account that is logged in, and the organisations it belongs to.
#[utoipa::path(
    get, path = "/accounts/me", tag = "accounts", security(("bearer" = [])),
    responses((status = 200, description = "The account", body = MyAccountView))
)]
pub async fn get_my_account(State(app): State<AppState>, person: SignedIn) -> Result<Json<MyAccountView>> {
    let row = store::find(app.db.read(), person.account_id).await?.ok_or_else(|| Error::not_found("account"))?;
    let memberships = store::memberships(app.db.read(), person.account_id).await?;
    let memberships = memberships.into_iter().map(MembershipView::from).collect();
    Ok(Json(MyAccountView { account: row.into(), memberships }))
}

/// Changes the password and ends all other sessions of the account.
#[utoipa::path(
    post, path = "/accounts/me/password", tag = "accounts", security(("bearer" = [])), request_body = PasswordChangeIn,
    responses(
        (status = 204, description = "Changed; every other session has ended"),
        (status = 429, description = "Too many wrong passwords",
            headers(("retry-after" = u32, description = "Seconds to wait"))),
    )
)]
pub async fn change_my_password(
    State(app): State<AppState>,
    person: SignedIn,
    Json(input): Json<PasswordChangeIn>,
) -> Result<StatusCode> {
    service::change_password(&app, &person, &input.current_password, &input.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}
