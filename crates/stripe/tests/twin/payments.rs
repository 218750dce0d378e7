//! Taking money: by card, by page, by bank transfer.

use serde_json::json;
use time::OffsetDateTime;
use torv_stripe::{
    BankTransferKind, Capture, CheckoutRequest, CustomerRequest, GatewayError, ListQuery, PaymentMethodChoice,
    PaymentOutcome, PaymentRequest,
};

use crate::{Stage, payment, reference};

#[tokio::test]
async fn a_declined_card_is_an_outcome_and_the_same_key_says_the_same() {
    let stage = Stage::new().await;
    let first = stage.pay("pm_card_chargeDeclinedInsufficientFunds", "ord_1:payment:1").await;
    let PaymentOutcome::Failed { code, decline_code, .. } = &first.outcome else { panic!("{:?}", first.outcome) };
    assert_eq!((code.as_str(), decline_code.as_deref()), ("card_declined", Some("insufficient_funds")));
    assert_eq!(stage.pay("pm_card_chargeDeclinedInsufficientFunds", "ord_1:payment:1").await.id, first.id);
    assert_eq!(stage.stripe.retrieve_balance().await.expect("a balance").pending_minor.get("EUR"), Some(&0));
    stage.end();
}

#[tokio::test]
async fn a_card_that_wants_3ds_sends_the_buyer_away_and_succeeds_after() {
    let stage = Stage::new().await;
    let waiting = stage.pay("pm_card_authenticationRequired", "k").await;
    let PaymentOutcome::RequiresAction { action, redirect_url } = &waiting.outcome else {
        panic!("{:?}", waiting.outcome)
    };
    assert_eq!(action, "redirect_to_url");
    assert!(redirect_url.as_ref().expect("an address").starts_with(&stage.twin.url()));
    stage.control(&format!("payment_intents/{}/authenticate", waiting.id), &json!({"outcome": "succeed"}));
    let paid = stage.stripe.retrieve_payment_intent(&waiting.id).await.expect("the payment");
    assert_eq!(paid.outcome, PaymentOutcome::Succeeded);
    stage.end();
}

#[tokio::test]
async fn a_saved_method_is_charged_without_the_buyer() {
    let stage = Stage::new().await;
    let stripe = &stage.stripe;
    let request = CustomerRequest { metadata: reference("user", "usr_1"), ..CustomerRequest::default() };
    let customer = stripe.create_customer(&request, "usr_1:customer:1").await.expect("a customer");
    assert_eq!(customer.metadata["user"], "usr_1");
    let attached = stripe.attach_payment_method("pm_card_visa", &customer.id, "k1").await.expect("a method");
    let saved = stripe.list_payment_methods(&customer.id, None).await.expect("a page").items;
    assert_eq!(saved, [attached]);
    assert_eq!(saved[0].card.as_ref().expect("a card").last4, "4242");
    let later = PaymentRequest {
        method: PaymentMethodChoice::OffSession { payment_method: saved[0].id.clone() },
        customer: Some(customer.id.clone()),
        ..payment("")
    };
    let paid = stripe.create_payment_intent(&later, "k2").await.expect("a payment");
    assert_eq!((paid.outcome, paid.customer), (PaymentOutcome::Succeeded, Some(customer.id.clone())));
    let wants_3ds = stripe.attach_payment_method("pm_card_authenticationRequired", &customer.id, "k3").await;
    let wants_3ds = PaymentRequest {
        method: PaymentMethodChoice::OffSession { payment_method: wants_3ds.expect("a method").id },
        ..later
    };
    let declined = stripe.create_payment_intent(&wants_3ds, "k4").await.expect("a payment");
    assert!(matches!(declined.outcome, PaymentOutcome::Failed { code, .. } if code == "authentication_required"));
    stage.end();
}

#[tokio::test]
async fn a_bank_transfer_waits_for_its_money_also_in_parts() {
    let stage = Stage::new().await;
    let customer = stage.stripe.create_customer(&CustomerRequest::default(), "k1").await.expect("a customer");
    let request = PaymentRequest {
        method: PaymentMethodChoice::BankTransfer(BankTransferKind::Eu { country: "DE".into() }),
        customer: Some(customer.id),
        ..payment("")
    };
    let waiting = stage.stripe.create_payment_intent(&request, "k2").await.expect("a payment");
    let PaymentOutcome::AwaitsTransfer(instructions) = &waiting.outcome else { panic!("{:?}", waiting.outcome) };
    assert_eq!(instructions.amount_remaining_minor, Some(10_001));
    assert!(instructions.addresses[0].iban.is_some() && instructions.addresses[0].bic.is_some());
    stage.control(&format!("payment_intents/{}/fund", waiting.id), &json!({"amount": 4_000}));
    let partly = stage.stripe.retrieve_payment_intent(&waiting.id).await.expect("the payment");
    assert!(
        matches!(partly.outcome, PaymentOutcome::AwaitsTransfer(rest) if rest.amount_remaining_minor == Some(6_001))
    );
    stage.control(&format!("payment_intents/{}/fund", waiting.id), &json!({"amount": 6_001}));
    let paid = stage.stripe.retrieve_payment_intent(&waiting.id).await.expect("the payment");
    assert_eq!(paid.outcome, PaymentOutcome::Succeeded);
    stage.end();
}

