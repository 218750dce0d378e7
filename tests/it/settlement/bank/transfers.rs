//! Orders that are paid by a transfer to the operator's own bank account: by purchase order, in parts, too much, too late;
//! their refunds, and crashes in between.

use entity::states::{ExceptionClass, OrderState};
use serde_json::{Value, json};
use time::{Date, Duration, macros::date};
use torv::ledger::{self, Account};

use super::{
    records::{Written, bank_line, statement},
    writers::Entry,
};
use crate::support::{TestApp, TestOrg, on_both, one_off};

const PRICE: i64 = 12_500;
const DAY: Date = date!(2026 - 11 - 23);

struct Market {
    operator: TestOrg,
    buyer: TestOrg,
    order: String,
}

/// A company's order by purchase order, which waits to be paid.
async fn market(app: &TestApp) -> Market {
    let operator = app.operator().await;
    app.open_bank_account(&operator).await;
    let (sale, buyer) = app.market(&one_off(PRICE)).await;
    let mut body = sale.order_in(None);
    body["purchase_order"] = json!("PO-2026/4711");
    let placed = app.order_with(&buyer, "by-purchase-order", &body).await.expect(201);
    assert_eq!(placed.str("/state"), "awaiting_payment");
    Market { operator, buyer, order: placed.str("/id") }
}

fn transfer(number: i64, minor: i64, text: &str) -> Entry {
    bank_line(DAY + Duration::days(number % 4), minor, &format!("T{number}"), None, text)
}

async fn bring_in(app: &TestApp, operator: &TestOrg, lines: &[Entry]) {
    app.import_statement(operator, statement(Written::Camt08, 0, lines)).await.expect(201);
    app.run_jobs().await;
}

async fn balance(app: &TestApp, account: Account) -> i64 {
    ledger::balance(app.app.db.read(), &account, "EUR".parse().expect("known")).await.expect("sums").minor
}

async fn open(app: &TestApp, operator: &TestOrg) -> Vec<(ExceptionClass, i64)> {
    let all = app.exceptions(operator, "&state=open").await;
    let class = |one: &Value| one["class"].as_str().expect("a class").parse().expect("known");
    all.iter().map(|one| (class(one), one["amount_minor"].as_i64().expect("an amount"))).collect()
}

/// Asserts that the order was sold once, to bank money; that clearing is at zero, and nothing is unexplained.
async fn assert_paid_by_bank(app: &TestApp, market: &Market, credit_minor: i64) {
    let trace = app.trace(&market.order).await;
    assert_eq!((trace.order.state, trace.sales.len(), trace.grants.len()), (OrderState::Completed, 1, 1), "{trace:?}");
    assert_eq!((trace.charge_lines, trace.told("order.completed")), (0, 1), "{trace:?}");
    let shown = app.see_order(&market.buyer, &market.order).await;
    let paid = shown["payments"].as_array().expect("payments").iter().filter(|one| one["state"] == "succeeded").count();
    assert_eq!(paid, 1, "{shown:#}");
    assert_eq!(balance(app, Account::ClearingPayment).await, 0);
    assert_eq!(balance(app, Account::BuyerCredit(market.buyer.id)).await, -credit_minor);
    app.assert_ledger_is_clean("an order paid by bank").await;
}

async fn assert_nothing_unexplained(app: &TestApp, market: &Market) {
    app.advance(Duration::hours(2));
    app.run_jobs().await;
    let report = app.as_org(&market.operator, "POST", "/api/v1/reconciliations").json(&json!({})).send().await;
    let report = report.expect(201).json();
    assert_eq!(report["difference_count"], 0, "{report:#}");
    assert_eq!(open(app, &market.operator).await, []);
    let report = app.three_way(&market.operator, "2026-11-01T00:00:00Z", "2026-12-31T00:00:00Z", "EUR").await;
    assert_eq!(report["unexplained_minor"], 0, "{report:#}");
}

