//! What becomes of Stripe's answers. Each is in the shape that async-stripe's strict types accept too (`drift_count` 0).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use torv_stripe::{
    AccountLinkUse, BankTransferKind, Capture, FundingInstructions, Gateway, GatewayError, ListQuery, Payload,
    PaymentIntent, PaymentMethodChoice, PaymentOutcome, PaymentRequest,
};

use crate::support::{Reply, scripted};

const CREATED: i64 = 1_790_000_000;

fn intent(status: &str) -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "amount": 10_001, "amount_capturable": 0, "amount_received": 0,
        "capture_method": "automatic", "confirmation_method": "automatic", "created": CREATED, "currency": "eur",
        "customer": "cus_1", "livemode": false, "metadata": {"order": "ord_1"}, "payment_method": "pm_1",
        "payment_method_types": ["card"], "status": status, "transfer_group": "ord_1", "latest_charge": null,
    })
}

fn balance_transaction(source: &Value) -> Value {
    json!({
        "id": "txn_1", "object": "balance_transaction", "amount": 10_001, "fee": 320, "net": 9_681, "currency": "eur",
        "available_on": CREATED + 86_400, "balance_type": "payments", "created": CREATED, "description": null,
        "exchange_rate": null, "fee_details": [], "reporting_category": "charge", "source": source, "status": "pending",
        "type": "charge",
    })
}

fn charge() -> Value {
    json!({
        "id": "ch_1", "object": "charge", "amount": 10_001, "amount_captured": 10_001, "amount_refunded": 0,
        "balance_transaction": "txn_1", "billing_details": {}, "captured": true, "created": CREATED, "currency": "eur",
        "disputed": false, "livemode": false, "metadata": {"order": "ord_1"}, "paid": true, "payment_intent": "pi_1",
        "refunded": false, "status": "succeeded", "transfer_group": "ord_1",
    })
}

fn list(items: &[Value], has_more: bool) -> Reply {
    Reply::Json(200, json!({"object": "list", "url": "/v1/x", "data": items, "has_more": has_more}))
}

fn request() -> PaymentRequest {
    PaymentRequest {
        amount_minor: 10_001,
        currency: "EUR".into(),
        method: PaymentMethodChoice::OnSession { payment_method: "pm_1".into(), return_url: None },
        customer: Some("cus_1".into()),
        capture: Capture::Automatic,
        save_for_off_session: false,
        transfer_group: None,
        description: "Order 1".into(),
        metadata: BTreeMap::new(),
    }
}

async fn paid(reply: Reply) -> (Gateway, Result<PaymentIntent, GatewayError>) {
    let (gateway, _) = scripted([reply]).await;
    let result = gateway.create_payment_intent(&request(), "k").await;
    (gateway, result)
}

#[tokio::test]
async fn a_payment_that_succeeded_brings_its_fee_and_settlement_currency() {
    let mut answer = intent("succeeded");
    answer["amount_received"] = json!(10_001);
    answer["latest_charge"] = charge();
    answer["latest_charge"]["balance_transaction"] = balance_transaction(&json!("ch_1"));
    let (gateway, result) = paid(Reply::Json(200, answer)).await;
    let intent = result.expect("a payment");
    assert_eq!(gateway.drift_count(), 0, "async-stripe accepts it too");
    assert_eq!((intent.outcome, intent.amount_received_minor), (PaymentOutcome::Succeeded, 10_001));
    assert_eq!(intent.latest_charge_id.as_deref(), Some("ch_1"));
    let charge = intent.latest_charge.expect("expanded");
    let settled = charge.balance_transaction.expect("expanded");
    assert_eq!((settled.fee_minor, settled.net_minor, settled.currency.as_str()), (320, 9_681, "EUR"));
    assert_eq!(intent.metadata["order"], "ord_1");
}

