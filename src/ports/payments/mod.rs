//! The payment processor: charges, transfers, payouts and its own record of all three.
//!
//! Words are those of the trade: a *charge* takes a buyer's money, a *transfer* moves a provider's
//! share to the provider's account at the processor, a *payout* sends the operator's own balance to
//! its bank. Every call that moves money takes an idempotency key, and repeating it with the same
//! key has no second effect.

mod after_sale;
mod charges;
mod lines;
mod providers;

use async_trait::async_trait;
use entity::ids::{OrgId, PaymentId};
use time::OffsetDateTime;

use crate::{
    base::{Currency, Money, chargeable::ChargeRules},
    limits,
};
pub use after_sale::{Dispute, DisputeStage, Evidence, Refund, RefundRequest, RefundState};
pub use charges::{
    Action, BANK_TRANSFER, BankInstructions, Capture, Charge, ChargeRequest, ChargeState, CheckoutRequest,
    SaveMethodRequest, SavedMethod,
};
pub use lines::{
    ProcessorBalance, Subject, Transaction, TransactionKind, TransactionPage, UnreadableLine, WebhookEvent,
};
pub use providers::{AccountStatus, Link, PayoutRequest, ProcessorPayout, ReversalRequest, TransferRequest};

/// What a processor does in its own way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// A share moves out of the charge it comes from, so a payout carries one order.
    pub transfers_per_charge: bool,
    /// The operator's balance goes to its bank without being asked for.
    pub automatic_payouts: bool,
    /// Providers have to be checked before shares move to them.
    pub checks_providers: bool,
}

/// Why the processor did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum PaymentsError {
    /// A definitive no, safe to show: another attempt needs something changed.
    #[error("the processor refused: {text}")]
    Refused {
        /// The processor's word.
        code: String,
        /// A sentence for people.
        text: String,
    },
    /// No answer, or a passing failure: the effect is unknown, and the same key must be used again.
    #[error("the processor did not answer: {0}")]
    Unknown(String),
    /// A webhook whose signature does not hold.
    #[error("the webhook is not signed by the processor")]
    BadSignature,
    /// A webhook that is signed but can't be read.
    #[error("the webhook can't be read: {0}")]
    Unreadable(String),
}

/// A payment processor.
#[async_trait]
pub trait Payments: Send + Sync {
    /// The name that webhooks come in under and that payments carry, `sandbox`.
    fn name(&self) -> &'static str;

    /// Makes a charge. Idempotent by `payment_id`.
    ///
    /// A decline is a [`Charge`] in [`ChargeState::Failed`], not an error.
    ///
    /// # Errors
    /// [`PaymentsError::Refused`] for a request it can't take, [`PaymentsError::Unknown`] otherwise.
    async fn charge(&self, request: &ChargeRequest) -> Result<Charge, PaymentsError>;

    /// Captures an authorised charge. Capturing a captured one changes nothing.
    ///
    /// # Errors
    /// As [`Payments::charge`].
    async fn capture(&self, processor_ref: &str) -> Result<Charge, PaymentsError>;

    /// Gives an authorisation back. Voiding a voided one changes nothing.
    ///
    /// # Errors
    /// As [`Payments::charge`].
    async fn void(&self, processor_ref: &str) -> Result<Charge, PaymentsError>;

    /// The charge made for `payment_id`, if there is one: how a crash between call and answer heals.
    /// `known` is the processor's id, where an answer told it.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn find_charge(&self, payment_id: PaymentId, known: Option<&str>) -> Result<Option<Charge>, PaymentsError>;

    /// Opens an account for a provider's money, once per organisation; returns its id.
    ///
    /// # Errors
    /// As [`Payments::charge`].
    async fn open_account(&self, organization: OrgId, country: &str) -> Result<String, PaymentsError>;

    /// Moves a provider's share out of the available balance; returns the transfer's id.
    ///
    /// # Errors
    /// As [`Payments::charge`]; too little available balance is a refusal.
    async fn transfer(&self, request: &TransferRequest) -> Result<String, PaymentsError>;

    /// Sends the operator's balance to its bank; returns the payout's id.
    ///
    /// # Errors
    /// As [`Payments::transfer`].
    async fn payout(&self, request: &PayoutRequest) -> Result<String, PaymentsError>;

