//! Webhooks as the twin signs and sends them, and the same events polled.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use stripe_twin::{Endpoint, SignatureTime};
use time::OffsetDateTime;
use tokio::net::TcpListener;
use torv_stripe::{Event, Gateway, ListQuery, Payload, SIGNATURE_HEADER, Settings, WebhookError};

use crate::{Stage, all, refund, share};

type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// Keeps every webhook's signature and raw body.
async fn receiver() -> (String, Received) {
    let received = Received::default();
    let kept = received.clone();
    let app = axum::Router::new().fallback(move |headers: HeaderMap, body: Bytes| async move {
        let signature = headers[SIGNATURE_HEADER].to_str().expect("ascii").to_owned();
        kept.lock().expect("lock").push((signature, body.to_vec()));
        StatusCode::OK
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, received)
}

/// One of everything that the exchange listens to.
async fn a_busy_week(stage: &Stage) {
    let provider = stage.provider("org_1").await;
    let (intent, charge) = stage.sold("k1").await;
    let transfer = stage.stripe.create_transfer(&share(&provider, Some(&charge.id), 1_000), "k2").await;
    let transfer = transfer.expect("a transfer").id;
    stage.stripe.reverse_transfer(&transfer, 100, "EUR", &Default::default(), "k3").await.expect("a reversal");
    stage.stripe.create_refund(&refund(&intent.id, 100), "k4").await.expect("a refund");
    stage.pay("pm_card_chargeDeclined", "k5").await;
    let (_, charge) = stage.sold("k6").await;
    let dispute = stage.control(&format!("charges/{}/dispute", charge.id), &Value::Null);
    let resolve = format!("disputes/{}/resolve", dispute["id"].as_str().expect("an id"));
    stage.control(&resolve, &json!({"won": true}));
    stage.twin.advance(7 * 86_400);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_delivered_event_verifies_decodes_and_equals_the_polled_one() {
    let stage = Stage::new().await;
    let (url, received) = receiver().await;
    let endpoint = Endpoint { url, secrets: vec!["whsec_old".into(), "whsec_new".into()] };
    stage.twin.set_endpoints(vec![endpoint]);
    stage.twin.set_delivery(stripe_twin::DeliveryPlan {
        signature_time: SignatureTime::Twin,
        automatic: false,
        ..Default::default()
    });
    a_busy_week(&stage).await;
    stage.twin.deliver().await;

    let mut settings = Settings::new(SecretString::from("sk_test_twin"));
    settings.webhook_secrets = vec![SecretString::from("whsec_newest"), SecretString::from("whsec_new")];
    let verifier = Gateway::new(&settings).expect("a gateway");
    settings.webhook_secrets = vec![SecretString::from("whsec_of_somebody_else")];
    let stranger = Gateway::new(&settings).expect("a gateway");
    let now = OffsetDateTime::from_unix_timestamp(stage.twin.now()).expect("a time");

    let mut delivered: Vec<Event> = Vec::new();
    for (signature, body) in received.lock().expect("lock").iter() {
        assert_eq!(verifier.verify_webhook(signature, body, now), Ok(()));
        assert_eq!(stranger.verify_webhook(signature, body, now), Err(WebhookError::NoMatch));
        let event = torv_stripe::decode(body).expect("an event");
        let text = std::str::from_utf8(body).expect("utf-8");
        let strict = stripe_webhook::Webhook::insecure(text);
        assert!(strict.is_ok(), "async-stripe does not read {}: {:?}", event.kind, strict.err());
        delivered.push(event);
    }
    let undecodable = delivered.iter().find(|event| matches!(event.payload, Payload::Undecodable { .. }));
    assert!(undecodable.is_none(), "{undecodable:?}");
    for kind in [
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "charge.refunded",
        "refund.created",
        "charge.dispute.created",
        "charge.dispute.closed",
        "transfer.created",
        "transfer.reversed",
        "payout.created",
        "payout.paid",
        "payout.reconciliation_completed",
        "account.updated",
    ] {
        let event = delivered.iter().find(|event| event.kind == kind);
        let event = event.unwrap_or_else(|| panic!("no {kind}"));
        assert!(!matches!(event.payload, Payload::Other { .. } | Payload::Thin { .. }), "{kind}: {:?}", event.payload);
    }
    // Events of connected accounts are delivered to the platform, but only the account itself lists them.
    let provider = delivered.iter().find_map(|event| event.account.clone()).expect("an event of the provider's");
    let provider = stage.stripe.on_account(&provider).expect("an id");
    let mut polled = all(async |query| stage.stripe.list_events(&[], &query).await).await;
    assert!(polled.iter().all(|event| event.account.is_none()));
    polled.extend(all(async |query| provider.list_events(&[], &query).await).await);
    let by_id = |left: &Event, right: &Event| left.id.cmp(&right.id);
    polled.sort_by(by_id);
    delivered.sort_by(by_id);
    let ids = |events: &[Event]| events.iter().map(|event| event.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&polled), ids(&delivered), "nothing is lost to somebody who polls");
    // What is kept as it came has the indentation of where it stood, so that only decoded payloads compare.
    let decoded = |event: &&Event| !matches!(event.payload, Payload::Other { .. });
    let polled: Vec<_> = polled.iter().filter(decoded).map(|event| (&event.kind, &event.payload)).collect();
    let told: Vec<_> = delivered.iter().filter(decoded).map(|event| (&event.kind, &event.payload)).collect();
    assert_eq!(polled, told);
    for raw in all(async |query| stage.stripe.list_raw_events(&[], &query).await).await {
        let read = torv_stripe::decode(raw.body.as_bytes()).expect("an event");
        assert!(delivered.iter().any(|event| (&event.id, &event.kind) == (&raw.id, &read.kind)), "{}", raw.id);
    }
    stage.end();
}

#[tokio::test]
async fn polling_asks_for_a_window_and_for_kinds() {
    let stage = Stage::new().await;
    a_busy_week(&stage).await;
    let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
    let end = stage.twin.now();
    let refunds = stage.stripe.list_events(&["refund.created"], &ListQuery::default()).await.expect("a page");
    assert_eq!(refunds.items.len(), 1);
    let first_day = ListQuery::created(at(end - 7 * 86_400), at(end - 6 * 86_400));
    let later = ListQuery::created(at(end - 6 * 86_400), at(end + 1));
    let both = [first_day, later];
    let mut counts = Vec::new();
    for window in &both {
        let page = stage.stripe.list_events(&[], window).await.expect("a page");
        assert_eq!(page.next, None);
        counts.push(page.items.len());
    }
    let everything = all(async |query| stage.stripe.list_events(&[], &query).await).await;
    assert_eq!(counts.iter().sum::<usize>(), everything.len());
    assert!(counts.iter().all(|count| *count > 0));
}
