//! Stripe behind the payments port: separate charges and transfers, so that every cent of a split is decided here.
//!
//! A charge of ours is a payment intent of Stripe's; a share moves out of the charge it comes from; Stripe pays the
//! operator's balance out by itself. The crate `torv-stripe` speaks to Stripe, this module translates.

mod after_sale;
mod charge_rules;
mod charges;
mod lines;
mod providers;
mod webhook;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use entity::ids::{OrgId, PaymentId};
use time::OffsetDateTime;
use torv_stripe::{Gateway, GatewayError, SIGNATURE_HEADER, Settings};

use crate::{
    base::{Clock, Currency, Money, chargeable::ChargeRules},
    config,
    error::{Error, Result},
    ports::payments::{
        AccountStatus, Charge, ChargeRequest, CheckoutRequest, Dispute, Evidence, Features, Link, Payments,
        PaymentsError, PayoutRequest, ProcessorBalance, ProcessorPayout, Refund, RefundRequest, ReversalRequest,
        SaveMethodRequest, SavedMethod, TransactionPage, TransferRequest, WebhookEvent,
    },
};

/// The metadata key under which Stripe keeps our reference: a payment, refund, payout, or reversal id.
const OUR_REF: &str = "torv_ref";
/// The metadata key of what a hosted page made: there a decline is not the end, the buyer tries another card.
const VIA_CHECKOUT: &str = "torv_checkout";

/// The adapter.
pub struct Stripe {
    gateway: Gateway,
    clock: Clock,
    settings: config::Stripe,
    /// Tells changes of a setting at the same moment apart.
    changes: AtomicU64,
}

impl Stripe {
    /// A connection with these settings; nothing is sent before the first call.
    ///
    /// # Errors
    /// Internal, for settings that can't work.
    pub fn new(settings: config::Stripe, webhook_secrets: &[config::Secret], clock: Clock) -> Result<Self> {
        let mut connection = Settings::new(settings.secret_key.expose().to_owned().into());
        connection.api_base.clone_from(&settings.api_base);
        connection.timeout_seconds = settings.timeout_seconds;
        connection.webhook_secrets = webhook_secrets.iter().map(|secret| secret.expose().to_owned().into()).collect();
        let gateway = Gateway::new(&connection).map_err(Error::internal)?;
        Ok(Self { gateway, clock, settings, changes: AtomicU64::new(0) })
    }
}

/// The metadata that carries our reference.
fn metadata(our_ref: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(OUR_REF.to_owned(), our_ref.to_owned())])
}

fn money(minor: i64, code: &str) -> Result<Money, PaymentsError> {
    let currency: Currency = code.parse().map_err(|error: crate::base::currency::UnknownCurrency| {
        PaymentsError::Unreadable(format!("the processor counts in a currency that is not supported here: {error}"))
    })?;
    Ok(Money::new(minor, currency))
}

/// What a failed call means here: a definitive no, or an effect nobody knows yet.
impl From<GatewayError> for PaymentsError {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Refused { code, decline_code, text, .. } => {
                Self::Refused { code: decline_code.unwrap_or(code), text }
            }
            GatewayError::NotFound { text, .. } => Self::Refused { code: "not_found".to_owned(), text },
            GatewayError::Invalid(text) => Self::Refused { code: "invalid_request".to_owned(), text },
            unknown => Self::Unknown(unknown.to_string()),
        }
    }
}

