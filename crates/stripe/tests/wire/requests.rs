//! The requests, field by field: a change of what is sent to Stripe has to show in a diff.

use std::collections::BTreeMap;

use serde_json::json;
use time::OffsetDateTime;
use torv_stripe::{
    AccountKind, AccountLinkUse, AccountRequest, BankTransferKind, Capture, CheckoutRequest, CustomerRequest,
    DisputeEvidence, GatewayError, ListQuery, PaymentMethodChoice, PaymentRequest, RefundReason, RefundRequest,
    TransferRequest,
};

use crate::support::{Asked, Reply, scripted};

fn order() -> BTreeMap<String, String> {
    BTreeMap::from([("order".to_owned(), "ord_1".to_owned())])
}

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).expect("a time")
}

fn payment(method: PaymentMethodChoice) -> PaymentRequest {
    PaymentRequest {
        amount_minor: 10_001,
        currency: "EUR".into(),
        method,
        customer: Some("cus_1".into()),
        capture: Capture::Automatic,
        save_for_off_session: false,
        transfer_group: Some("ord_1".into()),
        description: "Order 1".into(),
        metadata: order(),
    }
}

/// Makes one call and gives the request; the answer is of no interest here, so that it is an unreadable one.
async fn sent<T: std::fmt::Debug>(call: impl AsyncFnOnce(torv_stripe::Gateway) -> Result<T, GatewayError>) -> Asked {
    let (gateway, script) = scripted([Reply::Json(200, json!({}))]).await;
    let error = call(gateway).await.expect_err("an empty object is no answer");
    assert!(matches!(error, GatewayError::Unreadable { .. }), "{error:?}");
    script.only()
}

#[tokio::test]
async fn every_request_says_who_asks_under_which_version_and_key() {
    let asked = sent(async |stripe| {
        stripe.on_account("acct_1")?.create_customer(&CustomerRequest::default(), "usr_1:customer:1").await
    })
    .await;
    assert_eq!(asked.header("authorization"), Some("Bearer sk_test_key"));
    assert_eq!(asked.header("stripe-version"), Some("2026-09-30.endive"));
    assert_eq!(asked.header("idempotency-key"), Some("usr_1:customer:1"));
    assert_eq!(asked.header("stripe-account"), Some("acct_1"));
    assert_eq!(asked.header("content-type"), Some("application/x-www-form-urlencoded"));
    let asked = sent(async |stripe| stripe.retrieve_balance().await).await;
    assert_eq!(asked.line, "GET /v1/balance");
    assert_eq!((asked.header("idempotency-key"), asked.header("stripe-account")), (None, None));
}

#[tokio::test]
async fn a_payment_with_the_buyer_present() {
    let method = PaymentMethodChoice::OnSession {
        payment_method: "pm_card_visa".into(),
        return_url: Some("https://torv.example/back?order=ord_1".into()),
    };
    let request = PaymentRequest { save_for_off_session: true, capture: Capture::Manual, ..payment(method) };
    let asked = sent(async |stripe| stripe.create_payment_intent(&request, "k").await).await;
    assert_eq!(asked.line, "POST /v1/payment_intents");
    assert_eq!(
        asked.form,
        [
            "amount=10001",
            "capture_method=manual",
            "confirm=true",
            "currency=eur",
            "customer=cus_1",
            "description=Order 1",
            "expand[0]=latest_charge.balance_transaction",
            "metadata[order]=ord_1",
            "payment_method=pm_card_visa",
            "return_url=https://torv.example/back?order=ord_1",
            "setup_future_usage=off_session",
            "transfer_group=ord_1",
        ]
    );
}

#[tokio::test]
async fn a_payment_without_the_buyer() {
    let request = payment(PaymentMethodChoice::OffSession { payment_method: "pm_1".into() });
    let asked = sent(async |stripe| stripe.create_payment_intent(&request, "k").await).await;
    assert_eq!(
        asked.form,
        [
            "amount=10001",
            "automatic_payment_methods[allow_redirects]=never",
            "automatic_payment_methods[enabled]=true",
            "confirm=true",
            "currency=eur",
            "customer=cus_1",
            "description=Order 1",
            "expand[0]=latest_charge.balance_transaction",
            "metadata[order]=ord_1",
            "off_session=true",
            "payment_method=pm_1",
            "transfer_group=ord_1",
        ]
    );
}

