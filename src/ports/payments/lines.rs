//! The processor's own record: balance lines, balances, events.

use time::OffsetDateTime;

use super::{AccountStatus, Charge, Dispute, ProcessorPayout, Refund};
use crate::base::{Currency, Money};

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
    /// Money went back to a buyer.
    Refund,
    /// A refund came back.
    RefundFailure,
    /// A share was taken back from a provider.
    TransferReversal,
    /// A dispute took money away.
    Dispute,
    /// A dispute gave money back.
    DisputeReversal,
    /// Money was kept back from a payout, or given free again.
    Reserve,
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
            Self::Refund => "refund",
            Self::RefundFailure => "refund_failure",
            Self::TransferReversal => "transfer_reversal",
            Self::Dispute => "dispute",
            Self::DisputeReversal => "dispute_reversal",
            Self::Reserve => "reserve",
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
            "refund" => Self::Refund,
            "refund_failure" => Self::RefundFailure,
            "transfer_reversal" => Self::TransferReversal,
            "dispute" => Self::Dispute,
            "dispute_reversal" => Self::DisputeReversal,
            "reserve" => Self::Reserve,
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
    /// What the processor wrote, where a sum is not in whole minor units; the sums here are the whole part, towards zero.
    pub unreadable: Option<String>,
}

/// A line of the processor's balance that can't be read as a [`Transaction`]: a part of it is missing, or it is not in whole
/// minor units. It is kept for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadableLine {
    /// The processor's id of the line, or one made from what it sent, the same each time.
    pub id: String,
    /// What is wrong with it, and its sums as the processor wrote them.
    pub reason: String,
    /// What it adds to our balance, as far as that is whole minor units, towards zero; nothing when not even that is known.
    pub net: Option<Money>,
    /// When it happened, where that is known.
    pub created_at: Option<OffsetDateTime>,
}

/// A page of the processor's balance lines.
#[derive(Debug, Clone, Default)]
pub struct TransactionPage {
    /// In the order in which they happened.
    pub transactions: Vec<Transaction>,
    /// Those that can't be read.
    pub unreadable: Vec<UnreadableLine>,
    /// Where to go on; absent at the end.
    pub next: Option<String>,
}

/// What a verified webhook tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookEvent {
    /// The processor's id of the event; the same id is the same event.
    pub id: String,
    /// The processor's word for it.
    pub kind: String,
    /// What it is about.
    pub subject: Subject,
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A charge.
    Charge(Charge),
    /// A refund.
    Refund(Refund),
    /// A dispute.
    Dispute(Dispute),
    /// What the processor demands of a provider.
    Account(AccountStatus),
    /// A payout.
    Payout(ProcessorPayout),
    /// Something the exchange does not act on.
    Other,
}
