//! A reversal that was refused is asked for again, and a debt is paid once, whichever way is faster.

use entity::{ids::ReversalId, payout, reversal, states::ReversalState};
use sea_orm::EntityTrait as _;
use serde_json::json;
use time::Duration;
use torv::settlement::reversals as sweeps;

use super::{Square, Stage, adversity::received, at_processor, reversals, square, stands, verified};
use crate::support::{Answer, TestApp, on_both, sales::money};

/// A refund after the provider has emptied its account.
async fn refused(app: &TestApp) -> Square {
    let square = square(app).await;
    let sold = square.sold(app, Stage::PaidOut).await;
    square.drain(app, 8_001).await;
    square.refund(app, sold.order, None, "whole").await.expect(201);
    app.run_jobs().await;
    assert_eq!(reversals(app).await, [(8_001, ReversalState::Refused)]);
    square
}

async fn only(app: &TestApp) -> reversal::Model {
    reversal::Entity::find().one(app.app.db.read()).await.expect("reads").expect("one")
}

async fn retry(app: &TestApp, square: &Square, id: ReversalId) -> Answer {
    app.as_org(&square.operator, "POST", &format!("/api/v1/reversals/{id}/retry")).send().await
}

/// The provider puts money into its account.
async fn fill(app: &TestApp, square: &Square, minor: i64) {
    square.drain(app, -minor).await;
}

/// Sells more of the provider's and lets the share become payable.
async fn earn(app: &TestApp, square: &Square, gross_minor: i64) {
    app.sell(&square.provider, &square.buyer, money(gross_minor, "EUR")).await;
    app.run_jobs().await;
    app.advance(Duration::days(8));
    app.run_jobs().await;
}

on_both! {
    async fn a_refused_reversal_is_asked_again_after_waits_that_double(app) {
        let square = refused(app).await;
        app.advance(Duration::days(1));
        app.run_jobs().await;
        let row = only(app).await;
        assert_eq!((row.state, row.attempt), (ReversalState::Refused, 2), "still empty a day later");
        fill(app, &square, 8_001).await;
        app.advance(Duration::days(1));
        app.run_jobs().await;
        assert_eq!(only(app).await.attempt, 2, "the next wait is two days");
        app.advance(Duration::days(1));
        app.run_jobs().await;
        assert_eq!(reversals(app).await, [(8_001, ReversalState::Done)]);
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
        fill(app, &square, 20_000).await;
        app.advance(Duration::days(90));
        app.run_jobs().await;
        assert_eq!(at_processor(app, "transfer_reversal").await, [8_001], "once for ever");
        verified(app, "taken back in the end").await;
    }

    async fn the_operator_asks_again_at_once_and_sees_what_came_of_it(app) {
        let square = refused(app).await;
        let row = only(app).await;
        let path = format!("/api/v1/reversals/{}/retry", row.id);
        app.as_org(&square.provider, "POST", &path).send().await.expect(403);
        let again = retry(app, &square, row.id).await.expect(200);
        assert_eq!((again.str("/state"), again.json()["attempt"].as_i64()), ("refused".to_owned(), Some(2)));
        assert!(again.str("/failure_text").starts_with("balance_insufficient"));
        for (who, count) in [(&square.provider, 1), (&square.operator, 1), (&app.provider().await, 0)] {
            let page = app.as_org(who, "GET", "/api/v1/reversals?state=refused").send().await.expect(200).json();
            assert_eq!(page["items"].as_array().map(Vec::len), Some(count));
        }
        fill(app, &square, 8_001).await;
        let submitted = retry(app, &square, row.id).await.expect(200);
        assert_eq!(submitted.str("/state"), "submitted");
        retry(app, &square, row.id).await.expect(409);
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
        retry(app, &square, row.id).await.expect(409);
        let unknown = ReversalId::derived("nothing");
        retry(app, &square, unknown).await.expect(404);
        verified(app, "asked again").await;
    }

    async fn what_was_set_off_is_not_taken_back_too(app) {
        let square = refused(app).await;
        earn(app, &square, 20_000).await;
        square.pay_out(app).await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0], "8001 of debt set off against 16000");
        let row = only(app).await;
        assert_eq!((row.state, row.next_try_at), (ReversalState::Refused, None), "nothing is left to ask for");
        let told = retry(app, &square, row.id).await.expect(409);
        assert!(told.text().contains("owed"), "{}", told.text());
        fill(app, &square, 50_000).await;
        app.advance(Duration::days(90));
        app.run_jobs().await;
        assert_eq!(at_processor(app, "transfer_reversal").await, Vec::<i64>::new());
        verified(app, "set off").await;
    }

    async fn what_is_left_after_setting_off_a_part_is_taken_back(app) {
        let square = refused(app).await;
        earn(app, &square, 3_750).await;
        square.pay_out(app).await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 5_001]);
        fill(app, &square, 8_001).await;
        let again = retry(app, &square, only(app).await.id).await.expect(200);
        assert_eq!(again.json()["amount"], json!({"minor": 5_001, "currency": "EUR"}));
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
        assert_eq!(at_processor(app, "transfer_reversal").await, [5_001]);
        verified(app, "3000 set off, 5001 taken back").await;
    }

    async fn asking_again_and_setting_off_at_once_pay_a_debt_once(app) {
        let square = refused(app).await;
        earn(app, &square, 20_000).await;
        fill(app, &square, 8_001).await;
        let id = only(app).await.id;
        let retries = (0..4).map(|_| retry(app, &square, id));
        let (_, statuses) = tokio::join!(square.pay_out(app), futures::future::join_all(retries));
        assert!(statuses.iter().filter(|answer| answer.status == 200).count() <= 1, "one at most asks");
        app.run_jobs().await;
        square.pay_out(app).await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
        assert_eq!(received(app, &square).await, 16_000, "the provider has its second share, and nothing of the first");
        verified(app, "raced").await;
    }

    async fn a_payout_that_reaches_the_provider_lets_a_refused_reversal_be_asked_again(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::PaidOut).await;
        earn(app, &square, 20_000).await;
        square.drain(app, 8_001).await;
        let sent = at_processor(app, "transfer").await.len();
        // While nobody has asked for the debt yet, a payout that sets nothing off is decided; its call fails.
        square.refund(app, sold.order, None, "whole").await.expect(201);
        let before = payout::Entity::find().all(app.app.db.read()).await.expect("reads").len();
        let body = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"});
        for at in 0.. {
            app.app.db.faults().arm(at);
            let request = app.as_org(&square.operator, "POST", "/api/v1/payout-runs").header("idempotency-key", "run");
            request.json(&body).send().await;
            app.app.db.faults().disarm();
            let all = payout::Entity::find().all(app.app.db.read()).await.expect("reads");
            if all.len() > before {
                break;
            }
            assert!(at < 100, "a payout is decided in the end");
        }
        assert_eq!(at_processor(app, "transfer").await.len(), sent, "it is decided and has not left");
        sweeps::ask_for_debts(&app.app).await.expect("asks");
        sweeps::submit_reversals(&app.app).await.expect("submits");
        assert_eq!(reversals(app).await, [(8_001, ReversalState::Refused)]);
        app.advance(Duration::minutes(10));
        app.run_jobs().await;
        assert_eq!(reversals(app).await, [(8_001, ReversalState::Done)], "long before the day is over");
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
        verified(app, "paid, and taken back").await;
    }
}