#[tokio::test]
async fn a_payment_by_bank_transfer() {
    let request = payment(PaymentMethodChoice::BankTransfer(BankTransferKind::Eu { country: "DE".into() }));
    let asked = sent(async |stripe| stripe.create_payment_intent(&request, "k").await).await;
    assert_eq!(
        asked.form,
        [
            "allowed_payment_method_types[0]=customer_balance",
            "amount=10001",
            "confirm=true",
            "currency=eur",
            "customer=cus_1",
            "description=Order 1",
            "expand[0]=latest_charge.balance_transaction",
            "metadata[order]=ord_1",
            "payment_method_data[type]=customer_balance",
            "payment_method_options[customer_balance][bank_transfer][eu_bank_transfer][country]=DE",
            "payment_method_options[customer_balance][bank_transfer][type]=eu_bank_transfer",
            "payment_method_options[customer_balance][funding_type]=bank_transfer",
            "transfer_group=ord_1",
        ]
    );
    let nobody = PaymentRequest { customer: None, ..request };
    let (gateway, script) = scripted([]).await;
    let error = gateway.create_payment_intent(&nobody, "k").await.expect_err("invalid");
    assert!(error.to_string().contains("needs a customer"), "{error}");
    assert!(script.asked().is_empty());
}

#[tokio::test]
async fn amounts_are_said_as_stripe_counts_them() {
    let method = PaymentMethodChoice::OffSession { payment_method: "pm_1".into() };
    for (currency, minor, field) in [
        ("ISK", 500, "amount=50000"),
        ("JPY", 500, "amount=500"),
        ("MGA", 500, "amount=5"),
        ("KWD", 5_120, "amount=5120"),
    ] {
        let request = PaymentRequest { amount_minor: minor, currency: currency.into(), ..payment(method.clone()) };
        let asked = sent(async |stripe| stripe.create_payment_intent(&request, "k").await).await;
        assert!(asked.form.iter().any(|one| one == field), "{currency}: {:?}", asked.form);
    }
}

#[tokio::test]
async fn reading_capturing_and_cancelling_a_payment() {
    let asked = sent(async |stripe| stripe.retrieve_payment_intent("pi_1").await).await;
    assert_eq!(asked.line, "GET /v1/payment_intents/pi_1?expand[0]=latest_charge.balance_transaction");
    let asked = sent(async |stripe| stripe.capture_payment_intent("pi_1", Some((500, "ISK")), "k").await).await;
    assert_eq!(asked.line, "POST /v1/payment_intents/pi_1/capture");
    assert_eq!(asked.form, ["amount_to_capture=50000", "expand[0]=latest_charge.balance_transaction"]);
    let asked = sent(async |stripe| stripe.cancel_payment_intent("pi_1", "k").await).await;
    assert_eq!(asked.line, "POST /v1/payment_intents/pi_1/cancel");
    assert_eq!(asked.form, ["cancellation_reason=abandoned"]);
    let window = ListQuery::created(at(1_790_000_000), at(1_790_086_400)).after("pi_9");
    let asked = sent(async |stripe| stripe.list_payment_intents(&window).await).await;
    assert_eq!(
        asked.line,
        "GET /v1/payment_intents?created[gte]=1790000000&created[lt]=1790086400\
         &expand[0]=data.latest_charge.balance_transaction&limit=100&starting_after=pi_9"
    );
}

#[tokio::test]
async fn a_checkout_session_says_our_reference_twice() {
    let request = CheckoutRequest {
        amount_minor: 10_001,
        currency: "EUR".into(),
        product_name: "Air quality, Aarhus".into(),
        customer: None,
        customer_email: Some("ada@example.org".into()),
        save_for_off_session: false,
        transfer_group: Some("ord_1".into()),
        description: "Order 1".into(),
        metadata: order(),
        success_url: "https://torv.example/ok".into(),
        cancel_url: "https://torv.example/no".into(),
        expires_at: Some(at(1_790_003_600)),
    };
    let asked = sent(async |stripe| stripe.create_checkout_session(&request, "k").await).await;
    assert_eq!(asked.line, "POST /v1/checkout/sessions");
    assert_eq!(
        asked.form,
        [
            "cancel_url=https://torv.example/no",
            "customer_email=ada@example.org",
            "expires_at=1790003600",
            "line_items[0][price_data][currency]=eur",
            "line_items[0][price_data][product_data][name]=Air quality, Aarhus",
            "line_items[0][price_data][unit_amount]=10001",
            "line_items[0][quantity]=1",
            "metadata[order]=ord_1",
            "mode=payment",
            "payment_intent_data[description]=Order 1",
            "payment_intent_data[metadata][order]=ord_1",
            "payment_intent_data[transfer_group]=ord_1",
            "success_url=https://torv.example/ok",
        ]
    );
    let asked = sent(async |stripe| stripe.expire_checkout_session("cs_test_1", "k").await).await;
    assert_eq!(asked.line, "POST /v1/checkout/sessions/cs_test_1/expire");
    let asked = sent(async |stripe| stripe.retrieve_checkout_session("cs_test_1").await).await;
    assert_eq!(asked.line, "GET /v1/checkout/sessions/cs_test_1");
}

