//! Processor fees that providers bear: taken once, from where the share stands, and never below zero.

use entity::{fee_share, order_line, states::FeeBearer};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::json;
use time::Duration;
use torv::{
    ledger::{self, Account},
    settlement::{documents, fee_shares, holds, processor, verify::verify_all},
};

use crate::support::{TestApp, TestOrg, on_both, one_off, sales::Sold, sales::money};

async fn owed(app: &TestApp, account: Account) -> i64 {
    let currency = "EUR".parse().expect("in the table");
    -ledger::balance(app.app.db.read(), &account, currency).await.expect("sums").minor
}

async fn assert_clean(app: &TestApp, context: &str) {
    // Days pass in these tests without the sweeps; an old sale without an invoice would be told.
    documents::issue_due(&app.app).await.expect("issues");
    let report = verify_all(&app.app, |_, _| {}).await.expect("reads");
    assert_eq!(report.all_violations().collect::<Vec<_>>(), Vec::<&str>::new(), "{context}");
}

/// A sale whose provider bears the fee.
async fn sell(app: &TestApp, provider: &TestOrg, buyer: &TestOrg, minor: i64) -> Sold {
    let sold = app.sell_uncharged(provider, buyer, money(minor, "EUR")).await;
    app.write(async |tx: &torv::db::Tx| {
        let row = order_line::ActiveModel { fee_bearer: Set(FeeBearer::Provider), ..Default::default() };
        let update = order_line::Entity::update_many().set(row).filter(order_line::Column::OrderId.eq(sold.order));
        update.exec(tx.conn()).await.expect("updates");
    })
    .await;
    app.charge(&sold).await;
    sold
}

async fn pay_out(app: &TestApp, operator: &TestOrg, key: &str) -> i64 {
    let body = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"});
    let request = app.as_org(operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key).json(&body);
    request.send().await.expect(201).json()["payouts"][0]["amount_minor"].as_i64().unwrap_or(0)
}

