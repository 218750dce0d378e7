//! What Stripe's events mean here.

use torv_stripe::{CheckoutSession, Payload, PaymentIntent, PaymentOutcome};

use super::{OUR_REF, after_sale, charges, lines, providers};
use crate::ports::payments::{PaymentsError, Subject, WebhookEvent};

/// Reads an event whose signature was verified. One the exchange does not act on is noted, one whose
/// object can't be read waits for a person.
pub(super) fn parse(body: &[u8]) -> Result<WebhookEvent, PaymentsError> {
    let event = torv_stripe::decode(body).map_err(|error| PaymentsError::Unreadable(error.to_string()))?;
    let subject = match event.payload {
        // What happens on a provider's own account is the provider's.
        _ if event.account.is_some() && event.kind != "account.updated" => Subject::Other,
        Payload::PaymentIntent(intent) if is_ours(&intent) => Subject::Charge(charges::charge(*intent)?),
        Payload::CheckoutSession(session) => page(&session)?,
        Payload::Refund(refund) => Subject::Refund(after_sale::refund(*refund)?),
        Payload::Dispute(dispute) => Subject::Dispute(after_sale::dispute(*dispute)?),
        Payload::Account(account) => Subject::Account(providers::status(*account)),
        Payload::Payout(payout) => Subject::Payout(lines::payout(*payout)?),
        Payload::Undecodable { reason, .. } => return Err(PaymentsError::Unreadable(reason)),
        _ => Subject::Other,
    };
    Ok(WebhookEvent { id: event.id, kind: event.kind, subject })
}

/// Others may use the same Stripe account: what bears no reference of ours is theirs. An intent on its way to its
/// first attempt tells nothing that the call which makes it does not tell better.
fn is_ours(intent: &PaymentIntent) -> bool {
    let begun = !matches!(intent.outcome, PaymentOutcome::RequiresPaymentMethod | PaymentOutcome::RequiresConfirmation);
    begun && intent.metadata.contains_key(OUR_REF)
}

/// Of a hosted page only its end without a payment counts: the rest is told by its payment intent.
fn page(session: &CheckoutSession) -> Result<Subject, PaymentsError> {
    let ended = session.status.as_deref() == Some("expired") && session.metadata.contains_key(OUR_REF);
    if ended { charges::page_charge(session).map(Subject::Charge) } else { Ok(Subject::Other) }
}
