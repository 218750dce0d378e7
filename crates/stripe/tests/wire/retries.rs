//! What is repeated, with what key, and what is known afterwards.

use std::collections::BTreeMap;

use crate::support::{Reply, endless, resetting, scripted, settings};
use serde_json::{Value, json};
use torv_stripe::{Gateway, GatewayError, Settings, TransferRequest};

fn transfer() -> TransferRequest {
    TransferRequest {
        amount_minor: 8_001,
        currency: "EUR".into(),
        destination: "acct_1".into(),
        source_charge: None,
        transfer_group: None,
        description: "share".into(),
        metadata: BTreeMap::from([("share".into(), "shr_1".into()), ("order".into(), "ord_1".into())]),
    }
}

fn sent() -> Value {
    json!({
        "id": "tr_1", "object": "transfer", "amount": 8001, "amount_reversed": 0, "currency": "eur", "created": 1_790_000_000,
        "destination": "acct_1", "livemode": false, "metadata": {"share": "shr_1"}, "reversed": false,
        "reversals": {"object": "list", "data": [], "has_more": false, "url": "/v1/transfers/tr_1/reversals"},
    })
}

fn error(kind: &str, code: &str) -> Value {
    json!({"error": {"type": kind, "code": code, "message": "said so"}})
}

#[tokio::test]
async fn whatever_may_end_differently_is_repeated_with_the_same_key_and_bytes() {
    let (gateway, script) = scripted([
        Reply::Json(409, error("idempotency_error", "idempotency_key_in_use")),
        Reply::Headers(429, error("invalid_request_error", "rate_limit"), vec![("retry-after", "0")]),
        Reply::Json(500, error("api_error", "x")),
        Reply::Json(200, sent()),
    ])
    .await;
    let made = gateway.create_transfer(&transfer(), "shr_1:transfer:1").await.expect("a transfer");
    assert_eq!((made.id.as_str(), made.amount_minor), ("tr_1", 8_001));
    let asked = script.asked();
    assert_eq!(asked.len(), 4);
    for one in &asked {
        assert_eq!(one.header("idempotency-key"), Some("shr_1:transfer:1"));
        assert_eq!(one.form, asked[0].form);
    }
    assert_eq!(gateway.drift_count(), 0);
}

#[tokio::test]
async fn two_calls_alike_have_the_same_bytes() {
    let (gateway, script) = scripted([Reply::Json(200, sent()), Reply::Json(200, sent())]).await;
    for _ in 0..2 {
        gateway.create_transfer(&transfer(), "k").await.expect("a transfer");
    }
    let asked = script.asked();
    assert_eq!(asked[0].form, asked[1].form);
    assert_eq!(asked[0].peer_port, asked[1].peer_port, "the connection is kept for the next call");
}