on_both! {
    async fn a_transfer_that_names_the_order_pays_it_and_the_same_file_again_changes_nothing(app) {
        let market = market(app).await;
        let file = statement(Written::Mt940, 0, &[transfer(1, PRICE, &format!("Licence {}", market.order))]);
        for _ in 0..2 {
            app.import_statement(&market.operator, file.clone()).await.expect(201);
            app.run_jobs().await;
            assert_paid_by_bank(app, &market, 0).await;
        }
        assert_eq!(balance(app, Account::Bank("main".to_owned())).await, PRICE);
        let documents = app.as_org(&market.buyer, "GET", &format!("/api/v1/documents?order={}", market.order)).send().await;
        let documents = documents.expect(200).json();
        let invoice = documents["items"].as_array().expect("items").iter().find(|one| one["kind"] == "invoice");
        assert!(invoice.is_some(), "{documents:#}");
        let lines = app.as_org(&market.operator, "GET", "/api/v1/settlement/bank-lines").send().await.expect(200).json();
        assert_eq!(lines["items"][0]["matches"][0]["rule"], "order_reference");
        assert_nothing_unexplained(app, &market).await;
    }

    async fn an_order_is_known_by_its_invoice_its_purchase_order_and_however_the_bank_writes_its_id(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let (sale, buyer) = app.market(&one_off(PRICE)).await;
        let mut orders = Vec::new();
        for number in 0..4 {
            let mut body = sale.order_in(None);
            body["purchase_order"] = json!(format!("PO-2026/471{number}"));
            let placed = app.order_with(&buyer, &format!("order-{number}"), &body).await.expect(201);
            orders.push(placed.str("/id"));
        }
        app.run_jobs().await;
        let documents = app.as_org(&buyer, "GET", &format!("/api/v1/documents?order={}", orders[0])).send().await.expect(200);
        let pro_forma = documents.str("/items/0/number");
        let texts = [
            format!("YOUR {pro_forma}"),
            "PO PO-2026/4711 thank you".to_owned(),
            orders[2].to_uppercase().replace('_', "-"),
            format!("ORD {}", orders[3].trim_start_matches("ord_")),
        ];
        let lines: Vec<Entry> = (0..).zip(&texts).map(|(number, text)| transfer(number, PRICE, text)).collect();
        bring_in(app, &operator, &lines).await;
        for (number, order) in orders.iter().enumerate() {
            assert_eq!(app.see_order(&buyer, order).await["state"], "completed", "{}", texts[number]);
        }
        assert_eq!(open(app, &operator).await, []);
    }

    async fn a_transfer_of_too_little_waits_for_the_rest(app) {
        let market = market(app).await;
        bring_in(app, &market.operator, &[transfer(0, 5_000, &market.order)]).await;
        app.trace(&market.order).await.assert_not_sold(OrderState::AwaitingPayment, "half is no payment");
        assert_eq!(balance(app, Account::BuyerCredit(market.buyer.id)).await, -5_000);
        assert_eq!(open(app, &market.operator).await, [(ExceptionClass::OrderUnderpaid, 5_000 - PRICE)]);
        app.assert_ledger_is_clean("a part of an order").await;
        bring_in(app, &market.operator, &[transfer(1, PRICE - 5_000, &market.order)]).await;
        assert_paid_by_bank(app, &market, 0).await;
        assert_eq!(open(app, &market.operator).await, []);
    }

    async fn what_is_too_much_or_comes_twice_is_a_credit_until_it_is_sent_back(app) {
        let market = market(app).await;
        bring_in(app, &market.operator, &[transfer(0, PRICE + 300, &market.order), transfer(1, PRICE, &market.order)]).await;
        assert_paid_by_bank(app, &market, PRICE + 300).await;
        assert_eq!(open(app, &market.operator).await, [(ExceptionClass::OrderTransfer, PRICE + 300)]);
        bring_in(app, &market.operator, &[transfer(2, -300, &format!("Back {}", market.order))]).await;
        assert_paid_by_bank(app, &market, PRICE).await;
        assert_eq!(open(app, &market.operator).await, [(ExceptionClass::OrderOverpaid, PRICE)]);
        bring_in(app, &market.operator, &[transfer(3, -PRICE, &format!("Back {}", market.order))]).await;
        assert_paid_by_bank(app, &market, 0).await;
        assert_nothing_unexplained(app, &market).await;
    }

    async fn more_than_the_credit_can_not_be_sent_back_unseen(app) {
        let market = market(app).await;
        bring_in(app, &market.operator, &[transfer(0, PRICE, &market.order), transfer(1, -1, &market.order)]).await;
        assert_paid_by_bank(app, &market, 0).await;
        assert_eq!(open(app, &market.operator).await, [(ExceptionClass::OrderTransfer, -1)]);
    }

    async fn money_for_a_cancelled_order_is_kept_for_the_buyer_and_grants_nothing(app) {
        let market = market(app).await;
        app.decide(&market.buyer, &market.order, "cancel", None).await.expect(200);
        bring_in(app, &market.operator, &[transfer(0, PRICE, &market.order)]).await;
        app.trace(&market.order).await.assert_not_sold(OrderState::Cancelled, "cancelled");
        assert_eq!(open(app, &market.operator).await, [(ExceptionClass::OrderTransfer, PRICE)]);
        app.assert_ledger_is_clean("money for a cancelled order").await;
    }

    async fn a_transfer_to_the_bank_ends_the_attempt_at_the_processor(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let (sale, buyer) = app.market(&one_off(PRICE)).await;
        let order = app.order(&buyer, &sale, "by-transfer", Some("bank_transfer")).await.expect(201).str("/id");
        let market = Market { operator, buyer, order };
        bring_in(app, &market.operator, &[transfer(0, PRICE, &market.order)]).await;
        app.let_time_heal().await;
        assert_paid_by_bank(app, &market, 0).await;
    }

    async fn a_refund_of_what_came_by_bank_goes_back_by_bank(app) {
        let market = market(app).await;
        bring_in(app, &market.operator, &[transfer(0, PRICE, &market.order)]).await;
        let path = format!("/api/v1/orders/{}/refunds/issue", market.order);
        let ask = json!({"amount_minor": 2_500, "reason": "Half of it was empty."});
        let issue = app.as_org(&market.operator, "POST", &path).header("idempotency-key", "back").json(&ask);
        let refund = issue.send().await.expect(201).str("/id");
        app.run_jobs().await;
        assert_eq!(balance(app, Account::ClearingRefund).await, -2_500);
        let lines = [transfer(1, -2_400, &refund), transfer(2, -2_500, &format!("Refund {refund}"))];
        bring_in(app, &market.operator, &lines).await;
        assert_eq!(balance(app, Account::ClearingRefund).await, 0);
        let shown = app.as_org(&market.operator, "GET", &format!("/api/v1/refunds/{refund}")).send().await.expect(200);
        assert_eq!(shown.str("/state"), "paid");
        assert_eq!(open(app, &market.operator).await, [(ExceptionClass::UnexplainedBankLine, -2_400)]);
        app.assert_ledger_is_clean("a refund by bank").await;
    }

    async fn a_transfer_survives_every_crash_and_pays_once(app) {
        let market = market(app).await;
        let lines = [transfer(0, 5_000, &market.order), transfer(1, PRICE - 5_000, &market.order)];
        app.import_statement(&market.operator, statement(Written::Camt08, 0, &lines)).await.expect(201);
        let mut at = 0;
        loop {
            app.app.db.faults().arm(at);
            let _ = torv::jobs::run_until_quiet(&app.app).await;
            let (steps, failed) = app.app.db.faults().disarm();
            app.assert_ledger_is_clean(&format!("a crash at {:?}", steps.get(at))).await;
            let trace = app.trace(&market.order).await;
            assert_eq!(trace.order.state == OrderState::Completed, trace.grants.len() == 1, "{trace:?}");
            at += 1;
            if !failed { break }
            assert!(at < 500, "booking has no end");
        }
        app.run_jobs().await;
        assert_paid_by_bank(app, &market, 0).await;
        assert_eq!(open(app, &market.operator).await, []);
    }

    async fn two_processes_take_a_transfer_once(app) {
        let market = market(app).await;
        let file = statement(Written::Camt08, 0, &[transfer(0, PRICE, &market.order)]);
        app.import_statement(&market.operator, file).await.expect(201);
        let sibling = app.sibling().await;
        let (one, other) = tokio::join!(torv::jobs::run_until_quiet(&app.app), torv::jobs::run_until_quiet(&sibling.app));
        one.expect("quiet");
        other.expect("quiet");
        app.run_jobs().await;
        assert_paid_by_bank(app, &market, 0).await;
    }
}
