use serde_json::json;

use crate::support::{DAY, Probe, text};

#[tokio::test]
async fn a_payout_is_the_sum_of_what_it_took() {
    let probe = Probe::start().await;
    for amount in ["10001", "2500", "777"] {
        probe.pay(amount, "eur").await;
    }
    probe.twin.advance(3 * DAY);
    let payout = probe.get("payouts").await.body["data"][0].clone();
    assert_eq!((text(&payout, "status"), text(&payout, "reconciliation_status")), ("in_transit", "completed"));
    let path = format!("balance_transactions?limit=100&payout={}", text(&payout, "id"));
    let taken = probe.get(&path).await.body["data"].as_array().unwrap().clone();
    assert_eq!(taken.len(), 4);
    assert_eq!(taken.iter().map(|transaction| transaction["net"].as_i64().unwrap()).sum::<i64>(), 0);
    probe.twin.advance(2 * DAY);
    let payout = probe.get(&format!("payouts/{}", text(&payout, "id"))).await.body;
    assert_eq!((text(&payout, "status"), text(&payout["trace_id"], "status")), ("paid", "supported"));
}

#[tokio::test]
async fn a_failed_payout_brings_the_money_back_for_the_next_one() {
    let probe = Probe::start().await;
    probe.pay("10001", "eur").await;
    probe.twin.control("payouts/fail_next", &json!({ "code": "account_closed" })).unwrap();
    probe.twin.advance(3 * DAY - 3_600 * 12);
    let failed = probe.get("payouts?status=failed").await.body["data"][0].clone();
    assert_eq!(text(&failed, "failure_code"), "account_closed");
    let again = probe.twin.control(&format!("payouts/{}/fail", text(&failed, "id")), &json!({}));
    assert!(again.is_err(), "the money came back twice");
    assert_eq!(probe.balance("eur").await, (9_681, 0));
    probe.twin.advance(DAY);
    assert_eq!(probe.get("payouts").await.body["data"][0]["amount"], 9_681);
    assert_eq!(probe.balance("eur").await, (0, 0));
}

#[tokio::test]
async fn payouts_of_forints_are_whole_and_keep_the_rest() {
    let probe = Probe::start().await;
    probe.pay("123456", "huf").await;
    let net = 123_456 - (123_456 * 290 + 5_000) / 10_000 - 30;
    probe.twin.advance(3 * DAY);
    let payout = probe.get("payouts").await.body["data"][0].clone();
    assert_eq!(payout["amount"], net / 100 * 100);
    assert_eq!(probe.balance("huf").await, (net % 100, 0));
    let path = format!("balance_transactions?limit=100&payout={}", text(&payout, "id"));
    let taken = probe.get(&path).await.body["data"].as_array().unwrap().clone();
    assert_eq!(taken.iter().map(|transaction| transaction["net"].as_i64().unwrap()).sum::<i64>(), 0);
}

#[tokio::test]
async fn a_payout_leaves_the_minimum_balance_and_its_lines_add_up() {
    let probe = Probe::start().await;
    let minimum = "payments[payouts][minimum_balance_by_currency][eur]";
    let none = probe.get("balance_settings").await.body;
    assert!(none["payments"]["payouts"]["minimum_balance_by_currency"].is_null());
    let set = probe.make("balance_settings", &[(minimum, "8001")]).await;
    assert_eq!(set["payments"]["payouts"]["minimum_balance_by_currency"], json!({ "eur": 8_001 }));
    assert_eq!(probe.get("balance_settings").await.body, set);
    probe.pay("10001", "eur").await;
    probe.twin.advance(3 * DAY);
    let payout = probe.get("payouts").await.body["data"][0].clone();
    assert_eq!(payout["amount"], 9_681 - 8_001);
    assert_eq!(probe.balance("eur").await, (8_001, 0));
    let path = format!("balance_transactions?limit=100&payout={}", text(&payout, "id"));
    let taken = probe.get(&path).await.body["data"].as_array().unwrap().clone();
    assert_eq!(taken.iter().map(|transaction| transaction["net"].as_i64().unwrap()).sum::<i64>(), 0);
    probe.twin.advance(DAY);
    assert_eq!(probe.get("payouts").await.body["data"].as_array().unwrap().len(), 1, "the minimum is not paid out");
    probe.make("balance_settings", &[(minimum, "0")]).await;
    probe.twin.advance(DAY);
    assert_eq!(probe.get("payouts").await.body["data"][0]["amount"], 8_001);
    assert_eq!(probe.balance("eur").await, (0, 0));
}

#[tokio::test]
async fn balance_settings_refuse_what_is_no_minimum_and_change_nothing() {
    let probe = Probe::start().await;
    let set = |currency: &str| format!("payments[payouts][minimum_balance_by_currency][{currency}]");
    probe.make("balance_settings", &[(&set("eur"), "500"), (&set("dkk"), "700")]).await;
    for (name, value) in
        [(set("eur"), "-1"), (set("eur"), "much"), (set("zzz"), "5"), ("payments[strange]".into(), "5")]
    {
        assert_eq!(
            probe.post("balance_settings", &[(&set("dkk"), "9"), (&name, value)]).await.status,
            400,
            "{name}={value}"
        );
    }
    let left = probe.make("balance_settings", &[(&set("eur"), "")]).await;
    assert_eq!(left["payments"]["payouts"]["minimum_balance_by_currency"], json!({ "dkk": 700 }));
}
