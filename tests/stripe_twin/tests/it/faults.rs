use stripe_twin::{Fault, FaultKind};

use crate::support::{Probe, text};

/// How many refunds exist, and what one more attempt with the same key says.
async fn after_fault(kind: FaultKind) -> (usize, u16) {
    let probe = Probe::start().await;
    let intent = probe.pay("5000", "eur").await;
    let fault = Fault { milliseconds: 60_000, ..Fault::first(kind, "POST", "/v1/refunds") };
    probe.twin.set_faults(vec![fault]);
    let pairs = [("payment_intent", text(&intent, "id")), ("amount", "1000")];
    let first = probe.try_post("refunds", &pairs, Some("refund:1"));
    if kind == FaultKind::TimeoutAfterCommit {
        tokio::select! {
            _ = first => panic!("the held request was answered"),
            () = until_refunded(&probe) => {}
        }
    } else {
        let _fails_as_planned = first.await;
    }
    let made = probe.get("refunds").await.body["data"].as_array().unwrap().len();
    let retry = probe.try_post("refunds", &pairs, Some("refund:1")).await.unwrap();
    let after = probe.get("refunds").await.body["data"].as_array().unwrap().len();
    assert!(after <= 1, "{kind:?} refunded twice");
    (made, retry.status)
}

async fn until_refunded(probe: &Probe) {
    while probe.twin.dump()["objects"]["refund"].is_null() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn each_fault_commits_or_not_and_never_twice() {
    for (kind, made, retried) in [
        (FaultKind::TimeoutAfterCommit, 1, 200),
        (FaultKind::ErrorAfterCommit, 1, 500),
        (FaultKind::ErrorBeforeCommit, 0, 500),
        (FaultKind::BadGateway, 0, 200),
        (FaultKind::Conflict, 0, 200),
        (FaultKind::RateLimit, 0, 200),
        (FaultKind::ResetBeforeCommit, 0, 200),
        (FaultKind::ResetAfterCommit, 1, 200),
    ] {
        assert_eq!(after_fault(kind).await, (made, retried), "{kind:?}");
    }
}

#[tokio::test]
async fn a_reset_is_an_error_on_the_wire() {
    let probe = Probe::start().await;
    for kind in [FaultKind::ResetBeforeCommit, FaultKind::ResetAfterCommit] {
        probe.twin.set_faults(vec![Fault::first(kind, "*", "/v1/customers")]);
        assert!(probe.try_post("customers", &[("name", "A")], None).await.is_err(), "{kind:?}");
    }
    assert_eq!(probe.twin.dump()["objects"]["customer"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_answers_of_faults_look_like_stripes() {
    let probe = Probe::start().await;
    for (kind, status, code) in [
        (FaultKind::Conflict, 409, "idempotency_key_in_use"),
        (FaultKind::RateLimit, 429, "rate_limit"),
        (FaultKind::ErrorBeforeCommit, 500, ""),
        (FaultKind::BadGateway, 502, ""),
    ] {
        probe.twin.set_faults(vec![Fault::first(kind, "GET", "/v1/balance")]);
        let answer = probe.get("balance").await;
        assert_eq!((answer.status, answer.code()), (status, code));
        assert_eq!(probe.get("balance").await.status, 200);
    }
}

#[tokio::test]
async fn the_same_seed_draws_the_same_faults() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let probe = Probe::start().await;
        let sometimes = Fault { percent: 30, times: 1_000, ..Fault::first(FaultKind::RateLimit, "*", "*") };
        probe.twin.set_faults(vec![sometimes]);
        let mut statuses = Vec::new();
        for _ in 0..40 {
            statuses.push(probe.get("balance").await.status);
        }
        assert!(statuses.contains(&429) && statuses.contains(&200));
        runs.push(statuses);
    }
    assert_eq!(runs[0], runs[1]);
}
