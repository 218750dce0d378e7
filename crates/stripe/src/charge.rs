//! Charges: what a payment intent made. Only read: the exchange pays and refunds through the intent.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::balance::BalanceTransaction;
use crate::read::{Fields, Read, ReadError};

/// One attempt to take money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub id: String,
    pub amount_minor: i64,
    pub amount_captured_minor: i64,
    /// The sum of all refunds so far.
    pub amount_refunded_minor: i64,
    /// What the buyer paid in; the settlement currency is on the balance transaction.
    pub currency: String,
    /// `succeeded`, `pending`, `failed`, or a newer word.
    pub status: String,
    pub captured: bool,
    pub disputed: bool,
    pub payment_intent: Option<String>,
    pub balance_transaction_id: Option<String>,
    /// The fee, and the currency a transfer from this charge has to be in. In answers of payment intents; else, or if it
    /// cannot be read (`Gateway::list_balance_transactions` says why), the id only.
    pub balance_transaction: Option<BalanceTransaction>,
    pub transfer_group: Option<String>,
    pub failure_code: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created: OffsetDateTime,
}

impl Read for Charge {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            id: fields.text("id")?,
            amount_minor: fields.amount("amount")?,
            amount_captured_minor: fields.amount("amount_captured")?,
            amount_refunded_minor: fields.amount("amount_refunded")?,
            currency: fields.currency("currency")?,
            status: fields.text("status")?,
            captured: fields.flag("captured")?,
            disputed: fields.flag("disputed")?,
            payment_intent: fields.id_of("payment_intent")?,
            balance_transaction_id: fields.id_of("balance_transaction")?,
            balance_transaction: fields.in_passing("balance_transaction"),
            transfer_group: fields.text_or_none("transfer_group")?,
            failure_code: fields.text_or_none("failure_code")?,
            metadata: fields.metadata()?,
            created: fields.time("created")?,
        })
    }
}
