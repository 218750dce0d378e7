use entity::{payout, payout_item, states::PayoutState};
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use time::Duration;
use torv::{
    base::Currency,
    ledger::{self, Account},
    settlement::{holds, payouts, processor},
};

use crate::support::{Answer, Backend, TestApp, TestOrg, on_both, sales::money, stride};

fn eur() -> Currency {
    "EUR".parse().expect("in the table")
}

async fn balance(app: &TestApp, account: Account) -> i64 {
    ledger::balance(app.app.db.read(), &account, eur()).await.expect("sums").minor
}

async fn run(app: &TestApp, operator: &TestOrg, key: &str, recipients: &str) -> Answer {
    let body = json!({"currency": "EUR", "minimum_minor": 1, "recipients": recipients});
    app.as_org(operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key).json(&body).send().await
}

async fn all(app: &TestApp) -> Vec<payout::Model> {
    payout::Entity::find().all(app.app.db.read()).await.expect("reads")
}

/// What the processor itself says it has sent to providers, by payout.
async fn transfers(app: &TestApp) -> Vec<(String, i64)> {
    let since = time::OffsetDateTime::UNIX_EPOCH;
    let page = app.app.payments.transactions(since, None, 1_000).await.expect("answers");
    let sent = page.transactions.into_iter().filter(|line| line.kind.as_str() == "transfer");
    sent.map(|line| (line.our_ref.expect("ours"), -line.amount.minor)).collect()
}

async fn assert_books_hold(app: &TestApp) {
    let report = ledger::verify::verify(app.app.db.read(), |_| {}).await.expect("reads");
    assert_eq!(report.violations, Vec::<String>::new());
}

