//! Proof for outsiders: leaves, heads, receipts, consistency and totals, checked with the crate alone.

use std::collections::BTreeMap;

use entity::{
    Timestamp, ledger_account, ledger_entry, posting, proof_head, proof_key, proof_leaf, proof_node,
    states::{EntryKind, ProofKind},
};
use sea_orm::{ConnectionTrait as _, EntityTrait as _, QueryOrder as _};
use serde_json::{Value, json};
use time::Duration;
use torv::{
    ledger::{self, Account, Line, NewEntry, seal},
    settlement::{proof, verify::verify_all},
};
use torv_receipt::{Hash, Kind, Statement, TrustedKeys, Why, merkle, verify};

use crate::support::{Answer, Backend, TestApp, TestOrg, free, on_both, one_off, sales::money};

async fn leaves(app: &TestApp) -> Vec<proof_leaf::Model> {
    let query = proof_leaf::Entity::find().order_by_asc(proof_leaf::Column::Position);
    query.all(app.app.db.read()).await.expect("reads")
}

async fn keys(app: &TestApp) -> TrustedKeys {
    let answer = app.get("/api/v1/transparency/keys").await.expect(200);
    TrustedKeys::from_json(&answer.bytes).expect("good keys")
}

async fn receipt(app: &TestApp, org: &TestOrg, order: impl std::fmt::Display) -> Answer {
    app.as_org(org, "GET", &format!("/api/v1/orders/{order}/proof")).send().await
}

async fn assert_clean(app: &TestApp) {
    let report = verify_all(&app.app, |_, _| {}).await.expect("reads");
    assert_eq!(report.all_violations().collect::<Vec<_>>(), Vec::<&str>::new());
}

async fn head(app: &TestApp, day: &str) -> Value {
    app.get(&format!("/api/v1/transparency/tree-heads/{day}")).await.expect(200).json()
}

/// A refund as it is booked: the shares go back, the buyer is owed the money.
async fn refund(app: &TestApp, sold: &crate::support::sales::Sold, provider: &TestOrg, minor: i64) {
    let (now, code) = (app.clock.now(), sold.gross.currency.code());
    let split = money(minor, code).split(2_000).expect("in range");
    let share = Account::ProviderPending(provider.id);
    let accounts = [Account::ClearingRefund, Account::Commission, share.clone()];
    let accounts = accounts.map(|account| (account, sold.gross.currency));
    ledger::open_accounts(&app.app, &accounts).await.expect("opens");
    let entry = NewEntry {
        kind: EntryKind::Refund,
        source: format!("refund:{}:{minor}", sold.order),
        effective_at: now,
        memo: None,
        lines: vec![
            Line::debit(share, split.provider).of(sold.order),
            Line::debit(Account::Commission, split.operator).of(sold.order),
            Line::credit(Account::ClearingRefund, money(minor, code)).of(sold.order),
        ],
    };
    app.write(async move |tx: &torv::db::Tx| ledger::post(tx, vec![entry], now).await.expect("books")).await;
}