#[async_trait]
impl Payments for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn features(&self) -> Features {
        Features { transfers_per_charge: true, automatic_payouts: true, checks_providers: true }
    }

    fn charge_rules(&self, currency: Currency) -> ChargeRules {
        charge_rules::charge_rules(currency)
    }

    async fn charge(&self, request: &ChargeRequest) -> Result<Charge, PaymentsError> {
        self.make_charge(request).await
    }

    async fn capture(&self, processor_ref: &str) -> Result<Charge, PaymentsError> {
        self.capture_charge(processor_ref).await
    }

    async fn void(&self, processor_ref: &str) -> Result<Charge, PaymentsError> {
        self.void_charge(processor_ref).await
    }

    async fn find_charge(&self, payment: PaymentId, known: Option<&str>) -> Result<Option<Charge>, PaymentsError> {
        self.look_for_charge(payment, known).await
    }

    async fn open_checkout(&self, request: &CheckoutRequest) -> Result<Charge, PaymentsError> {
        self.open_page(request).await
    }

    async fn save_method(&self, request: &SaveMethodRequest) -> Result<SavedMethod, PaymentsError> {
        self.keep_method(request).await
    }

    async fn open_account(&self, organization: OrgId, country: &str) -> Result<String, PaymentsError> {
        self.open_provider(organization, country).await
    }

    async fn account_status(&self, account_ref: &str) -> Result<AccountStatus, PaymentsError> {
        Ok(providers::status(self.gateway.retrieve_account(account_ref).await?))
    }

    async fn onboarding_link(&self, account_ref: &str, return_url: &str) -> Result<Link, PaymentsError> {
        self.link_to_onboarding(account_ref, return_url).await
    }

    async fn transfer(&self, request: &TransferRequest) -> Result<String, PaymentsError> {
        self.send_share(request).await
    }

    async fn reverse(&self, request: &ReversalRequest) -> Result<String, PaymentsError> {
        self.take_share_back(request).await
    }

    async fn refund(&self, request: &RefundRequest) -> Result<Refund, PaymentsError> {
        self.make_refund(request).await
    }

    async fn find_refund(&self, charge_ref: &str, our_ref: &str) -> Result<Option<Refund>, PaymentsError> {
        self.look_for_refund(charge_ref, our_ref).await
    }

    async fn find_reversal(&self, transfer_ref: &str, our_ref: &str) -> Result<Option<String>, PaymentsError> {
        self.look_for_reversal(transfer_ref, our_ref).await
    }

    async fn disputes(&self, since: OffsetDateTime) -> Result<Vec<Dispute>, PaymentsError> {
        self.list_disputes(since).await
    }

    async fn submit_evidence(&self, dispute_ref: &str, evidence: &Evidence) -> Result<Dispute, PaymentsError> {
        self.hand_evidence_in(dispute_ref, evidence).await
    }

    async fn accept_dispute(&self, dispute_ref: &str) -> Result<Dispute, PaymentsError> {
        after_sale::dispute(self.gateway.close_dispute(dispute_ref, &format!("{dispute_ref}:accept")).await?)
    }

    async fn payout(&self, _request: &PayoutRequest) -> Result<String, PaymentsError> {
        // Only automatic payouts can be told line by line, so the operator's balance leaves no other way.
        let text = "Stripe pays the operator's balance out by itself.".to_owned();
        Err(PaymentsError::Refused { code: "automatic_payouts".to_owned(), text })
    }

    async fn keep_back(&self, owed: &[Money]) -> Result<(), PaymentsError> {
        let minimum: BTreeMap<_, _> =
            owed.iter().map(|money| (money.currency.code().to_owned(), money.minor)).collect();
        // Under the key of an earlier change Stripe would repeat its answer and change nothing. Two processes may tell
        // different things at the same instant, so the key says what is told.
        let number = self.changes.fetch_add(1, Ordering::Relaxed);
        let told: Vec<String> = minimum.iter().map(|(code, minor)| format!("{code}{minor}")).collect();
        let told = crate::base::digest::sha256_hex(told.join(",").as_bytes());
        let key = format!("keep_back:{}:{number}:{}", self.clock.now().unix_timestamp_nanos(), &told[..16]);
        self.gateway.update_minimum_balance(&minimum, &key).await?;
        Ok(())
    }

    async fn payouts(&self, since: OffsetDateTime) -> Result<Vec<ProcessorPayout>, PaymentsError> {
        self.list_payouts(since).await
    }

    async fn payout_lines(&self, payout_ref: &str) -> Result<Vec<String>, PaymentsError> {
        self.lines_of_payout(payout_ref).await
    }

    async fn transactions(
        &self,
        since: OffsetDateTime,
        after: Option<&str>,
        _limit: u32,
    ) -> Result<TransactionPage, PaymentsError> {
        self.list_lines(since, after).await
    }

    async fn balances(&self) -> Result<Vec<ProcessorBalance>, PaymentsError> {
        self.read_balances().await
    }

    fn signature_header(&self) -> &'static str {
        SIGNATURE_HEADER
    }

    fn parse_event(&self, body: &[u8]) -> Result<WebhookEvent, PaymentsError> {
        webhook::parse(body)
    }

    fn read_webhook(&self, signature: &str, body: &[u8], now: OffsetDateTime) -> Result<WebhookEvent, PaymentsError> {
        self.gateway.verify_webhook(signature, body, now).map_err(|error| {
            tracing::warn!("a webhook was refused: {error}");
            PaymentsError::BadSignature
        })?;
        webhook::parse(body)
    }
}
