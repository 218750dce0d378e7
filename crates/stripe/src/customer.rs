//! Customers and their saved payment methods: needed to charge somebody who is not here, and for bank transfers.

use std::collections::{BTreeMap, HashMap};

use stripe_core::customer::CreateCustomer;
use stripe_payment::payment_method::{AttachPaymentMethod, ListPaymentMethod};

use crate::error::GatewayError;
use crate::gateway::{Gateway, PAGE_ITEMS_MAX, checked_id};
use crate::read::{Fields, Page, Read, ReadError};

/// A buyer as Stripe should know them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerRequest {
    pub email: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub metadata: BTreeMap<String, String>,
}

/// A buyer as Stripe knows them, without what is personal: that stays in our own books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    pub id: String,
    pub metadata: BTreeMap<String, String>,
    pub livemode: bool,
}

/// A card or account that can be charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentMethod {
    pub id: String,
    /// `card`, `sepa_debit`, …
    pub kind: String,
    pub customer: Option<String>,
    /// For cards, to tell them apart.
    pub card: Option<Card>,
}

/// What may be shown of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub brand: String,
    pub last4: String,
    pub expires_month: u8,
    pub expires_year: u16,
}

impl Gateway {
    /// # Errors
    /// See `GatewayError`.
    pub async fn create_customer(
        &self,
        request: &CustomerRequest,
        idempotency_key: &str,
    ) -> Result<Customer, GatewayError> {
        let metadata: HashMap<_, _> = request.metadata.clone().into_iter().collect();
        let mut call = CreateCustomer::new().metadata(metadata);
        if let Some(email) = &request.email {
            call = call.email(email);
        }
        if let Some(name) = &request.name {
            call = call.name(name);
        }
        if let Some(description) = &request.description {
            call = call.description(description);
        }
        self.tell(call, idempotency_key).await
    }

    /// Saves a payment method with a customer. Methods used with `save_for_off_session` are saved by the payment itself.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn attach_payment_method(
        &self,
        payment_method: &str,
        customer: &str,
        idempotency_key: &str,
    ) -> Result<PaymentMethod, GatewayError> {
        let call = AttachPaymentMethod::new(checked_id(payment_method)?).customer(checked_id(customer)?);
        self.tell(call, idempotency_key).await
    }

    /// The saved methods of a customer, newest first.
    ///
    /// # Errors
    /// See `GatewayError`.
    pub async fn list_payment_methods(
        &self,
        customer: &str,
        after: Option<&str>,
    ) -> Result<Page<PaymentMethod>, GatewayError> {
        let mut call = ListPaymentMethod::new().customer(checked_id(customer)?).limit(i64::from(PAGE_ITEMS_MAX));
        if let Some(after) = after {
            call = call.starting_after(after);
        }
        self.ask(call).await
    }
}

impl Read for Customer {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self { id: fields.text("id")?, metadata: fields.metadata()?, livemode: fields.flag("livemode")? })
    }
}

impl Read for PaymentMethod {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            id: fields.text("id")?,
            kind: fields.text("type")?,
            customer: fields.id_of("customer")?,
            card: fields.expanded("card")?,
        })
    }
}

impl Read for Card {
    fn read(fields: &Fields<'_>) -> Result<Self, ReadError> {
        Ok(Self {
            brand: fields.text("brand")?,
            last4: fields.text("last4")?,
            expires_month: fields.number("exp_month")?,
            expires_year: fields.number("exp_year")?,
        })
    }
}
