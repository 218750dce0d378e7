//! Refunds and disputes.

use time::OffsetDateTime;
use torv_stripe::{DisputeEvidence, ListQuery, RefundReason};

use super::{OUR_REF, Stripe, metadata, money};
use crate::ports::payments::{Dispute, DisputeStage, Evidence, PaymentsError, Refund, RefundRequest, RefundState};

impl Stripe {
    pub(super) async fn make_refund(&self, request: &RefundRequest) -> Result<Refund, PaymentsError> {
        let made = self
            .gateway
            .create_refund(
                &torv_stripe::RefundRequest {
                    payment_intent: request.charge_ref.clone(),
                    amount_minor: request.amount.minor,
                    currency: request.amount.currency.code().to_owned(),
                    reason: Some(RefundReason::RequestedByCustomer),
                    metadata: metadata(&request.our_ref),
                },
                &request.idempotency_key,
            )
            .await?;
        refund(made)
    }

    pub(super) async fn look_for_refund(&self, intent: &str, our_ref: &str) -> Result<Option<Refund>, PaymentsError> {
        let mut query = ListQuery::default();
        loop {
            let page = self.gateway.list_refunds(Some(intent), &query).await?;
            let ours = |refund: &torv_stripe::Refund| refund.metadata.get(OUR_REF).is_some_and(|text| text == our_ref);
            if let Some(found) = page.items.into_iter().find(ours) {
                return refund(found).map(Some);
            }
            match page.next {
                Some(next) => query = query.after(&next),
                None => return Ok(None),
            }
        }
    }

    pub(super) async fn list_disputes(&self, since: OffsetDateTime) -> Result<Vec<Dispute>, PaymentsError> {
        let mut query = ListQuery { created_from: Some(since), ..ListQuery::default() };
        let mut found = Vec::new();
        loop {
            let page = self.gateway.list_disputes(None, &query).await?;
            for one in page.items {
                found.push(dispute(one)?);
            }
            match page.next {
                Some(next) => query = query.after(&next),
                None => break,
            }
        }
        found.reverse();
        Ok(found)
    }

    pub(super) async fn hand_evidence_in(
        &self,
        reference: &str,
        evidence: &Evidence,
    ) -> Result<Dispute, PaymentsError> {
        let text = |words: &str| Some(words.to_owned()).filter(|words| !words.is_empty());
        let words = format!("{}\n\n{}", evidence.statement, evidence.licence_record);
        let sent = DisputeEvidence {
            product_description: text(&evidence.product_description),
            access_activity_log: text(&evidence.delivery_record),
            uncategorized_text: text(words.trim()),
            ..DisputeEvidence::default()
        };
        let key = format!("{reference}:evidence");
        dispute(self.gateway.submit_dispute_evidence(reference, &sent, true, &key).await?)
    }
}

/// A refund of Stripe's as the port's.
pub(super) fn refund(made: torv_stripe::Refund) -> Result<Refund, PaymentsError> {
    let state = match made.status.as_deref() {
        Some("succeeded") => RefundState::Succeeded,
        Some("failed" | "canceled") => {
            RefundState::Failed { text: made.failure_reason.unwrap_or_else(|| "The refund came back.".to_owned()) }
        }
        _ => RefundState::Pending,
    };
    Ok(Refund {
        processor_ref: made.id,
        our_ref: made.metadata.get(OUR_REF).cloned(),
        amount: money(made.amount_minor, &made.currency)?,
        state,
    })
}

/// A dispute of Stripe's as the port's; its charge is the payment intent, as everywhere here.
pub(super) fn dispute(made: torv_stripe::Dispute) -> Result<Dispute, PaymentsError> {
    let stage = match made.status.as_str() {
        "needs_response" => DisputeStage::NeedsResponse,
        "won" => DisputeStage::Won,
        "lost" => DisputeStage::Lost,
        word if word.starts_with("warning_") || word == "prevented" => DisputeStage::Warning,
        // A newer word is somebody's to decide, not ours.
        _ => DisputeStage::UnderReview,
    };
    let charge_ref = made.payment_intent.or(made.charge);
    Ok(Dispute {
        charge_ref: charge_ref.ok_or_else(|| PaymentsError::Unreadable(format!("{} names no charge", made.id)))?,
        processor_ref: made.id,
        payment_id: made.metadata.get(OUR_REF).and_then(|text| text.parse().ok()),
        amount: money(made.amount_minor, &made.currency)?,
        reason: made.reason,
        stage,
        evidence_due_at: made.evidence_due_by,
    })
}
