use serde_json::{Value, json};

use super::*;
use crate::payment_intent::PaymentOutcome;

fn event(kind: &str, object: &Value) -> Value {
    json!({
        "id": "evt_1", "object": "event", "type": kind, "created": 1_790_000_000, "livemode": false,
        "api_version": "2026-09-30.endive", "pending_webhooks": 1, "request": null, "data": {"object": object},
    })
}

fn decoded(event: &Value) -> Event {
    decode(event.to_string().as_bytes()).expect("an event")
}

fn dispute() -> Value {
    json!({
        "id": "dp_1", "object": "dispute", "amount": 10_001, "currency": "eur", "status": "needs_response", "reason": "general",
        "charge": "ch_1", "payment_intent": "pi_1", "created": 1_790_000_000, "metadata": {}, "is_charge_refundable": false,
        "evidence_details": {"due_by": 1_791_000_000, "has_evidence": false, "submission_count": 0, "past_due": false},
        "balance_transactions": [],
    })
}

#[test]
fn each_object_the_exchange_uses_is_typed() {
    let common = |object: &str| {
        json!({
            "id": "x_1", "object": object, "amount": 5000, "currency": "isk", "status": "succeeded", "created": 1_790_000_000,
            "metadata": {"order": "ord_1"}, "livemode": false, "amount_received": 5000, "amount_capturable": 0,
            "amount_captured": 5000, "amount_refunded": 0, "amount_reversed": 0, "captured": true, "disputed": false,
            "automatic": true, "arrival_date": 1_790_100_000, "payment_status": "paid", "expires_at": 1_790_000_001,
        })
    };
    for (kind, object) in [
        ("payment_intent.succeeded", common("payment_intent")),
        ("charge.refunded", common("charge")),
        ("charge.refund.updated", common("refund")),
        ("refund.failed", common("refund")),
        ("charge.dispute.created", dispute()),
        ("transfer.reversed", common("transfer")),
        ("payout.paid", common("payout")),
        ("account.updated", common("account")),
        ("checkout.session.completed", common("checkout.session")),
    ] {
        let event = decoded(&event(kind, &object));
        assert_eq!(event.kind, kind);
        assert_eq!(event.object_id.as_deref(), object["id"].as_str());
        let typed = match &event.payload {
            Payload::PaymentIntent(intent) => intent.amount_minor == 50 && intent.outcome == PaymentOutcome::Succeeded,
            Payload::Charge(charge) => charge.metadata["order"] == "ord_1",
            Payload::Refund(refund) => refund.amount_minor == 50,
            Payload::Dispute(dispute) => dispute.evidence_due_by.is_some() && dispute.currency == "EUR",
            Payload::Transfer(transfer) => transfer.amount_minor == 50,
            Payload::Payout(payout) => payout.arrival_date.unix_timestamp() == 1_790_100_000,
            Payload::Account(account) => !account.can_receive_transfers(),
            Payload::CheckoutSession(session) => session.is_paid(),
            other => panic!("{kind}: {other:?}"),
        };
        assert!(typed, "{kind}: {:?}", event.payload);
    }
}

#[test]
fn an_event_of_a_connected_account_names_it() {
    let mut raw = event("account.updated", &json!({"id": "acct_1", "object": "account"}));
    raw["account"] = json!("acct_1");
    assert_eq!(decoded(&raw).account.as_deref(), Some("acct_1"));
}

#[test]
fn what_the_exchange_does_not_use_is_kept_as_it_came() {
    let object = json!({"id": "in_1", "object": "invoice", "anything": [1, 2]});
    let event = decoded(&event("invoice.paid", &object));
    let Payload::Other { object_type, raw } = event.payload else { panic!("{:?}", event.payload) };
    assert_eq!(object_type.as_deref(), Some("invoice"));
    assert_eq!(serde_json::from_str::<Value>(&raw).expect("json"), object);
}

