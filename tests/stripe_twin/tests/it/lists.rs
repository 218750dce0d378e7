use serde_json::Value;

use crate::support::{Probe, text};

fn ids(list: &Value) -> Vec<String> {
    list["data"].as_array().unwrap().iter().map(|object| text(object, "id").to_owned()).collect()
}

#[tokio::test]
async fn pages_walk_both_ways_without_gaps() {
    let probe = Probe::start().await;
    for _ in 0..5 {
        probe.pay("1000", "eur").await;
    }
    let all = ids(&probe.get("charges").await.body);
    assert_eq!(all.len(), 5);
    let first = probe.get("charges?limit=2").await.body;
    assert_eq!((ids(&first), &first["has_more"]), (all[..2].to_vec(), &true.into()));
    let last = probe.get(&format!("charges?limit=3&starting_after={}", all[1])).await.body;
    assert_eq!((ids(&last), &last["has_more"]), (all[2..].to_vec(), &false.into()));
    let before = probe.get(&format!("charges?limit=2&ending_before={}", all[3])).await.body;
    assert_eq!((ids(&before), &before["has_more"]), (all[1..3].to_vec(), &true.into()));
    let start = probe.get(&format!("charges?limit=2&ending_before={}", all[2])).await.body;
    assert_eq!((ids(&start), &start["has_more"]), (all[..2].to_vec(), &false.into()));
    assert_eq!(probe.get("charges?starting_after=ch_nope").await.code(), "resource_missing");
}

#[tokio::test]
async fn created_bounds_are_inclusive_or_not_as_named() {
    let probe = Probe::start().await;
    let start = probe.twin.now();
    for _ in 0..3 {
        probe.pay("1000", "eur").await;
        probe.twin.advance(10);
    }
    let second = start + 10;
    for (filter, count) in [
        (format!("created[gte]={second}"), 2),
        (format!("created[gt]={second}"), 1),
        (format!("created[lte]={second}"), 2),
        (format!("created[lt]={second}"), 1),
        (format!("created={second}"), 1),
        (format!("created[gte]={second}&created[lt]={}", second + 10), 1),
    ] {
        assert_eq!(ids(&probe.get(&format!("payment_intents?{filter}")).await.body).len(), count, "{filter}");
    }
}

#[tokio::test]
async fn only_what_exists_is_expanded() {
    let probe = Probe::start().await;
    let intent = probe.pay("1000", "eur").await;
    let path = format!("payment_intents/{}", text(&intent, "id"));
    let whole = probe.get(&format!("{path}?expand[]=latest_charge.balance_transaction")).await.body;
    assert_eq!(whole["latest_charge"]["balance_transaction"]["net"], 1_000 - 59);
    let list = probe.get("balance_transactions?expand[]=data.source").await.body;
    assert_eq!(list["data"][0]["source"]["object"], "charge");
    assert_eq!(probe.get(&format!("{path}?expand[]=nothing")).await.status, 400);
    assert_eq!(probe.get(&format!("{path}?expand[]=a.b.c.d.e")).await.status, 400);
}
