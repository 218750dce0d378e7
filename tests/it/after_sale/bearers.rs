//! Who bears a lost dispute is agreed when the order is placed: the operator, the provider, or each its part.

use serde_json::json;
use time::Duration;
use torv::ledger::Account;

use super::{STAGES, Square, Stage, balance, disputed, disputes_of, stands, verified};
use crate::support::{
    Delivery, ForSale, TestApp, on_both, one_off,
    sales::{Sold, money},
};

async fn rule(app: &TestApp, square: &Square, bearer: &str, key: &str) {
    let body = json!({"operator_bps": 2_000, "dispute_bearer": bearer});
    let request =
        app.as_org(&square.operator, "POST", "/api/v1/fee-rules").header("idempotency-key", key.replace(' ', "-"));
    request.json(&body).send().await.expect(201);
}

/// A sale of 100.01 EUR through the API, beside another that keeps the balance filled.
pub async fn sale(app: &TestApp) -> (Square, Sold, ForSale, String) {
    let operator = app.operator().await;
    sale_under(app, operator).await
}

async fn sale_under(app: &TestApp, operator: crate::support::TestOrg) -> (Square, Sold, ForSale, String) {
    let (sale, buyer) = app.market(&one_off(10_001)).await;
    app.sell(&app.provider().await, &buyer, money(90_000, "EUR")).await;
    let placed = app.order(&buyer, &sale, "k", Some("pm_card_visa")).await.expect(201);
    let (id, grant) = (placed.str("/id"), placed.str("/grant_id"));
    let payment = app.trace(&id).await.payments[0].id;
    let order = id.parse().expect("an order");
    let sold = Sold { order, payment, gross: money(10_001, "EUR"), share: money(8_001, "EUR") };
    app.deliver_webhooks(Delivery::InOrder).await;
    app.run_jobs().await;
    (Square { provider: sale.provider.clone(), buyer, operator }, sold, sale, grant)
}

/// What lost disputes have cost the operator: its share, its own losses, fees.
async fn costs(app: &TestApp) -> [i64; 3] {
    [
        balance(app, Account::Commission).await,
        balance(app, Account::DisputeLoss).await,
        balance(app, Account::DisputeFees).await,
    ]
}

on_both! {
    async fn a_lost_dispute_costs_whom_the_order_says(app) {
        let operator = app.operator().await;
        let mut number = 0;
        for (bearer, left, costs_operator) in [
            // What is left to the provider, and what it owes; what the operator loses.
            ("split", (0, 0), [2_000, 0, 1_500]),
            ("operator", (8_001, 0), [2_000, 8_001, 1_500]),
            ("provider", (0, 3_500), [0, 0, 0]),
        ] {
            for stage in STAGES {
                let people = Square { provider: app.provider().await, buyer: app.buyer().await, operator: operator.clone() };
                number += 1;
                rule(app, &people, bearer, &format!("rule {number}")).await;
                let (square, sold, ..) = sale_under(app, operator.clone()).await;
                // What is agreed later changes nothing about this order.
                rule(app, &people, if bearer == "split" { "provider" } else { "split" }, &format!("later {number}")).await;
                if stage != Stage::Pending {
                    app.advance(Duration::days(8));
                    app.run_jobs().await;
                }
                if stage == Stage::PaidOut {
                    square.pay_out(app).await;
                }
                let context = format!("{bearer}, {stage:?}");
                let before = costs(app).await;
                let at_bank = disputed(app, &sold, 10_001).await;
                app.deliver_webhooks(Delivery::InOrder).await;
                app.run_jobs().await;
                assert_eq!(stands(app, &square.provider).await, [0, 0, 8_001, 0], "{context}");
                let id = disputes_of(app, sold.order).await[0].id;
                let seen = app.as_org(&square.provider, "GET", &format!("/api/v1/disputes/{id}")).send().await.expect(200);
                assert_eq!(seen.str("/bearer"), bearer);
                app.sandbox.decide_dispute(&at_bank, false).await.expect("decides");
                app.deliver_webhooks(Delivery::InOrder).await;
                app.run_jobs().await;
                let [pending, payable, held, owed] = stands(app, &square.provider).await;
                assert_eq!((pending + payable, owed, held), (left.0, left.1, 0), "{context}");
                let after = costs(app).await;
                let lost = [after[0] - before[0], after[1] - before[1], after[2] - before[2]];
                assert_eq!(lost, costs_operator, "{context}");
                verified(app, &context).await;
                app.advance(Duration::days(8));
                app.run_jobs().await;
                square.pay_out(app).await;
                assert_eq!(stands(app, &square.provider).await, [0, 0, 0, left.1], "{context}: what it keeps is paid");
                verified(app, &context).await;
            }
        }
        let economics = app.as_org(&operator, "GET", "/api/v1/settlement/economics?from=2026-11-01T00:00:00Z&until=2027-10-01T00:00:00Z").send().await.expect(200).json();
        let euros = &economics["currencies"][0];
        let of = |field: &str| euros[field].as_i64().expect("minor units");
        assert_eq!((of("dispute_losses_minor"), of("dispute_fees_minor")), (3 * 8_001, 6 * 1_500));
        assert_eq!(of("dispute_fees_of_providers_minor"), 3 * 1_500);
        assert_eq!(of("dispute_costs_minor"), 3 * 8_001 + 6 * 1_500);
    }

    async fn what_the_bank_takes_beyond_the_order_goes_where_the_loss_goes(app) {
        let operator = app.operator().await;
        for (bearer, loss, owed) in [("split", 5_000, 0), ("operator", 9_001, 0), ("provider", 0, 7_500)] {
            let people = Square { provider: app.provider().await, buyer: app.buyer().await, operator: operator.clone() };
            rule(app, &people, bearer, bearer).await;
            let (square, sold, ..) = sale_under(app, operator.clone()).await;
            app.advance(Duration::days(3));
            square.refund(app, sold.order, Some(5_000), &format!("part {bearer}")).await.expect(201);
            app.run_jobs().await;
            let before = balance(app, Account::DisputeLoss).await;
            let at_bank = disputed(app, &sold, 10_001).await;
            app.run_jobs().await;
            app.sandbox.decide_dispute(&at_bank, false).await.expect("decides");
            app.advance(Duration::minutes(11));
            app.run_jobs().await;
            assert_eq!(balance(app, Account::DisputeLoss).await - before, loss, "{bearer}");
            // Of 5001 that were left, the operator's part is 1000; with it 5000 beyond the order and the fee.
            assert_eq!(stands(app, &square.provider).await[3], owed, "{bearer}");
            verified(app, bearer).await;
        }
    }

    async fn a_bearer_that_is_none_is_refused_and_rules_show_theirs(app) {
        let operator = app.operator().await;
        let post = async |body: serde_json::Value| {
            let request = app.as_org(&operator, "POST", "/api/v1/fee-rules").header("idempotency-key", body.to_string().len().to_string());
            request.json(&body).send().await
        };
        post(json!({"operator_bps": 1, "dispute_bearer": "nobody"})).await.expect(422);
        let made = post(json!({"operator_bps": 2_000, "dispute_bearer": "provider"})).await.expect(201);
        assert_eq!(made.str("/dispute_bearer"), "provider");
        let listed = app.as_org(&operator, "GET", "/api/v1/fee-rules").send().await.expect(200).json();
        assert_eq!(listed["items"][0]["dispute_bearer"], "provider");
    }
}