#[test]
fn an_unreadable_object_keeps_the_event_names_the_field_and_hides_the_object_from_debug() {
    let mut object = dispute();
    object["amount"] = json!("much");
    object["evidence"] = json!({"customer_name": "Ada"});
    let event = decoded(&event("charge.dispute.created", &object));
    assert_eq!((event.id.as_str(), event.object_id.as_deref()), ("evt_1", Some("dp_1")));
    assert!(!format!("{event:?}").contains("Ada"));
    let Payload::Undecodable { reason, raw } = event.payload else { panic!("{:?}", event.payload) };
    assert!(reason.starts_with("data.object.amount: "), "{reason}");
    assert_eq!(serde_json::from_str::<Value>(&raw).expect("json"), object);
}

#[test]
fn a_missing_field_that_nobody_uses_spoils_nothing() {
    // async-stripe wants `reversals` in a transfer and would refuse the whole event.
    let object = json!({
        "id": "tr_1", "object": "transfer", "amount": 8001, "currency": "eur", "created": 1_790_000_000, "livemode": false,
        "metadata": {"share": "shr_1"}, "reversed": false, "amount_reversed": 0, "destination": "acct_1",
    });
    let raw = event("transfer.created", &object);
    assert!(stripe_webhook::Webhook::insecure(&raw.to_string()).is_err());
    let Payload::Transfer(transfer) = decoded(&raw).payload else { panic!("no transfer") };
    assert_eq!((transfer.amount_minor, transfer.metadata["share"].as_str()), (8001, "shr_1"));
}

#[test]
fn objects_that_are_none_are_undecodable_and_not_lost() {
    for object in [json!(null), json!("pi_1"), json!([1]), json!(7)] {
        let event = decoded(&event("payment_intent.succeeded", &object));
        assert!(matches!(event.payload, Payload::Undecodable { .. } | Payload::Other { .. }), "{:?}", event.payload);
    }
}

#[test]
fn a_thin_v2_event_is_recognised() {
    let event = decoded(&json!({
        "id": "evt_2", "object": "v2.core.event", "type": "v2.core.account.updated", "livemode": true,
        "created": "2026-09-17T06:20:52.246Z", "context": "acct_9", "reason": null,
        "related_object": {"id": "acct_1", "type": "v2.core.account", "url": "/v2/core/accounts/acct_1"},
    }));
    assert_eq!(event.created.unix_timestamp(), 1_789_626_052);
    assert_eq!((event.object_id.as_deref(), event.account.as_deref()), (Some("acct_1"), Some("acct_9")));
    assert_eq!(event.payload, Payload::Thin { object_type: "v2.core.account".to_owned() });
}

#[test]
fn what_is_no_event_is_an_error_that_names_the_field() {
    for (body, reason) in [
        (&b"\xff"[..], "the body is not UTF-8"),
        (b"[]", ": no JSON object"),
        (b"{\"object\":\"event\"", ": no JSON object"),
        (b"{}", "id: missing"),
        (b"{\"id\":\"evt_1\"}", "type: missing"),
        (b"{\"id\":\"evt_1\",\"type\":\"x\"}", "created: missing"),
        (b"{\"id\":\"evt_1\",\"type\":\"x\",\"created\":9223372036854775807}", "created: no time of our era"),
    ] {
        let error = decode(body).expect_err("no event").to_string();
        assert!(error.starts_with(reason), "{error}");
    }
}

proptest::proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = decode(&body);
    }
}

#[test]
fn no_damage_to_a_field_loses_the_event() {
    let keys: Vec<String> = dispute().as_object().expect("object").keys().cloned().collect();
    for key in &keys {
        for value in [json!(null), json!(-1), json!("?"), json!([]), json!({}), json!(1e300)] {
            let mut object = dispute();
            object[key] = value;
            assert_eq!(decoded(&event("charge.dispute.created", &object)).id, "evt_1");
        }
    }
}
