//! Every fault of a generated month is found once and named right, and nothing else is; then it is settled
//! and the month closes.

use std::{collections::BTreeMap, time::Instant};

use entity::states::{ExceptionClass, MatchRule, Role};
use serde_json::{Value, json};
use time::Duration;

use super::{
    month::Month,
    records::{Written, bank_line, statement},
};
use crate::support::{TestApp, TestOrg, on_both};

/// Orders of the month; 100 000 with `TORV_TEST_MONTH_ORDERS=100000`.
const ORDERS: usize = 2_000;
const ORDERS_VARIABLE: &str = "TORV_TEST_MONTH_ORDERS";
/// Of the orders, charges and lines of a month, however long it is: three orders or charges and five lines.
const WRONG_ON_PURPOSE: i64 = 8;
/// From this many orders on, what is wrong on purpose is less than one in a thousand.
const MANY_ORDERS: usize = 10_000;
/// Orders of the month that is brought in in every format.
const FEW_ORDERS: usize = 400;
const FROM: &str = "2026-10-01T00:00:00Z";
const UNTIL: &str = "2026-11-01T00:00:00Z";

fn orders() -> usize {
    std::env::var(ORDERS_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(ORDERS)
}

/// Class and amount of each, in one order.
fn named(exceptions: &[Value]) -> Vec<(String, i64)> {
    let mut named: Vec<_> = exceptions
        .iter()
        .map(|one| {
            (one["class"].as_str().expect("a class").to_owned(), one["amount_minor"].as_i64().expect("an amount"))
        })
        .collect();
    named.sort();
    named
}

fn sown(month: &Month) -> Vec<(String, i64)> {
    let mut sown: Vec<_> = month.sown.iter().map(|(class, minor)| (class.to_string(), *minor)).collect();
    sown.sort();
    sown
}

async fn bring_in(app: &TestApp, operator: &TestOrg, month: &Month, written: Written) {
    app.import_report(operator, month.report()).await.expect(201);
    for file in month.statements(written) {
        app.import_statement(operator, file).await.expect(201);
    }
    app.run_jobs().await;
}

/// How many parts of lines each rule explained.
async fn rules(app: &TestApp, operator: &TestOrg) -> BTreeMap<String, usize> {
    let (mut rules, mut cursor) = (BTreeMap::new(), String::new());
    loop {
        let path = format!("/api/v1/settlement/bank-lines?limit=100{cursor}");
        let page = app.as_org(operator, "GET", &path).send().await.expect(200).json();
        for line in page["items"].as_array().expect("items") {
            for part in line["matches"].as_array().expect("matches") {
                *rules.entry(part["rule"].as_str().expect("a rule").to_owned()).or_default() += 1;
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return rules,
        }
    }
}

/// How a person settles an exception.
fn settlement_of(one: &Value) -> Value {
    let class: ExceptionClass = one["class"].as_str().expect("a class").parse().expect("known");
    let off = one["amount_minor"].as_i64().expect("an amount");
    let reason = "Looked into.";
    match class {
        ExceptionClass::UnexplainedBankLine | ExceptionClass::DuplicateBankLine => {
            let (debit, credit) =
                if off > 0 { ("suspense_bank", "write_offs") } else { ("write_offs", "suspense_bank") };
            json!({"kind": "post", "reason": reason, "debit": debit, "credit": credit, "amount_minor": off.abs()})
        }
        ExceptionClass::WrongAmount => {
            json!({"kind": "explain", "reason": reason, "link": one["payout_id"], "difference": "bank_charges"})
        }
        _ => json!({"kind": "explain", "reason": reason, "link": "letter of 2 November"}),
    }
}

/// Settles everything; what needs a second person gets one.
async fn settle_all(app: &TestApp, operator: &TestOrg) {
    let (first, second) = (app.member(operator, Role::Finance).await, app.member(operator, Role::Finance).await);
    for state in ["&state=open", "&state=assigned"] {
        for one in app.exceptions(operator, state).await {
            let path = format!("/api/v1/settlement/exceptions/{}", one["id"].as_str().expect("an id"));
            let resolve = app.request("POST", &format!("{path}/resolutions")).bearer(&first).json(&settlement_of(&one));
            let shown = resolve.send().await.expect(201).json();
            if shown["state"] == "resolved" {
                continue;
            }
            let own = app.request("POST", &format!("{path}/decision")).bearer(&first).json(&json!({"agree": true}));
            own.send().await.expect(403);
            let other = app.request("POST", &format!("{path}/decision")).bearer(&second).json(&json!({"agree": true}));
            assert_eq!(other.send().await.expect(200).json()["state"], "resolved");
        }
    }
}

on_both! {
    async fn every_fault_of_a_month_is_found_once_named_right_and_settled(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let month = Month::make(app, &operator, orders()).await;
        assert!(month.sown.len() >= 15, "{:?}", month.sown);
        let started = Instant::now();
        bring_in(app, &operator, &month, Written::Camt08).await;
        let seconds = started.elapsed().as_secs_f64();
        let found = app.exceptions(&operator, "").await;
        assert_eq!(named(&found), sown(&month));
        let rules = rules(app, &operator).await;
        for (rule, parts) in [(MatchRule::Split, 2), (MatchRule::Merged, 2), (MatchRule::AmountAndDate, 1), (MatchRule::Exchange, 1), (MatchRule::BankCharge, 3)] {
            assert_eq!(rules.get(rule.as_str()), Some(&parts), "{rule}: {rules:?}");
        }

        let report = app.three_way(&operator, FROM, UNTIL, "EUR").await;
        for leg in ["orders_to_processor", "processor_to_bank", "bank_to_books"] {
            assert_eq!(report[leg]["unnamed_minor"], 0, "{leg}: {report:#}");
        }
        assert!(report["unexplained_minor"].as_i64().expect("a sum") > 0);
        let (machine, all) = (report["matched_by_machine"].as_i64().expect("n"), report["looked_at"].as_i64().expect("n"));
        let rows = all + i64::try_from(month.report().len()).expect("few");
        eprintln!(
            "{:?}: {} orders, {rows} rows of orders, charges, reports and banks in {seconds:.1} s: {machine} of {all} matched by rule, {} exceptions of {} classes",
            app.backend, month.orders, found.len(), month.sown.len()
        );
        assert!(all - machine <= WRONG_ON_PURPOSE, "{machine} of {all}");
        assert!(month.orders < MANY_ORDERS || machine * 1_000 >= all * 999, "{machine} of {all}");
        let again = json!({"from": FROM, "until": UNTIL});
        app.as_org(&operator, "POST", "/api/v1/settlement/exception-detections").json(&again).send().await.expect(204);
        assert_eq!(named(&app.exceptions(&operator, "").await), sown(&month), "nothing is found twice");

        let close = json!({"month": "2026-10", "currency": "EUR"});
        let refused = app.as_org(&operator, "POST", "/api/v1/settlement/closings").json(&close).send().await.expect(409);
        assert!(refused.str("/detail").contains("unexplained"), "{}", refused.text());
        app.import_statement(&operator, month.missing_statement(Written::Camt08)).await.expect(201);
        app.run_jobs().await;
        let gaps = app.exceptions(&operator, "&class=statement_gap").await;
        assert_eq!((gaps.len(), &gaps[0]["resolution"]), (1, &json!("vanished")));
        settle_all(app, &operator).await;
        let report = app.three_way(&operator, FROM, UNTIL, "EUR").await;
        assert_eq!(report["unexplained_minor"], 0, "{report:#}");
        let closed = app.as_org(&operator, "POST", "/api/v1/settlement/closings").json(&close).send().await.expect(201).json();
        assert_eq!(closed["sums"]["unexplained_minor"], 0);
        assert_eq!(closed["sums"]["suspense_minor"], 0);
        app.as_org(&operator, "POST", "/api/v1/settlement/closings").json(&close).send().await.expect(409);
        app.assert_ledger_is_clean("a closed month").await;
    }

    async fn a_late_payout_that_arrives_closes_its_exception(app) {
        let operator = app.operator().await;
        app.open_bank_account(&operator).await;
        let month = Month::make(app, &operator, FEW_ORDERS).await;
        bring_in(app, &operator, &month, Written::Mt940).await;
        let late = app.exceptions(&operator, "&class=late_payout").await;
        assert_eq!(late.len(), 1);
        let minor = late[0]["amount_minor"].as_i64().expect("an amount");
        let line = bank_line(time::macros::date!(2026 - 11 - 02), minor, "B-late", Some("po_0000005"), "Payout");
        let file = statement(Written::Mt940, 0, &[line]);
        app.import_statement(&operator, file).await.expect(201);
        app.run_jobs().await;
        let late = app.exceptions(&operator, "&class=late_payout").await;
        assert_eq!((late.len(), &late[0]["resolution"]), (1, &json!("vanished")));
        app.advance(Duration::hours(2));
        app.run_jobs().await;
    }
}

/// What a month gives that is brought in in one format.
async fn outcome(app: &TestApp, written: Written) -> (Vec<(String, i64)>, BTreeMap<String, usize>, Value) {
    let operator = app.operator().await;
    app.open_bank_account(&operator).await;
    let month = Month::make(app, &operator, FEW_ORDERS).await;
    bring_in(app, &operator, &month, written).await;
    let mut report = app.three_way(&operator, FROM, UNTIL, "EUR").await;
    for list in ["in_transit", "timing"] {
        report[list] = Value::Null;
    }
    (named(&app.exceptions(&operator, "").await), rules(app, &operator).await, report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_is_the_same_in_every_format() {
    use crate::support::{Backend, run};
    let outcomes = std::sync::Mutex::new(Vec::new());
    for written in [Written::Camt02, Written::Camt08, Written::Mt940, Written::Csv] {
        run(Backend::Sqlite, async |app| {
            let outcome = outcome(app, written).await;
            outcomes.lock().expect("not poisoned").push((written, outcome));
        })
        .await;
    }
    let outcomes = outcomes.into_inner().expect("not poisoned");
    for (written, outcome) in &outcomes[1..] {
        assert_eq!(outcome, &outcomes[0].1, "{written:?}");
    }
}