on_both! {
    async fn every_order_has_one_leaf_and_a_receipt_that_holds_offline(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let mut orders = Vec::new();
        for key in ["a", "b", "c", "d", "e"] {
            orders.push(app.order(&buyer, &sale, key, Some("pm_card_visa")).await.expect(201).str("/id"));
            app.advance(Duration::seconds(5));
            app.run_jobs().await;
        }
        assert_eq!(leaves(app).await.len(), 5);
        let keys = keys(app).await;
        for (place, order) in orders.iter().enumerate() {
            let answer = receipt(app, &buyer, order).await.expect(200);
            assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{order}-1.receipt.json\""));
            let verified = verify(&answer.bytes, &keys).expect("holds");
            let said = &verified.statement;
            assert_eq!((verified.index, &said.order, said.kind), (place as u64, order, Kind::Sale));
            assert_eq!((said.total_minor, said.providers_minor, said.operator_minor), (10_001, 8_001, 2_000));
            assert_eq!((said.open_lines().next().expect("a line").licence_hash.as_str(), said.buyer.clone()), (sale.licence_hash.as_str(), buyer.id.to_string()));
            assert_eq!(receipt(app, &sale.provider, order).await.expect(200).bytes, answer.bytes, "both parties get the same file");
        }
        let stranger = app.buyer().await;
        receipt(app, &stranger, &orders[0]).await.expect(404);
        app.as_org(&buyer, "GET", &format!("/api/v1/orders/{}/proof?number=2", orders[0])).send().await.expect(404);
        app.as_org(&buyer, "GET", &format!("/api/v1/orders/{}/proof?number=0", orders[0])).send().await.expect(422);
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
        assert_clean(app).await;
    }

    async fn a_free_order_has_a_leaf_of_nothing(app) {
        let (sale, buyer) = app.market(&free()).await;
        let order = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        receipt(app, &buyer, &order).await.expect(409);
        app.run_jobs().await;
        let verified = verify(&receipt(app, &buyer, &order).await.expect(200).bytes, &keys(app).await).expect("holds");
        assert_eq!((verified.statement.total_minor, verified.statement.lines.len()), (0, 1));
        app.advance(Duration::days(1));
        app.run_jobs().await;
        assert_eq!(leaves(app).await.len(), 1, "and only one");
    }

    async fn a_receipt_waits_for_payment_and_for_a_signed_head(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let order = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        app.run_jobs().await;
        receipt(app, &buyer, &order).await.expect(409);
        app.pay(&buyer, &order, "p", "pm_card_visa").await.expect(200);
        seal::seal_new_entries(&app.app).await.expect("seals");
        assert_eq!(proof::append_leaves(&app.app).await.expect("appends"), 1);
        receipt(app, &buyer, &order).await.expect(409);
        assert_eq!(proof::sign_head(&app.app).await.expect("signs"), 1);
        receipt(app, &buyer, &order).await.expect(200);
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
    }

    async fn money_that_goes_back_is_a_leaf_of_its_own(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        let sold = app.sell(&provider, &buyer, money(10_001, "EUR")).await;
        app.run_jobs().await;
        let before = receipt(app, &buyer, sold.order).await.expect(200).bytes;
        refund(app, &sold, &provider, 5_000).await;
        app.run_jobs().await;
        assert_eq!(receipt(app, &buyer, sold.order).await.expect(200).bytes, before, "a receipt never changes");
        let second = app.as_org(&buyer, "GET", &format!("/api/v1/orders/{}/proof?number=2", sold.order)).send().await.expect(200);
        let said = verify(&second.bytes, &keys(app).await).expect("holds").statement;
        assert_eq!((said.kind, said.total_minor, said.providers_minor, said.operator_minor), (Kind::Refund, -5_000, -4_000, -1_000));
        assert!(said.lines.is_empty());
        let today = app.get("/api/v1/transparency/totals").await.expect(200).json()["totals"].clone();
        assert_eq!(today, json!([{
            "period": "2026-11-21", "currency": "EUR", "sales": 1, "gross_minor": 10_001, "refunded_minor": 5_000,
            "disputed_minor": 0, "providers_minor": 4_001, "operator_minor": 1_000, "tax_minor": 0
        }]));
    }

    async fn a_head_closes_each_day_and_each_begins_with_the_one_before(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        app.get("/api/v1/transparency/tree-heads/latest").await.expect(404);
        for day in 0..5 {
            for minor in 1..=day + 1 {
                app.sell(&provider, &buyer, money(minor * 100, "JPY")).await;
                app.advance(Duration::hours(1));
                app.run_jobs().await;
            }
            app.advance(Duration::hours(23 - day));
            app.run_jobs().await;
        }
        let listed = app.get("/api/v1/transparency/tree-heads?limit=4").await.expect(200).json();
        let days: Vec<_> = listed["items"].as_array().expect("heads").iter().map(|head| head["day"].clone()).collect();
        assert_eq!(days, ["2026-11-26", "2026-11-25", "2026-11-24", "2026-11-23"]);
        let rest = format!("/api/v1/transparency/tree-heads?cursor={}", listed["next_cursor"].as_str().expect("more"));
        assert_eq!(app.get(&rest).await.expect(200).json()["items"][0]["day"], "2026-11-22");
        let newest = head(app, "latest").await;
        assert_eq!(newest["size"], 15);
        for (day, size) in [("2026-11-21", 1), ("2026-11-22", 3), ("2026-11-23", 6), ("2026-11-24", 10)] {
            let older = head(app, day).await;
            assert_eq!(older["size"], size, "{day}");
            let path = format!("/api/v1/transparency/consistency?from={size}&to=15");
            let answer = app.get(&path).await.expect(200).json();
            let proof: Vec<Hash> = serde_json::from_value(answer["proof"].clone()).expect("hashes");
            let root = |head: &Value| head["root"].as_str().expect("a root").parse::<Hash>().expect("a hash");
            assert!(merkle::verify_consistency(size, 15, root(&older), root(&newest), &proof), "{day}");
            assert_eq!((&answer["from_root"], &answer["to_root"]), (&older["root"], &newest["root"]));
        }
        for wrong in ["from=0&to=3", "from=4&to=3", "from=1&to=16", "from=1", "from=1&to=18446744073709551615"] {
            app.get(&format!("/api/v1/transparency/consistency?{wrong}")).await.expect(422);
        }
        app.get("/api/v1/transparency/tree-heads/2026-11-20").await.expect(404);
        app.get("/api/v1/transparency/tree-heads/yesterday").await.expect(404);
        assert_clean(app).await;
    }

    async fn nothing_an_outsider_can_fetch_tells_of_a_single_order(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        let sold = app.sell(&provider, &buyer, money(10_001, "EUR")).await;
        app.sell(&provider, &buyer, money(700, "EUR")).await;
        app.run_jobs().await;
        let mut seen = String::new();
        for path in ["keys", "tree-heads", "tree-heads/latest", "consistency?from=1&to=2", "totals", "totals?by=month"] {
            seen.push_str(&app.get(&format!("/api/v1/transparency/{path}")).await.expect(200).text());
        }
        for secret in [sold.order.to_string(), buyer.id.to_string(), provider.id.to_string(), "10001,".to_owned()] {
            assert!(!seen.contains(&secret), "{secret}");
        }
        // The statement without its salt can be guessed; the leaf is over both.
        let rows = leaves(app).await;
        let mut guess: Statement = serde_json::from_str(&rows[0].statement).expect("a statement");
        let leaf = |guess: &Statement| guess.leaf().expect("writes").to_string();
        assert_eq!(leaf(&guess), rows[0].leaf);
        let other: Statement = serde_json::from_str(&rows[1].statement).expect("a statement");
        assert_ne!(guess.salt, other.salt);
        assert_ne!(guess.open_lines().next().expect("a line").salt, Some(guess.salt), "each line has its own");
        guess.salt = Hash([0; 32]);
        assert_ne!(leaf(&guess), rows[0].leaf);
    }

    async fn a_new_key_takes_over_and_the_old_one_stays_published(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        let first = app.sell(&provider, &buyer, money(100, "EUR")).await;
        app.run_jobs().await;
        let early = keys(app).await;
        app.advance(Duration::days(367));
        let second = app.sell(&provider, &buyer, money(200, "EUR")).await;
        app.run_jobs().await;
        let buyer = TestOrg { key: app.key(&buyer, &["read"]).await, ..buyer };
        let (old, new) = (receipt(app, &buyer, first.order).await.expect(200).bytes, receipt(app, &buyer, second.order).await.expect(200).bytes);
        assert!(verify(&old, &early).is_ok());
        assert!(matches!(verify(&new, &early), Err(Why::UnknownKey(_))));
        let both = keys(app).await;
        assert_eq!(both.ids().count(), 2);
        assert!(verify(&old, &both).is_ok() && verify(&new, &both).is_ok());
        assert_clean(app).await;
    }

    async fn processes_that_append_at_once_append_each_event_once(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        let siblings = [app.sibling().await, app.sibling().await, app.sibling().await];
        for round in 0..6 {
            for minor in 1..5 {
                app.sell(&provider, &buyer, money(round * 10 + minor, "EUR")).await;
            }
            let sweep = |app: torv::AppState| async move {
                seal::seal_new_entries(&app).await.expect("seals");
                let appended = proof::append_leaves(&app).await.expect("appends");
                proof::sign_head(&app).await.expect("signs");
                appended
            };
            futures::future::join_all(siblings.iter().map(|sibling| sweep(sibling.app.clone()))).await;
        }
        app.run_jobs().await;
        let rows = leaves(app).await;
        assert_eq!(rows.iter().map(|row| row.position).collect::<Vec<_>>(), (0..24).collect::<Vec<_>>());
        assert_eq!(proof_key::Entity::find().all(app.app.db.read()).await.expect("reads").len(), 1);
        assert_clean(app).await;
    }

    async fn a_crash_at_any_step_appends_all_of_a_batch_or_none(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        for minor in 1..4 {
            app.sell(&provider, &buyer, money(minor, "EUR")).await;
        }
        seal::seal_new_entries(&app.app).await.expect("seals");
        let mut failed = 0;
        for step in 0..20 {
            app.app.db.faults().arm(step);
            let outcome = async {
                proof::append_leaves(&app.app).await?;
                proof::sign_head(&app.app).await
            };
            let outcome = outcome.await;
            app.app.db.faults().disarm();
            failed += usize::from(outcome.is_err());
            let (rows, nodes) = (leaves(app).await.len(), proof_node::Entity::find().all(app.app.db.read()).await.expect("reads").len());
            assert!(matches!((rows, nodes), (0, 0) | (3, 4)), "{rows} leaves, {nodes} nodes");
            assert_clean(app).await;
        }
        assert!(failed >= 3, "only {failed} steps could fail");
        assert_eq!(proof_head::Entity::find().all(app.app.db.read()).await.expect("reads").len(), 1);
    }

    async fn nobody_changes_a_leaf_a_node_or_a_head_and_whoever_gets_around_that_is_found_out(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        for minor in [100, 200, 300] {
            app.sell(&provider, &buyer, money(minor, "EUR")).await;
            app.advance(Duration::SECOND);
        }
        app.run_jobs().await;
        let conn = app.app.db.read();
        for table in ["proof_leaf", "proof_node", "proof_head", "proof_key", "fee_share"] {
            assert!(conn.execute_unprepared(&format!("DELETE FROM {table}")).await.is_err() || table == "fee_share", "{table}");
        }
        assert!(conn.execute_unprepared("UPDATE proof_leaf SET total_minor = 1").await.is_err());
        for table in ["proof_leaf", "proof_head"] {
            let around = match app.backend {
                Backend::Sqlite => format!("DROP TRIGGER {table}_no_update"),
                Backend::Postgres => format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            };
            conn.execute_unprepared(&around).await.expect("the owner of the database can");
        }
        for (change, undo) in [
            ("UPDATE proof_leaf SET total_minor = total_minor + 1 WHERE position = 1", "UPDATE proof_leaf SET total_minor = total_minor - 1 WHERE position = 1"),
            ("UPDATE proof_leaf SET statement = REPLACE(statement, '\"total_minor\":200', '\"total_minor\":201') WHERE position = 1",
             "UPDATE proof_leaf SET statement = REPLACE(statement, '\"total_minor\":201', '\"total_minor\":200') WHERE position = 1"),
            ("UPDATE proof_head SET size = 2", "UPDATE proof_head SET size = 3"),
            ("UPDATE proof_head SET day = '2026-11-20'", "UPDATE proof_head SET day = '2026-11-21'"),
        ] {
            conn.execute_unprepared(change).await.expect("changes");
            let report = verify_all(&app.app, |_, _| {}).await.expect("reads");
            assert!(!report.is_clean(), "{change}");
            conn.execute_unprepared(undo).await.expect("changes");
            assert_clean(app).await;
        }
    }

    async fn totals_are_those_of_the_ledger_by_day_and_by_month(app) {
        let providers = [app.provider().await, app.provider().await];
        let buyer = app.buyer().await;
        let mut seed = 7_u64;
        for _ in 0..40 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let code = ["EUR", "JPY", "KWD"][usize::try_from(seed >> 40).expect("fits") % 3];
            let provider = &providers[usize::try_from(seed >> 50).expect("fits") % 2];
            let minor = i64::try_from(seed >> 33).expect("fits") % 99_999 + 10;
            let sold = app.sell(provider, &buyer, money(minor, code)).await;
            if seed >> 55 & 3 == 0 {
                app.advance(Duration::hours(3));
                refund(app, &sold, provider, minor / 2).await;
            }
            app.advance(Duration::hours(17));
            app.run_jobs().await;
        }
        for (by, chars) in [("day", 10), ("month", 7)] {
            let path = format!("/api/v1/transparency/totals?from=2026-11-01&until=2027-01-31&by={by}");
            let told = app.get(&path).await.expect(200).json()["totals"].clone();
            let mut found = BTreeMap::new();
            for total in told.as_array().expect("totals") {
                let key = (total["period"].as_str().expect("a period").to_owned(), total["currency"].as_str().expect("a code").to_owned());
                let minor = |name: &str| total[name].as_i64().expect("a number");
                found.insert(key, [minor("gross_minor"), minor("refunded_minor"), minor("providers_minor"), minor("operator_minor")]);
            }
            assert_eq!(found, sums_of_the_ledger(app, chars).await, "by {by}");
        }
        for wrong in ["from=2026-11-02&until=2026-11-01", "from=2020-01-01&until=2026-11-21", "from=yesterday", "by=year"] {
            app.get(&format!("/api/v1/transparency/totals?{wrong}")).await.expect(422);
        }
    }

    async fn heads_are_signed_no_more_often_than_configured(app) {
        let app = TestApp::start(crate::support::Home::fresh(app.backend).await.expect("a database"), |config| {
            config.transparency.head_seconds = 60;
        }).await;
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        for _ in 0..6 {
            app.sell(&provider, &buyer, money(5, "EUR")).await;
            app.run_jobs().await;
            app.advance(Duration::seconds(20));
        }
        let heads = proof_head::Entity::find().all(app.app.db.read()).await.expect("reads");
        assert_eq!(heads.iter().map(|head| head.size).collect::<Vec<_>>(), [1, 4]);
    }
}

