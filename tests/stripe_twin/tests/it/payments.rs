use serde_json::json;
use stripe_twin::{Conversion, Options};

use crate::support::{DAY, Probe, text};

#[tokio::test]
async fn a_payment_is_pending_for_two_days_and_costs_its_fee() {
    let probe = Probe::start().await;
    probe.pay("10001", "eur").await;
    assert_eq!(probe.balance("eur").await, (0, 9_681));
    probe.twin.advance(DAY);
    assert_eq!(probe.balance("eur").await, (0, 9_681));
    probe.twin.advance(DAY);
    assert_eq!(probe.balance("eur").await, (9_681, 0));
}

#[tokio::test]
async fn a_declined_card_leaves_its_trace_and_can_be_replaced() {
    let probe = Probe::start().await;
    let intent = probe.make("payment_intents", &[("amount", "2000"), ("currency", "eur")]).await;
    let path = format!("payment_intents/{}/confirm", text(&intent, "id"));
    let back = ("return_url", "https://shop.example/back");
    let declined = probe.post(&path, &[("payment_method", "pm_card_visa_chargeDeclinedInsufficientFunds"), back]).await;
    assert_eq!((declined.status, declined.code()), (402, "card_declined"));
    assert_eq!(declined.body["error"]["decline_code"], "insufficient_funds");
    assert_eq!(declined.body["error"]["payment_intent"]["status"], "requires_payment_method");
    assert!(declined.request_id.is_some());
    assert_eq!(probe.balance("eur").await, (0, 0));
    let paid = probe.make(&path, &[("payment_method", "pm_card_visa"), back]).await;
    assert_eq!((&paid["status"], &paid["last_payment_error"]), (&json!("succeeded"), &json!(null)));
}

#[tokio::test]
async fn opening_the_hosted_page_authenticates() {
    let probe = Probe::start().await;
    let pairs = [
        ("amount", "2000"),
        ("currency", "eur"),
        ("payment_method", "pm_card_authenticationRequired"),
        ("confirm", "true"),
        ("return_url", "https://shop.example/back"),
    ];
    let intent = probe.make("payment_intents", &pairs).await;
    let url = text(&intent["next_action"]["redirect_to_url"], "url").to_owned();
    let page = probe.http.get(&url).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("Authenticate"));
    let back = probe.http.get(format!("{url}?outcome=succeed")).send().await.unwrap();
    assert!(back.headers()["location"].to_str().unwrap().starts_with("https://shop.example/back?payment_intent="));
    let intent = probe.get(&format!("payment_intents/{}", text(&intent, "id"))).await;
    assert_eq!(intent.body["status"], "succeeded");
}

#[tokio::test]
async fn refunds_never_exceed_what_was_captured() {
    let probe = Probe::start().await;
    let pairs = [
        ("amount", "9000"),
        ("currency", "eur"),
        ("payment_method", "pm_card_visa"),
        ("confirm", "true"),
        ("capture_method", "manual"),
        ("allowed_payment_method_types[]", "card"),
    ];
    let intent = probe.make("payment_intents", &pairs).await;
    let id = text(&intent, "id");
    assert_eq!(probe.balance("eur").await, (0, 0));
    probe.make(&format!("payment_intents/{id}/capture"), &[("amount_to_capture", "6000")]).await;
    for part in ["1999", "2001"] {
        probe.make("refunds", &[("payment_intent", id), ("amount", part)]).await;
    }
    let too_much = probe.post("refunds", &[("payment_intent", id), ("amount", "2001")]).await;
    assert_eq!((too_much.status, &too_much.body["error"]["param"]), (400, &json!("amount")));
    let rest = probe.make("refunds", &[("payment_intent", id)]).await;
    assert_eq!(rest["amount"], 2_000);
    // The fee of the capture stays paid.
    assert_eq!(probe.balance("eur").await, (0, -204));
    assert_eq!(probe.post("refunds", &[("payment_intent", id)]).await.code(), "charge_already_refunded");
}

