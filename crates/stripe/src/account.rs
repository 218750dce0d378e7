//! Connected accounts: the providers, as far as paying them goes.

use std::collections::{BTreeMap, HashMap};

use stripe_connect::account as api;
use stripe_connect::account_link::{CreateAccountLink, CreateAccountLinkType};
use time::OffsetDateTime;

use crate::error::GatewayError;
use crate::gateway::{Gateway, checked_id};
use crate::read::{Fields, Read, ReadError};

/// A provider who wants to be paid. The account can receive transfers; it cannot charge anybody itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRequest {
    pub kind: AccountKind,
    /// ISO 3166 alpha-2; cannot be changed later. None: asked during onboarding, if Stripe allows it.
    pub country: Option<String>,
    pub email: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// Who runs the account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccountKind {
    /// Stripe's own type: Stripe collects the requirements, the provider has the small dashboard, the platform bears losses.
    #[default]
    Express,
    /// The same said by the properties that replace the types.
    Controller,
}

/// A provider as Stripe sees them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: String,
    pub country: Option<String>,
    pub default_currency: Option<String>,
    /// Word by capability: `active`, `inactive`, `pending`.
    pub capabilities: BTreeMap<String, String>,
    pub charges_enabled: bool,
    pub payouts_enabled: bool,
    pub details_submitted: bool,
    pub requirements: Requirements,
    pub metadata: BTreeMap<String, String>,
}

/// What Stripe still wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirements {
    pub currently_due: Vec<String>,
    pub past_due: Vec<String>,
    pub eventually_due: Vec<String>,
    pub pending_verification: Vec<String>,
    pub disabled_reason: Option<String>,
    /// After this moment what is currently due becomes past due, and capabilities are lost.
    pub current_deadline: Option<OffsetDateTime>,
}

impl Account {
    /// Whether money may be sent to it now: Stripe refuses a transfer to an account without the active capability, and soon
    /// takes the capability from one that has something due.
    pub fn can_receive_transfers(&self) -> bool {
        self.capabilities.get("transfers").is_some_and(|word| word == "active")
            && self.requirements.currently_due.is_empty()
            && self.requirements.past_due.is_empty()
    }
}

/// A page of Stripe's where a provider answers what is due. Works once, and not for long.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountLink {
    pub url: String,
    pub expires_at: OffsetDateTime,
}

impl std::fmt::Debug for AccountLink {
    /// Without the address: who has it can edit the account.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountLink").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What the page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountLinkUse {
    Onboarding,
    Update,
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`.
    pub async fn create_account(
        &self,
        request: &AccountRequest,
        idempotency_key: &str,
    ) -> Result<Account, GatewayError> {
        self.tell(create_request(request), idempotency_key).await
    }

    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_account(&self, id: &str) -> Result<Account, GatewayError> {
        self.ask(api::RetrieveAccount::new(checked_id(id)?)).await
    }

    /// Makes a link to Stripe's pages. Stripe sends the provider to `refresh_url` if it was used up or too old: that page has
    /// to make a new link, under a new idempotency key.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn create_account_link(
        &self,
        account: &str,
        link_use: AccountLinkUse,
        refresh_url: &str,
        return_url: &str,
        idempotency_key: &str,
    ) -> Result<AccountLink, GatewayError> {
        let kind = match link_use {
            AccountLinkUse::Onboarding => CreateAccountLinkType::AccountOnboarding,
            AccountLinkUse::Update => CreateAccountLinkType::AccountUpdate,
        };
        let call = CreateAccountLink::new(checked_id(account)?, kind).refresh_url(refresh_url).return_url(return_url);
        self.tell(call, idempotency_key).await
    }
}

fn create_request(request: &AccountRequest) -> api::CreateAccount {
    let mut transfers = api::CreateAccountCapabilitiesTransfers::new();
    transfers.requested = Some(true);
    let mut capabilities = api::CreateAccountCapabilities::new();
    capabilities.transfers = Some(transfers);
    let metadata: HashMap<_, _> = request.metadata.clone().into_iter().collect();
    let mut call = api::CreateAccount::new().capabilities(capabilities).metadata(metadata);
    call = match request.kind {
        AccountKind::Express => call.type_(api::CreateAccountType::Express),
        AccountKind::Controller => call.controller(express_controller()),
    };
    if let Some(country) = &request.country {
        call = call.country(country);
    }
    if let Some(email) = &request.email {
        call = call.email(email);
    }
    call
}

fn express_controller() -> api::CreateAccountController {
    let mut fees = api::CreateAccountControllerFees::new();
    fees.payer = Some(api::CreateAccountControllerFeesPayer::Application);
    let mut losses = api::CreateAccountControllerLosses::new();
    losses.payments = Some(api::CreateAccountControllerLossesPayments::Application);
    let mut dashboard = api::CreateAccountControllerStripeDashboard::new();
    dashboard.type_ = Some(api::CreateAccountControllerStripeDashboardType::Express);
    let mut controller = api::CreateAccountController::new();
    controller.fees = Some(fees);
    controller.losses = Some(losses);
    controller.stripe_dashboard = Some(dashboard);
    controller.requirement_collection = Some(api::CreateAccountControllerRequirementCollection::Stripe);
    controller
}

impl Read for Account {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            id: fields.text("id")?,
            country: fields.text_or_none("country")?,
            default_currency: fields.text_or_none("default_currency")?.map(|code| code.to_uppercase()),
            capabilities: fields.words("capabilities")?,
            charges_enabled: fields.flag_or_false("charges_enabled")?,
            payouts_enabled: fields.flag_or_false("payouts_enabled")?,
            details_submitted: fields.flag_or_false("details_submitted")?,
            requirements: fields.expanded("requirements")?.unwrap_or_default(),
            metadata: fields.metadata()?,
        })
    }
}

impl Read for Requirements {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            currently_due: fields.texts("currently_due")?,
            past_due: fields.texts("past_due")?,
            eventually_due: fields.texts("eventually_due")?,
            pending_verification: fields.texts("pending_verification")?,
            disabled_reason: fields.text_or_none("disabled_reason")?,
            current_deadline: fields.time_or_none("current_deadline")?,
        })
    }
}

impl Read for AccountLink {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self { url: fields.text("url")?, expires_at: fields.time("expires_at")? })
    }
}