on_both! {
    async fn a_rule_decides_who_bears_the_fee_and_the_order_keeps_it(app) {
        let operator = app.operator().await;
        let (sale, buyer) = app.market(&one_off(10_000)).await;
        let make = async |key: &str, body: serde_json::Value| {
            app.as_org(&operator, "POST", "/api/v1/fee-rules").header("idempotency-key", key).json(&body).send().await
        };
        let band = json!({"operator_bps": 1_500, "currency": "EUR", "price_min_minor": 5_000, "fee_bearer": "provider", "offer_kind": "one_off"});
        let made = make("band", band).await.expect(201).json();
        assert_eq!((&made["fee_bearer"], &made["price_min_minor"], &made["offer_kind"]), (&json!("provider"), &json!(5_000), &json!("one_off")));
        for (key, wrong, pointer) in [
            ("a", json!({"operator_bps": 1, "price_min_minor": 5}), "/currency"),
            ("b", json!({"operator_bps": 1, "currency": "EUR", "price_min_minor": 5, "price_max_minor": 4}), "/price_max_minor"),
            ("c", json!({"operator_bps": 1, "currency": "EUR", "price_max_minor": -1}), "/price_max_minor"),
        ] {
            assert_eq!(make(key, wrong).await.expect(422).json()["errors"][0]["pointer"], pointer);
        }
        let order = app.order(&buyer, &sale, "k", Some("pm_card_visa")).await.expect(201).json();
        assert_eq!(order["fee_bps"], 1_500);
        app.advance(Duration::SECOND);
        make("later", json!({"operator_bps": 1_500, "offer_id": sale.offer})).await.expect(201);
        let next = app.order(&buyer, &sale, "next", Some("pm_card_visa")).await.expect(201).str("/id");
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
        app.run_jobs().await;
        let shares = fee_share::Entity::find().all(app.app.db.read()).await.expect("reads");
        assert_eq!(shares.iter().map(|row| (row.order_id.to_string(), row.pending_minor)).collect::<Vec<_>>(), [(order["id"].as_str().expect("an id").to_owned(), 150)]);
        assert_ne!(order["id"], next);
        assert_eq!(owed(app, Account::ProviderPending(sale.provider.id)).await, 8_500 - 150 + 8_500);
        assert_eq!(owed(app, Account::ProcessorFees).await, -150, "the operator bears the other");
        assert_clean(app, "after both").await;
    }

    async fn the_fee_follows_the_share_through_hold_and_payout(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        sell(app, &provider, &buyer, 10_001).await;
        app.run_jobs().await;
        assert_eq!(owed(app, Account::ProviderPending(provider.id)).await, 8_001 - 150);
        assert_clean(app, "held").await;
        app.advance(Duration::days(8));
        app.run_jobs().await;
        assert_eq!(owed(app, Account::ProviderPending(provider.id)).await, 0);
        assert_eq!(owed(app, Account::ProviderPayable(provider.id)).await, 7_851);
        assert_clean(app, "due").await;
        assert_eq!(pay_out(app, &operator, "one").await, 7_851);
        app.run_jobs().await;
        assert_eq!(fee_shares::book_fee_shares(&app.app).await.expect("looks"), 0, "once for ever");
        assert_clean(app, "paid").await;
    }

    async fn a_line_that_comes_late_takes_from_what_is_due_or_is_owed_to_us(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        sell(app, &provider, &buyer, 10_000).await;
        app.advance(Duration::days(8));
        holds::end_holds(&app.app).await.expect("ends");
        processor::import_transactions(&app.app).await.expect("imports");
        assert_eq!(fee_shares::book_fee_shares(&app.app).await.expect("books"), 1);
        assert_eq!(owed(app, Account::ProviderPayable(provider.id)).await, 7_850);
        assert_clean(app, "due").await;

        sell(app, &provider, &buyer, 20_000).await;
        app.advance(Duration::days(8));
        holds::end_holds(&app.app).await.expect("ends");
        processor::import_transactions(&app.app).await.expect("imports");
        assert_eq!(pay_out(app, &operator, "before-the-fee-is-known").await, 7_850 + 16_000);
        assert_eq!(fee_shares::book_fee_shares(&app.app).await.expect("books"), 1);
        assert_eq!(owed(app, Account::ProviderPayable(provider.id)).await, 0);
        assert_eq!(owed(app, Account::ProviderReceivable(provider.id)).await, -300);
        assert_clean(app, "owed to us").await;
    }

    async fn a_charge_without_a_fee_is_looked_at_once(app) {
        let app = TestApp::start(crate::support::Home::fresh(app.backend).await.expect("a database"), |config| {
            config.payments.sandbox.fee_bps = 0;
        }).await;
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        sell(&app, &provider, &buyer, 10_000).await;
        app.run_jobs().await;
        assert_eq!(owed(&app, Account::ProviderPending(provider.id)).await, 8_000);
        assert_eq!(fee_share::Entity::find().all(app.app.db.read()).await.expect("reads").len(), 1);
        assert_clean(&app, "nothing to bear").await;
    }

    async fn processes_at_once_and_a_crash_at_any_step_take_the_fee_once(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        for minor in [10_000, 20_000, 30_000] {
            sell(app, &provider, &buyer, minor).await;
        }
        processor::import_transactions(&app.app).await.expect("imports");
        let mut failed = 0;
        for step in 0..8 {
            app.app.db.faults().arm(step);
            failed += usize::from(fee_shares::book_fee_shares(&app.app).await.is_err());
            app.app.db.faults().disarm();
            assert_clean(app, &format!("after failing at step {step}")).await;
        }
        assert!(failed >= 2, "only {failed} steps could fail");
        for minor in [40_000, 50_000] {
            sell(app, &provider, &buyer, minor).await;
        }
        let siblings = [app.sibling().await, app.sibling().await, app.sibling().await];
        processor::import_transactions(&app.app).await.expect("imports");
        let sweep = async |app: &torv::AppState| {
            let (booked, ended) = tokio::join!(fee_shares::book_fee_shares(app), holds::end_holds(app));
            (booked.expect("books"), ended.expect("ends"))
        };
        app.advance(Duration::days(8));
        futures::future::join_all(siblings.iter().map(|sibling| sweep(&sibling.app))).await;
        app.run_jobs().await;
        assert_eq!(owed(app, Account::ProviderPayable(provider.id)).await, 150_000 * 8 / 10 - 150_000 * 15 / 1_000);
        assert_clean(app, "after all").await;
    }
}