#[tokio::test]
async fn a_charge_settles_in_the_configured_currency() {
    let conversion = Conversion { from: "usd".into(), to: "eur".into(), rate_millionths: 912_345 };
    let probe = Probe::with(Options { conversions: vec![conversion], ..Options::default() }).await;
    let intent = probe.pay("10001", "usd").await;
    let path = format!("charges/{}?expand[]=balance_transaction", text(&intent, "latest_charge"));
    let charge = probe.get(&path).await.body;
    let transaction = &charge["balance_transaction"];
    assert_eq!((&charge["currency"], &transaction["currency"]), (&json!("usd"), &json!("eur")));
    // 10001 * 0.912345 = 9124.36…
    assert_eq!(
        (transaction["amount"].as_i64(), transaction["exchange_rate"].to_string()),
        (Some(9_124), "0.912345".into())
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_stripes_words() {
    let probe = Probe::start().await;
    type Pairs = &'static [(&'static str, &'static str)];
    let cases: &[(Pairs, u16, &str)] = &[
        (&[("amount", "1000"), ("currency", "eur"), ("colour", "red")], 400, "parameter_unknown"),
        (&[("amount", "1000"), ("currency", "eur"), ("metadata[a][b]", "c")], 200, ""),
        (&[("currency", "eur")], 400, "parameter_missing"),
        (&[("amount", "1e3"), ("currency", "eur")], 400, "parameter_invalid_integer"),
        (&[("amount", "49"), ("currency", "eur")], 400, "amount_too_small"),
        (&[("amount", "100000000"), ("currency", "jpy")], 400, "amount_too_large"),
        (&[("amount", "10001"), ("currency", "isk")], 400, "invalid_charge_amount_no_decimal_compatible"),
        (&[("amount", "1000"), ("currency", "eur"), ("payment_method", "pm_card_visa"), ("confirm", "true")], 400, ""),
        (&[("amount", "1000"), ("currency", "eur"), ("customer", "cus_nobody")], 404, "resource_missing"),
    ];
    for (pairs, status, code) in cases {
        let answer = probe.post("payment_intents", pairs).await;
        assert_eq!((answer.status, answer.code()), (*status, *code), "{pairs:?}");
    }
    let lists = probe.get("charges?limit=101").await;
    assert_eq!((lists.status, lists.code()), (400, "parameter_invalid_integer"));
    assert_eq!(probe.get("charges?expand[]=data.nothing").await.status, 200);
    assert_eq!(probe.get("unicorns").await.status, 404);
}

#[tokio::test]
async fn a_key_is_needed_and_live_keys_are_refused() {
    let probe = Probe::start().await;
    let url = format!("{}/v1/balance", probe.twin.url());
    for (header, status) in
        [("", 401), ("Bearer sk_live_x", 401), ("Basic c2tfdGVzdF94Og==", 200), ("Bearer rk_test_x", 200)]
    {
        let response = probe.http.get(&url).header("Authorization", header).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{header}");
    }
    assert_eq!(probe.get_as("balance", Some("acct_nobody")).await.status, 403);
}

#[tokio::test]
async fn a_bank_transfer_pays_when_all_of_it_has_arrived() {
    let probe = Probe::start().await;
    let customer = probe.make("customers", &[("name", "Utility AG")]).await;
    let pairs = [
        ("amount", "50000"),
        ("currency", "eur"),
        ("customer", text(&customer, "id")),
        ("confirm", "true"),
        ("allowed_payment_method_types[]", "customer_balance"),
        ("payment_method_data[type]", "customer_balance"),
        ("payment_method_options[customer_balance][funding_type]", "bank_transfer"),
    ];
    let intent = probe.make("payment_intents", &pairs).await;
    let fund = |amount: i64| {
        let path = format!("payment_intents/{}/fund", text(&intent, "id"));
        probe.twin.control(&path, &json!({ "amount": amount })).unwrap()["left_over"].clone()
    };
    assert_eq!(fund(20_000), 0);
    assert_eq!(probe.balance("eur").await, (0, 0));
    assert_eq!(fund(30_500), 500);
    assert_eq!(probe.balance("eur").await.1, 50_000 - 1_480);
}

#[tokio::test]
async fn a_method_kept_for_later_can_be_charged_without_its_holder() {
    let probe = Probe::start().await;
    let order = [
        ("mode", "payment"),
        ("success_url", "https://shop.example/ok"),
        ("line_items[0][price_data][currency]", "eur"),
        ("line_items[0][price_data][unit_amount]", "2500"),
        ("line_items[0][price_data][product_data][name]", "Noise"),
        ("payment_intent_data[setup_future_usage]", "off_session"),
        ("customer_email", "a@example.org"),
    ];
    let session = probe.make("checkout/sessions", &order).await;
    probe.twin.control(&format!("checkout/{}/pay", text(&session, "id")), &json!({})).unwrap();
    let session = probe.get(&format!("checkout/sessions/{}", text(&session, "id"))).await.body;
    let customer = text(&session, "customer");
    let methods = probe.get(&format!("payment_methods?customer={customer}")).await.body;
    let method = text(&methods["data"][0], "id");
    let renewal = [
        ("amount", "2500"),
        ("currency", "eur"),
        ("customer", customer),
        ("payment_method", method),
        ("off_session", "true"),
        ("confirm", "true"),
        ("automatic_payment_methods[enabled]", "true"),
        ("automatic_payment_methods[allow_redirects]", "never"),
    ];
    assert_eq!(probe.make("payment_intents", &renewal).await["status"], "succeeded");
}

#[tokio::test]
async fn a_capture_in_the_background_brings_its_transaction_later() {
    let probe = Probe::with(Options { capture_delay_seconds: 3, ..Options::default() }).await;
    let intent = probe.pay("10001", "eur").await;
    let path = format!("charges/{}", text(&intent, "latest_charge"));
    let charge = probe.get(&path).await.body;
    assert_eq!((&charge["captured"], &charge["balance_transaction"]), (&json!(true), &json!(null)));
    assert_eq!(probe.balance("eur").await, (0, 0));
    probe.twin.advance(3);
    assert!(probe.get(&path).await.body["balance_transaction"].is_string());
    assert_eq!(probe.balance("eur").await, (0, 9_681));
    assert_eq!(probe.get("events?limit=1").await.body["data"][0]["type"], "charge.updated");

    // A refund can't wait for it.
    let intent = probe.pay("10001", "eur").await;
    probe.make("refunds", &[("payment_intent", text(&intent, "id"))]).await;
    probe.twin.advance(3);
    assert_eq!(probe.balance("eur").await, (0, 9_681 - 320));
}