#[tokio::test]
async fn customers_and_their_methods() {
    let request = CustomerRequest {
        email: Some("ada@example.org".into()),
        name: Some("Ada".into()),
        description: None,
        metadata: order(),
    };
    let asked = sent(async |stripe| stripe.create_customer(&request, "k").await).await;
    assert_eq!(asked.line, "POST /v1/customers");
    assert_eq!(asked.form, ["email=ada@example.org", "metadata[order]=ord_1", "name=Ada"]);
    let asked = sent(async |stripe| stripe.attach_payment_method("pm_1", "cus_1", "k").await).await;
    assert_eq!(
        (asked.line.as_str(), asked.form),
        ("POST /v1/payment_methods/pm_1/attach", vec!["customer=cus_1".into()])
    );
    let asked = sent(async |stripe| stripe.list_payment_methods("cus_1", None).await).await;
    assert_eq!(asked.line, "GET /v1/payment_methods?customer=cus_1&limit=100");
}

#[tokio::test]
async fn connected_accounts_ask_for_transfers_only() {
    let mut request = AccountRequest {
        kind: AccountKind::Express,
        country: Some("DK".into()),
        email: Some("bo@example.org".into()),
        metadata: BTreeMap::from([("organization".into(), "org_1".into())]),
    };
    let asked = sent(async |stripe| stripe.create_account(&request, "k").await).await;
    assert_eq!(asked.line, "POST /v1/accounts");
    let common = ["country=DK", "email=bo@example.org", "metadata[organization]=org_1"];
    assert_eq!(asked.form, [&["capabilities[transfers][requested]=true"], &common[..], &["type=express"]].concat());
    request.kind = AccountKind::Controller;
    let asked = sent(async |stripe| stripe.create_account(&request, "k").await).await;
    let controller = [
        "capabilities[transfers][requested]=true",
        "controller[fees][payer]=application",
        "controller[losses][payments]=application",
        "controller[requirement_collection]=stripe",
        "controller[stripe_dashboard][type]=express",
    ];
    assert_eq!(asked.form, [&controller[..], &common[..]].concat());
    let asked = sent(async |stripe| stripe.retrieve_account("acct_1").await).await;
    assert_eq!(asked.line, "GET /v1/accounts/acct_1");
    let link = async |stripe: torv_stripe::Gateway| {
        stripe
            .create_account_link("acct_1", AccountLinkUse::Onboarding, "https://r.example", "https://b.example", "k")
            .await
    };
    let asked = sent(link).await;
    assert_eq!(asked.line, "POST /v1/account_links");
    assert_eq!(
        asked.form,
        ["account=acct_1", "refresh_url=https://r.example", "return_url=https://b.example", "type=account_onboarding"]
    );
}

#[tokio::test]
async fn transfers_and_reversals_say_exact_amounts() {
    let request = TransferRequest {
        amount_minor: 8_001,
        currency: "EUR".into(),
        destination: "acct_1".into(),
        source_charge: Some("ch_1".into()),
        transfer_group: Some("ord_1".into()),
        description: "Share of order 1".into(),
        metadata: BTreeMap::from([("share".into(), "shr_1".into())]),
    };
    let asked = sent(async |stripe| stripe.create_transfer(&request, "k").await).await;
    assert_eq!(asked.line, "POST /v1/transfers");
    assert_eq!(
        asked.form,
        [
            "amount=8001",
            "currency=eur",
            "description=Share of order 1",
            "destination=acct_1",
            "metadata[share]=shr_1",
            "source_transaction=ch_1",
            "transfer_group=ord_1",
        ]
    );
    let asked = sent(async |stripe| stripe.list_transfers(Some("ord_1"), &ListQuery::default()).await).await;
    assert_eq!(asked.line, "GET /v1/transfers?limit=100&transfer_group=ord_1");
    let asked = sent(async |stripe| stripe.reverse_transfer("tr_1", 4_001, "EUR", &order(), "k").await).await;
    assert_eq!(asked.line, "POST /v1/transfers/tr_1/reversals");
    assert_eq!(asked.form, ["amount=4001", "metadata[order]=ord_1"]);
    let asked = sent(async |stripe| stripe.list_transfer_reversals("tr_1", Some("trr_1")).await).await;
    assert_eq!(asked.line, "GET /v1/transfers/tr_1/reversals?limit=100&starting_after=trr_1");
}

