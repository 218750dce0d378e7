use entity::{
    Timestamp, grant,
    ids::{GrantId, OrderId},
    licence_document, order, organization, payment, payout,
    states::{OrderState, PaymentState, PayoutState},
};
use sea_orm::{
    ColumnTrait as _, DatabaseConnection, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _,
    QueryFilter as _, sea_query::Expr,
};
use time::Duration;
use torv::{db::Tx, settlement::verify::verify_all};

use crate::support::{
    TestApp, on_both,
    sales::{Sold, money},
};

/// What is wrong, as one text.
async fn violations(app: &TestApp) -> String {
    let report = verify_all(&app.app, |_, _| {}).await.expect("reads");
    assert_eq!(report.is_clean(), report.all_violations().next().is_none());
    report.all_violations().collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_told(found: &str, words: &str) {
    assert!(found.contains(words), "{words:?} is not told: {found:?}");
}

/// A sale that walked all the way to a paid payout, and one that was just made.
async fn two_sales(app: &TestApp) -> (Sold, Sold) {
    let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
    let old = app.sell(&provider, &buyer, money(10_001, "EUR")).await;
    app.advance(Duration::days(8));
    app.run_jobs().await;
    let body = serde_json::json!({"currency": "EUR", "minimum_minor": 1, "recipients": "both"});
    let request = app.as_org(&operator, "POST", "/api/v1/payout-runs").header("idempotency-key", "one");
    request.json(&body).send().await.expect(201);
    app.run_jobs().await;
    let new = app.sell(&provider, &buyer, money(500, "JPY")).await;
    app.sell_uncharged(&provider, &buyer, money(0, "EUR")).await;
    (old, new)
}

async fn set_order(app: &TestApp, id: OrderId, column: order::Column, value: impl Into<sea_orm::Value>) {
    let value = value.into();
    app.write(async move |tx: &Tx| {
        let update = order::Entity::update_many().col_expr(column, Expr::value(value)).filter(order::Column::Id.eq(id));
        update.exec(tx.conn()).await.expect("updates");
    })
    .await;
}

on_both! {
    async fn trading_meanwhile_is_no_violation(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        app.sell(&provider, &buyer, money(10_001, "EUR")).await;
        let before = app.app.db.snapshot().await.expect("begins");
        let orders = async |conn: &DatabaseConnection| order::Entity::find().count(conn).await.expect("counts");
        let seen = async || order::Entity::find().count(before.conn()).await.expect("counts");
        assert_eq!((seen().await, orders(app.app.db.read()).await), (1, 1));
        app.sell(&provider, &buyer, money(10_002, "EUR")).await;
        assert_eq!((seen().await, orders(app.app.db.read()).await), (1, 2), "a snapshot stays as it was");
        drop(before);

        let trade = async {
            for price in 0..5 {
                app.sell(&provider, &buyer, money(500 + price, "EUR")).await;
                app.run_jobs().await;
            }
        };
        let look = async {
            let mut looks = Vec::new();
            for _ in 0..20 {
                looks.push(verify_all(&app.app, |_, _| {}).await.expect("reads"));
            }
            looks
        };
        let ((), looks) = tokio::join!(trade, look);
        for report in looks {
            assert_eq!(report.all_violations().collect::<Vec<_>>(), Vec::<&str>::new());
        }
        assert_eq!(orders(app.app.db.read()).await, 7);
    }

    async fn a_clean_exchange_verifies_with_its_figures(app) {
        assert_eq!(violations(app).await, "");
        two_sales(app).await;
        let mut told = std::collections::BTreeSet::new();
        let report = verify_all(&app.app, |what, _| { told.insert(what.to_owned()); }).await.expect("reads");
        assert_eq!(report.all_violations().collect::<Vec<_>>(), Vec::<&str>::new());
        assert_eq!((report.orders, report.paid_orders, report.free_orders), (3, 2, 1));
        assert_eq!((report.grants, report.payouts, report.processor_lines), (3, 2, 3));
        let kept = licence_document::Entity::find().all(app.app.db.read()).await.expect("reads");
        assert_eq!(report.licence_documents, kept.len() as u64);
        assert!(told.contains("orders") && told.contains("ledger entries"), "{told:?}");
    }

    async fn a_missing_grant_and_a_grant_too_many_are_told(app) {
        let (old, new) = two_sales(app).await;
        let row = grant::Entity::find().filter(grant::Column::OrderId.eq(old.order)).one(app.app.db.read()).await;
        let row = row.expect("reads").expect("granted");
        let now = app.clock.now();
        app.write(async move |tx: &Tx| {
            let delete = grant::Entity::delete_many().filter(grant::Column::OrderId.eq(old.order));
            delete.exec(tx.conn()).await.expect("deletes");
            let more = grant::Model { id: GrantId::at(now), order_id: new.order, line_no: 2, ..row };
            grant::Entity::insert(more.into_active_model()).exec_without_returning(tx.conn()).await.expect("inserts");
        })
        .await;
        let found = violations(app).await;
        assert_told(&found, &format!("the number of grants of {} is 0, not 1", old.order));
        assert_told(&found, &format!("line 1 of {} is completed without a grant", old.order));
        assert_told(&found, &format!("the number of grants of {} is 2, not 1", new.order));
    }

    async fn an_order_that_is_in_the_books_but_not_completed_is_told(app) {
        let (_, new) = two_sales(app).await;
        set_order(app, new.order, order::Column::State, OrderState::Cancelled).await;
        let found = violations(app).await;
        for what in ["it has a grant", "a payment of it succeeded", "it is in the books"] {
            assert_told(&found, &format!("{} is cancelled, and yet {what}", new.order));
        }
        assert_told(&found, "the balance of clearing.payment in JPY");
    }

    async fn a_payment_of_another_amount_and_a_lost_one_are_told(app) {
        let (old, new) = two_sales(app).await;
        app.write(async move |tx: &Tx| {
            for (id, column, value) in [
                (old.payment, payment::Column::AmountMinor, Expr::value(10_000_i64)),
                (new.payment, payment::Column::State, Expr::value(PaymentState::Failed)),
            ] {
                let update = payment::Entity::update_many().col_expr(column, value).filter(payment::Column::Id.eq(id));
                update.exec(tx.conn()).await.expect("updates");
            }
        })
        .await;
        let found = violations(app).await;
        assert_told(&found, &format!("paid 10000 EUR for {}, not its total", old.order));
        assert_told(&found, &format!("the number of payments of {} that succeeded is 0, not 1", new.order));
    }

    async fn a_hold_that_ended_without_an_entry_is_told(app) {
        let (old, new) = two_sales(app).await;
        let now = Timestamp(app.clock.now());
        set_order(app, new.order, order::Column::HoldEndedAt, Some(now)).await;
        set_order(app, old.order, order::Column::HoldEndedAt, Option::<Timestamp>::None).await;
        let found = violations(app).await;
        assert_told(&found, &format!("pending holds of {} (minor units) is", new.order));
        assert_told(&found, &format!("the hold of {} is booked as ended, and yet it runs", old.order));
        assert_told(&found, &format!("{} was paid out during its hold", old.order));
    }

    async fn a_payout_of_another_sum_or_without_a_line_is_told(app) {
        two_sales(app).await;
        app.write(async |tx: &Tx| {
            let update = payout::Entity::update_many().col_expr(payout::Column::AmountMinor, Expr::value(8_000_i64));
            let update = update.filter(payout::Column::AmountMinor.eq(8_001_i64));
            assert_eq!(update.exec(tx.conn()).await.expect("updates").rows_affected, 1);
        })
        .await;
        let found = violations(app).await;
        assert_told(&found, "is 8001, not 8000");
        assert_told(&found, "the balance of clearing.transfer in EUR");
    }

    async fn a_paid_payout_the_processor_knows_nothing_of_is_told(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        app.sell(&provider, &buyer, money(10_001, "EUR")).await;
        app.advance(Duration::days(8));
        app.run_jobs().await;
        let body = serde_json::json!({"currency": "EUR", "minimum_minor": 1});
        let request = app.as_org(&operator, "POST", "/api/v1/payout-runs").header("idempotency-key", "one");
        request.json(&body).send().await.expect(201);
        app.write(async |tx: &Tx| {
            let update = payout::Entity::update_many().col_expr(payout::Column::State, Expr::value(PayoutState::Paid));
            update.exec(tx.conn()).await.expect("updates");
        })
        .await;
        assert_told(&violations(app).await, "is paid, and yet the processor has no line for it");
    }

    async fn a_changed_licence_document_is_told(app) {
        two_sales(app).await;
        let now = Timestamp(app.clock.now());
        app.write(async move |tx: &Tx| {
            let hash = "0".repeat(64);
            let forged = licence_document::Model { hash, document: "{}".to_owned(), created_at: now };
            let insert = licence_document::Entity::insert(forged.into_active_model());
            insert.exec_without_returning(tx.conn()).await.expect("inserts");
        })
        .await;
        assert_told(&violations(app).await, &format!("the licence document {} was changed", "0".repeat(64)));
    }

    async fn what_an_order_refers_to_must_exist(app) {
        let (_, new) = two_sales(app).await;
        set_order(app, new.order, order::Column::BuyerId, entity::ids::OrgId::derived("nobody")).await;
        let found = violations(app).await;
        assert_told(&found, &format!("of {} does not exist", new.order));
        assert_told(&found, "grants something else than");
        assert!(organization::Entity::find().one(app.app.db.read()).await.expect("reads").is_some());
    }
}