#[tokio::test]
async fn a_decline_is_an_outcome_and_not_an_error() {
    let decline = json!({
        "type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds", "message": "Your card has insufficient funds.",
    });
    let mut declined = intent("requires_payment_method");
    declined["last_payment_error"] = decline.clone();
    let mut error = decline;
    for inside in [declined, intent("requires_payment_method")] {
        error["payment_intent"] = inside;
        let (_, result) = paid(Reply::Json(402, json!({"error": error}))).await;
        let intent = result.expect("a payment");
        assert_eq!(intent.id, "pi_1");
        assert_eq!(
            intent.outcome,
            PaymentOutcome::Failed {
                code: "card_declined".into(),
                text: "Your card has insufficient funds.".into(),
                decline_code: Some("insufficient_funds".into()),
            }
        );
    }
}

#[tokio::test]
async fn a_refusal_that_left_the_payment_as_it_was_stays_an_error() {
    let error = json!({
        "type": "invalid_request_error", "code": "payment_intent_unexpected_state", "message": "already captured",
        "payment_intent": intent("succeeded"),
    });
    let (gateway, _) = scripted([Reply::Json(400, json!({"error": error}))]).await;
    let refused = gateway.capture_payment_intent("pi_1", None, "k").await.expect_err("refused");
    assert!(matches!(&refused, GatewayError::Refused { code, .. } if code == "payment_intent_unexpected_state"));
}

#[tokio::test]
async fn a_payment_that_waits_says_for_what() {
    let mut answer = intent("requires_action");
    answer["next_action"] = json!({
        "type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example/3ds", "return_url": "https://torv.example"},
    });
    let (gateway, result) = paid(Reply::Json(200, answer)).await;
    let redirect_url = Some("https://bank.example/3ds".to_owned());
    assert_eq!(
        result.expect("a payment").outcome,
        PaymentOutcome::RequiresAction { action: "redirect_to_url".into(), redirect_url }
    );
    assert_eq!(gateway.drift_count(), 0);
    for (status, outcome) in [
        ("processing", PaymentOutcome::Processing),
        ("requires_capture", PaymentOutcome::Authorized),
        ("requires_confirmation", PaymentOutcome::RequiresConfirmation),
        ("requires_payment_method", PaymentOutcome::RequiresPaymentMethod),
        ("canceled", PaymentOutcome::Canceled { reason: None }),
        ("made_up_in_2030", PaymentOutcome::Other("made_up_in_2030".into())),
    ] {
        let (_, result) = paid(Reply::Json(200, intent(status))).await;
        assert_eq!(result.expect("a payment").outcome, outcome);
    }
}

#[tokio::test]
async fn a_bank_transfer_says_where_to_send_the_money() {
    let mut answer = intent("requires_action");
    answer["payment_method_types"] = json!(["customer_balance"]);
    answer["next_action"] = json!({
        "type": "display_bank_transfer_instructions",
        "display_bank_transfer_instructions": {
            "amount_remaining": 10_001, "currency": "eur", "reference": "ORD1REF", "type": "eu_bank_transfer",
            "hosted_instructions_url": "https://payments.stripe.example/i",
            "financial_addresses": [{
                "type": "iban", "supported_networks": ["sepa"],
                "iban": {
                    "account_holder_name": "Torv", "bic": "AGRIFRPP", "country": "FR", "iban": "FR7630006000011234567890189",
                    "account_holder_address": {}, "bank_address": {},
                },
            }],
        },
    });
    let (gateway, _) = scripted([Reply::Json(200, answer)]).await;
    let by_transfer = PaymentRequest {
        method: PaymentMethodChoice::BankTransfer(BankTransferKind::Eu { country: "FR".into() }),
        ..request()
    };
    let intent = gateway.create_payment_intent(&by_transfer, "k").await.expect("a payment");
    let PaymentOutcome::AwaitsTransfer(FundingInstructions { amount_remaining_minor, reference, addresses, .. }) =
        intent.outcome
    else {
        panic!("{:?}", intent.outcome)
    };
    assert_eq!((amount_remaining_minor, reference.as_deref()), (Some(10_001), Some("ORD1REF")));
    assert_eq!(addresses[0].iban.as_deref(), Some("FR7630006000011234567890189"));
    assert_eq!(addresses[0].bic.as_deref(), Some("AGRIFRPP"));
    assert_eq!(gateway.drift_count(), 0);
}

