//! After the payment: shares, refunds, reversals, payouts, disputes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use torv_stripe::{AccountKind, AccountLinkUse, AccountRequest, DisputeEvidence, GatewayError, ListQuery};

use crate::{Stage, all, reference, refund, share};

const DAY_SECONDS: i64 = 86_400;

#[tokio::test]
async fn a_sale_its_split_a_partial_refund_and_the_payout_add_up() {
    let stage = Stage::new().await;
    let stripe = &stage.stripe;
    let provider = stage.provider("org_1").await;
    assert!(stripe.retrieve_account(&provider).await.expect("an account").can_receive_transfers());
    let (intent, charge) = stage.sold("ord_1:payment:1").await;
    let settled = charge.balance_transaction.clone().expect("expanded");
    assert_eq!((settled.amount_minor, settled.fee_minor, settled.net_minor), (10_001, 320, 9_681));
    let found = stripe.retrieve_payment_intent(&intent.id).await.expect("the payment");
    assert_eq!(found, intent);

    let transfer = stripe
        .create_transfer(&share(&provider, Some(&charge.id), 8_001), "shr_1:transfer:1")
        .await
        .expect("a transfer");
    assert_eq!(stripe.retrieve_transfer(&transfer.id).await.expect("the transfer"), transfer);
    let given_back = stripe.create_refund(&refund(&intent.id, 5_000), "rfd_1:refund:1").await.expect("a refund");
    assert_eq!(stripe.retrieve_refund(&given_back.id).await.expect("the refund"), given_back);
    let metadata = reference("reversal", "rev_1");
    let taken_back =
        stripe.reverse_transfer(&transfer.id, 4_000, "EUR", &metadata, "rev_1:reversal:1").await.expect("a reversal");

    let transfers = stripe.list_transfers(Some("ord_1"), &ListQuery::default()).await.expect("a page").items;
    assert_eq!((transfers.len(), transfers[0].amount_reversed_minor), (1, 4_000));
    assert_eq!(stripe.list_transfer_reversals(&transfer.id, None).await.expect("a page").items, [taken_back]);
    assert_eq!(stripe.list_refunds(Some(&intent.id), &ListQuery::default()).await.expect("a page").items, [given_back]);

    let transactions = all(async |query| stripe.list_balance_transactions(&query).await).await;
    let mut told: Vec<_> = transactions
        .iter()
        .map(|one| {
            let metadata = &one.source.as_ref().expect("a source").metadata;
            (one.kind.as_str(), one.net_minor, metadata.iter().next().map(|(key, value)| format!("{key}={value}")))
        })
        .collect();
    told.reverse();
    assert_eq!(
        told,
        [
            ("charge", 9_681, Some("order=ord_1".into())),
            ("transfer", -8_001, Some("share=shr_1".into())),
            ("refund", -5_000, Some("refund=rfd_1".into())),
            ("transfer_refund", 4_000, Some("reversal=rev_1".into())),
        ],
        "each change of the balance leads back to one of ours"
    );
    let balance = stripe.retrieve_balance().await.expect("a balance");
    assert_eq!(balance.available_minor["EUR"] + balance.pending_minor["EUR"], 680);
    let theirs = stripe.on_account(&provider).expect("an id").retrieve_balance().await.expect("a balance");
    assert_eq!(theirs.available_minor["EUR"] + theirs.pending_minor["EUR"], 4_001);

    stage.twin.advance(4 * DAY_SECONDS);
    let payouts = all(async |query| stripe.list_payouts(&query).await).await;
    assert_eq!((payouts.len(), payouts[0].amount_minor, payouts[0].automatic), (1, 680, true));
    stage.twin.advance(3 * DAY_SECONDS);
    let payout = stripe.retrieve_payout(&payouts[0].id).await.expect("the payout");
    assert_eq!((payout.status.as_str(), payout.reconciliation_status.as_deref()), ("paid", Some("completed")));
    assert!(payout.trace_id.is_some());
    let of_payout = all(async |query| stripe.list_balance_transactions_of_payout(&payout.id, &query).await).await;
    let paid_out: i64 = of_payout.iter().filter(|one| one.kind != "payout").map(|one| one.net_minor).sum();
    assert_eq!((of_payout.len(), paid_out), (5, payout.amount_minor));
    stage.end();
}

