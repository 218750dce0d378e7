//! Refunds. The providers' part is taken back by own reversals (`Gateway::reverse_transfer`): `reverse_transfer` of a
//! refund is proportional, rounded by Stripe, and never used here.

use std::collections::{BTreeMap, HashMap};

use stripe_core::refund as api;
use time::OffsetDateTime;

use crate::currency::AmountUse;
use crate::error::GatewayError;
use crate::gateway::{Gateway, ListQuery, api_amount, checked_id};
use crate::read::{Fields, Page, Read, ReadError};

/// Money to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    pub payment_intent: String,
    /// ISO 4217 minor units; part of the payment or all of it.
    pub amount_minor: i64,
    /// The payment's currency, in upper case.
    pub currency: String,
    pub reason: Option<RefundReason>,
    pub metadata: BTreeMap<String, String>,
}

/// The reasons Stripe takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundReason {
    Duplicate,
    Fraudulent,
    RequestedByCustomer,
}

/// Money given back, or on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub id: String,
    pub amount_minor: i64,
    pub currency: String,
    /// `pending`, `requires_action`, `succeeded`, `failed`, `canceled`, or a newer word. A failed refund puts the money back
    /// on our balance.
    pub status: Option<String>,
    pub failure_reason: Option<String>,
    pub payment_intent: Option<String>,
    pub charge: Option<String>,
    pub balance_transaction: Option<String>,
    /// The balance transaction that undid a failed refund.
    pub failure_balance_transaction: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created: OffsetDateTime,
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`; `Refused` if it is more than what is left of the payment.
    pub async fn create_refund(&self, request: &RefundRequest, idempotency_key: &str) -> Result<Refund, GatewayError> {
        let (api_units, _) = api_amount(request.amount_minor, &request.currency, AmountUse::Refund)?;
        let metadata: HashMap<_, _> = request.metadata.clone().into_iter().collect();
        let mut call = api::CreateRefund::new()
            .payment_intent(checked_id(&request.payment_intent)?)
            .amount(api_units)
            .metadata(metadata);
        if let Some(reason) = request.reason {
            call = call.reason(match reason {
                RefundReason::Duplicate => api::CreateRefundReason::Duplicate,
                RefundReason::Fraudulent => api::CreateRefundReason::Fraudulent,
                RefundReason::RequestedByCustomer => api::CreateRefundReason::RequestedByCustomer,
            });
        }
        self.tell(call, idempotency_key).await
    }

    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_refund(&self, id: &str) -> Result<Refund, GatewayError> {
        self.ask(api::RetrieveRefund::new(checked_id(id)?)).await
    }

    /// Refunds of one payment, or of all by creation.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_refunds(
        &self,
        payment_intent: Option<&str>,
        query: &ListQuery,
    ) -> Result<Page<Refund>, GatewayError> {
        let mut call = api::ListRefund::new().limit(query.limit());
        if let Some(intent) = payment_intent {
            call = call.payment_intent(checked_id(intent)?);
        }
        if let Some(range) = query.range() {
            call = call.created(range);
        }
        if let Some(after) = &query.after {
            call = call.starting_after(after);
        }
        self.ask(call).await
    }
}

impl Read for Refund {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            id: fields.text("id")?,
            amount_minor: fields.amount("amount")?,
            currency: fields.currency("currency")?,
            status: fields.text_or_none("status")?,
            failure_reason: fields.text_or_none("failure_reason")?,
            payment_intent: fields.id_of("payment_intent")?,
            charge: fields.id_of("charge")?,
            balance_transaction: fields.id_of("balance_transaction")?,
            failure_balance_transaction: fields.id_of("failure_balance_transaction")?,
            metadata: fields.metadata()?,
            created: fields.time("created")?,
        })
    }
}
