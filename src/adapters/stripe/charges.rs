//! Taking a buyer's money: payment intents and hosted pages.

use std::collections::BTreeMap;

use entity::ids::PaymentId;
use time::{Duration, OffsetDateTime};
use torv_stripe::{
    BankTransferKind, Capture, CheckoutSession, CustomerRequest, FundingInstructions, GatewayError, ListQuery,
    PaymentIntent, PaymentMethodChoice, PaymentOutcome, PaymentRequest,
};

use super::{OUR_REF, Stripe, VIA_CHECKOUT, metadata, money};
use crate::{
    base::Money,
    ports::payments::{
        self as port, Action, BankInstructions, Charge, ChargeRequest, ChargeState, CheckoutRequest, PaymentsError,
        SaveMethodRequest, SavedMethod,
    },
};

/// A payment's id tells when it was made; its charge is looked for from this long before that on, since clocks differ.
const SEARCH_BEFORE_MINUTES: i64 = 10;
/// And until this long after: no attempt is begun later.
const SEARCH_AFTER_HOURS: i64 = 26;

/// Keys that one call is tried under.
const KEYS_MAX: u32 = 3;

impl Stripe {
    pub(super) async fn make_charge(&self, request: &ChargeRequest) -> Result<Charge, PaymentsError> {
        let key = format!("{}:charge:1", request.payment_id);
        let (method, customer) = self.method_of(request).await?;
        let created = self
            .gateway
            .create_payment_intent(
                &PaymentRequest {
                    amount_minor: request.amount.minor,
                    currency: request.amount.currency.code().to_owned(),
                    method,
                    customer,
                    capture: match request.capture {
                        port::Capture::Automatic => Capture::Automatic,
                        port::Capture::Manual => Capture::Manual,
                    },
                    save_for_off_session: false,
                    transfer_group: Some(request.group.clone()),
                    description: request.description.clone(),
                    metadata: metadata(&request.payment_id.to_string()),
                },
                &key,
            )
            .await
            .map_err(|error| match error {
                // The means of payment is the only thing in it that Stripe can fail to find.
                GatewayError::NotFound { text, .. } => {
                    PaymentsError::Refused { code: "unknown_payment_method".to_owned(), text }
                }
                other => other.into(),
            })?;
        charge(created)
    }

    /// How the buyer pays, and who the buyer is to Stripe where that matters.
    async fn method_of(&self, request: &ChargeRequest) -> Result<(PaymentMethodChoice, Option<String>), PaymentsError> {
        let payment_method = request.method.clone();
        if request.method == port::BANK_TRANSFER {
            let customer = match &request.customer_ref {
                Some(customer) => customer.clone(),
                None => self.customer(&request.buyer.to_string()).await?,
            };
            let kind = match request.amount.currency.code() {
                "GBP" => BankTransferKind::Gb,
                "JPY" => BankTransferKind::Jp,
                "MXN" => BankTransferKind::Mx,
                "USD" => BankTransferKind::Us,
                _ => BankTransferKind::Eu { country: self.settings.bank_transfer_country.clone() },
            };
            return Ok((PaymentMethodChoice::BankTransfer(kind), Some(customer)));
        }
        let customer = request.customer_ref.clone();
        if request.off_session {
            return Ok((PaymentMethodChoice::OffSession { payment_method }, customer));
        }
        Ok((PaymentMethodChoice::OnSession { payment_method, return_url: request.return_url.clone() }, customer))
    }

    /// The buyer's own object at Stripe: the same for the same buyer within a day, by the key.
    async fn customer(&self, organization: &str) -> Result<String, PaymentsError> {
        let request = CustomerRequest { metadata: metadata(organization), ..CustomerRequest::default() };
        let request = &request;
        let root = format!("{organization}:customer");
        let made = under_keys(&root, |key| async move { self.gateway.create_customer(request, &key).await }).await?;
        Ok(made.id)
    }

    pub(super) async fn capture_charge(&self, reference: &str) -> Result<Charge, PaymentsError> {
        let capture = |key: String| async move { self.gateway.capture_payment_intent(reference, None, &key).await };
        let captured = under_keys(&format!("{reference}:capture"), capture).await;
        self.as_it_stands(reference, captured).await
    }