/// Gross, refunded, the providers' part and the operator's, by period and currency, straight from the postings.
async fn sums_of_the_ledger(app: &TestApp, chars: usize) -> BTreeMap<(String, String), [i64; 4]> {
    let conn = app.app.db.read();
    let entries: BTreeMap<_, _> =
        ledger_entry::Entity::find().all(conn).await.expect("reads").into_iter().map(|row| (row.id, row)).collect();
    let accounts: BTreeMap<_, _> = ledger_account::Entity::find()
        .all(conn)
        .await
        .expect("reads")
        .into_iter()
        .map(|row| (row.id, row.code))
        .collect();
    let mut sums: BTreeMap<(String, String), [i64; 4]> = BTreeMap::new();
    for row in posting::Entity::find().all(conn).await.expect("reads") {
        let (entry, code) = (&entries[&row.entry_id], &accounts[&row.account_id]);
        let at = |Timestamp(at): Timestamp| at.date().to_string()[..chars].to_owned();
        if !matches!(entry.kind, EntryKind::Sale | EntryKind::Refund) {
            continue;
        }
        let sum = sums.entry((at(entry.posted_at), row.currency.clone())).or_default();
        match code.as_str() {
            "clearing.payment" => sum[0] += row.amount_minor,
            "clearing.refund" => sum[1] -= row.amount_minor,
            "commission" => sum[3] -= row.amount_minor,
            _ => sum[2] -= row.amount_minor,
        }
    }
    sums
}

#[test]
fn every_kind_of_leaf_has_a_word_in_receipts() {
    for kind in ProofKind::ALL {
        assert_eq!(serde_json::to_value(kind).expect("writes"), json!(kind.as_str()));
    }
}
