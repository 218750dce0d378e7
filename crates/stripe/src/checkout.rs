//! Checkout Sessions: Stripe's own payment page.

use std::collections::{BTreeMap, HashMap};

use stripe_checkout::checkout_session as api;
use stripe_shared::CheckoutSessionMode;
use time::OffsetDateTime;

use crate::currency::AmountUse;
use crate::error::GatewayError;
use crate::gateway::{Gateway, api_amount, checked_id};
use crate::read::{Fields, Read, ReadError};

/// One order to be paid on Stripe's page, as one line: prices, discounts and tax are ours to compute and to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutRequest {
    /// ISO 4217 minor units; the whole order.
    pub amount_minor: i64,
    /// ISO 4217 in upper case.
    pub currency: String,
    /// The line the buyer reads.
    pub product_name: String,
    pub customer: Option<String>,
    pub customer_email: Option<String>,
    pub save_for_off_session: bool,
    pub transfer_group: Option<String>,
    /// On the payment, for Stripe's dashboard.
    pub description: String,
    /// Goes on the session *and* on its payment intent, so that each webhook can be told apart by itself.
    pub metadata: BTreeMap<String, String>,
    pub success_url: String,
    pub cancel_url: String,
    /// Stripe takes 30 minutes to 24 hours from now; none: 24 hours.
    pub expires_at: Option<OffsetDateTime>,
}

/// Stripe's payment page for one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckoutSession {
    pub id: String,
    /// Where to send the buyer; none once it is no longer open.
    pub url: Option<String>,
    /// `open`, `complete`, `expired`, or a newer word.
    pub status: Option<String>,
    /// `paid`, `unpaid`, `no_payment_required`. Deliver on `paid` only: a complete session may still wait for its money.
    pub payment_status: String,
    pub payment_intent: Option<String>,
    pub customer: Option<String>,
    pub amount_total_minor: Option<i64>,
    pub currency: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub expires_at: OffsetDateTime,
    pub created: OffsetDateTime,
    pub livemode: bool,
}

impl CheckoutSession {
    /// Whether the order may be delivered.
    pub fn is_paid(&self) -> bool {
        matches!(self.payment_status.as_str(), "paid" | "no_payment_required")
    }
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`.
    pub async fn create_checkout_session(
        &self,
        request: &CheckoutRequest,
        idempotency_key: &str,
    ) -> Result<CheckoutSession, GatewayError> {
        self.tell(create_request(request)?, idempotency_key).await
    }

    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_checkout_session(&self, id: &str) -> Result<CheckoutSession, GatewayError> {
        self.ask(api::RetrieveCheckoutSession::new(checked_id(id)?)).await
    }

    /// Closes the page so that the order cannot be paid any more; only open ones can be.
    ///
    /// # Errors
    /// See `GatewayError`; `Refused` if it is no longer open: look at it again, it may be paid.
    pub async fn expire_checkout_session(
        &self,
        id: &str,
        idempotency_key: &str,
    ) -> Result<CheckoutSession, GatewayError> {
        self.tell(api::ExpireCheckoutSession::new(checked_id(id)?), idempotency_key).await
    }
}

fn create_request(request: &CheckoutRequest) -> Result<api::CreateCheckoutSession, GatewayError> {
    let (api_units, currency) = api_amount(request.amount_minor, &request.currency, AmountUse::Charge)?;
    let metadata: HashMap<String, String> = request.metadata.clone().into_iter().collect();
    let mut price = api::CreateCheckoutSessionLineItemsPriceData::new(currency);
    price.unit_amount = Some(api_units);
    price.product_data = Some(api::ProductData::new(&request.product_name));
    let mut line = api::CreateCheckoutSessionLineItems::new();
    line.price_data = Some(price);
    line.quantity = Some(1);
    let mut payment = api::CreateCheckoutSessionPaymentIntentData::new();
    payment.description = Some(request.description.clone());
    payment.metadata = Some(metadata.clone());
    payment.transfer_group.clone_from(&request.transfer_group);
    if request.save_for_off_session {
        payment.setup_future_usage = Some(api::CreateCheckoutSessionPaymentIntentDataSetupFutureUsage::OffSession);
    }
    let mut call = api::CreateCheckoutSession::new()
        .mode(CheckoutSessionMode::Payment)
        .line_items(vec![line])
        .metadata(metadata)
        .payment_intent_data(payment)
        .success_url(&request.success_url)
        .cancel_url(&request.cancel_url);
    if let Some(customer) = &request.customer {
        call = call.customer(customer);
    } else if let Some(email) = &request.customer_email {
        call = call.customer_email(email);
    }
    if let Some(at) = request.expires_at {
        call = call.expires_at(at.unix_timestamp());
    }
    Ok(call)
}

impl Read for CheckoutSession {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            id: fields.text("id")?,
            url: fields.text_or_none("url")?,
            status: fields.text_or_none("status")?,
            payment_status: fields.text("payment_status")?,
            payment_intent: fields.id_of("payment_intent")?,
            customer: fields.id_of("customer")?,
            amount_total_minor: fields.amount_or_none("amount_total")?,
            currency: fields.text_or_none("currency")?.map(|code| code.to_uppercase()),
            metadata: fields.metadata()?,
            expires_at: fields.time("expires_at")?,
            created: fields.time("created")?,
            livemode: fields.flag("livemode")?,
        })
    }
}
