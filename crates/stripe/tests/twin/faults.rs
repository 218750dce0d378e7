//! Every way in which Stripe can fail, at every call that moves money: afterwards there is exactly one of the thing, or
//! none and we know it.

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde_json::Value;
use stripe_twin::{Fault, FaultKind};
use torv_stripe::{Gateway, GatewayError, ListQuery, Settings};

use crate::{Stage, payment, reference, refund, share};

/// Kinds after which one call, with its retries, comes to a good end.
const HEALED: &[FaultKind] = &[
    FaultKind::TimeoutAfterCommit,
    FaultKind::BadGateway,
    FaultKind::Conflict,
    FaultKind::RateLimit,
    FaultKind::ResetBeforeCommit,
    FaultKind::ResetAfterCommit,
];

/// Kinds whose 500 Stripe keeps for the key: no repetition helps, the effect has to be looked up.
const KEPT: &[(FaultKind, usize)] = &[(FaultKind::ErrorAfterCommit, 1), (FaultKind::ErrorBeforeCommit, 0)];

/// A gateway that gives up an attempt after a second.
fn impatient(stage: &Stage, attempts_max: u32, backoff_base_milliseconds: u64) -> Gateway {
    let settings = Settings {
        api_base: format!("{}/", stage.twin.url()),
        timeout_seconds: 1,
        attempts_max,
        backoff_base_milliseconds,
        ..Settings::new(SecretString::from("sk_test_twin"))
    };
    Gateway::new(&settings).expect("a gateway")
}

/// A sale whose share was transferred, and a part of it refunded.
struct Sale {
    provider: String,
    charge: String,
    intent: String,
    transfer: String,
}

async fn sale(stage: &Stage) -> Sale {
    let provider = stage.provider("org_1").await;
    let (intent, charge) = stage.sold("first:payment:1").await;
    let transfer = stage.stripe.create_transfer(&share(&provider, Some(&charge.id), 1_000), "first:transfer:1").await;
    Sale { provider, charge: charge.id, intent: intent.id, transfer: transfer.expect("a transfer").id }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Payment,
    Transfer,
    Reversal,
    Refund,
}

const STEPS: [(Step, &str); 4] = [
    (Step::Payment, "/v1/payment_intents"),
    (Step::Transfer, "/v1/transfers"),
    (Step::Reversal, "/v1/transfers/*/reversals"),
    (Step::Refund, "/v1/refunds"),
];

/// Does the step under the key `second`, and gives the id of what it made.
async fn take(stripe: &Gateway, sale: &Sale, step: Step) -> Result<String, GatewayError> {
    let marked = reference("mark", "second");
    Ok(match step {
        Step::Payment => {
            let mut request = payment("pm_card_visa");
            request.metadata = marked;
            stripe.create_payment_intent(&request, "second").await?.id
        }
        Step::Transfer => {
            let mut request = share(&sale.provider, Some(&sale.charge), 500);
            request.metadata = marked;
            stripe.create_transfer(&request, "second").await?.id
        }
        Step::Reversal => stripe.reverse_transfer(&sale.transfer, 400, "EUR", &marked, "second").await?.id,
        Step::Refund => {
            let mut request = refund(&sale.intent, 300);
            request.metadata = marked;
            stripe.create_refund(&request, "second").await?.id
        }
    })
}

