//! Payment intents: taking money from a buyer, by card now, by card later, or by bank transfer.

use std::collections::BTreeMap;

use stripe_core::payment_intent as api;
use stripe_shared::{PaymentIntentCaptureMethod, PaymentIntentSetupFutureUsage};
use time::OffsetDateTime;

use crate::bank_transfer::{BankTransferKind, FundingInstructions, by_bank_transfer};
use crate::charge::Charge;
use crate::currency::AmountUse;
use crate::error::{Failure, GatewayError};
use crate::gateway::{Gateway, ListQuery, api_amount, checked_id};
use crate::read::{Fields, Page, Read, ReadError};

/// The charge and its balance transaction come with each payment intent: the fee and the settlement currency are in there.
const CHARGE_EXPANDED: &str = "latest_charge.balance_transaction";

/// A payment to create and confirm in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRequest {
    /// ISO 4217 minor units.
    pub amount_minor: i64,
    /// ISO 4217 in upper case.
    pub currency: String,
    pub method: PaymentMethodChoice,
    /// Required to save or reuse a payment method, and for a bank transfer.
    pub customer: Option<String>,
    pub capture: Capture,
    /// Ask for the right to charge this method again without the buyer.
    pub save_for_off_session: bool,
    pub transfer_group: Option<String>,
    /// Shown in Stripe's dashboard and on its receipts.
    pub description: String,
    pub metadata: BTreeMap<String, String>,
}

/// How the buyer pays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentMethodChoice {
    /// The buyer is here and may be sent to their bank (3DS) and back to `return_url`.
    OnSession { payment_method: String, return_url: Option<String> },
    /// The buyer is not here; the method was saved before.
    OffSession { payment_method: String },
    /// The buyer wires the money to an account number that Stripe makes for them.
    BankTransfer(BankTransferKind),
}

/// When the money is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Capture {
    #[default]
    Automatic,
    /// Only reserved; `capture_payment_intent` takes it.
    Manual,
}

/// A payment as Stripe sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentIntent {
    pub id: String,
    pub amount_minor: i64,
    pub amount_received_minor: i64,
    pub amount_capturable_minor: i64,
    pub currency: String,
    /// Stripe's word.
    pub status: String,
    pub outcome: PaymentOutcome,
    pub latest_charge_id: Option<String>,
    /// In the answers of most calls of this module; none if it was not readable. Webhooks have the id only.
    pub latest_charge: Option<Charge>,
    pub customer: Option<String>,
    pub payment_method: Option<String>,
    pub transfer_group: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub created: OffsetDateTime,
    pub livemode: bool,
}

/// What the status means for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PaymentOutcome {
    Succeeded,
    /// Asynchronous methods: wait for the webhook.
    Processing,
    /// Reserved, waits for capture.
    Authorized,
    /// The buyer has to act (3DS); send them to the address if there is one.
    RequiresAction {
        action: String,
        redirect_url: Option<String>,
    },
    /// Waits for the buyer's bank transfer, or for the rest of it.
    AwaitsTransfer(FundingInstructions),
    /// Declined. No money was moved; the intent can be tried again with another method.
    Failed {
        code: String,
        text: String,
        decline_code: Option<String>,
    },
    RequiresPaymentMethod,
    RequiresConfirmation,
    Canceled {
        reason: Option<String>,
    },
    /// A status newer than this code.
    Other(String),
}

impl Gateway {
    /// Creates a payment and confirms it. A decline is a payment with the outcome `Failed`, not an error.
    ///
    /// # Errors
    /// See `GatewayError`; after `Unknown` repeat with the same key or look with `list_payment_intents`.
    pub async fn create_payment_intent(
        &self,
        request: &PaymentRequest,
        idempotency_key: &str,
    ) -> Result<PaymentIntent, GatewayError> {
        declined_or(self.send(create_request(request)?, Some(idempotency_key)).await)
    }