    /// Lines of the balance from `since` on, oldest first, after the cursor `after` of the page before.
    ///
    /// A line can appear late with an earlier time, so an importer reads with an overlap.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn transactions(
        &self,
        since: OffsetDateTime,
        after: Option<&str>,
        limit: u32,
    ) -> Result<TransactionPage, PaymentsError>;

    /// What we have there, per currency.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn balances(&self) -> Result<Vec<ProcessorBalance>, PaymentsError>;

    /// What can be charged in a currency: every sum of up to eight digits, unless the processor says otherwise.
    fn charge_rules(&self, _currency: Currency) -> ChargeRules {
        ChargeRules { min_minor: 1, max_minor: limits::PRICE_MINOR_MAX, step_minor: 1 }
    }

    /// What this processor does in its own way.
    fn features(&self) -> Features {
        Features::default()
    }

    /// Gives money back to a buyer. Idempotent by its key.
    ///
    /// # Errors
    /// As [`Payments::charge`]; more than is left of the charge is a refusal.
    async fn refund(&self, _request: &RefundRequest) -> Result<Refund, PaymentsError> {
        Err(not_offered())
    }

    /// The refund made under our reference, if there is one.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn find_refund(&self, _charge_ref: &str, _our_ref: &str) -> Result<Option<Refund>, PaymentsError> {
        Err(not_offered())
    }

    /// Takes part of a transfer back; returns the reversal's id.
    ///
    /// # Errors
    /// As [`Payments::charge`]; a provider's account that holds too little is a refusal.
    async fn reverse(&self, _request: &ReversalRequest) -> Result<String, PaymentsError> {
        Err(not_offered())
    }

    /// The reversal of a transfer made under our reference, if there is one.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn find_reversal(&self, _transfer_ref: &str, _our_ref: &str) -> Result<Option<String>, PaymentsError> {
        Err(not_offered())
    }

    /// Disputes opened or changed since, oldest first: how a lost webhook heals.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn disputes(&self, _since: OffsetDateTime) -> Result<Vec<Dispute>, PaymentsError> {
        Ok(Vec::new())
    }

    /// Hands evidence in, for good.
    ///
    /// # Errors
    /// As [`Payments::charge`]; evidence that comes too late is a refusal.
    async fn submit_evidence(&self, _dispute_ref: &str, _evidence: &Evidence) -> Result<Dispute, PaymentsError> {
        Err(not_offered())
    }

    /// Gives a dispute up.
    ///
    /// # Errors
    /// As [`Payments::charge`].
    async fn accept_dispute(&self, _dispute_ref: &str) -> Result<Dispute, PaymentsError> {
        Err(not_offered())
    }

    /// What the processor demands of a provider's account.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn account_status(&self, account_ref: &str) -> Result<AccountStatus, PaymentsError> {
        let account_ref = account_ref.to_owned();
        Ok(AccountStatus { account_ref, transfers_active: true, payouts_active: true, ..AccountStatus::default() })
    }

    /// A page on which a provider gives what is demanded.
    ///
    /// # Errors
    /// As [`Payments::charge`].
    async fn onboarding_link(&self, _account_ref: &str, _return_url: &str) -> Result<Link, PaymentsError> {
        Err(not_offered())
    }

    /// Opens a page on which a buyer pays. Idempotent by `payment_id`.
    ///
    /// # Errors
    /// As [`Payments::charge`].
    async fn open_checkout(&self, _request: &CheckoutRequest) -> Result<Charge, PaymentsError> {
        Err(not_offered())
    }

    /// Keeps a means of payment for charges without the buyer.
    ///
    /// # Errors
    /// As [`Payments::charge`].
    async fn save_method(&self, _request: &SaveMethodRequest) -> Result<SavedMethod, PaymentsError> {
        Err(not_offered())
    }

    /// Payouts that the processor made by itself since, oldest first.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn payouts(&self, _since: OffsetDateTime) -> Result<Vec<ProcessorPayout>, PaymentsError> {
        Ok(Vec::new())
    }

    /// The ids of the balance lines that a payout is made of.
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn payout_lines(&self, _payout_ref: &str) -> Result<Vec<String>, PaymentsError> {
        Ok(Vec::new())
    }

    /// Tells what has to stay, per currency, when the processor pays the operator's balance out by itself.
    ///
    /// Each amount is positive or zero and replaces the one told before, so repeating it changes nothing.
    ///
    /// # Errors
    /// As [`Payments::charge`].
    async fn keep_back(&self, _owed: &[Money]) -> Result<(), PaymentsError> {
        Ok(())
    }

    /// The header a webhook's signature comes in.
    fn signature_header(&self) -> &'static str;

    /// Reads an event that was verified and stored before.
    ///
    /// # Errors
    /// [`PaymentsError::Unreadable`].
    fn parse_event(&self, body: &[u8]) -> Result<WebhookEvent, PaymentsError>;

    /// Verifies a webhook's signature over the raw body, then reads it.
    ///
    /// # Errors
    /// [`PaymentsError::BadSignature`] and [`PaymentsError::Unreadable`].
    fn read_webhook(&self, signature: &str, body: &[u8], now: OffsetDateTime) -> Result<WebhookEvent, PaymentsError>;
}

fn not_offered() -> PaymentsError {
    PaymentsError::Refused {
        code: "not_offered".to_owned(),
        text: "This payment processor does not offer that.".to_owned(),
    }
}