#[tokio::test]
async fn refunds_never_reverse_transfers_in_proportion() {
    let request = RefundRequest {
        payment_intent: "pi_1".into(),
        amount_minor: 5_000,
        currency: "EUR".into(),
        reason: Some(RefundReason::RequestedByCustomer),
        metadata: BTreeMap::from([("refund".into(), "rfd_1".into())]),
    };
    let asked = sent(async |stripe| stripe.create_refund(&request, "k").await).await;
    assert_eq!(asked.line, "POST /v1/refunds");
    assert_eq!(
        asked.form,
        ["amount=5000", "metadata[refund]=rfd_1", "payment_intent=pi_1", "reason=requested_by_customer"]
    );
    let asked = sent(async |stripe| stripe.list_refunds(Some("pi_1"), &ListQuery::default()).await).await;
    assert_eq!(asked.line, "GET /v1/refunds?limit=100&payment_intent=pi_1");
    let asked = sent(async |stripe| stripe.retrieve_refund("re_1").await).await;
    assert_eq!(asked.line, "GET /v1/refunds/re_1");
}

#[tokio::test]
async fn what_the_books_are_reconciled_with() {
    let window = ListQuery { limit: 10, ..ListQuery::created(at(1), at(2)) };
    let asked = sent(async |stripe| stripe.list_balance_transactions(&window).await).await;
    let query = "created[gte]=1&created[lt]=2&expand[0]=data.source&limit=10";
    assert_eq!(asked.line, format!("GET /v1/balance_transactions?{query}"));
    let everything = ListQuery::default();
    let asked = sent(async |stripe| stripe.list_balance_transactions_of_payout("po_1", &everything).await).await;
    assert_eq!(asked.line, "GET /v1/balance_transactions?expand[0]=data.source&limit=100&payout=po_1");
    let asked = sent(async |stripe| stripe.on_account("acct_1")?.list_payouts(&window).await).await;
    assert_eq!(asked.line, "GET /v1/payouts?created[gte]=1&created[lt]=2&limit=10");
    assert_eq!(asked.header("stripe-account"), Some("acct_1"));
    let asked = sent(async |stripe| stripe.retrieve_payout("po_1").await).await;
    assert_eq!(asked.line, "GET /v1/payouts/po_1");
    let asked = sent(async |stripe| stripe.list_events(&["payout.paid", "refund.failed"], &window).await).await;
    assert_eq!(
        asked.line,
        "GET /v1/events?created[gte]=1&created[lt]=2&limit=10&types[0]=payout.paid&types[1]=refund.failed"
    );
}

#[tokio::test]
async fn disputes() {
    let evidence = DisputeEvidence {
        access_activity_log: Some("downloaded 2026-09-01T10:00Z".into()),
        product_description: Some("Air quality, Aarhus".into()),
        ..DisputeEvidence::default()
    };
    let asked = sent(async |stripe| stripe.submit_dispute_evidence("dp_1", &evidence, true, "k").await).await;
    assert_eq!(asked.line, "POST /v1/disputes/dp_1");
    assert_eq!(
        asked.form,
        [
            "evidence[access_activity_log]=downloaded 2026-09-01T10:00Z",
            "evidence[product_description]=Air quality, Aarhus",
            "submit=true",
        ]
    );
    let asked = sent(async |stripe| stripe.close_dispute("dp_1", "k").await).await;
    assert_eq!((asked.line.as_str(), asked.header("idempotency-key")), ("POST /v1/disputes/dp_1/close", Some("k")));
    let asked = sent(async |stripe| stripe.retrieve_dispute("dp_1").await).await;
    assert_eq!(asked.line, "GET /v1/disputes/dp_1");
    let asked = sent(async |stripe| stripe.list_disputes(Some("pi_1"), &ListQuery::default()).await).await;
    assert_eq!(asked.line, "GET /v1/disputes?limit=100&payment_intent=pi_1");
}

#[tokio::test]
async fn a_minimum_balance_is_said_per_currency_under_its_own_key() {
    let least = BTreeMap::from([("EUR".to_owned(), 8_001)]);
    let asked = sent(async |stripe| stripe.update_minimum_balance(&least, "keep:1").await).await;
    assert_eq!(asked.line, "POST /v1/balance_settings");
    assert_eq!(asked.header("idempotency-key"), Some("keep:1"));
    assert_eq!(asked.form, ["payments[payouts][minimum_balance_by_currency][eur]=8001"]);
    let asked = sent(async |stripe| stripe.retrieve_balance_settings().await).await;
    assert_eq!(asked.line, "GET /v1/balance_settings");
}
