//! Giving money back, and what a buyer's bank disputes.

use entity::ids::PaymentId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::base::Money;

/// A refund to be made, in whole or in part.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    /// `{refund id}:refund:{attempt}`.
    pub idempotency_key: String,
    /// Our refund, as the processor's reference to us.
    pub our_ref: String,
    /// The charge that is refunded.
    pub charge_ref: String,
    /// What goes back.
    pub amount: Money,
}

/// Where a refund stands at the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundState {
    /// On its way.
    Pending,
    /// Gone to the buyer.
    Succeeded,
    /// Came back; the money is ours again.
    Failed {
        /// Why.
        text: String,
    },
}

/// A refund as the processor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The processor's id.
    pub processor_ref: String,
    /// Our reference that was given with it.
    pub our_ref: Option<String>,
    /// What goes back.
    pub amount: Money,
    /// Where it stands.
    pub state: RefundState,
}

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeStage {
    /// Evidence is waited for.
    NeedsResponse,
    /// The bank decides.
    UnderReview,
    /// The money comes back.
    Won,
    /// The money stays away.
    Lost,
    /// An early warning, without money moved; or one that ended without a dispute.
    Warning,
}

/// A dispute as the processor knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The processor's id.
    pub processor_ref: String,
    /// The payment it is about, where the processor kept our reference.
    pub payment_id: Option<PaymentId>,
    /// The charge it is about.
    pub charge_ref: String,
    /// What is disputed.
    pub amount: Money,
    /// The buyer's reason, in the processor's word.
    pub reason: String,
    /// Where it stands.
    pub stage: DisputeStage,
    /// Until when evidence is taken.
    pub evidence_due_at: Option<OffsetDateTime>,
}

/// What a provider says in a dispute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was sold, and how it was described.
    pub product_description: String,
    /// When and how the data was delivered, from our own records.
    pub delivery_record: String,
    /// Which licence was accepted, when, by whom.
    pub licence_record: String,
    /// Anything else.
    pub statement: String,
}