#[tokio::test]
async fn a_definitive_refusal_is_not_repeated() {
    for (status, kind, code) in
        [(400, "invalid_request_error", "balance_insufficient"), (402, "card_error", "card_declined")]
    {
        let (gateway, script) =
            scripted([Reply::Headers(status, error(kind, code), vec![("request-id", "req_1")])]).await;
        let refused = gateway.create_transfer(&transfer(), "k").await.expect_err("refused");
        assert!(refused.is_definitive());
        let GatewayError::Refused { code: told, text, request_id, .. } = refused else { panic!("{refused:?}") };
        assert_eq!((told.as_str(), text.as_str(), request_id.as_deref()), (code, "said so", Some("req_1")));
        assert_eq!(script.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_server_error_that_stays_is_unknown_and_bounded() {
    let (gateway, script) = scripted(vec![Reply::Text(502, "<html>bad gateway</html>"); 4]).await;
    let unknown = gateway.create_transfer(&transfer(), "k").await.expect_err("unknown");
    assert!(!unknown.is_definitive());
    let GatewayError::Unknown { status, text, .. } = unknown else { panic!("{unknown:?}") };
    assert_eq!(status, Some(502), "kept although the body is no JSON");
    assert!(!text.contains("html"), "no foreign body in an error: {text}");
    assert_eq!(script.asked().len(), 4);
}

#[tokio::test]
async fn a_refusal_that_is_not_stripes_own_is_no_word_on_the_effect() {
    for status in [400, 401, 403, 404, 429] {
        let (gateway, _) = scripted(vec![Reply::Text(status, "<html>blocked by a proxy</html>"); 4]).await;
        let unknown = gateway.create_transfer(&transfer(), "k").await.expect_err("unknown");
        let kept = matches!(unknown, GatewayError::Unknown { status: Some(told), .. } if told == status);
        assert!(kept && !unknown.is_definitive(), "{unknown:?}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let refused = |change: fn(&mut Settings)| {
        let mut settings = settings("https://api.stripe.com/");
        change(&mut settings);
        Gateway::new(&settings).expect_err("refused").to_string()
    };
    assert!(refused(|settings| settings.api_base = "stripe".into()).contains("no URL"));
    assert!(refused(|settings| settings.api_base = "https://proxy.example/stripe".into()).contains("slash"));
    assert!(refused(|settings| settings.attempts_max = 0).contains("at least one attempt"));
    let live_over_http = refused(|settings| {
        settings.api_base = "http://127.0.0.1/".into();
        settings.secret_key = "sk_live_x".to_owned().into();
    });
    assert!(live_over_http.contains("not sent over http"));
    let broken = refused(|settings| settings.secret_key = "sk_test_hidden\n".to_owned().into());
    assert!(broken.contains("copy it again") && !broken.contains("hidden"), "{broken}");
}

#[tokio::test]
async fn a_key_in_use_until_the_end_is_unknown() {
    let in_use = Reply::Json(409, error("idempotency_error", "idempotency_key_in_use"));
    let (gateway, _) = scripted(vec![in_use; 4]).await;
    let unknown = gateway.create_transfer(&transfer(), "k").await.expect_err("unknown");
    assert!(matches!(unknown, GatewayError::Unknown { status: Some(409), .. }), "{unknown:?}");
}

#[tokio::test]
async fn a_key_used_for_something_else_is_never_a_reason_for_a_new_one() {
    let (gateway, _) =
        scripted([Reply::Json(400, json!({"error": {"type": "idempotency_error", "message": "m"}}))]).await;
    let reused = gateway.create_transfer(&transfer(), "k").await.expect_err("reused");
    assert!(matches!(reused, GatewayError::KeyReused { .. }) && !reused.is_definitive(), "{reused:?}");
}

#[tokio::test]
async fn no_answer_in_time_is_unknown() {
    let (gateway, script) = scripted([Reply::Silence, Reply::Json(200, sent())]).await;
    let made = gateway.create_transfer(&transfer(), "k").await.expect("the repetition was answered");
    assert_eq!(made.id, "tr_1");
    let keys: Vec<_> = script.asked().iter().map(|one| one.header("idempotency-key").map(str::to_owned)).collect();
    assert_eq!(keys, [Some("k".to_owned()), Some("k".to_owned())]);

    let (base, asked) = resetting().await;
    let once = Settings { attempts_max: 1, ..settings(&base) };
    let gateway = Gateway::new(&once).expect("a gateway");
    let unknown = gateway.create_transfer(&transfer(), "k").await.expect_err("unknown");
    assert!(matches!(unknown, GatewayError::Unknown { status: None, .. }), "{unknown:?}");
    assert!(!asked.lock().expect("lock").is_empty());
}

#[tokio::test]
async fn a_timeout_at_the_last_attempt_is_unknown() {
    let (gateway, script) = scripted(vec![Reply::Silence; 4]).await;
    let unknown = gateway.create_transfer(&transfer(), "k").await.expect_err("unknown");
    let GatewayError::Unknown { status: None, text, .. } = unknown else { panic!("{unknown:?}") };
    assert!(text.starts_with("no answer in time"), "{text}");
    assert_eq!(script.asked().len(), 4);
}

#[tokio::test]
async fn a_broken_connection_is_repeated_with_the_same_key_and_then_unknown() {
    let (base, asked) = resetting().await;
    let gateway = Gateway::new(&settings(&base)).expect("a gateway");
    let unknown = gateway.create_transfer(&transfer(), "shr_1:transfer:1").await.expect_err("unknown");
    assert!(matches!(unknown, GatewayError::Unknown { status: None, .. }), "{unknown:?}");
    let asked = asked.lock().expect("lock");
    assert!(asked.len() >= 4, "{}", asked.len());
    assert!(asked.iter().all(|one| one.to_lowercase().contains("idempotency-key: shr_1:transfer:1\r\n")));
}

#[tokio::test]
async fn slow_down_or_keep_out_after_an_unclear_attempt_is_unknown() {
    for status in [429, 401] {
        let last = Reply::Headers(status, error("x", "y"), vec![("stripe-should-retry", "false")]);
        let (gateway, _) = scripted([last.clone()]).await;
        let alone = gateway.create_transfer(&transfer(), "k").await.expect_err("an error");
        assert!(matches!(alone, GatewayError::Busy { .. } | GatewayError::Unauthorized { .. }), "{alone:?}");
        let (gateway, _) = scripted([Reply::Json(500, error("x", "y")), last]).await;
        let after = gateway.create_transfer(&transfer(), "k").await.expect_err("an error");
        assert!(matches!(after, GatewayError::Unknown { .. }), "{after:?}");
    }
}

#[tokio::test]
async fn slow_down_twice_is_still_only_slow_down() {
    let slow_down = error("invalid_request_error", "rate_limit");
    let last = Reply::Headers(429, slow_down.clone(), vec![("stripe-should-retry", "false")]);
    let (gateway, script) = scripted([Reply::Json(429, slow_down), last]).await;
    let busy = gateway.create_transfer(&transfer(), "k").await.expect_err("busy");
    assert!(matches!(busy, GatewayError::Busy { .. }), "nothing was executed, and we know it: {busy:?}");
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let wait = vec![("retry-after", "1")];
    let (gateway, script) =
        scripted([Reply::Headers(429, error("invalid_request_error", "rate_limit"), wait), Reply::Json(200, sent())])
            .await;
    let begun = std::time::Instant::now();
    gateway.create_transfer(&transfer(), "k").await.expect("a transfer");
    assert!(begun.elapsed().as_millis() >= 1_000);
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test]
async fn stripes_word_on_repeating_is_obeyed() {
    let never = vec![("stripe-should-retry", "false")];
    let (gateway, script) = scripted([Reply::Headers(500, error("api_error", "x"), never)]).await;
    gateway.create_transfer(&transfer(), "k").await.expect_err("unknown");
    assert_eq!(script.asked().len(), 1);
    let again = vec![("stripe-should-retry", "true")];
    let (gateway, script) =
        scripted([Reply::Headers(400, error("invalid_request_error", "x"), again), Reply::Json(200, sent())]).await;
    gateway.create_transfer(&transfer(), "k").await.expect("a transfer");
    assert_eq!(script.asked().len(), 2);
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_taken_for_a_failure_to_pay() {
    for reply in [Reply::Text(200, "OK"), Reply::Json(200, json!({"id": "tr_1"})), Reply::Text(200, "")] {
        let (gateway, script) = scripted([reply]).await;
        let unreadable = gateway.create_transfer(&transfer(), "k").await.expect_err("unreadable");
        assert!(matches!(unreadable, GatewayError::Unreadable { .. }) && !unreadable.is_definitive(), "{unreadable:?}");
        assert_eq!(script.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_field_that_async_stripe_misses_is_counted_and_costs_nothing() {
    let mut answer = sent();
    answer.as_object_mut().expect("object").remove("reversals");
    let (gateway, _) = scripted([Reply::Json(200, answer)]).await;
    assert_eq!(gateway.create_transfer(&transfer(), "k").await.expect("a transfer").id, "tr_1");
    assert_eq!(gateway.drift_count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_not_read_to_its_end() {
    let gateway = Gateway::new(&settings(&endless().await)).expect("a gateway");
    let unreadable = gateway.create_transfer(&transfer(), "k").await.expect_err("unreadable");
    assert!(unreadable.to_string().contains("longer than 8388608 bytes"), "{unreadable}");
}

#[tokio::test]
async fn what_cannot_be_right_is_not_sent() {
    let (gateway, script) = scripted([]).await;
    let invalid = |result: Result<_, GatewayError>| match result {
        Err(GatewayError::Invalid(text)) => text,
        other => panic!("{other:?}"),
    };
    let mut bad = transfer();
    bad.destination = "acct_1/../refunds".into();
    assert!(invalid(gateway.create_transfer(&bad, "k").await).contains("letters, digits"));
    let mut bad = transfer();
    bad.currency = "eur".into();
    assert!(invalid(gateway.create_transfer(&bad, "k").await).contains("upper case"));
    assert!(!invalid(gateway.create_transfer(&transfer(), "").await).is_empty());
    assert!(!invalid(gateway.create_transfer(&transfer(), &"k".repeat(256)).await).is_empty());
    assert!(invalid(gateway.create_transfer(&transfer(), "a\nb").await).contains("idempotency key"));
    assert!(script.asked().is_empty());
}
