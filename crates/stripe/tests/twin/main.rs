//! The gateway against the twin of Stripe, end to end. Whatever the twin answers has to fit async-stripe's strict types
//! as well: each test ends with `drift_count` 0.
#![expect(clippy::expect_used, reason = "a test that can't go on stops and says why")]

mod events;
mod faults;
mod payments;
mod split;

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::{Value, json};
use stripe_twin::{Options, Twin};
use torv_stripe::{
    AccountKind, AccountRequest, Capture, Charge, Gateway, GatewayError, ListQuery, Page, PaymentIntent,
    PaymentMethodChoice, PaymentOutcome, PaymentRequest, RefundReason, RefundRequest, Settings, TransferRequest,
};

pub(crate) struct Stage {
    pub(crate) twin: Twin,
    pub(crate) stripe: Gateway,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let twin = Twin::start(Options::default()).await.expect("a twin");
        let settings = Settings {
            api_base: format!("{}/", twin.url()),
            timeout_seconds: 5,
            backoff_base_milliseconds: 0,
            ..Settings::new(SecretString::from("sk_test_twin"))
        };
        let stripe = Gateway::new(&settings).expect("a gateway");
        Self { twin, stripe }
    }

    pub(crate) fn control(&self, path: &str, body: &Value) -> Value {
        self.twin.control(path, body).unwrap_or_else(|error| panic!("{path}: {}", error.message))
    }

    /// An account that can be paid.
    pub(crate) async fn provider(&self, key: &str) -> String {
        let request = AccountRequest {
            kind: AccountKind::Express,
            country: Some("DK".into()),
            email: Some("bo@example.org".into()),
            metadata: reference("organization", key),
        };
        let account = self.stripe.create_account(&request, key).await.expect("an account");
        assert!(!account.can_receive_transfers());
        assert!(!account.requirements.currently_due.is_empty());
        self.control(&format!("accounts/{}/standing", account.id), &json!({"standing": "complete"}));
        account.id
    }

    pub(crate) async fn pay(&self, token: &str, key: &str) -> PaymentIntent {
        self.stripe.create_payment_intent(&payment(token), key).await.expect("a payment")
    }

    pub(crate) async fn sold(&self, key: &str) -> (PaymentIntent, Charge) {
        let intent = self.pay("pm_card_visa", key).await;
        assert_eq!(intent.outcome, PaymentOutcome::Succeeded);
        let charge = intent.latest_charge.clone().expect("expanded");
        (intent, charge)
    }

    pub(crate) fn end(self) {
        assert_eq!(self.stripe.drift_count(), 0, "async-stripe's types accept every answer");
    }
}

pub(crate) fn reference(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}

pub(crate) fn payment(token: &str) -> PaymentRequest {
    PaymentRequest {
        amount_minor: 10_001,
        currency: "EUR".into(),
        method: PaymentMethodChoice::OnSession {
            payment_method: token.into(),
            return_url: Some("https://torv.example/back".into()),
        },
        customer: None,
        capture: Capture::Automatic,
        save_for_off_session: false,
        transfer_group: Some("ord_1".into()),
        description: "Order 1".into(),
        metadata: reference("order", "ord_1"),
    }
}

pub(crate) fn share(destination: &str, charge: Option<&str>, amount_minor: i64) -> TransferRequest {
    TransferRequest {
        amount_minor,
        currency: "EUR".into(),
        destination: destination.into(),
        source_charge: charge.map(str::to_owned),
        transfer_group: Some("ord_1".into()),
        description: "Share of order 1".into(),
        metadata: reference("share", "shr_1"),
    }
}

pub(crate) fn refund(intent: &str, amount_minor: i64) -> RefundRequest {
    RefundRequest {
        payment_intent: intent.into(),
        amount_minor,
        currency: "EUR".into(),
        reason: Some(RefundReason::RequestedByCustomer),
        metadata: reference("refund", "rfd_1"),
    }
}

/// Every element of a list, page by page.
pub(crate) async fn all<T>(call: impl AsyncFn(ListQuery) -> Result<Page<T>, GatewayError>) -> Vec<T> {
    let mut query = ListQuery { limit: 2, ..ListQuery::default() };
    let mut items = Vec::new();
    loop {
        let page = call(query.clone()).await.expect("a page");
        assert!(page.unreadable.is_empty(), "{:?}", page.unreadable);
        items.extend(page.items);
        match page.next {
            Some(next) => query = query.after(&next),
            None => return items,
        }
    }
}