    pub(super) async fn void_charge(&self, reference: &str) -> Result<Charge, PaymentsError> {
        if is_session(reference) {
            return self.close_page(reference).await;
        }
        let cancel = |key: String| async move { self.gateway.cancel_payment_intent(reference, &key).await };
        let cancelled = under_keys(&format!("{reference}:cancel"), cancel).await;
        self.as_it_stands(reference, cancelled).await
    }

    /// The charge after a step, or where it stands when the step was not possible any more.
    async fn as_it_stands(
        &self,
        reference: &str,
        outcome: Result<PaymentIntent, GatewayError>,
    ) -> Result<Charge, PaymentsError> {
        match outcome {
            Err(GatewayError::Refused { code, .. }) if code == "payment_intent_unexpected_state" => {
                charge(self.gateway.retrieve_payment_intent(reference).await?)
            }
            outcome => charge(outcome?),
        }
    }

    pub(super) async fn look_for_charge(
        &self,
        payment: PaymentId,
        known: Option<&str>,
    ) -> Result<Option<Charge>, PaymentsError> {
        if let Some(session) = known.filter(|reference| is_session(reference)) {
            return self.charge_of_page(session).await.map(Some);
        }
        if let Some(reference) = known {
            return charge(self.gateway.retrieve_payment_intent(reference).await?).map(Some);
        }
        let made = made_at(payment).unwrap_or_else(|| self.clock.now());
        let from = made - Duration::minutes(SEARCH_BEFORE_MINUTES);
        let mut query = ListQuery::created(from, made + Duration::hours(SEARCH_AFTER_HOURS));
        let ours = payment.to_string();
        loop {
            let page = self.gateway.list_payment_intents(&query).await?;
            if let Some(found) = page.items.into_iter().find(|intent| intent.metadata.get(OUR_REF) == Some(&ours)) {
                return charge(found).map(Some);
            }
            match page.next {
                Some(next) => query = query.after(&next),
                None => return Ok(None),
            }
        }
    }

    pub(super) async fn open_page(&self, request: &CheckoutRequest) -> Result<Charge, PaymentsError> {
        let mut metadata = metadata(&request.payment_id.to_string());
        metadata.insert(VIA_CHECKOUT.to_owned(), "yes".to_owned());
        let session = self
            .gateway
            .create_checkout_session(
                &torv_stripe::CheckoutRequest {
                    amount_minor: request.amount.minor,
                    currency: request.amount.currency.code().to_owned(),
                    product_name: request.description.clone(),
                    customer: None,
                    customer_email: None,
                    save_for_off_session: false,
                    transfer_group: Some(request.group.clone()),
                    description: request.description.clone(),
                    metadata,
                    success_url: request.success_url.clone(),
                    cancel_url: request.cancel_url.clone(),
                    expires_at: Some(request.expires_at),
                },
                &format!("{}:checkout:1", request.payment_id),
            )
            .await?;
        page(request.payment_id, request.amount, &session)
    }

    /// Where a hosted page stands: the payment made on it, or the page itself.
    async fn charge_of_page(&self, session: &str) -> Result<Charge, PaymentsError> {
        let session = self.gateway.retrieve_checkout_session(session).await?;
        if let Some(intent) = &session.payment_intent {
            return charge(self.gateway.retrieve_payment_intent(intent).await?);
        }
        page_charge(&session)
    }

