//! Disputes (chargebacks): always taken from the platform's balance, whoever sold.

use std::collections::BTreeMap;

use stripe_core::dispute as api;
use time::OffsetDateTime;

use crate::balance::BalanceTransaction;
use crate::error::GatewayError;
use crate::gateway::{Gateway, ListQuery, checked_id};
use crate::read::{Fields, Page, Read, ReadError};

/// A buyer's bank wants its money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    pub id: String,
    pub amount_minor: i64,
    pub currency: String,
    /// `needs_response`, `under_review`, `won`, `lost`, `warning_…`, `prevented`, or a newer word.
    pub status: String,
    pub reason: String,
    pub charge: Option<String>,
    pub payment_intent: Option<String>,
    /// Evidence has to be submitted before this moment.
    pub evidence_due_by: Option<OffsetDateTime>,
    pub has_evidence: bool,
    /// How often evidence was submitted; usually once is all there is.
    pub submission_count: i64,
    pub is_charge_refundable: bool,
    /// None (nothing withdrawn), one (withdrawn) or two (and reinstated).
    pub balance_transactions: Vec<BalanceTransaction>,
    pub metadata: BTreeMap<String, String>,
    pub created: OffsetDateTime,
}

/// The evidence in words; files are not covered. Stripe takes 150,000 characters in all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DisputeEvidence {
    pub product_description: Option<String>,
    pub customer_name: Option<String>,
    pub customer_email_address: Option<String>,
    pub customer_purchase_ip: Option<String>,
    pub billing_address: Option<String>,
    pub service_date: Option<String>,
    /// When and how the buyer downloaded what they bought.
    pub access_activity_log: Option<String>,
    pub refund_policy_disclosure: Option<String>,
    pub refund_refusal_explanation: Option<String>,
    pub cancellation_policy_disclosure: Option<String>,
    pub cancellation_rebuttal: Option<String>,
    pub duplicate_charge_explanation: Option<String>,
    pub duplicate_charge_id: Option<String>,
    pub uncategorized_text: Option<String>,
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_dispute(&self, id: &str) -> Result<Dispute, GatewayError> {
        self.ask(api::RetrieveDispute::new(checked_id(id)?)).await
    }

    /// Disputes of one payment, or of all by creation.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_disputes(
        &self,
        payment_intent: Option<&str>,
        query: &ListQuery,
    ) -> Result<Page<Dispute>, GatewayError> {
        let mut call = api::ListDispute::new().limit(query.limit());
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

    /// Saves evidence, and with `submit` sends it to the bank, which can be done once only.
    ///
    /// # Errors
    /// See `GatewayError`; `Refused` once the dispute is closed or the time is over.
    pub async fn submit_dispute_evidence(
        &self,
        id: &str,
        evidence: &DisputeEvidence,
        submit: bool,
        idempotency_key: &str,
    ) -> Result<Dispute, GatewayError> {
        let call = api::UpdateDispute::new(checked_id(id)?).evidence(evidence_of(evidence)).submit(submit);
        self.tell(call, idempotency_key).await
    }

    /// Gives the dispute up: it is lost, and the money with it.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn close_dispute(&self, id: &str, idempotency_key: &str) -> Result<Dispute, GatewayError> {
        self.tell(api::CloseDispute::new(checked_id(id)?), idempotency_key).await
    }
}

fn evidence_of(evidence: &DisputeEvidence) -> api::UpdateDisputeEvidence {
    let evidence = evidence.clone();
    let mut sent = api::UpdateDisputeEvidence::new();
    sent.product_description = evidence.product_description;
    sent.customer_name = evidence.customer_name;
    sent.customer_email_address = evidence.customer_email_address;
    sent.customer_purchase_ip = evidence.customer_purchase_ip;
    sent.billing_address = evidence.billing_address;
    sent.service_date = evidence.service_date;
    sent.access_activity_log = evidence.access_activity_log;
    sent.refund_policy_disclosure = evidence.refund_policy_disclosure;
    sent.refund_refusal_explanation = evidence.refund_refusal_explanation;
    sent.cancellation_policy_disclosure = evidence.cancellation_policy_disclosure;
    sent.cancellation_rebuttal = evidence.cancellation_rebuttal;
    sent.duplicate_charge_explanation = evidence.duplicate_charge_explanation;
    sent.duplicate_charge_id = evidence.duplicate_charge_id;
    sent.uncategorized_text = evidence.uncategorized_text;
    sent
}

impl Read for Dispute {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let details = fields.object("evidence_details")?;
        let details = details.as_ref();
        Ok(Self {
            id: fields.text("id")?,
            amount_minor: fields.amount("amount")?,
            currency: fields.currency("currency")?,
            status: fields.text("status")?,
            reason: fields.text("reason")?,
            charge: fields.id_of("charge")?,
            payment_intent: fields.id_of("payment_intent")?,
            evidence_due_by: details.map(|details| details.time_or_none("due_by")).transpose()?.flatten(),
            has_evidence: details.map(|details| details.flag("has_evidence")).transpose()?.unwrap_or(false),
            submission_count: details.map(|details| details.number("submission_count")).transpose()?.unwrap_or(0),
            is_charge_refundable: fields.flag("is_charge_refundable")?,
            balance_transactions: fields
                .objects("balance_transactions")?
                .iter()
                .map(BalanceTransaction::read)
                .collect::<Result<_, _>>()?,
            metadata: fields.metadata()?,
            created: fields.time("created")?,
        })
    }
}
