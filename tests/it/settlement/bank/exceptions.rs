//! Working on exceptions: owners, notes, resolutions, the second person.

use entity::states::Role;
use serde_json::{Value, json};
use time::macros::date;
use torv::ledger::{self, Account};

use super::records::{Written, bank_line, statement};
use crate::support::{TestApp, TestOrg, on_both, sales::money};

async fn unexplained(app: &TestApp, operator: &TestOrg, minor: i64) -> Value {
    app.open_bank_account(operator).await;
    let line = bank_line(date!(2026 - 11 - 03), minor, "B1", None, "What is this");
    app.import_statement(operator, statement(Written::Mt940, 0, &[line])).await.expect(201);
    app.run_jobs().await;
    app.exceptions(operator, "").await.remove(0)
}

async fn balance(app: &TestApp, account: Account) -> i64 {
    ledger::balance(app.app.db.read(), &account, "EUR".parse().expect("known")).await.expect("sums").minor
}

fn path(one: &Value, rest: &str) -> String {
    format!("/api/v1/settlement/exceptions/{}{rest}", one["id"].as_str().expect("an id"))
}

on_both! {
    async fn an_exception_has_an_owner_notes_and_one_end(app) {
        let operator = app.operator().await;
        let one = unexplained(app, &operator, 1_500).await;
        let (account, token) = app.member_account(&operator, Role::Finance).await;
        let owner = json!({"owner": account});
        let shown = app.as_org(&operator, "PUT", &path(&one, "/owner")).json(&owner).send().await.expect(200).json();
        assert_eq!((&shown["state"], &shown["owner"]), (&json!("assigned"), &json!(account)));
        let stranger = app.buyer().await;
        let owner = json!({"owner": stranger.owner});
        app.as_org(&operator, "PUT", &path(&one, "/owner")).json(&owner).send().await.expect(422);
        for text in ["Asked the bank.", "It was a test."] {
            app.as_org(&operator, "POST", &path(&one, "/notes")).json(&json!({"text": text})).send().await.expect(201);
        }
        let ignore = json!({"kind": "ignore", "reason": "Small."});
        app.request("POST", &path(&one, "/resolutions")).bearer(&token).json(&ignore).send().await.expect(422);
        let half = json!({"kind": "post", "reason": "Fee", "debit": "suspense_bank", "credit": "write_offs", "amount_minor": 700});
        app.request("POST", &path(&one, "/resolutions")).bearer(&token).json(&half).send().await.expect(422);
        assert_eq!((balance(app, Account::Bank("main".to_owned())).await, balance(app, Account::Suspense("bank".to_owned())).await), (1_500, -1_500));
        let post = json!({"kind": "post", "reason": "Fee", "debit": "suspense_bank", "credit": "write_offs", "amount_minor": 1_500});
        // A key is no person.
        app.as_org(&operator, "POST", &path(&one, "/resolutions")).json(&post).send().await.expect(403);
        let shown = app.request("POST", &path(&one, "/resolutions")).bearer(&token).json(&post).send().await.expect(201).json();
        assert_eq!((&shown["state"], &shown["resolution"], shown["notes"].as_array().map(Vec::len)), (&json!("resolved"), &json!("post"), Some(2)));
        assert_eq!((balance(app, Account::Suspense("bank".to_owned())).await, balance(app, Account::WriteOffs).await), (0, -1_500));
        app.request("POST", &path(&one, "/resolutions")).bearer(&token).json(&post).send().await.expect(409);
        let mut audited = app.audited(one["id"].as_str().expect("an id")).await;
        audited.sort();
        assert_eq!(audited, ["exception.assign", "exception.note", "exception.note", "exception.resolve"]);
    }

    async fn a_large_posting_needs_a_second_person(app) {
        let operator = app.operator().await;
        let one = unexplained(app, &operator, 100_001).await;
        let (first, second) = (app.member(&operator, Role::Finance).await, app.member(&operator, Role::Finance).await);
        let post = json!({"kind": "post", "reason": "Fee", "debit": "suspense_bank", "credit": "write_offs", "amount_minor": 100_001});
        let ask = async || app.request("POST", &path(&one, "/resolutions")).bearer(&first).json(&post).send().await;
        assert_eq!(ask().await.expect(201).json()["resolutions"][0]["state"], "asked");
        ask().await.expect(409);
        assert_eq!(balance(app, Account::WriteOffs).await, 0);
        let decide = async |token: &str, agree: bool| {
            app.request("POST", &path(&one, "/decision")).bearer(token).json(&json!({"agree": agree})).send().await
        };
        decide(&first, true).await.expect(403);
        assert_eq!(decide(&second, false).await.expect(200).json()["resolutions"][0]["state"], "refused");
        decide(&second, true).await.expect(409);
        ask().await.expect(201);
        assert_eq!(decide(&second, true).await.expect(200).json()["state"], "resolved");
        assert_eq!(balance(app, Account::WriteOffs).await, -100_001);
    }

    async fn a_line_in_suspense_is_explained_by_a_payout_that_comes_later(app) {
        let operator = app.operator().await;
        let one = unexplained(app, &operator, 5_000).await;
        let at = time::macros::datetime!(2026-11-02 10:00 UTC);
        app.sent_payout(&operator, "po_after", money(5_000, "EUR"), at).await;
        app.advance(time::Duration::hours(2));
        app.run_jobs().await;
        let shown = app.as_org(&operator, "GET", &path(&one, "")).send().await.expect(200).json();
        assert_eq!(shown["resolution"], "vanished");
        assert_eq!((balance(app, Account::ProcessorInTransit).await, balance(app, Account::Suspense("bank".to_owned())).await), (0, 0));
        let line = format!("/api/v1/settlement/bank-lines/{}", one["line_id"].as_str().expect("a line"));
        let shown = app.as_org(&operator, "GET", &line).send().await.expect(200).json();
        let sum: i64 = shown["matches"].as_array().expect("matches").iter().map(|part| part["amount_minor"].as_i64().expect("n")).sum();
        assert_eq!((&shown["state"], sum), (&json!("matched"), 5_000));
    }
}
