//! Payout accounts over HTTP.

use axum::extract::State;
use entity::{Timestamp, payout_account};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service;
use crate::{
    auth::actor::{Acting, CanFinance},
    error::{Check, Error, Result},
    http::Json,
    state::AppState,
};

/// The operations of payout accounts.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_payout_account)).routes(routes!(start_onboarding))
}

/// Where your share is sent, and what the processor still needs to know of you.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "state": "needs_information", "account_ref": "acct_1032D82eZvKYlo2C", "transfers_active": false, "payouts_active": false,
    "requirements_due": ["external_account", "tos_acceptance.date"], "checked_at": "2026-11-21T10:00:00Z"
}))]
pub struct PayoutAccountView {
    /// Where the account stands.
    pub state: PayoutAccountState,
    /// The processor's id of the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_ref: Option<String>,
    /// Shares can be moved to it.
    pub transfers_active: bool,
    /// The processor pays out from it to a bank.
    pub payouts_active: bool,
    /// What is missing, in the processor's words.
    pub requirements_due: Vec<String>,
    /// Why the processor stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// When the processor said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Timestamp>,
}

/// Where a payout account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayoutAccountState {
    /// There is none; it is opened with the first payout, or by onboarding.
    None,
    /// The processor needs to know more before shares can move.
    NeedsInformation,
    /// Shares can move.
    Active,
}

impl TryFrom<Option<payout_account::Model>> for PayoutAccountView {
    type Error = Error;

    fn try_from(row: Option<payout_account::Model>) -> Result<Self> {
        let Some(row) = row else {
            return Ok(Self {
                state: PayoutAccountState::None,
                account_ref: None,
                transfers_active: false,
                payouts_active: false,
                requirements_due: Vec::new(),
                disabled_reason: None,
                checked_at: None,
            });
        };
        let state =
            if row.transfers_active { PayoutAccountState::Active } else { PayoutAccountState::NeedsInformation };
        Ok(Self {
            state,
            account_ref: Some(row.account_ref),
            transfers_active: row.transfers_active,
            payouts_active: row.payouts_active,
            requirements_due: serde_json::from_value(row.requirements_due)?,
            disabled_reason: row.disabled_reason,
            checked_at: Some(row.checked_at),
        })
    }
}

/// Shows where your organisation's share is sent; the processor is asked.
#[utoipa::path(get, path = "/settlement/payout-account", tag = "settlement", security(("bearer" = [])),
    responses((status = 200, description = "The account", body = PayoutAccountView)))]
pub async fn get_payout_account(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
) -> Result<Json<PayoutAccountView>> {
    Ok(Json(service::status(&app, actor.org_id()).await?.try_into()?))
}

/// Where to come back to.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"return_url": "https://rivers.example/torv"}))]
pub struct OnboardingIn {
    /// The page the processor sends your browser back to, done or not.
    #[schema(max_length = 2000)]
    pub return_url: String,
}

/// A page at the processor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"url": "https://connect.example/setup/s/1", "expires_at": "2026-11-21T10:05:00Z"}))]
pub struct OnboardingView {
    /// Its address. It works once; whoever has it can change the account.
    pub url: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Opens a page at the processor where your organisation proves who it is and names its bank.
///
/// Ask again for each visit: an address works once.
#[utoipa::path(post, path = "/settlement/payout-account/onboarding", tag = "settlement", security(("bearer" = [])),
    request_body = OnboardingIn,
    responses((status = 200, description = "Send your browser there", body = OnboardingView),
              (status = 409, description = "The processor needs nothing")))]
pub async fn start_onboarding(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanFinance>,
    Json(input): Json<OnboardingIn>,
) -> Result<Json<OnboardingView>> {
    let mut check = Check::new();
    check.web_page(&input.return_url, "/return_url");
    check.done()?;
    let link = service::onboarding(&app, actor.org_id(), &input.return_url).await?;
    Ok(Json(OnboardingView { url: link.url, expires_at: Timestamp(link.expires_at) }))
}
