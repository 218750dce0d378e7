use serde_json::Value;
use stripe_twin::{Fault, FaultKind};

use crate::support::{DAY, Probe};

const ORDER: &[(&str, &str)] = &[("amount", "1000"), ("currency", "eur")];

#[tokio::test]
async fn a_key_replays_its_answer_for_a_day() {
    let probe = Probe::start().await;
    let first = probe.try_post("payment_intents", ORDER, Some("k")).await.unwrap();
    probe.twin.advance(DAY - 1);
    let again = probe.try_post("payment_intents", ORDER, Some("k")).await.unwrap();
    assert_eq!((again.id(), again.replayed), (first.id(), true));
    assert_ne!(again.request_id, first.request_id);
    probe.twin.advance(1);
    let later = probe.try_post("payment_intents", ORDER, Some("k")).await.unwrap();
    assert!(later.id() != first.id() && !later.replayed);
}

#[tokio::test]
async fn a_key_is_good_for_one_request() {
    let probe = Probe::start().await;
    probe.try_post("payment_intents", ORDER, Some("k")).await.unwrap();
    let other = [("amount", "1001"), ("currency", "eur")];
    let refused = probe.try_post("payment_intents", &other, Some("k")).await.unwrap();
    assert_eq!((refused.status, &refused.body["error"]["type"]), (400, &"idempotency_error".into()));
    let elsewhere = probe.try_post("customers", ORDER, Some("k")).await.unwrap();
    assert_eq!(elsewhere.body["error"]["type"], "idempotency_error");
}

#[tokio::test]
async fn wrong_parameters_are_not_kept_but_refusals_are() {
    let probe = Probe::start().await;
    let wrong = probe.try_post("payment_intents", &[("amount", "1000")], Some("k")).await.unwrap();
    assert_eq!(wrong.code(), "parameter_missing");
    assert_eq!(probe.try_post("payment_intents", ORDER, Some("k")).await.unwrap().status, 200);

    let provider = probe.provider().await;
    let transfer = [("amount", "1000"), ("currency", "eur"), ("destination", provider.as_str())];
    let refused = probe.try_post("transfers", &transfer, Some("t:1")).await.unwrap();
    assert_eq!(refused.code(), "balance_insufficient");
    probe.twin.control("top_up", &serde_json::json!({ "amount": 1000 })).unwrap();
    let replayed = probe.try_post("transfers", &transfer, Some("t:1")).await.unwrap();
    assert_eq!((replayed.code(), replayed.replayed), ("balance_insufficient", true));
    assert_eq!(probe.try_post("transfers", &transfer, Some("t:2")).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_key_in_progress_is_a_conflict() {
    let probe = Probe::start().await;
    let slow = Fault { milliseconds: 2_000, ..Fault::first(FaultKind::Slow, "POST", "/v1/payment_intents") };
    probe.twin.set_faults(vec![slow]);
    let first = probe.try_post("payment_intents", ORDER, Some("k"));
    let second = async {
        while probe.twin.control("faults", &Value::Null).unwrap()[0]["seen"] == 0 {
            tokio::task::yield_now().await;
        }
        probe.try_post("payment_intents", ORDER, Some("k")).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(first.unwrap().status, 200);
    let second = second.unwrap();
    assert_eq!((second.status, second.code()), (409, "idempotency_key_in_use"));
}
