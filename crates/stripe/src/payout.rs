//! Payouts to the bank. Only read: automatic payouts are the only ones that Stripe can take apart into transactions.

use std::collections::BTreeMap;

use stripe_core::payout as api;
use time::OffsetDateTime;

use crate::error::GatewayError;
use crate::gateway::{Gateway, ListQuery, checked_id};
use crate::read::{Fields, Page, Read, ReadError};

/// Money on its way to a bank account, or back from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payout {
    pub id: String,
    /// ISO 4217 minor units; below 0 if Stripe takes money from the bank account.
    pub amount_minor: i64,
    pub currency: String,
    /// `pending`, `in_transit`, `paid`, `failed`, `canceled`, or a newer word. A paid one can still fail within days.
    pub status: String,
    pub automatic: bool,
    pub arrival_date: OffsetDateTime,
    /// `completed`, `in_progress`, `not_applicable`; its transactions can be listed once it is completed.
    pub reconciliation_status: Option<String>,
    /// The bank's reference; may come days after the money, or never.
    pub trace_id: Option<String>,
    pub statement_descriptor: Option<String>,
    pub failure_code: Option<String>,
    pub balance_transaction: Option<String>,
    pub failure_balance_transaction: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created: OffsetDateTime,
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_payouts(&self, query: &ListQuery) -> Result<Page<Payout>, GatewayError> {
        let mut call = api::ListPayout::new().limit(query.limit());
        if let Some(range) = query.range() {
            call = call.created(range);
        }
        if let Some(after) = &query.after {
            call = call.starting_after(after);
        }
        self.ask(call).await
    }

    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_payout(&self, id: &str) -> Result<Payout, GatewayError> {
        self.ask(api::RetrievePayout::new(checked_id(id)?)).await
    }
}

impl Read for Payout {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let trace = fields.object("trace_id")?;
        Ok(Self {
            id: fields.text("id")?,
            amount_minor: fields.amount("amount")?,
            currency: fields.currency("currency")?,
            status: fields.text("status")?,
            automatic: fields.flag("automatic")?,
            arrival_date: fields.time("arrival_date")?,
            reconciliation_status: fields.text_or_none("reconciliation_status")?,
            trace_id: trace.map(|trace| trace.text_or_none("value")).transpose()?.flatten(),
            statement_descriptor: fields.text_or_none("statement_descriptor")?,
            failure_code: fields.text_or_none("failure_code")?,
            balance_transaction: fields.id_of("balance_transaction")?,
            failure_balance_transaction: fields.id_of("failure_balance_transaction")?,
            metadata: fields.metadata()?,
            created: fields.time("created")?,
        })
    }
}