    /// # Errors
    /// See `GatewayError`.
    pub async fn retrieve_payment_intent(&self, id: &str) -> Result<PaymentIntent, GatewayError> {
        let expand = vec![CHARGE_EXPANDED.to_owned()];
        self.ask(api::RetrievePaymentIntent::new(checked_id(id)?).expand(expand)).await
    }

    /// Takes what was reserved: all of it, or less, in ISO 4217 minor units; the rest is released.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn capture_payment_intent(
        &self,
        id: &str,
        amount: Option<(i64, &str)>,
        idempotency_key: &str,
    ) -> Result<PaymentIntent, GatewayError> {
        let mut request = api::CapturePaymentIntent::new(checked_id(id)?).expand(vec![CHARGE_EXPANDED.to_owned()]);
        if let Some((amount_minor, currency)) = amount {
            request = request.amount_to_capture(api_amount(amount_minor, currency, AmountUse::Refund)?.0);
        }
        declined_or(self.send(request, Some(idempotency_key)).await)
    }

    /// Gives up a payment that has not succeeded, and releases what it reserved.
    ///
    /// # Errors
    /// See `GatewayError`; `Refused` if it has succeeded meanwhile.
    pub async fn cancel_payment_intent(&self, id: &str, idempotency_key: &str) -> Result<PaymentIntent, GatewayError> {
        let request = api::CancelPaymentIntent::new(checked_id(id)?)
            .cancellation_reason(api::CancelPaymentIntentCancellationReason::Abandoned);
        self.tell(request, idempotency_key).await
    }

    /// Payments by the time they were created: finds, by its metadata, one whose creation gave no answer.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_payment_intents(&self, query: &ListQuery) -> Result<Page<PaymentIntent>, GatewayError> {
        let mut request =
            api::ListPaymentIntent::new().limit(query.limit()).expand(vec![format!("data.{CHARGE_EXPANDED}")]);
        if let Some(range) = query.range() {
            request = request.created(range);
        }
        if let Some(after) = &query.after {
            request = request.starting_after(after);
        }
        self.ask(request).await
    }
}

fn create_request(request: &PaymentRequest) -> Result<api::CreatePaymentIntent, GatewayError> {
    let (api_units, currency) = api_amount(request.amount_minor, &request.currency, AmountUse::Charge)?;
    let mut call = api::CreatePaymentIntent::new(api_units, currency)
        .confirm(true)
        .description(&request.description)
        .metadata(request.metadata.clone().into_iter().collect::<std::collections::HashMap<_, _>>())
        .expand(vec![CHARGE_EXPANDED.to_owned()]);
    if request.capture == Capture::Manual {
        call = call.capture_method(PaymentIntentCaptureMethod::Manual);
    }
    if let Some(customer) = &request.customer {
        call = call.customer(customer);
    }
    if request.save_for_off_session {
        call = call.setup_future_usage(PaymentIntentSetupFutureUsage::OffSession);
    }
    if let Some(group) = &request.transfer_group {
        call = call.transfer_group(group);
    }
    match &request.method {
        PaymentMethodChoice::OnSession { payment_method, return_url } => {
            call = call.payment_method(payment_method);
            match return_url {
                Some(url) => Ok(call.return_url(url)),
                None => Ok(call.automatic_payment_methods(without_redirects())),
            }
        }
        PaymentMethodChoice::OffSession { payment_method } => Ok(call
            .payment_method(payment_method)
            .off_session(api::CreatePaymentIntentOffSession::Bool(true))
            .automatic_payment_methods(without_redirects())),
        PaymentMethodChoice::BankTransfer(kind) => {
            if request.customer.is_none() {
                let text = "a bank transfer needs a customer, whose account number it goes to: create one first";
                return Err(GatewayError::Invalid(text.to_owned()));
            }
            Ok(by_bank_transfer(call, kind))
        }
    }
}

