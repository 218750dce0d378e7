//! The payment processor: charges, transfers, payouts and its own record of all three.
//!
//! Words are those of the trade: a *charge* takes a buyer's money, a *transfer* moves a provider's
//! share to the provider's account at the processor, a *payout* sends the operator's own balance to
//! its bank. Every call that moves money takes an idempotency key, and repeating it with the same
//! key has no second effect.

use async_trait::async_trait;
use entity::ids::{OrgId, PaymentId};
use time::OffsetDateTime;

use crate::base::{Currency, Money};

/// Whether a charge is captured at once or only authorised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capture {
    /// Authorise and capture in one step.
    Automatic,
    /// Authorise; capture or void later.
    Manual,
}

/// A charge to be made.
#[derive(Debug, Clone)]
pub struct ChargeRequest {
    /// Our payment; also the root of the idempotency key.
    pub payment_id: PaymentId,
    /// What the buyer pays.
    pub amount: Money,
    /// The processor's token for the buyer's means of payment; never a card number.
    pub method: String,
    /// Whether to capture at once.
    pub capture: Capture,
    /// What the buyer reads on the statement.
    pub description: String,
}

/// Where a charge stands at the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeState {
    /// The money is promised, not taken.
    Authorised,
    /// The processor is still at it; a webhook will tell.
    Processing,
    /// The money is taken.
    Captured,
    /// Refused; the buyer may try another means.
    Failed {
        /// The processor's word, `insufficient_funds`.
        code: String,
        /// A sentence for the buyer.
        text: String,
    },
    /// An authorisation given back.
    Voided,
}

/// A charge as the processor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The processor's id.
    pub processor_ref: String,
    /// Our payment it belongs to.
    pub payment_id: PaymentId,
    /// The amount.
    pub amount: Money,
    /// Where it stands.
    pub state: ChargeState,
}

/// A transfer of a provider's share.
#[derive(Debug, Clone)]
pub struct TransferRequest {
    /// `{payout id}:transfer:{attempt}`; the attempt is raised only after a definitive refusal.
    pub idempotency_key: String,
    /// Our payout, as the processor's reference to us.
    pub our_ref: String,
    /// The provider's account at the processor.
    pub destination: String,
    /// What moves.
    pub amount: Money,
}

/// A payout of the operator's own balance to its bank.
#[derive(Debug, Clone)]
pub struct PayoutRequest {
    /// `{payout id}:payout:{attempt}`.
    pub idempotency_key: String,
    /// Our payout, as the processor's reference to us.
    pub our_ref: String,
    /// What is sent.
    pub amount: Money,
}

/// What kind of line of the processor's balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionKind {
    /// A charge came in.
    Charge,
    /// A share went to a provider.
    Transfer,
    /// Our balance went to the bank.
    Payout,
    /// A payout came back.
    PayoutFailure,
    /// A fee on its own.
    Fee,
    /// A word this version does not know; it is booked to suspense, never dropped.
    Other(String),
}

impl TransactionKind {
    /// The stored spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Charge => "charge",
            Self::Transfer => "transfer",
            Self::Payout => "payout",
            Self::PayoutFailure => "payout_failure",
            Self::Fee => "fee",
            Self::Other(word) => word,
        }
    }

    /// Reads a stored or received spelling.
    pub fn from_word(word: &str) -> Self {
        match word {
            "charge" => Self::Charge,
            "transfer" => Self::Transfer,
            "payout" => Self::Payout,
            "payout_failure" => Self::PayoutFailure,
            "fee" => Self::Fee,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// A line of the processor's balance: `net = amount − fee`, positive in, negative out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// The processor's id of the line; the same id is the same line.
    pub id: String,
    /// What kind of movement.
    pub kind: TransactionKind,
    /// Gross, signed.
    pub amount: Money,
    /// The processor's fee, not negative.
    pub fee_minor: i64,
    /// The charge, transfer or payout it comes from.
    pub source_ref: String,
    /// Our reference that was given with it: a payment or payout id.
    pub our_ref: Option<String>,
    /// When it happened.
    pub created_at: OffsetDateTime,
    /// From when the net can be spent.
    pub available_at: OffsetDateTime,
}

/// What we have at the processor, in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorBalance {
    /// The currency.
    pub currency: Currency,
    /// Taken, not yet to be spent.
    pub pending_minor: i64,
    /// To be spent.
    pub available_minor: i64,
}

/// What a verified webhook tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The processor's id of the event; the same id is the same event.
    pub id: String,
    /// The processor's word for it.
    pub kind: String,
    /// The charge it is about, if it is about one.
    pub charge: Option<Charge>,
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

/// A page of the processor's balance lines.
#[derive(Debug, Clone, Default)]
pub struct TransactionPage {
    /// In the order in which they happened.
    pub transactions: Vec<Transaction>,
    /// Where to go on; absent at the end.
    pub next: Option<String>,
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
    ///
    /// # Errors
    /// [`PaymentsError::Unknown`].
    async fn find_charge(&self, payment_id: PaymentId) -> Result<Option<Charge>, PaymentsError>;

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
