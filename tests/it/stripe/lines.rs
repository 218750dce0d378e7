//! Lines of Stripe's balance that the exchange can't count: they stop nothing, and a person settles them.

use entity::states::Role;
use serde_json::json;
use time::Duration;
use torv::ledger::{self, Account};

use super::with_twin;
use crate::support::{TestApp, one_off};

async fn balance(app: &TestApp, account: Account) -> i64 {
    ledger::balance(app.app.db.read(), &account, "ISK".parse().expect("known")).await.expect("sums").minor
}

with_twin! {
    async fn a_line_with_a_fraction_of_a_minor_unit_waits_in_suspense_and_stops_no_other(it) {
        let operator = it.app.operator().await;
        // Stripe counts ISK in hundredths, so a fee of it can have a fraction.
        let in_isk = json!({"kind": "one_off", "price": {"minor": 999, "currency": "ISK"}});
        let (sale, buyer) = it.app.market(&in_isk).await;
        let order = it.app.order(&buyer, &sale, "isk", Some("pm_card_visa")).await.expect(201).str("/id");
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        it.app.order(&buyer, &sale, "eur", Some("pm_card_visa")).await.expect(201);
        it.advance(Duration::hours(2)).await;
        let found = it.app.exceptions(&operator, "&class=unreadable_balance_line").await;
        assert_eq!(found.len(), 1, "{found:#?}");
        let waiting = found[0]["amount_minor"].as_i64().expect("an amount");
        assert!((900..999).contains(&waiting), "{found:#?}");
        assert!(found[0]["sentence"].as_str().expect("a sentence").contains("fee "), "{found:#?}");
        let suspense = || Account::Suspense("unreadable".to_owned());
        assert_eq!((balance(&it.app, suspense()).await, balance(&it.app, Account::ClearingPayment).await), (-waiting, 999));
        let eur = ledger::balance(it.app.app.db.read(), &Account::ClearingPayment, "EUR".parse().expect("known")).await;
        assert_eq!(eur.expect("sums").minor, 0, "the line after it was imported");

        let person = it.app.member(&operator, Role::Finance).await;
        let path = |one: &serde_json::Value| format!("/api/v1/settlement/exceptions/{}/resolutions", one["id"].as_str().expect("an id"));
        let post = |one: &serde_json::Value, body| it.app.request("POST", &path(one)).bearer(&person).json(&body).send();
        let ignored = json!({"kind": "ignore", "reason": "Small."});
        post(&found[0], ignored).await.expect(422);
        let to_sale = json!({"kind": "post", "reason": "The charge of the order.", "debit": "suspense_processor", "credit": "clearing_payment", "amount_minor": waiting});
        assert_eq!(post(&found[0], to_sale).await.expect(201).str("/state"), "resolved");
        let missing = it.app.exceptions(&operator, "&class=missing_balance_line").await;
        assert_eq!((missing.len(), &missing[0]["order_id"]), (1, &json!(order)), "{missing:#?}");
        let fee = json!({"kind": "post", "reason": "The fee.", "debit": "processor_fees", "credit": "clearing_payment", "amount_minor": 999 - waiting});
        post(&missing[0], fee).await.expect(201);
        assert_eq!((balance(&it.app, suspense()).await, balance(&it.app, Account::ClearingPayment).await), (0, 0));
        it.app.assert_ledger_is_clean("a settled fraction").await;
        it.advance(Duration::hours(2)).await;
        assert_eq!(it.app.exceptions(&operator, "&state=open").await.len(), 0);
    }

    async fn a_balance_with_a_fraction_of_a_minor_unit_is_an_exception_and_stops_no_reconciliation(it) {
        let operator = it.app.operator().await;
        let in_isk = json!({"kind": "one_off", "price": {"minor": 999, "currency": "ISK"}});
        let (sale, buyer) = it.app.market(&in_isk).await;
        it.app.order(&buyer, &sale, "isk", Some("pm_card_visa")).await.expect(201);
        it.advance(Duration::hours(2)).await;
        let reconcile = async || {
            let request = it.app.as_org(&operator, "POST", "/api/v1/reconciliations").json(&json!({}));
            request.send().await.expect(201).json()
        };
        let report = reconcile().await;
        let found = it.app.exceptions(&operator, "&class=unreadable_balance").await;
        assert_eq!((found.len(), &found[0]["currency"]), (1, &json!("ISK")), "{found:#?}");
        let sentence = found[0]["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains("in Stripe's units of ISK"), "{sentence}");
        let totals = report["report"]["totals"].as_array().expect("totals");
        assert!(totals.iter().any(|row| row["currency"] == "ISK" && row["processor_balance_minor"] != 0), "{report:#}");
        reconcile().await;
        assert_eq!(it.app.exceptions(&operator, "&class=unreadable_balance").await.len(), 1);
    }
}