#[tokio::test]
async fn reserved_money_is_captured_in_part_or_released() {
    let stage = Stage::new().await;
    let stripe = &stage.stripe;
    let reserve = PaymentRequest { capture: Capture::Manual, ..payment("pm_card_visa") };
    let reserved = stripe.create_payment_intent(&reserve, "k1").await.expect("a payment");
    assert_eq!((&reserved.outcome, reserved.amount_capturable_minor), (&PaymentOutcome::Authorized, 10_001));
    let taken = stripe.capture_payment_intent(&reserved.id, Some((6_000, "EUR")), "k2").await.expect("captured");
    assert_eq!((&taken.outcome, taken.amount_received_minor), (&PaymentOutcome::Succeeded, 6_000));
    let again = stripe.capture_payment_intent(&reserved.id, None, "k3").await.expect_err("captured before");
    assert!(matches!(again, GatewayError::Refused { code, .. } if code == "payment_intent_unexpected_state"));
    let reserved = stripe.create_payment_intent(&reserve, "k4").await.expect("a payment");
    let released = stripe.cancel_payment_intent(&reserved.id, "k5").await.expect("released");
    assert_eq!(released.outcome, PaymentOutcome::Canceled { reason: Some("abandoned".into()) });
    stage.end();
}

#[tokio::test]
async fn a_checkout_session_is_paid_on_its_page_or_expires() {
    let stage = Stage::new().await;
    let stripe = &stage.stripe;
    let now = OffsetDateTime::from_unix_timestamp(stage.twin.now()).expect("a time");
    let request = CheckoutRequest {
        amount_minor: 10_001,
        currency: "EUR".into(),
        product_name: "Air quality, Aarhus".into(),
        customer: None,
        customer_email: Some("ada@example.org".into()),
        save_for_off_session: false,
        transfer_group: Some("ord_1".into()),
        description: "Order 1".into(),
        metadata: reference("order", "ord_1"),
        success_url: "https://torv.example/ok".into(),
        cancel_url: "https://torv.example/no".into(),
        expires_at: Some(now + time::Duration::hours(1)),
    };
    let open = stripe.create_checkout_session(&request, "k1").await.expect("a session");
    assert_eq!((open.status.as_deref(), open.is_paid()), (Some("open"), false));
    assert!(open.url.is_some());
    stage.control(&format!("checkout/{}/pay", open.id), &json!({"payment_method": "pm_card_visa"}));
    let paid = stripe.retrieve_checkout_session(&open.id).await.expect("the session");
    assert!(paid.is_paid());
    let intent = stripe.retrieve_payment_intent(&paid.payment_intent.expect("a payment")).await.expect("the payment");
    assert_eq!((intent.metadata["order"].as_str(), intent.transfer_group.as_deref()), ("ord_1", Some("ord_1")));
    let late = stripe.expire_checkout_session(&open.id, "k2").await.expect_err("it is paid");
    assert!(late.is_definitive(), "{late:?}");
    let open = stripe.create_checkout_session(&request, "k3").await.expect("a session");
    let expired = stripe.expire_checkout_session(&open.id, "k4").await.expect("expired");
    assert_eq!((expired.status.as_deref(), expired.url), (Some("expired"), None));
    stage.end();
}

#[tokio::test]
async fn what_the_currency_table_allows_stripe_takes_and_it_comes_back_the_same() {
    let stage = Stage::new().await;
    stage.control("conversions", &json!([{"from": "isk", "to": "eur", "rate_millionths": 6_700}]));
    for (currency, minor, api_units) in
        [("JPY", 500, 500), ("ISK", 700, 70_000), ("KWD", 5_120, 5_120), ("HUF", 17_550, 17_550), ("TWD", 2_001, 2_001)]
    {
        let request = PaymentRequest { amount_minor: minor, currency: currency.into(), ..payment("pm_card_visa") };
        let paid = stage.stripe.create_payment_intent(&request, &format!("{currency}:payment:1")).await;
        let paid = paid.unwrap_or_else(|error| panic!("{currency}: {error}"));
        assert_eq!((paid.amount_minor, paid.amount_received_minor), (minor, minor), "{currency}");
        let known = stage.twin.dump().to_string();
        assert!(known.contains(&format!("\"amount_received\":{api_units}")), "{currency}");
        let settled = paid.latest_charge.expect("a charge").balance_transaction.expect("a balance transaction");
        assert_eq!(settled.currency, if currency == "ISK" { "EUR" } else { currency });
        assert_eq!(settled.exchange_rate.as_deref(), (currency == "ISK").then_some("0.0067"));
    }
    stage.end();
}

#[tokio::test]
async fn a_fee_that_is_no_whole_minor_unit_hides_no_payment_and_is_not_dropped() {
    let stage = Stage::new().await; // settles ISK in ISK, so that the fee is 20.60
    let request = PaymentRequest { amount_minor: 700, currency: "ISK".into(), ..payment("pm_card_visa") };
    let paid = stage.stripe.create_payment_intent(&request, "k").await.expect("a payment");
    assert_eq!(paid.outcome, PaymentOutcome::Succeeded);
    let charge = paid.latest_charge.expect("a charge");
    assert_eq!(charge.balance_transaction, None);
    let page = stage.stripe.list_balance_transactions(&ListQuery::default()).await.expect("a page");
    assert!(page.items.is_empty());
    assert_eq!(page.unreadable[0].id, charge.balance_transaction_id);
    assert!(page.unreadable[0].reason.starts_with("fee: "), "{}", page.unreadable[0].reason);
    stage.end();
}
