use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::{Router, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use serde_json::Value;
use stripe_twin::{DeliveryPlan, Endpoint, Options};

use crate::support::{Probe, text};

/// Receives webhooks: keeps the raw bodies with their signatures, refuses while told to.
#[derive(Clone, Default)]
struct Inbox {
    seen: Arc<Mutex<Vec<(String, String)>>>,
    refusing: Arc<Mutex<bool>>,
}

impl Inbox {
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(receive)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn types(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|(body, _)| text(&serde_json::from_str(body).unwrap(), "type").to_owned()).collect()
    }
}

async fn receive(State(inbox): State<Inbox>, headers: HeaderMap, body: String) -> StatusCode {
    if *inbox.refusing.lock().unwrap() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let signature = headers["stripe-signature"].to_str().unwrap().to_owned();
    inbox.seen.lock().unwrap().push((body, signature));
    StatusCode::OK
}

async fn probe(inbox: &Inbox, plan: DeliveryPlan) -> Probe {
    let secrets = vec!["whsec_old".to_owned(), "whsec_new".to_owned()];
    let endpoints = vec![Endpoint { url: inbox.open().await, secrets }];
    Probe::with(Options { endpoints, delivery: DeliveryPlan { automatic: false, ..plan }, ..Options::default() }).await
}

#[tokio::test]
async fn every_change_is_announced_in_order_and_signed_with_every_secret() {
    let inbox = Inbox::default();
    let probe = probe(&inbox, DeliveryPlan::default()).await;
    let intent = probe.pay("1000", "eur").await;
    probe.make("refunds", &[("payment_intent", text(&intent, "id"))]).await;
    probe.twin.deliver().await;
    let expected =
        ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded", "refund.created", "charge.refunded"];
    assert_eq!(inbox.types(), expected);
    for (body, header) in inbox.seen.lock().unwrap().iter() {
        let parts: Vec<&str> = header.split(',').collect();
        assert_eq!(parts[0], format!("t={}", probe.twin.now()));
        for (secret, part) in ["whsec_old", "whsec_new"].iter().zip(&parts[1..]) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            let tag = hmac::sign(&key, format!("{}.{body}", probe.twin.now()).as_bytes());
            let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(*part, format!("v1={hex}"));
        }
        let event: Value = serde_json::from_str(body).unwrap();
        assert!(event["request"]["id"].as_str().is_some());
    }
}

#[tokio::test]
async fn a_refused_delivery_is_tried_again_later_with_the_same_body() {
    let inbox = Inbox::default();
    let probe = probe(&inbox, DeliveryPlan::default()).await;
    *inbox.refusing.lock().unwrap() = true;
    probe.make("customers", &[("name", "A")]).await;
    assert_eq!(probe.twin.deliver().await.failed_attempts, 1);
    *inbox.refusing.lock().unwrap() = false;
    assert_eq!(probe.twin.deliver().await.delivered, 0);
    probe.twin.advance(60);
    assert_eq!(probe.twin.deliver().await.delivered, 1);
    assert_eq!(probe.twin.waiting_deliveries(), 0);
    let event = probe.get("events").await.body["data"][0].clone();
    let sent: Value = serde_json::from_str(&inbox.seen.lock().unwrap()[0].0).unwrap();
    assert_eq!(sent, event);
}

#[tokio::test]
async fn a_delivery_is_given_up_after_three_days() {
    let inbox = Inbox::default();
    let probe = probe(&inbox, DeliveryPlan::default()).await;
    *inbox.refusing.lock().unwrap() = true;
    probe.make("customers", &[("name", "A")]).await;
    let mut waited = 0;
    while probe.twin.waiting_deliveries() > 0 {
        probe.twin.deliver().await;
        probe.twin.advance(3_600);
        waited += 3_600;
    }
    assert!((2 * 86_400..4 * 86_400).contains(&waited), "{waited} s");
    assert_eq!(probe.twin.deliver().await.given_up, 1);
}

#[tokio::test]
async fn deliveries_are_doubled_lost_and_delayed_as_planned() {
    let inbox = Inbox::default();
    let plan = DeliveryPlan { copies: 5, drop_percent: 30, delay_seconds_max: 3_600, ..DeliveryPlan::default() };
    let probe = probe(&inbox, plan).await;
    for _ in 0..20 {
        probe.pay("1000", "eur").await;
    }
    let early = probe.twin.deliver().await;
    probe.twin.advance(3_600);
    let tally = probe.twin.deliver().await;
    assert_eq!(tally.delivered + tally.dropped, 20 * 3 * 5);
    assert!(early.delivered < tally.delivered);
    assert!((50..130).contains(&tally.dropped), "{}", tally.dropped);
}

#[tokio::test]
async fn a_shuffled_plan_sends_the_same_in_another_order() {
    let mut orders = Vec::new();
    for shuffle in [false, true] {
        let inbox = Inbox::default();
        let probe = probe(&inbox, DeliveryPlan { shuffle, ..DeliveryPlan::default() }).await;
        for _ in 0..5 {
            probe.pay("1000", "eur").await;
        }
        probe.twin.deliver().await;
        orders.push(inbox.types());
    }
    assert_ne!(orders[0], orders[1]);
    orders.iter_mut().for_each(|order| order.sort());
    assert_eq!(orders[0], orders[1]);
}

#[tokio::test]
async fn a_stopped_plan_keeps_what_it_owes() {
    let inbox = Inbox::default();
    let stopped = DeliveryPlan { stop: true, ..DeliveryPlan::default() };
    let probe = probe(&inbox, stopped).await;
    probe.make("customers", &[("name", "A")]).await;
    assert_eq!(probe.twin.deliver().await.delivered, 0);
    probe.twin.set_delivery(DeliveryPlan { automatic: false, ..DeliveryPlan::default() });
    assert_eq!(probe.twin.deliver().await.delivered, 1);
}
