//! Bank accounts over HTTP.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use entity::{Timestamp, bank_account};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;

use super::{
    model::{self, CsvLayout},
    service::{self, NewBankAccount},
    store,
};
use crate::{
    auth::actor::{CanFinance, Operating},
    base::{Currency, page::Page},
    error::{Error, Result},
    http::Json,
    state::AppState,
};

/// The operations of bank accounts.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(utoipa_axum::routes!(open_bank_account))
        .routes(utoipa_axum::routes!(list_bank_accounts))
        .routes(utoipa_axum::routes!(set_bank_profile))
}

/// A bank account to be opened.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "name": "main_eur", "number": "DK50 0040 0440 1162 43", "currency": "EUR", "csv_layout": "danish"
}))]
pub struct BankAccountIn {
    /// Its short name: lower-case letters, digits and underscores. The ledger calls it `bank.NAME`.
    #[schema(max_length = 40, pattern = "^[a-z][a-z0-9_]*$")]
    pub name: String,
    /// IBAN, or what the bank uses instead.
    #[schema(max_length = 40)]
    pub number: String,
    /// Its currency; statements in another one are refused.
    pub currency: Currency,
    /// A built-in layout of the bank's tables.
    pub csv_layout: Option<CsvLayout>,
    /// The layout of the bank's tables, instead of a built-in one.
    #[schema(value_type = Option<Object>)]
    pub csv_profile: Option<serde_json::Value>,
}

/// How a bank lays out its tables: built in, or written out.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"csv_layout": "german"}))]
pub struct BankProfileIn {
    /// A built-in layout.
    pub csv_layout: Option<CsvLayout>,
    /// The layout, instead of a built-in one.
    #[schema(value_type = Option<Object>)]
    pub csv_profile: Option<serde_json::Value>,
}

/// A bank account of the operator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "name": "main_eur", "number": "DK5000400440116243", "currency": "EUR", "ledger_account": "bank.main_eur",
    "created_at": "2026-11-21T10:00:00Z"
}))]
pub struct BankAccountView {
    /// Its short name.
    pub name: String,
    /// IBAN, or what the bank uses instead.
    pub number: String,
    /// Its currency.
    pub currency: Currency,
    /// What the ledger calls it.
    pub ledger_account: String,
    /// The layout of the bank's tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub csv_profile: Option<serde_json::Value>,
    /// When it was opened.
    pub created_at: Timestamp,
}

impl TryFrom<bank_account::Model> for BankAccountView {
    type Error = Error;

    fn try_from(row: bank_account::Model) -> Result<Self> {
        Ok(Self {
            currency: model::currency_of(&row)?,
            ledger_account: model::ledger_account(&row.name).code(),
            name: row.name,
            number: row.number,
            csv_profile: row.csv_profile,
            created_at: row.created_at,
        })
    }
}

fn profile_in(layout: Option<CsvLayout>, profile: Option<serde_json::Value>) -> Result<Option<torv_bank::CsvProfile>> {
    match (layout, profile) {
        (Some(_), Some(_)) => Err(Error::invalid("/csv_profile", "Name a layout or write a profile, not both.")),
        (Some(layout), None) => Ok(Some(layout.profile())),
        (None, Some(value)) => model::checked_profile(value).map(Some),
        (None, None) => Ok(None),
    }
}

/// Opens a bank account whose statements are taken.
#[utoipa::path(
    post, path = "/settlement/bank-accounts", tag = "settlement", security(("bearer" = [])), request_body = BankAccountIn,
    responses(
        (status = 201, description = "The account", body = BankAccountView),
        (status = 409, description = "The name or the number is taken")
    )
)]
pub async fn open_bank_account(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Json(input): Json<BankAccountIn>,
) -> Result<(StatusCode, Json<BankAccountView>)> {
    let profile = profile_in(input.csv_layout, input.csv_profile)?;
    let new = NewBankAccount { name: input.name, number: input.number, currency: input.currency, profile };
    Ok((StatusCode::CREATED, Json(service::open(&app, &actor, new).await?.try_into()?)))
}

/// Lists the operator's bank accounts, by name.
#[utoipa::path(
    get, path = "/settlement/bank-accounts", tag = "settlement", security(("bearer" = [])),
    responses((status = 200, description = "All accounts", body = Page<BankAccountView>, example = json!({"items": [{
        "name": "main_eur", "number": "DK5000400440116243", "currency": "EUR", "ledger_account": "bank.main_eur",
        "created_at": "2026-11-21T10:00:00Z"
    }]})))
)]
pub async fn list_bank_accounts(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
) -> Result<Json<Page<BankAccountView>>> {
    let rows = store::all(app.db.read()).await?;
    let items = rows.into_iter().map(BankAccountView::try_from).collect::<Result<_>>()?;
    Ok(Json(Page { items, next_cursor: None }))
}

/// Changes how the tables of an account are read.
#[utoipa::path(
    put, path = "/settlement/bank-accounts/{name}/csv-profile", tag = "settlement", security(("bearer" = [])),
    params(("name" = String, Path, description = "The account's short name", example = "main_eur")),
    request_body = BankProfileIn, responses((status = 200, description = "The account", body = BankAccountView))
)]
pub async fn set_bank_profile(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    Path(name): Path<String>,
    Json(input): Json<BankProfileIn>,
) -> Result<Json<BankAccountView>> {
    let profile = profile_in(input.csv_layout, input.csv_profile)?;
    let profile = profile.ok_or_else(|| Error::invalid("/csv_layout", "Name a layout, or write a profile."))?;
    Ok(Json(service::set_profile(&app, &actor, name, profile).await?.try_into()?))
}
