//! What is drawn from a period: statements as PDF, the yearly extract.

use std::collections::BTreeMap;

use serde_json::json;

use super::{DANISH_ID, OPERATOR_ID, Parties, VISA, assert_verified};
use crate::support::{TestApp, TestOrg, on_both, one_off, sales::money};

async fn extract(app: &TestApp, operator: &TestOrg) -> Vec<BTreeMap<String, String>> {
    let answer = app.as_org(operator, "GET", "/api/v1/settlement/dac7?year=2026").send().await.expect(200);
    let mut reader = csv::Reader::from_reader(answer.bytes.as_slice());
    reader.deserialize().map(|row| row.expect("well-formed")).collect()
}

on_both! {
    async fn the_yearly_extract_is_the_ledger_by_quarter(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        parties.buy(app, "one").await;
        parties.buy(app, "two").await;
        let rows = extract(app, &parties.operator).await;
        assert_eq!(rows.len(), 1);
        let row = &rows[0];
        // Twice a share of 8,001 and tax of 2,500, which the provider owes.
        assert_eq!((row["consideration_q4"].as_str(), row["consideration_year"].as_str()), ("210.02", "210.02"));
        assert_eq!((row["fees_q4"].as_str(), row["activities_q4"].as_str()), ("40.00", "2"));
        assert_eq!((row["fees_q1"].as_str(), row["missing"].as_str()), ("0.00", "tin"));
        let ledger = torv::ledger::balances(app.app.db.read(), None).await.expect("readable");
        let commission = ledger.iter().find(|row| row.code == "commission").expect("the account");
        assert_eq!(commission.balance, money(-4_000, "EUR"));
        app.as_org(&parties.operator, "GET", "/api/v1/settlement/dac7?year=1").send().await.expect(422);
        assert_verified(app).await;
    }

    async fn a_bundle_is_reported_for_each_provider(app) {
        let operator = app.operator().await;
        let bundle = crate::plans::accepted_bundle(app, 10_001).await;
        let buyer = app.buyer().await;
        let order = app.order(&buyer, &bundle.1, "k", VISA).await.expect(201).json();
        app.run_jobs().await;
        let rows = extract(app, &operator).await;
        assert_eq!(rows.len(), 3);
        for line in order["lines"].as_array().expect("lines") {
            let row = rows.iter().find(|row| row["seller_id"] == line["provider_id"]).expect("its row");
            let text = |field: &str| money(line[field]["minor"].as_i64().expect("minor"), "EUR").major_text();
            assert_eq!((&row["consideration_year"], &row["fees_year"]), (&text("provider_share"), &text("operator_share")));
            assert_eq!(row["activities_q4"], "1");
        }
    }

    async fn a_statement_is_a_letter_too(app) {
        let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
        let parties = Parties::new(app, &one_off(10_001), ids).await;
        parties.buy(app, "one").await;
        app.advance(time::Duration::days(8));
        app.run_jobs().await;
        let path = "/api/v1/settlement/statements?format=pdf&lang=da";
        let letter = app.as_org(&parties.sale.provider, "GET", path).send().await.expect(200);
        assert!(letter.bytes.starts_with(b"%PDF-"));
        assert_eq!(letter.header("content-type"), "application/pdf");
        let whole = app.as_org(&parties.sale.provider, "GET", "/api/v1/settlement/statements").send().await.expect(200);
        let part = &whole.json()["currencies"][0];
        assert_eq!((&part["gross_minor"], &part["closing"]["payable_minor"]), (&json!(12_501), &json!(10_501)));
        let yen = "/api/v1/settlement/statements?format=pdf&currency=JPY";
        app.as_org(&parties.sale.provider, "GET", yen).send().await.expect(422);
        assert_verified(app).await;
    }
}
