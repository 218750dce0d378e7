use entity::states::{ReversalState, Role};
use serde_json::json;
use time::Duration;
use torv::ledger::Account;

use super::{Square, Stage, at_processor, balance, disputed, eur, reversals, square, stands, verified};
use crate::support::{
    Delivery, TestApp, on_both,
    sales::{Sold, money},
};

/// A refund after the provider has emptied its account: the share stays a debt.
async fn indebted(app: &TestApp, square: &Square) -> Sold {
    let sold = square.sold(app, Stage::PaidOut).await;
    square.drain(app, 8_001).await;
    square.refund(app, sold.order, None, "whole").await.expect(201);
    app.run_jobs().await;
    assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 8_001]);
    sold
}

on_both! {
    async fn a_refused_reversal_stays_a_debt_and_is_set_off_against_the_next_sales(app) {
        let square = square(app).await;
        indebted(app, &square).await;
        assert_eq!(reversals(app).await, [(8_001, ReversalState::Refused)]);
        assert_eq!(at_processor(app, "transfer_reversal").await, Vec::<i64>::new());
        verified(app, "in debt").await;
        for _ in 0..2 {
            app.sell(&square.provider, &square.buyer, money(6_000, "EUR")).await;
        }
        app.advance(Duration::days(8));
        app.run_jobs().await;
        let before = at_processor(app, "transfer").await.len();
        square.pay_out(app).await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
        let sent = at_processor(app, "transfer").await;
        assert_eq!(sent.len() - before, 1);
        assert!(sent.contains(&-1_599), "9600 of new shares less 8001 of debt: {sent:?}");
        verified(app, "set off").await;
        let period = "from=2026-11-01T00:00:00Z&until=2027-02-01T00:00:00Z";
        let path = format!("/api/v1/settlement/statements?{period}");
        let statement = app.as_org(&square.provider, "GET", &path).send().await.expect(200).json();
        let part = &statement["currencies"][0];
        let nothing = json!({"pending_minor": 0, "payable_minor": 0, "held_minor": 0, "debt_minor": 0});
        assert_eq!((&part["opening"], &part["closing"]), (&nothing, &nothing), "it re-adds to zero");
        for kind in ["pending_minor", "payable_minor", "held_minor", "debt_minor"] {
            let lines = part["lines"].as_array().expect("lines");
            assert_eq!(lines.iter().map(|line| line["change"][kind].as_i64().expect("a number")).sum::<i64>(), 0, "{kind}");
        }
    }

    async fn a_debt_is_shown_with_its_age(app) {
        let square = square(app).await;
        let sold = indebted(app, &square).await;
        for (days, age) in [(0, "0-30"), (31, "31-60"), (30, "61-90"), (30, "90+")] {
            app.advance(Duration::days(days));
            for who in [&square.provider, &square.operator] {
                let seen = app.as_org(who, "GET", "/api/v1/receivables").send().await.expect(200).json();
                assert_eq!(seen["ageing"], json!([{"currency": "EUR", "age_days": age, "debts": 1, "amount_minor": 8_001}]));
                assert_eq!(seen["debts"][0]["order_id"], json!(sold.order));
            }
        }
        let other = app.as_org(&app.provider().await, "GET", "/api/v1/receivables").send().await.expect(200).json();
        assert_eq!(other["debts"], json!([]));
    }

    async fn a_debt_is_given_up_only_by_two_people(app) {
        let square = square(app).await;
        let sold = indebted(app, &square).await;
        let (first, second) = (app.owner(&square.operator).await, app.member(&square.operator, Role::Finance).await);
        let wanted = |minor: i64| json!({
            "organization_id": square.provider.id, "order_id": sold.order, "amount_minor": minor, "reason": "Wound up."
        });
        let ask = async |minor: i64, key: &str| {
            let request = app.request("POST", "/api/v1/write-offs").bearer(first.clone()).header("idempotency-key", key);
            request.json(&wanted(minor)).send().await
        };
        ask(8_002, "too-much").await.expect(409);
        ask(0, "nothing").await.expect(422);
        let id = ask(8_000, "one").await.expect(201).str("/id");
        ask(2, "twice").await.expect(409);
        let path = |what: &str| format!("/api/v1/write-offs/{id}/{what}");
        app.request("POST", &path("approve")).bearer(first.clone()).json(&json!({})).send().await.expect(409);
        app.request("POST", &path("decline")).bearer(first.clone()).json(&json!({})).send().await.expect(409);
        app.as_org(&square.provider, "POST", &path("approve")).json(&json!({})).send().await.expect(403);
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 8_001]);
        app.request("POST", &path("approve")).bearer(second.clone()).json(&json!({})).send().await.expect(200);
        app.request("POST", &path("approve")).bearer(second.clone()).json(&json!({})).send().await.expect(409);
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 1]);
        assert_eq!(balance(app, Account::WriteOffs).await, 8_000);
        verified(app, "given up").await;
    }

    async fn a_dispute_after_the_account_was_emptied_is_won_paid_once_and_set_off(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::PaidOut).await;
        square.drain(app, 8_001).await;
        let at_bank = disputed(app, &sold, 10_001).await;
        app.deliver_webhooks(Delivery::InOrder).await;
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 8_001, 8_001], "held, and owed since it was paid out");
        verified(app, "opened").await;
        app.sandbox.decide_dispute(&at_bank, true).await.expect("decides");
        app.deliver_webhooks(Delivery::InOrder).await;
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [0, 8_001, 0, 8_001]);
        let before = at_processor(app, "transfer").await.len();
        square.pay_out(app).await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
        assert_eq!(at_processor(app, "transfer").await.len(), before, "nobody is paid twice");
        verified(app, "set off").await;
        let _ = eur();
    }
}