on_both! {
    async fn a_sale_walks_from_charge_to_paid_out_to_the_cent(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        let sold = app.sell(&provider, &buyer, money(10_001, "EUR")).await;
        app.run_jobs().await;
        assert_eq!(balance(app, Account::ClearingPayment).await, 0);
        assert_eq!(balance(app, Account::ProcessorPending).await, 9_851);
        assert_eq!(balance(app, Account::ProcessorFees).await, 150);
        assert_eq!(balance(app, Account::ProviderPending(provider.id)).await, -8_001);
        app.advance(Duration::days(2));
        app.run_jobs().await;
        assert_eq!(balance(app, Account::ProcessorPending).await, 0);
        assert_eq!(balance(app, Account::ProcessorAvailable).await, 9_851);
        app.advance(Duration::days(5));
        app.run_jobs().await;
        assert_eq!(balance(app, Account::ProviderPending(provider.id)).await, 0);
        assert_eq!(balance(app, Account::ProviderPayable(provider.id)).await, -8_001);

        let answer = run(app, &operator, "one", "both").await.expect(201);
        let paid = answer.json()["payouts"].clone();
        assert_eq!(paid[0]["amount_minor"], 8_001, "{paid}");
        assert_eq!(paid[1]["amount_minor"], 1_850, "what is left is the operator's: {paid}");
        assert_eq!(paid[0]["state"], "submitted");
        assert_eq!(balance(app, Account::ClearingTransfer).await, -8_001);
        app.run_jobs().await;
        assert_eq!(balance(app, Account::ClearingTransfer).await, 0);
        assert_eq!(balance(app, Account::ProcessorAvailable).await, 0);
        assert_eq!(balance(app, Account::ProcessorInTransit).await, 1_850);
        assert!(all(app).await.iter().all(|row| row.state == PayoutState::Paid && row.paid_at.is_some()));

        let id = paid[0]["id"].as_str().expect("an id");
        let detail = app.as_org(&provider, "GET", &format!("/api/v1/payouts/{id}")).send().await.expect(200).json();
        assert_eq!(detail["orders"]["items"], json!([{"order_id": sold.order, "amount_minor": 8_001}]));
        assert_eq!(detail["state"], "paid");
        assert_books_hold(app).await;
    }

    async fn importing_and_ending_holds_again_changes_nothing(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        for _ in 0..5 {
            app.sell(&provider, &buyer, money(500, "EUR")).await;
        }
        assert_eq!(processor::import_transactions(&app.app).await.expect("imports"), 5);
        assert_eq!(processor::import_transactions(&app.app).await.expect("imports"), 0);
        assert_eq!(holds::end_holds(&app.app).await.expect("ends"), 0, "the hold runs");
        app.advance(Duration::days(7) - Duration::microseconds(1));
        assert_eq!(holds::end_holds(&app.app).await.expect("ends"), 0, "to the microsecond");
        app.advance(Duration::microseconds(1));
        assert_eq!(holds::end_holds(&app.app).await.expect("ends"), 5);
        assert_eq!(holds::end_holds(&app.app).await.expect("ends"), 0);
        assert_eq!(processor::book_available_funds(&app.app).await.expect("books"), 5);
        assert_eq!(processor::book_available_funds(&app.app).await.expect("books"), 0);
        assert_books_hold(app).await;
    }

    async fn eight_racing_sweeps_book_each_line_once(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        for _ in 0..20 {
            app.sell(&provider, &buyer, money(1_000, "EUR")).await;
        }
        app.advance(Duration::days(8));
        let sweeps = (0..8).map(|_| async {
            let imported = processor::import_transactions(&app.app).await.expect("imports");
            let moved = processor::book_available_funds(&app.app).await.expect("books");
            (imported, moved, holds::end_holds(&app.app).await.expect("ends"))
        });
        let done = futures::future::join_all(sweeps).await;
        let sum = done.iter().fold((0, 0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1, sum.2 + one.2));
        assert_eq!(sum, (20, 20, 20));
        assert_eq!(balance(app, Account::ProviderPayable(provider.id)).await, -16_000);
        assert_books_hold(app).await;
    }

    async fn two_runs_at_once_carry_each_order_once(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        for _ in 0..10 {
            app.sell(&provider, &buyer, money(1_000, "EUR")).await;
        }
        app.advance(Duration::days(8));
        app.run_jobs().await;
        let (one, two) = tokio::join!(run(app, &operator, "one", "both"), run(app, &operator, "two", "both"));
        one.expect(201);
        two.expect(201);
        app.run_jobs().await;
        let items = payout_item::Entity::find().all(app.app.db.read()).await.expect("reads");
        assert_eq!(items.len(), 10);
        assert_eq!(transfers(app).await.iter().map(|(_, minor)| minor).sum::<i64>(), 8_000);
        assert_eq!(all(app).await.len(), 2, "one for the provider, one for the operator");
        assert_books_hold(app).await;
    }

    async fn where_shares_move_charge_by_charge_a_payout_carries_one_order(app) {
        for per_charge in [false, true] {
            let home = crate::support::Home::fresh(app.backend).await.expect("a database");
            let app = TestApp::start(home, |config| config.payments.sandbox.transfers_per_charge = per_charge).await;
            let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
            let mut sold = Vec::new();
            for minor in [1_000, 2_000, 3_001] { sold.push(app.sell(&provider, &buyer, money(minor, "EUR")).await) }
            app.advance(Duration::days(8));
            app.run_jobs().await;
            run(&app, &operator, "one", "both").await.expect(201);
            app.run_jobs().await;
            let rows = all(&app).await;
            assert!(rows.iter().all(|row| row.state == PayoutState::Paid), "{rows:?}");
            let (to_provider, to_operator): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.organization_id == provider.id);
            assert_eq!((to_provider.len(), to_operator.len()), (if per_charge { 3 } else { 1 }, 1));
            assert_eq!(to_provider.iter().map(|row| row.amount_minor).sum::<i64>(), 4_801);
            let items = payout_item::Entity::find().all(app.app.db.read()).await.expect("reads");
            assert_eq!(items.len(), 3);
            for sale in &sold {
                let item = items.iter().find(|item| item.order_id == sale.order).expect("carried");
                let payout = rows.iter().find(|row| row.id == item.payout_id).expect("its payout");
                let charge = per_charge.then(|| format!("ch_{}", sale.payment.0.simple()));
                assert_eq!((item.amount_minor, &payout.source_ref), (sale.share.minor, &charge));
            }
            assert_eq!(balance(&app, Account::ProviderPayable(provider.id)).await, 0);
            assert_eq!(balance(&app, Account::ClearingTransfer).await, 0);
            assert_books_hold(&app).await;
        }
    }

    async fn the_same_key_runs_once_and_another_body_is_refused(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        app.sell(&provider, &buyer, money(1_000, "EUR")).await;
        app.advance(Duration::days(8));
        app.run_jobs().await;
        let first = run(app, &operator, "one", "providers").await.expect(201).json();
        app.sell(&provider, &buyer, money(1_000, "EUR")).await;
        app.advance(Duration::days(8));
        let again = run(app, &operator, "one", "providers").await.expect(201).json();
        assert_eq!(first["run_id"], again["run_id"]);
        assert_eq!(again["payouts"].as_array().map(Vec::len), Some(1));
        run(app, &operator, "one", "both").await.expect(409);
    }

    async fn funds_that_wait_make_a_payout_fail_and_a_later_attempt_pays_once(app) {
        let (provider, buyer, operator) = (app.provider().await, app.buyer().await, app.operator().await);
        app.sell(&provider, &buyer, money(1_000, "EUR")).await;
        app.advance(Duration::days(7));
        // The processor holds this one back longer than the provider's hold: nothing is available.
        app.run_jobs().await;
        drain(app).await;
        let answer = run(app, &operator, "one", "providers").await.expect(201).json();
        let payout = &answer["payouts"][0];
        assert_eq!((&payout["state"], &payout["attempt"]), (&json!("failed"), &json!(2)), "{payout}");
        assert!(payout["failure_text"].as_str().is_some_and(|text| text.contains("balance_insufficient")));
        assert_eq!(payouts::submit_payouts(&app.app).await.expect("sweeps"), 0, "not before the wait is over");
        refill(app).await;
        let path = format!("/api/v1/payouts/{}/retry", payout["id"].as_str().expect("an id"));
        let again = app.as_org(&operator, "POST", &path).send().await.expect(200).json();
        assert_eq!(again["state"], "submitted");
        app.as_org(&operator, "POST", &path).send().await.expect(409);
        app.run_jobs().await;
        assert_eq!(transfers(app).await.len(), 1);
        assert_eq!(all(app).await[0].state, PayoutState::Paid);
    }

    async fn nobody_but_the_operator_runs_payouts_and_a_provider_sees_only_its_own(app) {
        let (provider, other) = (app.provider().await, app.provider().await);
        let (buyer, operator) = (app.buyer().await, app.operator().await);
        app.sell(&provider, &buyer, money(1_000, "EUR")).await;
        app.advance(Duration::days(8));
        app.run_jobs().await;
        run(app, &provider, "mine", "both").await.expect(403);
        let paid = run(app, &operator, "one", "providers").await.expect(201).json();
        let path = format!("/api/v1/payouts/{}", paid["payouts"][0]["id"].as_str().expect("an id"));
        app.as_org(&other, "GET", &path).send().await.expect(404);
        app.as_org(&provider, "GET", &path).send().await.expect(200);
        app.get(&path).await.expect(401);
        let reader = app.key(&provider, &["read"]).await;
        app.request("GET", &path).bearer(reader).send().await.expect(403);
        let count = async |org: &TestOrg| {
            let list = app.as_org(org, "GET", "/api/v1/payouts").send().await.expect(200).json();
            list["items"].as_array().map(Vec::len)
        };
        assert_eq!((count(&other).await, count(&provider).await, count(&operator).await), (Some(0), Some(1), Some(1)));
    }

    async fn a_run_refuses_what_makes_no_sense(app) {
        let operator = app.operator().await;
        let send = async |body: Value, key: &str| {
            app.as_org(&operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key).json(&body).send().await
        };
        for minimum in [0, -1, 100_000_000] {
            send(json!({"currency": "EUR", "minimum_minor": minimum}), "k").await.expect(422);
        }
        send(json!({"currency": "eur", "minimum_minor": 1}), "k").await.expect(422);
        send(json!({"currency": "EUR", "minimum_minor": 1, "more": 1}), "k").await.expect(422);
        send(json!({"currency": "EUR", "minimum_minor": 1}), "").await.expect(422);
        let nobody = send(json!({"currency": "EUR", "minimum_minor": 1}), "k").await.expect(201).json();
        assert_eq!(nobody["payouts"], json!([]));
    }
}

