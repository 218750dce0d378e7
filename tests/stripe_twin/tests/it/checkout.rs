use serde_json::{Value, json};

use crate::support::{Probe, text};

const ORDER: &[(&str, &str)] = &[
    ("mode", "payment"),
    ("success_url", "https://shop.example/ok?session={CHECKOUT_SESSION_ID}"),
    ("line_items[0][price_data][currency]", "eur"),
    ("line_items[0][price_data][unit_amount]", "2500"),
    ("line_items[0][price_data][product_data][name]", "Air quality"),
    ("line_items[0][quantity]", "2"),
    ("payment_intent_data[transfer_group]", "ord_1"),
    ("payment_intent_data[metadata][order]", "ord_1"),
];

async fn events(probe: &Probe) -> Vec<String> {
    let list = probe.get("events?type=checkout.*&limit=100").await.body;
    list["data"].as_array().unwrap().iter().map(|event| text(event, "type").to_owned()).collect()
}

#[tokio::test]
async fn paying_on_the_page_leads_back_and_pays() {
    let probe = Probe::start().await;
    let session = probe.make("checkout/sessions", ORDER).await;
    assert_eq!((&session["amount_total"], &session["payment_intent"]), (&json!(5_000), &Value::Null));
    let url = text(&session, "url");
    let declined = probe.http.post(url).body("payment_method=pm_card_chargeDeclined").send().await.unwrap();
    assert_eq!(declined.status(), 402);
    let paid = probe.http.post(url).body("payment_method=pm_card_visa").send().await.unwrap();
    let expected = format!("https://shop.example/ok?session={}", text(&session, "id"));
    assert_eq!(paid.headers()["location"].to_str().unwrap(), expected);
    let session = probe.get(&format!("checkout/sessions/{}?expand[]=payment_intent", text(&session, "id"))).await.body;
    assert_eq!((text(&session, "status"), text(&session, "payment_status")), ("complete", "paid"));
    assert_eq!(session["payment_intent"]["metadata"]["order"], "ord_1");
    assert_eq!(events(&probe).await, ["checkout.session.completed"]);
}

#[tokio::test]
async fn a_bank_transfer_completes_first_and_pays_later() {
    let probe = Probe::start().await;
    let session = probe.make("checkout/sessions", ORDER).await;
    let id = text(&session, "id");
    let pay = json!({ "payment_method": "customer_balance" });
    let intent = probe.twin.control(&format!("checkout/{id}/pay"), &pay).unwrap();
    let status = probe.get(&format!("checkout/sessions/{id}")).await.body;
    assert_eq!((text(&status, "status"), text(&status, "payment_status")), ("complete", "unpaid"));
    let fund = json!({ "amount": 5_000 });
    probe.twin.control(&format!("payment_intents/{}/fund", text(&intent, "id")), &fund).unwrap();
    assert_eq!(events(&probe).await, ["checkout.session.async_payment_succeeded", "checkout.session.completed"]);
}

#[tokio::test]
async fn only_open_sessions_expire_and_they_do_so_by_themselves() {
    let probe = Probe::start().await;
    let session = probe.make("checkout/sessions", ORDER).await;
    let id = text(&session, "id");
    probe.twin.advance(86_400);
    assert_eq!(probe.get(&format!("checkout/sessions/{id}")).await.body["status"], "expired");
    assert_eq!(probe.post(&format!("checkout/sessions/{id}/expire"), &[]).await.status, 400);
    assert!(probe.twin.control(&format!("checkout/{id}/pay"), &Value::Null).is_err());
    assert_eq!(events(&probe).await, ["checkout.session.expired"]);
}
