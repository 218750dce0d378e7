//! Taking a buyer's money.

use entity::ids::{OrgId, PaymentId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::base::Money;

/// The means of payment of a buyer who sends the money from a bank; the processor says where to.
pub const BANK_TRANSFER: &str = "bank_transfer";

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
    /// Who pays.
    pub buyer: OrgId,
    /// What the buyer pays.
    pub amount: Money,
    /// The processor's token for the buyer's means of payment; never a card number.
    pub method: String,
    /// Whether to capture at once.
    pub capture: Capture,
    /// What the buyer reads on the statement.
    pub description: String,
    /// Our order: charges and transfers of one order bear it at the processor.
    pub group: String,
    /// The processor's own name for the buyer, where the means of payment is kept there.
    pub customer_ref: Option<String>,
    /// The buyer is not there: the means of payment was kept with consent to this.
    pub off_session: bool,
    /// Where the buyer comes back to after confirming with the bank.
    pub return_url: Option<String>,
}

/// What a buyer has to do before money moves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"url": "https://bank.example/confirm/1"}))]
pub struct Action {
    /// A page on which the buyer confirms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A bank account to send the money to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<BankInstructions>,
}

/// Where a buyer sends a bank transfer, and with which reference.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"holder": "Torv", "iban": "DK5000400440116243", "bic": "NDEADKKK", "reference": "7XK2P9"}))]
pub struct BankInstructions {
    /// Who holds the account.
    pub holder: String,
    /// Its number; not everywhere an IBAN.
    pub iban: String,
    /// Its bank.
    pub bic: String,
    /// What the transfer must say.
    pub reference: String,
}

/// Where a charge stands at the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeState {
    /// The money is promised, not taken.
    Authorised,
    /// The processor is still at it; a webhook will tell.
    Processing,
    /// The buyer has to do something first.
    ActionRequired(Action),
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

/// A page on which a buyer pays.
#[derive(Debug, Clone)]
pub struct CheckoutRequest {
    /// Our payment.
    pub payment_id: PaymentId,
    /// As [`ChargeRequest::group`].
    pub group: String,
    /// What the buyer pays.
    pub amount: Money,
    /// What for.
    pub description: String,
    /// Where the buyer comes back to after paying.
    pub success_url: String,
    /// Where the buyer comes back to without.
    pub cancel_url: String,
    /// Until when the page can be used.
    pub expires_at: OffsetDateTime,
}

/// Keeping a means of payment for later.
#[derive(Debug, Clone)]
pub struct SaveMethodRequest {
    /// `{saved method id}:save:{attempt}`.
    pub idempotency_key: String,
    /// Whose it is.
    pub organization: OrgId,
    /// The processor's own name for the buyer, if it has one already.
    pub customer_ref: Option<String>,
    /// The token that was made in the buyer's browser.
    pub method: String,
}

/// A means of payment that the processor keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedMethod {
    /// The processor's own name for the buyer.
    pub customer_ref: String,
    /// The kept means of payment.
    pub method: String,
    /// How a person recognises it: `visa ···· 4242`.
    pub label: String,
}