/// Takes everything available out of the sandbox behind the exchange's back.
async fn drain(app: &TestApp) {
    let available = app.app.payments.balances().await.expect("answers")[0].available_minor;
    let request = torv::ports::payments::PayoutRequest {
        idempotency_key: "drain".to_owned(),
        our_ref: "drain".to_owned(),
        amount: money(available, "EUR"),
    };
    app.app.payments.payout(&request).await.expect("sends");
}

/// Lets fresh money become available.
async fn refill(app: &TestApp) {
    let (provider, buyer) = (app.provider().await, app.buyer().await);
    app.sell(&provider, &buyer, money(9_000, "EUR")).await;
    app.advance(Duration::days(3));
}

/// A payout run with a failure at step `fail_at`, then sweeps until all is quiet.
async fn crash_at(app: &TestApp, fail_at: usize) -> (Vec<String>, bool) {
    let (provider, other) = (app.provider().await, app.provider().await);
    let (buyer, operator) = (app.buyer().await, app.operator().await);
    for provider in [&provider, &other] {
        app.sell(provider, &buyer, money(10_001, "EUR")).await;
    }
    app.advance(Duration::days(8));
    app.run_jobs().await;
    app.app.db.faults().arm(fail_at);
    let answer = run(app, &operator, "one", "both").await;
    for _ in 0..3 {
        let _ = torv::jobs::run_due(&app.app).await;
    }
    let (passed, failed) = app.app.db.faults().disarm();
    if answer.status != 201 {
        run(app, &operator, "one", "both").await.expect(201);
    }
    // A crashed process leaves its lease behind.
    app.advance(Duration::minutes(10));
    app.run_jobs().await;
    let rows = all(app).await;
    assert_eq!(rows.len(), 3, "crash at step {fail_at}: {passed:?}");
    assert!(rows.iter().all(|row| row.state == PayoutState::Paid), "crash at step {fail_at}: {rows:?}");
    let mut sent = transfers(app).await;
    sent.sort();
    assert_eq!(sent.len(), 2, "crash at step {fail_at} of {passed:?}");
    assert!(sent.iter().all(|(_, minor)| *minor == 8_001));
    assert_ne!(sent[0].0, sent[1].0);
    for account in [Account::ClearingPayment, Account::ClearingTransfer, Account::ProviderPayable(provider.id)] {
        assert_eq!(balance(app, account).await, 0, "crash at step {fail_at}");
    }
    assert_books_hold(app).await;
    (passed, failed)
}

/// Everyday runs fail one step of so many.
const STRIDE: usize = 3;

async fn crash_everywhere(backend: Backend) {
    // The first round fails nowhere and tells the steps; what only concerns other wings is left out.
    let Some(home) = crate::support::Home::fresh(backend).await else { return };
    let (names, _) = crash_at(&TestApp::start(home, |_| {}).await, usize::MAX).await;
    let ours = |name: &str| ["settlement.", "payments.", "sandbox."].iter().any(|wing| name.starts_with(wing));
    for (fail_at, _) in names.iter().enumerate().filter(|(_, name)| ours(name)).step_by(stride(STRIDE)) {
        let Some(home) = crate::support::Home::fresh(backend).await else { return };
        crash_at(&TestApp::start(home, |_| {}).await, fail_at).await;
    }
    for step in ["open_account", "transfer", "payout"] {
        for side in ["before", "after"] {
            assert!(names.contains(&format!("payments.{step}: {side} call")), "{names:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_step_of_a_payout_sends_it_exactly_once_on_sqlite() {
    crash_everywhere(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_step_of_a_payout_sends_it_exactly_once_on_postgres() {
    crash_everywhere(Backend::Postgres).await;
}