/// Methods that would send the buyer away need an address to come back to; without one they are left out.
fn without_redirects() -> api::CreatePaymentIntentAutomaticPaymentMethods {
    let mut methods = api::CreatePaymentIntentAutomaticPaymentMethods::new(true);
    methods.allow_redirects = Some(api::CreatePaymentIntentAutomaticPaymentMethodsAllowRedirects::Never);
    methods
}

/// Stripe answers a decline with 402 and the payment intent inside the error: that is an outcome of the payment.
fn declined_or(result: Result<PaymentIntent, Failure>) -> Result<PaymentIntent, GatewayError> {
    let failure = match result {
        Ok(intent) => return Ok(intent),
        Err(failure) => failure,
    };
    let (GatewayError::Refused { code, text, decline_code, .. }, Some(json)) =
        (failure.error.as_ref(), &failure.payment_intent)
    else {
        return Err(*failure.error);
    };
    match PaymentIntent::read_json(json) {
        Ok(mut intent) => {
            // The intent carries the error too, except in a few cases; the answer's own is always there.
            if intent.outcome == PaymentOutcome::RequiresPaymentMethod {
                intent.outcome = PaymentOutcome::Failed {
                    code: code.clone(),
                    text: text.clone(),
                    decline_code: decline_code.clone(),
                };
            }
            // A refusal that left the intent as it was (captured twice, say) stays a refusal.
            if matches!(intent.outcome, PaymentOutcome::Failed { .. }) { Ok(intent) } else { Err(*failure.error) }
        }
        Err(_) => Err(*failure.error),
    }
}

impl Read for PaymentIntent {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        let status = fields.text("status")?;
        Ok(Self {
            id: fields.text("id")?,
            amount_minor: fields.amount("amount")?,
            amount_received_minor: fields.amount("amount_received")?,
            amount_capturable_minor: fields.amount("amount_capturable")?,
            currency: fields.currency("currency")?,
            outcome: outcome_of(&status, fields)?,
            status,
            latest_charge_id: fields.id_of("latest_charge")?,
            latest_charge: fields.in_passing("latest_charge"),
            customer: fields.id_of("customer")?,
            payment_method: fields.id_of("payment_method")?,
            transfer_group: fields.text_or_none("transfer_group")?,
            metadata: fields.metadata()?,
            created: fields.time("created")?,
            livemode: fields.flag("livemode")?,
        })
    }
}

fn outcome_of(status: &str, fields: &Fields<'_>) -> Result<PaymentOutcome, ReadError> {
    Ok(match status {
        "succeeded" => PaymentOutcome::Succeeded,
        "processing" => PaymentOutcome::Processing,
        "requires_capture" => PaymentOutcome::Authorized,
        "requires_confirmation" => PaymentOutcome::RequiresConfirmation,
        "canceled" => PaymentOutcome::Canceled { reason: fields.text_or_none("cancellation_reason")? },
        "requires_payment_method" => match fields.object("last_payment_error")? {
            Some(error) => PaymentOutcome::Failed {
                code: error.text_or_none("code")?.map_or_else(|| error.text("type"), Ok)?,
                text: error.text_or_none("message")?.unwrap_or_default(),
                decline_code: error.text_or_none("decline_code")?,
            },
            None => PaymentOutcome::RequiresPaymentMethod,
        },
        "requires_action" => match fields.object("next_action")? {
            Some(action) => action_of(&action)?,
            None => PaymentOutcome::RequiresAction { action: String::new(), redirect_url: None },
        },
        other => PaymentOutcome::Other(other.to_owned()),
    })
}

fn action_of(action: &Fields<'_>) -> Result<PaymentOutcome, ReadError> {
    if let Some(instructions) = action.object("display_bank_transfer_instructions")? {
        return FundingInstructions::read(&instructions).map(PaymentOutcome::AwaitsTransfer);
    }
    let redirect = action.object("redirect_to_url")?;
    Ok(PaymentOutcome::RequiresAction {
        action: action.text("type")?,
        redirect_url: redirect.map(|redirect| redirect.text("url")).transpose()?,
    })
}
