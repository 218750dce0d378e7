use serde_json::json;

use crate::support::{Probe, text};

#[tokio::test]
async fn transfers_wait_until_the_account_is_complete() {
    let probe = Probe::start().await;
    let account = probe.make("accounts", &[("type", "express"), ("capabilities[transfers][requested]", "true")]).await;
    let id = text(&account, "id");
    assert!(!account["requirements"]["currently_due"].as_array().unwrap().is_empty());
    let intent = probe.pay("10001", "eur").await;
    let pairs = [
        ("amount", "100"),
        ("currency", "eur"),
        ("destination", id),
        ("source_transaction", text(&intent, "latest_charge")),
    ];
    for (standing, status) in [("pending", 400), ("complete", 200), ("restricted", 400), ("complete", 200)] {
        probe.twin.control(&format!("accounts/{id}/standing"), &json!({ "standing": standing })).unwrap();
        let answer = probe.post("transfers", &pairs).await;
        assert_eq!(answer.status, status, "{standing}");
        if status == 400 {
            assert_eq!(answer.code(), "insufficient_capabilities_for_transfer");
        }
    }
}

#[tokio::test]
async fn an_onboarding_link_works_once_and_not_for_long() {
    let probe = Probe::start().await;
    let account = probe.make("accounts", &[("type", "express"), ("capabilities[transfers][requested]", "true")]).await;
    let id = text(&account, "id");
    let pairs = [
        ("account", id),
        ("type", "account_onboarding"),
        ("return_url", "https://shop.example/done"),
        ("refresh_url", "https://shop.example/again"),
    ];
    let late = probe.make("account_links", &pairs).await;
    probe.twin.advance(301);
    let location = |response: reqwest::Response| response.headers()["location"].to_str().unwrap().to_owned();
    let answer = probe.http.get(text(&late, "url")).send().await.unwrap();
    assert_eq!(location(answer), "https://shop.example/again");
    let answer = probe.http.post(text(&late, "url")).send().await.unwrap();
    assert_eq!(location(answer), "https://shop.example/again");
    assert_eq!(probe.get(&format!("accounts/{id}")).await.body["details_submitted"], false);
    let link = probe.make("account_links", &pairs).await;
    let answer = probe.http.post(text(&link, "url")).send().await.unwrap();
    assert_eq!(location(answer), "https://shop.example/done");
    assert_eq!(probe.get(&format!("accounts/{id}")).await.body["capabilities"]["transfers"], "active");
    assert_eq!(probe.http.post(text(&link, "url")).send().await.unwrap().status(), 404);
}
