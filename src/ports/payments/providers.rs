//! Moving shares to providers and the operator's balance to its bank.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::base::Money;

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
    /// The charge the money comes from, for a processor that moves shares charge by charge.
    pub source: Option<String>,
    /// As [`ChargeRequest::group`](super::ChargeRequest::group).
    pub group: Option<String>,
}

/// Part of a transfer to be taken back from a provider's account.
#[derive(Debug, Clone)]
pub struct ReversalRequest {
    /// `{reversal id}:reversal:{attempt}`.
    pub idempotency_key: String,
    /// Our reversal, as the processor's reference to us.
    pub our_ref: String,
    /// The transfer that is taken back.
    pub transfer_ref: String,
    /// What is taken back.
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

/// A payout that the processor made by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessorPayout {
    /// The processor's id.
    pub processor_ref: String,
    /// What was sent; positive.
    pub amount: Money,
    /// When the bank should have it.
    pub arrives_at: OffsetDateTime,
    /// The processor's word: `paid`, `in_transit`, `failed`.
    pub status: String,
    /// True when the processor can tell every line of it.
    pub is_itemised: bool,
    /// The bank's reference, when there is one.
    pub trace: Option<String>,
}

/// What a processor demands of a provider before it pays out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountStatus {
    /// The account's id.
    pub account_ref: String,
    /// Shares can be moved to it.
    pub transfers_active: bool,
    /// It can pay out to a bank.
    pub payouts_active: bool,
    /// What is missing now, in the processor's words.
    pub requirements_due: Vec<String>,
    /// Why it is stopped.
    pub disabled_reason: Option<String>,
}

/// A page at the processor that somebody is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its address; it works once.
    pub url: String,
    /// Until when it works.
    pub expires_at: OffsetDateTime,
}
