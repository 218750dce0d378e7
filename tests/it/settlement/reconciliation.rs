use entity::{
    Timestamp, grant,
    ids::{OrgId, PaymentId, PayoutId},
    order, payment, payout, processor_transaction, sandbox_object,
    states::{EntryKind, PaymentState, PayoutState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, sea_query::Expr};
use serde_json::{Value, json};
use time::Duration;
use torv::{
    base::Money,
    db::Tx,
    ledger::{self, Account, Line, NewEntry},
    ports::payments::{Capture, ChargeRequest, TransferRequest},
};

use crate::support::{
    TestApp, TestOrg, on_both,
    sales::{Sold, money},
};

/// The actors of every case, with a sale that walked all the way behind them.
struct Square {
    provider: TestOrg,
    buyer: TestOrg,
    operator: TestOrg,
    old: Sold,
}

async fn square(app: &TestApp) -> Square {
    let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
    let old = app.sell(&provider, &buyer, money(10_001, "EUR")).await;
    app.sell(&provider, &buyer, money(500, "JPY")).await;
    app.sell_uncharged(&provider, &buyer, money(0, "EUR")).await;
    app.advance(Duration::days(8));
    app.run_jobs().await;
    let square = Square { provider, buyer, operator, old };
    pay_out(app, &square, "one", "both").await;
    app.run_jobs().await;
    square
}

async fn pay_out(app: &TestApp, square: &Square, key: &str, recipients: &str) -> PayoutId {
    let body = json!({"currency": "EUR", "minimum_minor": 1, "recipients": recipients});
    let request = app.as_org(&square.operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key);
    request.json(&body).send().await.expect(201).str("/payouts/0/id").parse().expect("a payout")
}

async fn reconcile(app: &TestApp, square: &Square) -> Value {
    let request = app.as_org(&square.operator, "POST", "/api/v1/reconciliations").json(&json!({}));
    request.send().await.expect(201).json()
}

/// Classes that were found, each as often as it was; what each says must be a sentence with an amount.
async fn classes(app: &TestApp, square: &Square) -> Vec<String> {
    let report = reconcile(app, square).await;
    let found = report["report"]["differences"].as_array().expect("differences");
    assert_eq!(report["difference_count"], found.len());
    for one in found {
        assert!(one["sentence"].as_str().is_some_and(|text| text.ends_with('.')), "{one}");
        assert!(one["amount_minor"].is_i64() && one["currency"].is_string(), "{one}");
    }
    let unexplained: i64 = totals(&report).map(|one| one["unexplained_minor"].as_i64().expect("a number")).sum();
    assert_eq!(unexplained == 0, found.is_empty(), "{report:#}");
    let mut classes: Vec<String> = found.iter().map(|one| one["class"].as_str().expect("a class").to_owned()).collect();
    classes.sort();
    classes
}

fn totals(report: &Value) -> impl Iterator<Item = &Value> {
    report["report"]["totals"].as_array().expect("totals").iter()
}

fn timing(report: &Value) -> Vec<&str> {
    let late = report["report"]["timing"].as_array().expect("timing");
    late.iter().map(|one| one["class"].as_str().expect("a class")).collect()
}

async fn charge(app: &TestApp, payment_id: PaymentId, amount: Money) {
    let (method, description) = ("pm_card_visa".to_owned(), "test".to_owned());
    let request = ChargeRequest {
        payment_id,
        buyer: OrgId::derived("buyer"),
        amount,
        method,
        capture: Capture::Automatic,
        description,
        group: "test".to_owned(),
        customer_ref: None,
        off_session: false,
        return_url: None,
    };
    app.app.payments.charge(&request).await.expect("charges");
}

async fn transfer(app: &TestApp, our_ref: String, amount: Money) {
    let destination = app.app.payments.open_account(OrgId::derived("stranger"), "DK").await.expect("opens");
    let request = TransferRequest {
        idempotency_key: format!("stray:{our_ref}"),
        our_ref,
        destination,
        amount,
        source: None,
        group: None,
    };
    app.app.payments.transfer(&request).await.expect("sends");
}

/// Money of the operator that nobody is owed, so that faults have something to send.
async fn fund(app: &TestApp, square: &Square) {
    app.sell(&square.provider, &square.buyer, money(50_000, "EUR")).await;
    app.advance(Duration::days(3));
    app.run_jobs().await;
}

/// Lets everything young grow old, with the sweeps at work.
async fn grow_old(app: &TestApp) {
    app.run_jobs().await;
    app.advance(Duration::hours(2));
    app.run_jobs().await;
}

on_both! {
    async fn when_everything_agrees_nothing_is_unexplained(app) {
        let square = square(app).await;
        assert_eq!(classes(app, &square).await, Vec::<String>::new());
        app.advance(Duration::seconds(1));
        let report = reconcile(app, &square).await;
        assert_eq!(timing(&report), Vec::<&str>::new());
        let eur = totals(&report).find(|one| one["currency"] == "EUR").expect("euros");
        let expected = json!({
            "currency": "EUR", "orders": 1, "orders_minor": 10_001, "charges_minor": 10_001, "payouts_minor": 9_851,
            "transfers_minor": 9_851, "processor_balance_minor": 0, "ledger_balance_minor": 0, "timing_minor": 0,
            "unexplained_minor": 0
        });
        assert_eq!(eur, &expected);
        let path = format!("/api/v1/reconciliations/{}", report["id"].as_str().expect("an id"));
        assert_eq!(app.as_org(&square.operator, "GET", &path).send().await.expect(200).json(), report);
        let list = app.as_org(&square.operator, "GET", "/api/v1/reconciliations?limit=1").send().await.expect(200).json();
        assert_eq!(list["items"][0]["id"], report["id"]);
        assert!(list["next_cursor"].is_string());
        app.as_org(&square.provider, "GET", &path).send().await.expect(403);
        app.as_org(&square.provider, "POST", "/api/v1/reconciliations").json(&json!({})).send().await.expect(403);
        let backwards = json!({"from": "2027-01-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"});
        app.as_org(&square.operator, "POST", "/api/v1/reconciliations").json(&backwards).send().await.expect(422);
    }

    async fn what_is_on_its_way_is_timing_at_every_step(app) {
        let square = square(app).await;
        app.sell(&square.provider, &square.buyer, money(2_000, "EUR")).await;
        let report = reconcile(app, &square).await;
        assert_eq!(timing(&report), ["charge_to_come", "line_to_import"]);
        assert_eq!(report["difference_count"], 0);
        app.run_jobs().await;
        app.advance(Duration::days(2));
        let report = reconcile(app, &square).await;
        assert_eq!((timing(&report), &report["difference_count"]), (vec!["funds_to_move"], &json!(0)));
        app.advance(Duration::days(6));
        app.run_jobs().await;
        pay_out(app, &square, "two", "providers").await;
        let report = reconcile(app, &square).await;
        assert_eq!((timing(&report), &report["difference_count"]), (vec!["payout_to_leave", "line_to_import"], &json!(0)));
        app.run_jobs().await;
        let report = reconcile(app, &square).await;
        assert_eq!((timing(&report), &report["difference_count"]), (vec![], &json!(0)));
    }

    async fn a_period_in_the_middle_has_no_false_findings(app) {
        let square = square(app).await;
        for _ in 0..5 {
            app.sell(&square.provider, &square.buyer, money(2_000, "EUR")).await;
            app.advance(Duration::days(3));
            app.run_jobs().await;
        }
        pay_out(app, &square, "two", "both").await;
        app.run_jobs().await;
        for day in 21..=30 {
            let period = json!({"from": format!("2026-11-{day}T10:00:00Z"), "until": format!("2026-12-{:02}T10:00:00Z", day - 20)});
            let request = app.as_org(&square.operator, "POST", "/api/v1/reconciliations").json(&period);
            let report = request.send().await.expect(201).json();
            assert_eq!(report["difference_count"], 0, "{report:#}");
        }
    }

    async fn an_order_without_charge_is_found(app) {
        let square = square(app).await;
        app.sell_uncharged(&square.provider, &square.buyer, money(700, "EUR")).await;
        grow_old(app).await;
        assert_eq!(classes(app, &square).await, ["order_without_charge"]);
    }

    async fn a_charge_without_order_is_found(app) {
        let square = square(app).await;
        charge(app, PaymentId::derived("nobody's"), money(700, "EUR")).await;
        grow_old(app).await;
        assert_eq!(classes(app, &square).await, ["charge_without_order"]);
    }

    async fn another_amount_than_the_order_is_found(app) {
        let square = square(app).await;
        let sold = app.sell_uncharged(&square.provider, &square.buyer, money(700, "EUR")).await;
        charge(app, sold.payment, money(699, "EUR")).await;
        grow_old(app).await;
        assert_eq!(classes(app, &square).await, ["amount_differs"]);
    }

    async fn another_currency_than_the_order_is_found(app) {
        let square = square(app).await;
        let sold = app.sell_uncharged(&square.provider, &square.buyer, money(700, "EUR")).await;
        charge(app, sold.payment, money(700, "JPY")).await;
        grow_old(app).await;
        assert_eq!(classes(app, &square).await, ["currency_differs"]);
    }

    async fn a_second_charge_of_one_order_is_found(app) {
        let square = square(app).await;
        let id = PaymentId::derived("second");
        let first = payment::Entity::find_by_id(square.old.payment).one(app.app.db.read()).await.expect("reads");
        let second = payment::Model {
            id,
            attempt: 2,
            state: PaymentState::Failed,
            processor_ref: None,
            ..first.expect("the first")
        };
        app.write(async move |tx: &Tx| {
            payment::Entity::insert(second.into_active_model()).exec_without_returning(tx.conn()).await.expect("inserts");
        })
        .await;
        charge(app, id, square.old.gross).await;
        grow_old(app).await;
        assert_eq!(classes(app, &square).await, ["duplicate_charge"]);
    }

    async fn a_line_that_is_stored_and_not_booked_is_found(app) {
        let square = square(app).await;
        let row = processor_transaction::Entity::find()
            .filter(processor_transaction::Column::Kind.eq("charge"))
            .one(app.app.db.read())
            .await
            .expect("reads")
            .expect("a charge");
        let fee = processor_transaction::Model {
            id: "txn_forged".to_owned(),
            kind: "fee".to_owned(),
            our_ref: None,
            available_booked_at: Some(row.created_at),
            ..row
        };
        app.write(async move |tx: &Tx| {
            let insert = processor_transaction::Entity::insert(fee.into_active_model());
            insert.exec_without_returning(tx.conn()).await.expect("inserts");
        })
        .await;
        assert_eq!(classes(app, &square).await, ["unbooked_transaction"]);
    }

    async fn a_line_that_was_never_imported_is_found(app) {
        let square = square(app).await;
        fund(app, &square).await;
        app.write(async |tx: &Tx| {
            let delete = processor_transaction::Entity::delete_many()
                .filter(processor_transaction::Column::AmountMinor.eq(50_000_i64));
            assert_eq!(delete.exec(tx.conn()).await.expect("deletes").rows_affected, 1);
        })
        .await;
        let found = classes(app, &square).await;
        // Its entry is still in the books, so the balances differ by what is thought to be missing.
        assert_eq!(found, ["order_without_charge", "processor_balance_differs", "transaction_not_imported"]);
    }

    async fn a_line_that_the_processor_tells_otherwise_is_found(app) {
        let square = square(app).await;
        app.write(async |tx: &Tx| {
            let update = sandbox_object::Entity::update_many()
                .col_expr(sandbox_object::Column::FeeMinor, Expr::value(151_i64))
                .filter(sandbox_object::Column::Kind.eq("line"))
                .filter(sandbox_object::Column::FeeMinor.eq(150_i64));
            assert_eq!(update.exec(tx.conn()).await.expect("updates").rows_affected, 1);
        })
        .await;
        assert_eq!(classes(app, &square).await, ["amount_differs", "processor_balance_differs"]);
    }

    async fn money_that_left_for_no_payout_is_found(app) {
        let square = square(app).await;
        fund(app, &square).await;
        transfer(app, PayoutId::derived("nobody's").to_string(), money(300, "EUR")).await;
        grow_old(app).await;
        assert_eq!(classes(app, &square).await, ["transfer_without_payout"]);
    }

    async fn a_payout_that_left_twice_is_found(app) {
        let square = square(app).await;
        fund(app, &square).await;
        let paid = payout::Entity::find().filter(payout::Column::AmountMinor.eq(8_001_i64)).one(app.app.db.read()).await;
        transfer(app, paid.expect("reads").expect("paid").id.to_string(), money(8_001, "EUR")).await;
        grow_old(app).await;
        assert_eq!(classes(app, &square).await, ["clearing_not_zero", "duplicate_transfer"]);
    }

    async fn a_payout_that_never_left_is_found(app) {
        let square = square(app).await;
        fund(app, &square).await;
        app.advance(Duration::days(5));
        app.run_jobs().await;
        let id = pay_out(app, &square, "two", "providers").await;
        let forget = move |kind: &'static str| sandbox_object::Entity::delete_many()
            .filter(sandbox_object::Column::State.eq(kind))
            .filter(sandbox_object::Column::AmountMinor.eq(-40_000_i64));
        app.write(async move |tx: &Tx| {
            assert_eq!(forget("transfer").exec(tx.conn()).await.expect("deletes").rows_affected, 1);
        })
        .await;
        let report = reconcile(app, &square).await;
        assert_eq!(report["report"]["differences"][0]["class"], "payout_without_transfer", "{report:#}");
        assert_eq!(report["report"]["differences"][0]["payout_id"], json!(id));
        assert_eq!(report["difference_count"], 1);
        app.write(async move |tx: &Tx| {
            let update = payout::Entity::update_many()
                .col_expr(payout::Column::State, Expr::value(PayoutState::Paid))
                .filter(payout::Column::Id.eq(id));
            update.exec(tx.conn()).await.expect("updates");
        })
        .await;
        assert_eq!(classes(app, &square).await, ["clearing_not_zero", "payout_without_transfer"]);
    }

    async fn a_payout_of_another_amount_is_found(app) {
        let square = square(app).await;
        app.write(async |tx: &Tx| {
            let update = payout::Entity::update_many().col_expr(payout::Column::AmountMinor, Expr::value(8_000_i64));
            update.filter(payout::Column::AmountMinor.eq(8_001_i64)).exec(tx.conn()).await.expect("updates");
        })
        .await;
        // Both its orders and the money that left are of another amount.
        assert_eq!(classes(app, &square).await, ["payout_amount_differs", "payout_amount_differs"]);
    }

    async fn a_processor_that_holds_less_is_found(app) {
        let square = square(app).await;
        fund(app, &square).await;
        app.write(async |tx: &Tx| {
            let delete = sandbox_object::Entity::delete_many()
                .filter(sandbox_object::Column::Kind.eq("line"))
                .filter(sandbox_object::Column::AmountMinor.eq(50_000_i64));
            assert_eq!(delete.exec(tx.conn()).await.expect("deletes").rows_affected, 1);
        })
        .await;
        assert_eq!(classes(app, &square).await, ["processor_balance_differs"]);
    }

    async fn what_nothing_explains_in_clearing_is_found(app) {
        let square = square(app).await;
        let now = app.clock.now();
        for (number, order) in [None, Some(square.old.order)].into_iter().enumerate() {
            let mut line = Line::debit(Account::ClearingPayment, money(5, "EUR"));
            line.order_id = order;
            let entry = NewEntry {
                kind: EntryKind::Suspense,
                source: format!("test:{number}"),
                effective_at: now,
                memo: None,
                lines: vec![line, Line::credit(Account::Commission, money(5, "EUR"))],
            };
            app.write(async move |tx: &Tx| ledger::post(tx, vec![entry], now).await.expect("books")).await;
        }
        assert_eq!(classes(app, &square).await, ["clearing_not_zero", "clearing_not_zero"]);
    }

    async fn a_grant_nobody_paid_for_is_found(app) {
        let square = square(app).await;
        app.write(async move |tx: &Tx| {
            let update = payment::Entity::update_many()
                .col_expr(payment::Column::State, Expr::value(PaymentState::Failed))
                .filter(payment::Column::Id.eq(square.old.payment));
            update.exec(tx.conn()).await.expect("updates");
        })
        .await;
        assert_eq!(classes(app, &square).await, ["grant_without_payment", "order_without_payment"]);
    }

    async fn a_payment_that_opened_no_door_is_found(app) {
        let square = square(app).await;
        app.write(async move |tx: &Tx| {
            let delete = grant::Entity::delete_many().filter(grant::Column::OrderId.eq(square.old.order));
            delete.exec(tx.conn()).await.expect("deletes");
        })
        .await;
        assert_eq!(classes(app, &square).await, ["payment_without_grant"]);
        let state = Expr::value(entity::states::OrderState::Expired);
        app.write(async move |tx: &Tx| {
            let update = order::Entity::update_many().col_expr(order::Column::State, state);
            update.filter(order::Column::Id.eq(square.old.order)).exec(tx.conn()).await.expect("updates");
        })
        .await;
        assert_eq!(classes(app, &square).await, ["charge_without_order", "payment_without_grant"]);
    }

    async fn an_order_whose_sale_was_never_booked_is_found(app) {
        let square = square(app).await;
        let free = app.sell_uncharged(&square.provider, &square.buyer, money(0, "EUR")).await;
        app.write(async move |tx: &Tx| {
            let update = order::Entity::update_many().col_expr(order::Column::TotalMinor, Expr::value(5_i64));
            update.filter(order::Column::Id.eq(free.order)).exec(tx.conn()).await.expect("updates");
            let update = payment::Entity::update_many().col_expr(payment::Column::AmountMinor, Expr::value(5_i64));
            update.filter(payment::Column::Id.eq(free.payment)).exec(tx.conn()).await.expect("updates");
        })
        .await;
        assert_eq!(classes(app, &square).await, ["unbooked_order"]);
    }

    async fn a_line_of_an_unknown_kind_waits_in_suspense_and_is_found(app) {
        let square = square(app).await;
        let now = Timestamp(app.clock.now());
        let line = sandbox_object::Model {
            id: "txn_unheard_of".to_owned(),
            kind: "line".to_owned(),
            idempotency_key: None,
            parent: Some("rsv_1".to_owned()),
            state: "Reserve Hold".to_owned(),
            amount_minor: 250,
            fee_minor: 3,
            currency: "EUR".to_owned(),
            available_at: Timestamp(now.0 + Duration::days(30)),
            body: json!({"our_ref": null}),
            created_at: now,
        };
        app.write(async move |tx: &Tx| {
            let insert = sandbox_object::Entity::insert(line.into_active_model());
            insert.exec_without_returning(tx.conn()).await.expect("inserts");
        })
        .await;
        grow_old(app).await;
        assert_eq!(classes(app, &square).await, ["suspense_not_zero"]);
        let report = torv::settlement::verify::verify_all(&app.app, |_, _| {}).await.expect("reads");
        assert_eq!(report.all_violations().collect::<Vec<_>>(), Vec::<&str>::new(), "it is booked, not lost");
    }
}