#[tokio::test]
async fn balance_transactions_keep_our_reference_the_open_words_and_the_rate_as_written() {
    let mut converted = balance_transaction(&charge());
    converted["exchange_rate"] = json!(null);
    let raw = converted.to_string().replace("\"exchange_rate\":null", "\"exchange_rate\":1.1234567890123456789");
    let mut unheard_of = balance_transaction(&json!({"id": "new_1", "object": "made_up", "metadata": {"x": "y"}}));
    unheard_of["type"] = json!("made_up_in_2030");
    let body = format!("{{\"object\":\"list\",\"url\":\"/v1/x\",\"has_more\":false,\"data\":[{raw},{unheard_of}]}}");
    let (gateway, _) = scripted([Reply::Text(200, Box::leak(body.into_boxed_str()))]).await;
    let page = gateway.list_balance_transactions(&ListQuery::default()).await.expect("a page");
    assert_eq!((page.items.len(), page.unreadable.len(), page.next), (2, 0, None));
    assert_eq!(page.items[0].exchange_rate.as_deref(), Some("1.1234567890123456789"));
    let source = page.items[0].source.as_ref().expect("a source");
    assert_eq!((source.object.as_deref(), source.metadata["order"].as_str()), (Some("charge"), "ord_1"));
    assert_eq!(page.items[1].kind, "made_up_in_2030");
    assert_eq!(page.items[1].source.as_ref().expect("a source").metadata["x"], "y");
}

#[tokio::test]
async fn one_unreadable_element_does_not_hide_the_others_and_is_not_dropped() {
    let mut odd = balance_transaction(&json!(null));
    odd["id"] = json!("txn_odd");
    odd["currency"] = json!("isk");
    let mut page_of_three = vec![balance_transaction(&json!(null)), odd, balance_transaction(&json!(null))];
    page_of_three[2]["id"] = json!("txn_3");
    let (gateway, script) = scripted([list(&page_of_three, true), list(&[], false)]).await;
    let page = gateway.list_balance_transactions(&ListQuery::default()).await.expect("a page");
    assert_eq!(page.items.len(), 2);
    assert_eq!(page.unreadable[0].id.as_deref(), Some("txn_odd"));
    assert!(
        page.unreadable[0].reason.contains("amount: Stripe's amount 10001 of ISK"),
        "{}",
        page.unreadable[0].reason
    );
    let next = page.next.expect("there is more");
    assert_eq!(next, "txn_3");
    let last = gateway.list_balance_transactions(&ListQuery::default().after(&next)).await.expect("a page");
    assert_eq!(last.next, None);
    assert!(script.asked()[1].line.ends_with("&starting_after=txn_3"));
}

#[tokio::test]
async fn the_balance_is_in_iso_minor_units() {
    let part =
        |currency: &str, amount: i64| json!({"currency": currency, "amount": amount, "source_types": {"card": amount}});
    let answer = json!({
        "object": "balance", "livemode": false, "available": [part("eur", -120), part("isk", 50_000)], "pending": [part("eur", 9_681)],
    });
    let (gateway, _) = scripted([Reply::Json(200, answer)]).await;
    let balance = gateway.retrieve_balance().await.expect("a balance");
    assert_eq!(balance.available_minor, BTreeMap::from([("EUR".to_owned(), -120), ("ISK".to_owned(), 500)]));
    assert_eq!(balance.pending_minor["EUR"], 9_681);
    assert_eq!(gateway.drift_count(), 0);
}

#[tokio::test]
async fn a_balance_with_a_fraction_keeps_its_whole_part_and_says_so() {
    let part = |currency: &str, amount: i64| json!({"currency": currency, "amount": amount});
    let answer = json!({
        "object": "balance", "livemode": false, "available": [part("eur", 5), part("isk", -1_250)],
        "pending": [part("eur", 7), part("isk", 340)],
    });
    let (gateway, _) = scripted([Reply::Json(200, answer)]).await;
    let balance = gateway.retrieve_balance().await.expect("a balance");
    assert_eq!((balance.available_minor["ISK"], balance.pending_minor["ISK"]), (-12, 3));
    assert_eq!((balance.available_minor["EUR"], balance.pending_minor["EUR"]), (5, 7));
    let told = BTreeMap::from([("ISK".to_owned(), "available -1250, pending 340".to_owned())]);
    assert_eq!(balance.fractions, told);
}

