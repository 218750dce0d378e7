use serde_json::json;

use crate::support::{Probe, text};

#[tokio::test]
async fn a_dispute_takes_the_money_and_its_fee_and_a_win_brings_the_money_back() {
    let probe = Probe::start().await;
    probe.pay_with("7000", "eur", "pm_card_createDispute").await;
    let net = 7_000 - 233;
    assert_eq!(probe.balance("eur").await, (-8_500, net));
    let dispute = probe.get("disputes").await.body["data"][0].clone();
    let path = format!("disputes/{}", text(&dispute, "id"));
    let evidence = [("evidence[uncategorized_text]", "winning_evidence"), ("submit", "true")];
    assert_eq!(probe.make(&path, &evidence).await["status"], "under_review");
    let dispute = probe.get(&path).await.body;
    assert_eq!((text(&dispute, "status"), dispute["balance_transactions"].as_array().unwrap().len()), ("won", 2));
    assert_eq!(probe.balance("eur").await, (-1_500, net));
}

#[tokio::test]
async fn a_disputed_charge_is_not_refunded_and_a_loss_keeps_the_money_away() {
    let probe = Probe::start().await;
    let intent = probe.pay("7000", "eur").await;
    let charge = text(&intent, "latest_charge");
    let dispute = probe.twin.control(&format!("charges/{charge}/dispute"), &json!({ "amount": 3_000 })).unwrap();
    assert_eq!(probe.post("refunds", &[("charge", charge)]).await.code(), "charge_disputed");
    let path = format!("disputes/{}", text(&dispute, "id"));
    probe.make(&path, &[("evidence[uncategorized_text]", "losing_evidence"), ("submit", "true")]).await;
    assert_eq!(probe.get(&path).await.body["status"], "lost");
    assert_eq!(probe.balance("eur").await, (-4_500, 6_767));
    assert_eq!(probe.post(&format!("{path}/close"), &[]).await.status, 400);
}
