use serde_json::{Value, json};
use time::Duration;

use crate::support::{TestApp, TestOrg, on_both, sales::money};

async fn statement(app: &TestApp, org: &TestOrg, query: &str) -> Value {
    app.as_org(org, "GET", &format!("/api/v1/settlement/statements{query}")).send().await.expect(200).json()
}

async fn balance(app: &TestApp, org: &TestOrg) -> Value {
    app.as_org(org, "GET", "/api/v1/settlement/balance").send().await.expect(200).json()["balances"].clone()
}

async fn pay_out(app: &TestApp, operator: &TestOrg, currency: &str, key: &str) {
    let body = json!({"currency": currency, "minimum_minor": 1, "recipients": "both"});
    let request = app.as_org(operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key);
    request.json(&body).send().await.expect(201);
    app.run_jobs().await;
}

fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_else(|| panic!("no number at {pointer}: {value}"))
}

/// Opening plus the changes of the lines is closing, for both parts, and the totals are those of the lines.
fn assert_re_adds(part: &Value) {
    let lines = part["lines"].as_array().expect("lines");
    for owed in ["pending_minor", "payable_minor"] {
        let changes: i64 = lines.iter().map(|line| number(line, &format!("/change/{owed}"))).sum();
        let (opening, closing) = (number(part, &format!("/opening/{owed}")), number(part, &format!("/closing/{owed}")));
        assert_eq!(opening + changes, closing, "{owed}: {part}");
    }
    for total in ["gross_minor", "operator_minor", "provider_minor"] {
        let sum: i64 = lines.iter().filter_map(|line| line[total].as_i64()).sum();
        assert_eq!(sum, number(part, &format!("/{total}")));
    }
    assert_eq!(number(part, "/gross_minor"), number(part, "/operator_minor") + number(part, "/provider_minor"));
}

on_both! {
    async fn a_balance_walks_from_pending_to_paid_out(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        assert_eq!(balance(app, &provider).await, json!([]));
        app.sell(&provider, &buyer, money(10_001, "EUR")).await;
        let view = |pending: i64, payable: i64, paid: i64| {
            json!([{"currency": "EUR", "pending_minor": pending, "payable_minor": payable, "held_minor": 0, "debt_minor": 0,
                    "in_payout_minor": 0, "paid_out_minor": paid}])
        };
        assert_eq!(balance(app, &provider).await, view(8_001, 0, 0));
        app.advance(Duration::days(8));
        app.run_jobs().await;
        assert_eq!(balance(app, &provider).await, view(0, 8_001, 0));
        pay_out(app, &operator, "EUR", "one").await;
        assert_eq!(balance(app, &provider).await, view(0, 0, 8_001));
    }

    async fn every_period_re_adds_and_periods_join_up(app) {
        let (provider, other) = (app.provider().await, app.provider().await);
        let (buyer, operator) = (app.buyer().await, app.operator().await);
        let start = app.clock.now();
        for day in 0..30 {
            app.sell(&provider, &buyer, money(1_000 + day, ["EUR", "JPY"][usize::try_from(day % 2).expect("fits")])).await;
            app.sell(&other, &buyer, money(777, "EUR")).await;
            app.advance(Duration::days(1));
            app.run_jobs().await;
            if day % 7 == 6 {
                pay_out(app, &operator, "EUR", &day.to_string()).await;
            }
        }
        let at = |days: i64| {
            (start + Duration::days(days)).format(&time::format_description::well_known::Rfc3339).expect("formats")
        };
        let mut closing = [Value::Null, Value::Null];
        for week in 0..5 {
            let query = format!("?from={}&until={}", at(week * 7), at(week * 7 + 7));
            let whole = statement(app, &provider, &query).await;
            for (index, part) in whole["currencies"].as_array().expect("currencies").iter().enumerate() {
                assert_re_adds(part);
                if week > 0 {
                    assert_eq!(part["opening"], closing[index], "week {week} begins where the one before ended");
                }
                closing[index] = part["closing"].clone();
            }
        }
        let whole = statement(app, &provider, "").await;
        assert_eq!(whole["currencies"].as_array().map(Vec::len), Some(2));
        for part in whole["currencies"].as_array().expect("currencies") {
            assert_re_adds(part);
            assert_eq!(number(part, "/opening/pending_minor"), 0);
        }
        assert!(number(&whole, "/currencies/0/payouts_minor") > 0);
        assert_eq!(number(&whole, "/currencies/1/payouts_minor"), 0, "no run paid yen");
        csv_tells_the_same(app, &provider, &whole).await;
    }

    async fn a_statement_is_for_its_organisation_and_the_operator(app) {
        let (provider, other, operator) = (app.provider().await, app.provider().await, app.operator().await);
        let path = format!("/api/v1/settlement/statements?organization={}", provider.id);
        app.as_org(&provider, "GET", &path).send().await.expect(200);
        app.as_org(&operator, "GET", &path).send().await.expect(200);
        app.as_org(&other, "GET", &path).send().await.expect(404);
        app.get(&path).await.expect(401);
        let backwards = "/api/v1/settlement/statements?from=2026-12-01T00:00:00Z&until=2026-11-01T00:00:00Z";
        app.as_org(&provider, "GET", backwards).send().await.expect(422);
        app.as_org(&provider, "GET", "/api/v1/settlement/statements?from=yesterday").send().await.expect(422);
    }
}

async fn csv_tells_the_same(app: &TestApp, provider: &TestOrg, whole: &Value) {
    let answer = app.as_org(provider, "GET", "/api/v1/settlement/statements?format=csv").send().await.expect(200);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(answer.bytes.as_slice());
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("well-formed")).collect();
    for part in whole["currencies"].as_array().expect("currencies") {
        let code = part["currency"].as_str().expect("a code");
        let mine: Vec<_> = rows.iter().filter(|row| &row[0] == code).collect();
        assert_eq!(mine.len(), part["lines"].as_array().map_or(0, Vec::len) + 2);
        let last = mine.last().expect("a closing line");
        assert_eq!(&last[2], "closing");
        for (column, name) in [(12, "pending"), (13, "payable"), (14, "held"), (15, "debt")] {
            let closing = number(part, &format!("/closing/{name}_minor"));
            assert_eq!(&last[column], money(closing, code).major_text(), "{name}");
        }
    }
}