    async fn close_page(&self, session: &str) -> Result<Charge, PaymentsError> {
        match self.gateway.expire_checkout_session(session, &format!("{session}:expire")).await {
            Ok(expired) => page_charge(&expired),
            // It was used or closed meanwhile: what became of it counts.
            Err(GatewayError::Refused { .. }) => self.charge_of_page(session).await,
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn keep_method(&self, request: &SaveMethodRequest) -> Result<SavedMethod, PaymentsError> {
        let customer_ref = match &request.customer_ref {
            Some(customer) => customer.clone(),
            None => self.customer(&request.organization.to_string()).await?,
        };
        let customer = &customer_ref;
        let attach =
            |key: String| async move { self.gateway.attach_payment_method(&request.method, customer, &key).await };
        let kept = under_keys(&request.idempotency_key, attach).await?;
        let label = kept.card.map_or(kept.kind, |card| format!("{} ···· {}", card.brand, card.last4));
        Ok(SavedMethod { customer_ref, method: kept.id, label })
    }
}

/// Calls under one key after another while Stripe repeats a failure that it keeps for the key, as it does for a day.
///
/// Only for what Stripe itself does once (a capture, a cancellation) or what moves no money when it exists twice: a
/// charge, refund, transfer or reversal without an answer is looked for instead.
async fn under_keys<T, F>(root: &str, call: impl Fn(String) -> F) -> Result<T, GatewayError>
where
    F: Future<Output = Result<T, GatewayError>>,
{
    let mut number = 1;
    loop {
        match call(format!("{root}:{number}")).await {
            Err(GatewayError::Unknown { replayed: true, .. }) if number < KEYS_MAX => number += 1,
            outcome => return outcome,
        }
    }
}

fn is_session(reference: &str) -> bool {
    reference.starts_with("cs_")
}

/// When a payment was written down, from its own id.
fn made_at(payment: PaymentId) -> Option<OffsetDateTime> {
    let (seconds, nanos) = payment.0.get_timestamp()?.to_unix();
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    Some(at + Duration::nanoseconds(i64::from(nanos)))
}

fn payment_of(metadata: &BTreeMap<String, String>, reference: &str) -> Result<PaymentId, PaymentsError> {
    let ours = metadata.get(OUR_REF).and_then(|text| text.parse().ok());
    ours.ok_or_else(|| PaymentsError::Unreadable(format!("{reference} bears no payment of ours")))
}

/// A payment intent as the port's charge.
pub(super) fn charge(intent: PaymentIntent) -> Result<Charge, PaymentsError> {
    let payment_id = payment_of(&intent.metadata, &intent.id)?;
    let via_page = intent.metadata.contains_key(VIA_CHECKOUT);
    let state = match intent.outcome {
        PaymentOutcome::Succeeded => ChargeState::Captured,
        PaymentOutcome::Authorized => ChargeState::Authorised,
        PaymentOutcome::RequiresAction { redirect_url, .. } => {
            ChargeState::ActionRequired(Action { url: redirect_url, transfer: None })
        }
        PaymentOutcome::AwaitsTransfer(funding) => ChargeState::ActionRequired(Action {
            url: funding.hosted_url.clone(),
            transfer: Some(instructions(&funding)),
        }),
        PaymentOutcome::Canceled { .. } => ChargeState::Voided,
        // On a hosted page the buyer tries another card; the page's own end decides.
        PaymentOutcome::Failed { .. } if via_page => ChargeState::ActionRequired(Action::default()),
        PaymentOutcome::Failed { code, text, decline_code } => {
            ChargeState::Failed { code: decline_code.unwrap_or(code), text }
        }
        // Without a failure, a means of payment is merely not there yet: events tell of that moment, too.
        _ => ChargeState::Processing,
    };
    let amount = money(intent.amount_minor, &intent.currency)?;
    Ok(Charge { processor_ref: intent.id, payment_id, amount, state })
}

fn instructions(funding: &FundingInstructions) -> BankInstructions {
    let reference = funding.reference.clone().unwrap_or_default();
    let Some(address) = funding.addresses.first() else {
        return BankInstructions { reference, ..BankInstructions::default() };
    };
    let number = address.iban.clone().or_else(|| address.account_number.clone());
    BankInstructions {
        holder: address.account_holder.clone().unwrap_or_default(),
        iban: number.unwrap_or_default(),
        bic: address.bic.clone().or_else(|| address.bank_code.clone()).unwrap_or_default(),
        reference,
    }
}

fn page(payment_id: PaymentId, amount: Money, session: &CheckoutSession) -> Result<Charge, PaymentsError> {
    let state = page_state(session);
    Ok(Charge { processor_ref: session.id.clone(), payment_id, amount, state })
}

/// A hosted page nobody has paid on, as a charge.
pub(super) fn page_charge(session: &CheckoutSession) -> Result<Charge, PaymentsError> {
    let payment_id = payment_of(&session.metadata, &session.id)?;
    let (minor, code) = session
        .amount_total_minor
        .zip(session.currency.as_deref())
        .ok_or_else(|| PaymentsError::Unreadable(format!("{} says no amount", session.id)))?;
    page(payment_id, money(minor, code)?, session)
}

fn page_state(session: &CheckoutSession) -> ChargeState {
    match session.status.as_deref() {
        Some("expired") => ChargeState::Failed {
            code: "checkout_expired".to_owned(),
            text: "The payment page was closed without a payment. Pay again.".to_owned(),
        },
        // Whether a completed one is paid says its payment intent alone.
        Some("complete") => ChargeState::Processing,
        _ => ChargeState::ActionRequired(Action { url: session.url.clone(), transfer: None }),
    }
}
