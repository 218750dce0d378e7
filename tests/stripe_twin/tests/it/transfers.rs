use serde_json::{Value, json};

use crate::support::{DAY, Probe, text};

async fn transfer(probe: &Probe, amount: &str, charge: &str, provider: &str) -> crate::support::Answer {
    let pairs = [("amount", amount), ("currency", "eur"), ("destination", provider), ("source_transaction", charge)];
    probe.post("transfers", &pairs).await
}

#[tokio::test]
async fn transfers_of_a_charge_never_exceed_it() {
    let probe = Probe::start().await;
    let (left, right) = (probe.provider().await, probe.provider().await);
    let intent = probe.pay("10001", "eur").await;
    let charge = text(&intent, "latest_charge");
    assert_eq!(transfer(&probe, "5000", charge, &left).await.status, 200);
    let second = transfer(&probe, "5001", charge, &right).await;
    assert_eq!(second.body["transfer_group"], format!("group_{}", text(&intent, "id")));
    assert_eq!(transfer(&probe, "1", charge, &left).await.status, 400);
    assert_eq!(probe.balance("eur").await, (0, 9_681 - 10_001));
    let theirs = probe.get_as("balance", Some(&right)).await.body;
    assert_eq!(theirs["pending"][0]["amount"], 5_001);
}

#[tokio::test]
async fn a_charge_that_has_settled_no_longer_guarantees_its_transfers() {
    let probe = Probe::start().await;
    let provider = probe.provider().await;
    let intent = probe.pay("10001", "eur").await;
    // Two days later the money is available, and the payout of that night takes it away.
    probe.twin.advance(4 * DAY);
    assert_eq!(probe.balance("eur").await, (0, 0));
    let refused = transfer(&probe, "8001", text(&intent, "latest_charge"), &provider).await;
    assert_eq!(refused.code(), "balance_insufficient");
}

#[tokio::test]
async fn a_transfer_of_its_own_needs_available_money() {
    let probe = Probe::start().await;
    let provider = probe.provider().await;
    let pairs = [("amount", "5000"), ("currency", "eur"), ("destination", provider.as_str())];
    probe.pay("10001", "eur").await;
    assert_eq!(probe.post("transfers", &pairs).await.code(), "balance_insufficient");
    probe.twin.control("top_up", &json!({ "amount": 5_000, "currency": "eur" })).unwrap();
    assert_eq!(probe.post("transfers", &pairs).await.status, 200);
    assert_eq!(probe.balance("eur").await, (0, 9_681));
}

#[tokio::test]
async fn the_currency_is_the_settlement_currency() {
    let probe = Probe::start().await;
    let provider = probe.provider().await;
    let conversions = json!([{ "from": "usd", "to": "eur", "rate_millionths": 900_000 }]);
    probe.twin.control("conversions", &conversions).unwrap();
    let intent = probe.pay("10000", "usd").await;
    let charge = text(&intent, "latest_charge");
    let pairs = [("amount", "100"), ("currency", "usd"), ("destination", &provider), ("source_transaction", charge)];
    let refused = probe.post("transfers", &pairs).await;
    assert!(text(&refused.body["error"], "message").contains("balance transaction (eur) must be the same"));
    assert_eq!(transfer(&probe, "9001", charge, &provider).await.status, 400);
    assert_eq!(transfer(&probe, "9000", charge, &provider).await.status, 200);
}

#[tokio::test]
async fn reversals_add_up_to_the_transfer_at_most() {
    let probe = Probe::start().await;
    let provider = probe.provider().await;
    let intent = probe.pay("10001", "eur").await;
    let made = transfer(&probe, "8001", text(&intent, "latest_charge"), &provider).await;
    // Money of another order does not make a reversal larger.
    let other = probe.pay("10001", "eur").await;
    transfer(&probe, "8001", text(&other, "latest_charge"), &provider).await;
    let path = format!("transfers/{}/reversals", made.id());
    probe.make(&path, &[("amount", "3000")]).await;
    assert_eq!(probe.post(&path, &[("amount", "5002")]).await.body["error"]["param"], "amount");
    let rest = probe.make(&path, &[]).await;
    assert_eq!(rest["amount"], 5_001);
    assert_eq!(probe.post(&path, &[]).await.status, 400);
    let transfer = probe.get(&format!("transfers/{}", made.id())).await.body;
    assert_eq!((&transfer["reversed"], &transfer["amount_reversed"]), (&json!(true), &json!(8_001)));
    assert_eq!(transfer["reversals"]["data"].as_array().unwrap().len(), 2);
    assert_eq!(probe.balance("eur").await, (0, 2 * 9_681 - 8_001));
}

#[tokio::test]
async fn an_account_that_was_emptied_reverses_nothing() {
    let probe = Probe::start().await;
    let provider = probe.provider().await;
    let intent = probe.pay("10001", "eur").await;
    let made = transfer(&probe, "8001", text(&intent, "latest_charge"), &provider).await;
    probe.twin.control(&format!("accounts/{provider}/drain"), &Value::Null).unwrap();
    let before = probe.balance("eur").await;
    let refused = probe.post(&format!("transfers/{}/reversals", made.id()), &[("amount", "1")]).await;
    assert_eq!(refused.code(), "balance_insufficient");
    assert_eq!(probe.balance("eur").await, before);
}