#[tokio::test]
async fn accounts_are_onboarded_by_link_and_may_lose_the_right_to_be_paid() {
    let stage = Stage::new().await;
    let stripe = &stage.stripe;
    let request =
        AccountRequest { kind: AccountKind::Controller, country: None, email: None, metadata: BTreeMap::new() };
    let account = stripe.create_account(&request, "k1").await.expect("an account");
    let (again, back) = ("https://torv.example/again", "https://torv.example/done");
    let link =
        stripe.create_account_link(&account.id, AccountLinkUse::Onboarding, again, back, "k2").await.expect("a link");
    assert!(link.expires_at.unix_timestamp() > stage.twin.now());
    let (_, charge) = stage.sold("k3").await;
    let early = stripe.create_transfer(&share(&account.id, Some(&charge.id), 8_001), "shr_1:transfer:1").await;
    let early = early.expect_err("not onboarded");
    assert!(matches!(&early, GatewayError::Refused { code, .. } if code == "insufficient_capabilities_for_transfer"));
    stage.control(&format!("accounts/{}/standing", account.id), &json!({"standing": "complete"}));
    let replayed = stripe.create_transfer(&share(&account.id, Some(&charge.id), 8_001), "shr_1:transfer:1").await;
    assert!(replayed.expect_err("the refusal is kept for the key").is_definitive());
    let next = stripe.create_transfer(&share(&account.id, Some(&charge.id), 8_001), "shr_1:transfer:2").await;
    assert_eq!(next.expect("a new attempt has a new key").amount_minor, 8_001);
    stage.control(&format!("accounts/{}/standing", account.id), &json!({"standing": "restricted"}));
    let restricted = stripe.retrieve_account(&account.id).await.expect("the account");
    assert!(!restricted.can_receive_transfers());
    assert!(!restricted.requirements.past_due.is_empty() && restricted.requirements.disabled_reason.is_some());
    stage.end();
}

#[tokio::test]
async fn a_provider_who_was_paid_out_cannot_give_back() {
    let stage = Stage::new().await;
    let provider = stage.provider("org_1").await;
    let (_, charge) = stage.sold("k1").await;
    let transfer =
        stage.stripe.create_transfer(&share(&provider, Some(&charge.id), 8_001), "k2").await.expect("a transfer");
    stage.control(&format!("accounts/{provider}/drain"), &Value::Null);
    let refused = stage.stripe.reverse_transfer(&transfer.id, 1, "EUR", &BTreeMap::new(), "k3").await;
    assert!(matches!(refused, Err(GatewayError::Refused { code, .. }) if code == "balance_insufficient"));
    stage.end();
}

#[tokio::test]
async fn a_dispute_takes_the_money_and_gives_it_back_if_won() {
    let stage = Stage::new().await;
    let stripe = &stage.stripe;
    let (intent, charge) = stage.sold("k1").await;
    stage.control(&format!("charges/{}/dispute", charge.id), &json!({"reason": "product_not_received"}));
    let disputes = stripe.list_disputes(Some(&intent.id), &ListQuery::default()).await.expect("a page").items;
    let dispute = &disputes[0];
    assert_eq!((dispute.status.as_str(), dispute.amount_minor), ("needs_response", 10_001));
    assert_eq!(dispute.balance_transactions.len(), 1);
    assert_eq!(dispute.balance_transactions[0].reporting_category, "dispute");
    assert!(dispute.evidence_due_by.is_some());
    let evidence = DisputeEvidence {
        access_activity_log: Some("downloaded 2026-11-21".into()),
        uncategorized_text: Some("winning_evidence".into()),
        ..DisputeEvidence::default()
    };
    let sent = stripe.submit_dispute_evidence(&dispute.id, &evidence, true, "k2").await.expect("submitted");
    assert_eq!(sent.submission_count, 1);
    let won = stripe.retrieve_dispute(&dispute.id).await.expect("the dispute");
    assert_eq!((won.status.as_str(), won.balance_transactions.len()), ("won", 2));
    let (_, charge) = stage.sold("k3").await;
    let lost = stage.control(&format!("charges/{}/dispute", charge.id), &Value::Null);
    let lost = stripe.close_dispute(lost["id"].as_str().expect("an id"), "k4").await.expect("closed");
    assert_eq!(lost.status, "lost");
    stage.end();
}

#[tokio::test]
async fn what_is_owed_to_others_stays_when_the_rest_is_paid_out() {
    let stage = Stage::new().await;
    let stripe = &stage.stripe;
    assert!(stripe.retrieve_balance_settings().await.expect("settings").minimum_balance_minor.is_empty());
    let least = BTreeMap::from([("EUR".to_owned(), 8_001), ("ISK".to_owned(), 7)]);
    let set = stripe.update_minimum_balance(&least, "keep:1").await.expect("settings");
    assert_eq!((&set.minimum_balance_minor, set.payout_interval.as_deref()), (&least, Some("daily")));
    assert_eq!(stripe.retrieve_balance_settings().await.expect("settings"), set);
    let provider = stage.provider("org_1").await;
    let (_, charge) = stage.sold("ord_1:payment:1").await;
    stage.twin.advance(8 * DAY_SECONDS);
    let payouts = all(async |query| stripe.list_payouts(&query).await).await;
    assert_eq!(payouts.iter().map(|payout| payout.amount_minor).collect::<Vec<_>>(), [9_681 - 8_001]);
    let late = stripe.create_transfer(&share(&provider, Some(&charge.id), 8_001), "shr_1:transfer:1").await;
    late.expect("the share was kept back");
    let none = BTreeMap::from([("EUR".to_owned(), 0)]);
    let set = stripe.update_minimum_balance(&none, "keep:2").await.expect("settings");
    assert_eq!(set.minimum_balance_minor["EUR"], 0);
    let negative = stripe.update_minimum_balance(&BTreeMap::from([("EUR".to_owned(), -1)]), "keep:3").await;
    assert!(matches!(negative, Err(GatewayError::Invalid(_))));
    stage.end();
}
