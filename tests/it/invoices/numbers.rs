//! Numbers without gaps, whoever issues and whatever fails; documents that nobody can change.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait as _, DatabaseConnection};

use super::{DANISH_ID, OPERATOR_ID, Parties, VISA, assert_verified, documents, violations};
use crate::support::{Backend, TestApp, on_both, one_off};

/// Orders that are issued for at the same time.
const ORDERS: usize = 12;

/// Asserts that each series runs from 1 without a gap; returns how many documents there are.
async fn assert_gapless(app: &TestApp) -> usize {
    let mut series: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    let rows = documents(app).await;
    for row in &rows {
        series.entry((row.issuer_id, row.kind, row.year)).or_default().push(row.series_number);
    }
    for (which, mut numbers) in series {
        numbers.sort_unstable();
        let whole: Vec<i64> = (1..=i64::try_from(numbers.len()).expect("few")).collect();
        assert_eq!(numbers, whole, "{which:?}");
    }
    rows.len()
}

async fn parties(app: &TestApp) -> Parties {
    let ids = [("DK", Some(OPERATOR_ID)), ("DK", Some(DANISH_ID)), ("DK", None)];
    Parties::new(app, &one_off(10_001), ids).await
}

/// Runs a statement that the exchange itself never runs.
async fn execute(app: &TestApp, statement: &str) -> Result<(), sea_orm::DbErr> {
    let conn: &DatabaseConnection = app.app.db.read();
    conn.execute_unprepared(statement).await.map(|_| ())
}

on_both! {
    async fn racing_processes_leave_no_gap_and_issue_once(app) {
        let parties = parties(app).await;
        for number in 0..ORDERS {
            app.order(&parties.buyer, &parties.sale, &number.to_string(), VISA).await.expect(201);
        }
        let sibling = app.sibling().await;
        let sweep = async |app: &TestApp| {
            for _ in 0..4 {
                torv::settlement::documents::issue_due(&app.app).await.expect("issues");
            }
        };
        tokio::join!(sweep(app), sweep(&sibling), sweep(app), sweep(&sibling));
        assert_eq!(assert_gapless(app).await, ORDERS * 2);
        app.run_jobs().await;
        assert_verified(app).await;
    }

    async fn issuing_survives_a_crash_at_every_step(app) {
        let parties = parties(app).await;
        let mut at = 0;
        loop {
            app.order(&parties.buyer, &parties.sale, &at.to_string(), VISA).await.expect(201);
            app.app.db.faults().arm(at);
            let _ = torv::settlement::documents::issue_due(&app.app).await;
            let (steps, failed) = app.app.db.faults().disarm();
            app.run_jobs().await;
            assert_eq!(assert_gapless(app).await, (at + 1) * 2, "{steps:?}");
            if !failed {
                break;
            }
            at += 1;
        }
        assert!(at >= 3, "{at} steps");
        eprintln!("issuing on {:?}: {at} steps failed, one by one", app.backend);
        assert_verified(app).await;
    }

    async fn the_database_refuses_to_change_a_document(app) {
        parties(app).await.buy(app, "k").await;
        for statement in ["UPDATE document SET payable_minor = 1", "DELETE FROM document", "DELETE FROM tax_profile"] {
            let refused = execute(app, statement).await.expect_err(statement);
            assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
        }
    }

    async fn verify_tells_of_every_amount_that_is_off_by_one(app) {
        parties(app).await.buy(app, "k").await;
        let unlock = match app.backend {
            Backend::Sqlite => "DROP TRIGGER document_no_update",
            Backend::Postgres => "DROP TRIGGER document_append_only ON document",
        };
        execute(app, unlock).await.expect("unlocks");
        assert_verified(app).await;
        for column in ["net_minor", "tax_minor", "payable_minor", "series_number", "year"] {
            for step in ["+ 1", "- 1"] {
                let back = if step == "+ 1" { "- 1" } else { "+ 1" };
                let only = "WHERE leg = 'share'";
                execute(app, &format!("UPDATE document SET {column} = {column} {step} {only}")).await.expect(column);
                assert!(!violations(app).await.is_empty(), "{column} {step}");
                execute(app, &format!("UPDATE document SET {column} = {column} {back} {only}")).await.expect(column);
            }
        }
        assert_verified(app).await;
        // The body with another amount and its right hash: the sums of the document say it.
        let row = documents(app).await.remove(0);
        let forged = row.body.replace(&format!("\"net_minor\":{}", row.net_minor), &format!("\"net_minor\":{}", row.net_minor + 1));
        assert_ne!(forged, row.body);
        let hash = torv::base::digest::sha256_hex(forged.as_bytes());
        let forged = forged.replace('\'', "''");
        execute(app, &format!("UPDATE document SET body = '{forged}', sha256 = '{hash}' WHERE number = '{}' AND leg = '{}'", row.number, row.leg)).await.expect("forges");
        let told = violations(app).await.join("\n");
        assert!(told.contains("is not what was issued"), "{told}");
        assert!(verify_is_silent_again(app, &row.body, &row.sha256, &row.number, row.leg.as_str()).await);
    }
}

async fn verify_is_silent_again(app: &TestApp, body: &str, hash: &str, number: &str, leg: &str) -> bool {
    let body = body.replace('\'', "''");
    let statement =
        format!("UPDATE document SET body = '{body}', sha256 = '{hash}' WHERE number = '{number}' AND leg = '{leg}'");
    execute(app, &statement).await.expect("restores");
    violations(app).await.is_empty()
}