/// The ids of what the step made, found by our mark as a recovery job would.
async fn made(stripe: &Gateway, sale: &Sale, step: Step) -> Vec<String> {
    let query = ListQuery::default();
    let is_marked = |metadata: &BTreeMap<String, String>| metadata.get("mark").is_some_and(|mark| mark == "second");
    match step {
        Step::Payment => {
            let page = stripe.list_payment_intents(&query).await.expect("a page");
            page.items.into_iter().filter(|one| is_marked(&one.metadata)).map(|one| one.id).collect()
        }
        Step::Transfer => {
            let page = stripe.list_transfers(Some("ord_1"), &query).await.expect("a page");
            page.items.into_iter().filter(|one| is_marked(&one.metadata)).map(|one| one.id).collect()
        }
        Step::Reversal => {
            let page = stripe.list_transfer_reversals(&sale.transfer, None).await.expect("a page");
            page.items.into_iter().filter(|one| is_marked(&one.metadata)).map(|one| one.id).collect()
        }
        Step::Refund => {
            let page = stripe.list_refunds(Some(&sale.intent), &query).await.expect("a page");
            page.items.into_iter().filter(|one| is_marked(&one.metadata)).map(|one| one.id).collect()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_fails_on_the_way_each_step_happens_exactly_once() {
    for (step, path) in STEPS {
        for &kind in HEALED {
            let stage = Stage::new().await;
            let sale = sale(&stage).await;
            stage.twin.set_faults(vec![Fault::first(kind, "POST", path)]);
            let stripe = impatient(&stage, 4, 0);
            let id = take(&stripe, &sale, step).await.unwrap_or_else(|error| panic!("{step:?} {kind:?}: {error}"));
            assert_eq!(made(&stage.stripe, &sale, step).await, [id], "{step:?} {kind:?}");
            stage.end();
        }
    }
}

#[tokio::test]
async fn a_500_that_stripe_keeps_for_the_key_is_unknown_and_can_be_looked_up() {
    for (step, path) in STEPS {
        for &(kind, count) in KEPT {
            let stage = Stage::new().await;
            let sale = sale(&stage).await;
            stage.twin.set_faults(vec![Fault::first(kind, "POST", path)]);
            for _ in 0..2 {
                let unknown = take(&stage.stripe, &sale, step).await.expect_err("unknown");
                let GatewayError::Unknown { replayed: true, status: Some(500), .. } = unknown else {
                    panic!("{step:?} {kind:?}: {unknown:?}")
                };
            }
            assert_eq!(made(&stage.stripe, &sale, step).await.len(), count, "{step:?} {kind:?}");
            stage.end();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_stays_is_unknown_and_the_same_key_heals_it_later() {
    for (step, path) in STEPS {
        for kind in [FaultKind::ResetAfterCommit, FaultKind::ResetBeforeCommit, FaultKind::BadGateway] {
            let stage = Stage::new().await;
            let sale = sale(&stage).await;
            stage.twin.set_faults(vec![Fault { times: 20, ..Fault::first(kind, "POST", path) }]);
            let stripe = impatient(&stage, 2, 0);
            let unknown = take(&stripe, &sale, step).await.expect_err("unknown");
            assert!(matches!(unknown, GatewayError::Unknown { .. }), "{step:?} {kind:?}: {unknown:?}");
            stage.twin.set_faults(Vec::new());
            let id = take(&stripe, &sale, step).await.expect("healed");
            assert_eq!(made(&stage.stripe, &sale, step).await, [id], "{step:?} {kind:?}");
            stage.end();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_still_running_is_waited_for_and_not_made_twice() {
    let stage = Stage::new().await;
    let sale = sale(&stage).await;
    let slow = Fault { milliseconds: 1_500, ..Fault::first(FaultKind::Slow, "POST", "/v1/transfers") };
    stage.twin.set_faults(vec![slow]);
    let id = take(&impatient(&stage, 40, 200), &sale, Step::Transfer).await.expect("a transfer");
    assert_eq!(made(&stage.stripe, &sale, Step::Transfer).await, [id]);
    let requests = stage.control("requests", &Value::Null);
    let conflicts = requests.as_array().expect("a list").iter().filter(|one| one["status"] == 409).count();
    assert!(conflicts > 0, "the key was in use meanwhile");
    stage.end();
}

#[tokio::test]
async fn a_key_with_other_parameters_is_refused_and_moves_nothing() {
    let stage = Stage::new().await;
    let sale = sale(&stage).await;
    let other = share(&sale.provider, Some(&sale.charge), 999);
    let reused = stage.stripe.create_transfer(&other, "first:transfer:1").await.expect_err("used before");
    assert!(matches!(reused, GatewayError::KeyReused { .. }), "{reused:?}");
    let same = share(&sale.provider, Some(&sale.charge), 1_000);
    assert_eq!(stage.stripe.create_transfer(&same, "first:transfer:1").await.expect("replayed").id, sale.transfer);
    stage.end();
}

#[tokio::test]
async fn a_wrong_key_is_told_apart_from_a_refusal() {
    let stage = Stage::new().await;
    let settings = Settings {
        api_base: format!("{}/", stage.twin.url()),
        ..Settings::new(SecretString::from("sk_of_somebody_else"))
    };
    let stranger = Gateway::new(&settings).expect("a gateway");
    let error = stranger.create_payment_intent(&payment("pm_card_visa"), "k").await.expect_err("not let in");
    assert!(matches!(error, GatewayError::Unauthorized { .. }) && !error.is_definitive(), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("somebody_else"));
}