#[tokio::test]
async fn an_account_is_payable_once_the_capability_is_active_and_nothing_is_due() {
    let account = |word: &str, due: &[&str]| {
        json!({
            "id": "acct_1", "object": "account", "type": "express", "charges_enabled": false, "payouts_enabled": true,
            "capabilities": {"transfers": word}, "metadata": {}, "country": "DK", "default_currency": "dkk",
            "requirements": {"currently_due": due, "past_due": [], "eventually_due": ["x"], "disabled_reason": null},
        })
    };
    for (word, due, payable) in
        [("active", &[][..], true), ("active", &["individual.dob"], false), ("pending", &[], false)]
    {
        let (gateway, _) = scripted([Reply::Json(200, account(word, due))]).await;
        let account = gateway.retrieve_account("acct_1").await.expect("an account");
        assert_eq!(account.can_receive_transfers(), payable, "{word} {due:?}");
        assert_eq!((account.default_currency.as_deref(), account.payouts_enabled), (Some("DKK"), true));
        assert_eq!(gateway.drift_count(), 0);
    }
}

#[tokio::test]
async fn an_account_link_is_a_secret() {
    let answer = json!({"object": "account_link", "created": CREATED, "expires_at": CREATED + 300, "url": "https://connect.example/s/abc"});
    let (gateway, _) = scripted([Reply::Json(200, answer)]).await;
    let link = gateway
        .create_account_link("acct_1", AccountLinkUse::Update, "https://r.example", "https://b.example", "k")
        .await
        .expect("a link");
    assert_eq!(link.url, "https://connect.example/s/abc");
    assert!(!format!("{link:?}").contains("abc"));
}

#[tokio::test]
async fn a_payout_tells_its_reconciliation_status_and_trace() {
    let answer = json!({
        "id": "po_1", "object": "payout", "amount": 1680, "currency": "eur", "status": "paid", "automatic": true,
        "arrival_date": CREATED, "created": CREATED, "livemode": false, "method": "standard", "source_type": "card",
        "reconciliation_status": "completed", "trace_id": {"status": "supported", "value": "TRACE1"}, "type": "bank_account",
        "metadata": {},
    });
    let (gateway, _) = scripted([Reply::Json(200, answer)]).await;
    let payout = gateway.retrieve_payout("po_1").await.expect("a payout");
    assert_eq!((payout.amount_minor, payout.trace_id.as_deref()), (1_680, Some("TRACE1")));
    assert_eq!(payout.reconciliation_status.as_deref(), Some("completed"));
    assert_eq!(gateway.drift_count(), 0);
}

#[tokio::test]
async fn polled_events_are_read_like_delivered_ones() {
    let event = json!({
        "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": CREATED, "livemode": false,
        "pending_webhooks": 0, "api_version": "2026-09-30.endive", "data": {"object": intent("succeeded")},
    });
    let delivered = torv_stripe::decode(event.to_string().as_bytes()).expect("an event");
    let strict = stripe_webhook::Webhook::insecure(&event.to_string()).expect("async-stripe reads it too");
    assert_eq!(strict.id.as_str(), delivered.id);
    assert!(matches!(strict.data.object, stripe_webhook::EventObject::PaymentIntentSucceeded(_)));
    let (gateway, _) = scripted([list(&[event], false)]).await;
    let page = gateway.list_events(&[], &ListQuery::default()).await.expect("a page");
    assert_eq!(page.items, [delivered]);
    assert!(matches!(&page.items[0].payload, Payload::PaymentIntent(intent) if intent.metadata["order"] == "ord_1"));
    assert_eq!(gateway.drift_count(), 0);
}

#[tokio::test]
async fn what_stripe_does_not_have_is_not_found() {
    let error = json!({"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such transfer: 'tr_9'"}});
    let (gateway, _) = scripted([Reply::Json(404, error)]).await;
    let missing = gateway.retrieve_transfer("tr_9").await.expect_err("missing");
    assert!(matches!(missing, GatewayError::NotFound { .. }), "{missing:?}");
}
