//! Every path after a sale fails at every step, once each, and comes right again by time or by repeating it.

use entity::states::{DisputeState, RefundState};
use serde_json::json;
use time::Duration;
use torv::{
    settlement::{processor, reversals},
    trade::{disputes, payments, refunds},
};

use super::{
    Square, Stage, answer, ask, at_processor, disputed, disputes_of, is_open, issue, refunds_of, square, stands,
    verified,
};
use crate::support::{TestApp, on_both, sales::money, stride};

/// Runs `act` with its `at`-th step failing; false when it has fewer steps.
async fn crashed(app: &TestApp, at: usize, act: impl Future<Output = ()>) -> bool {
    app.app.db.faults().arm(at);
    act.await;
    app.app.db.faults().disarm().1
}

/// The paths are long: everyday runs fail one step of so many.
const STRIDE: usize = 3;

/// Crashes a path step by step; `path` sees the step and tells whether there was one.
async fn at_every_step(app: &TestApp, name: &str, path: impl AsyncFn(usize) -> bool) {
    let mut at = 0;
    while path(at).await {
        verified(app, &format!("{name}, step {at}")).await;
        at += stride(STRIDE);
        assert!(at < 500, "{name} has no end");
    }
    assert!(at > 1, "{name} has {at} steps");
    eprintln!("{name} on {:?}: failed at steps up to {at}, one by one", app.backend);
}

/// Rounds after which what a webhook or a poll began has come to its end.
const ROUNDS: usize = 3;

/// The sweeps that refunds and disputes go through. The others are failed by the tests of their own features.
async fn sweeps(app: &TestApp) {
    let app = &app.app;
    for _ in 0..ROUNDS {
        // One that fails is tried again; the step that failed is told by the switchboard.
        let _ = payments::handle_inbox(app).await;
        let _ = disputes::poll(app).await;
        let _ = refunds::submit_refunds(app).await;
        let _ = processor::import_transactions(app).await;
        let _ = reversals::ask_for_debts(app).await;
        let _ = reversals::submit_reversals(app).await;
    }
}

/// The whole refund arrived once, and everything that follows from it.
async fn assert_refunded_once(app: &TestApp, square: &Square, order: entity::ids::OrderId, before: usize) {
    let states: Vec<_> = refunds_of(app, order).await.iter().map(|row| row.state).collect();
    assert_eq!(states, [RefundState::Paid]);
    assert_eq!(at_processor(app, "refund").await.len(), before + 1, "one refund at the processor");
    assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
    assert!(!is_open(app, order).await);
}

on_both! {
    async fn issuing_a_refund_survives_every_crash(app) {
        at_every_step(app, "issue a refund", async |at| {
            let square = square(app).await;
            let sold = square.sold(app, Stage::Payable).await;
            let before = at_processor(app, "refund").await.len();
            let failed = crashed(app, at, async { drop(issue(app, &square.provider, sold.order, None, "k").await) }).await;
            issue(app, &square.provider, sold.order, None, "k").await.expect(201);
            app.let_time_heal().await;
            assert_refunded_once(app, &square, sold.order, before).await;
            failed
        }).await;
    }

    async fn a_request_and_its_approval_survive_every_crash(app) {
        at_every_step(app, "request and approve", async |at| {
            let square = square(app).await;
            let sold = square.sold(app, Stage::Pending).await;
            let before = at_processor(app, "refund").await.len();
            let failed = crashed(app, at, async {
                let asked = ask(app, &square.buyer, sold.order, None, "k").await;
                if asked.status == 201 {
                    answer(app, &square.provider, &asked.str("/id"), "approve").await;
                }
            }).await;
            let id = ask(app, &square.buyer, sold.order, None, "k").await.expect(201).str("/id");
            let again = answer(app, &square.provider, &id, "approve").await.status;
            assert!(again == 200 || again == 409, "{again}");
            app.let_time_heal().await;
            assert_refunded_once(app, &square, sold.order, before).await;
            failed
        }).await;
    }

    async fn taking_a_share_back_survives_every_crash(app) {
        at_every_step(app, "reversal", async |at| {
            let square = square(app).await;
            let sold = square.sold(app, Stage::PaidOut).await;
            let (before, back) = (at_processor(app, "refund").await.len(), at_processor(app, "transfer_reversal").await.len());
            square.refund(app, sold.order, None, "k").await.expect(201);
            let failed = crashed(app, at, sweeps(app)).await;
            app.let_time_heal().await;
            assert_refunded_once(app, &square, sold.order, before).await;
            assert_eq!(at_processor(app, "transfer_reversal").await.len(), back + 1, "one reversal at the processor");
            failed
        }).await;
    }

    async fn undoing_a_refund_survives_every_crash(app) {
        at_every_step(app, "undo a refund", async |at| {
            let square = square(app).await;
            let sold = square.sold(app, Stage::Payable).await;
            square.refund(app, sold.order, None, "k").await.expect(201);
            app.run_jobs().await;
            let at_bank = refunds_of(app, sold.order).await.remove(0).processor_ref.expect("taken");
            app.sandbox.return_refund(&at_bank).await.expect("comes back");
            let failed = crashed(app, at, sweeps(app)).await;
            app.let_time_heal().await;
            assert_eq!(refunds_of(app, sold.order).await[0].state, RefundState::Failed);
            assert_eq!(stands(app, &square.provider).await, [0, 8_001, 0, 0]);
            assert!(is_open(app, sold.order).await);
            failed
        }).await;
    }

    async fn a_dispute_survives_every_crash_from_opening_to_its_end(app) {
        for is_won in [true, false] {
            at_every_step(app, if is_won { "dispute won" } else { "dispute lost" }, async |at| {
                let square = square(app).await;
                let sold = square.sold(app, Stage::PaidOut).await;
                let at_bank = disputed(app, &sold, 10_001).await;
                // The webhook comes while everything fails once; later polling has to heal what it lost.
                let mut failed = crashed(app, at, async {
                    for webhook in app.due_webhooks().await {
                        let answer = app.post_webhook(&webhook).await;
                        let _ = app.sandbox.settle_webhook(&webhook, answer.status == 204).await;
                    }
                    sweeps(app).await;
                }).await;
                app.let_time_heal().await;
                assert_eq!(stands(app, &square.provider).await, [0, 0, 8_001, 0]);
                app.sandbox.decide_dispute(&at_bank, is_won).await.expect("decides");
                app.advance(Duration::minutes(11));
                failed |= crashed(app, at, sweeps(app)).await;
                app.let_time_heal().await;
                let rows = disputes_of(app, sold.order).await;
                let ought = if is_won { DisputeState::Won } else { DisputeState::Lost };
                assert_eq!((rows.len(), rows[0].state), (1, ought));
                assert_eq!(stands(app, &square.provider).await, [0, if is_won { 8_001 } else { 0 }, 0, 0]);
                failed
            }).await;
        }
    }

    async fn setting_off_and_paying_survive_every_crash(app) {
        at_every_step(app, "netting and payout", async |at| {
            let square = square(app).await;
            let sold = square.sold(app, Stage::PaidOut).await;
            square.drain(app, 8_001).await;
            square.refund(app, sold.order, None, "whole").await.expect(201);
            app.sell(&square.provider, &square.buyer, money(20_000, "EUR")).await;
            app.run_jobs().await;
            app.advance(Duration::days(8));
            app.run_jobs().await;
            let before = at_processor(app, "transfer").await;
            let run = async || {
                let body = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"});
                let key = format!("netting-{at}");
                let request = app.as_org(&square.operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key);
                request.json(&body).send().await
            };
            let failed = crashed(app, at, async { drop(run().await) }).await;
            run().await.expect(201);
            app.let_time_heal().await;
            let sent = at_processor(app, "transfer").await;
            let ours = |all: &[i64]| all.iter().filter(|minor| **minor == -(16_000 - 8_001)).count();
            assert_eq!(ours(&sent), ours(&before) + 1, "paid once, less the debt");
            assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
            failed
        }).await;
    }

    async fn a_write_off_survives_every_crash(app) {
        at_every_step(app, "write-off", async |at| {
            let square = square(app).await;
            let sold = square.sold(app, Stage::PaidOut).await;
            square.drain(app, 8_001).await;
            square.refund(app, sold.order, None, "whole").await.expect(201);
            app.run_jobs().await;
            let second = app.member(&square.operator, entity::states::Role::Finance).await;
            let body = json!({"organization_id": square.provider.id, "order_id": sold.order, "reason": "Wound up."});
            let first = app.owner(&square.operator).await;
            let ask = async || {
                let request = app.request("POST", "/api/v1/write-offs").bearer(first.clone()).header("idempotency-key", "k");
                request.json(&body).send().await
            };
            let agree = async |id: &str| {
                let request = app.request("POST", &format!("/api/v1/write-offs/{id}/approve"));
                request.bearer(second.clone()).json(&json!({})).send().await
            };
            let failed = crashed(app, at, async {
                let asked = ask().await;
                if asked.status == 201 {
                    agree(&asked.str("/id")).await;
                }
            }).await;
            let id = ask().await.expect(201).str("/id");
            let again = agree(&id).await.status;
            assert!(again == 200 || again == 409, "{again}");
            assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
            failed
        }).await;
    }
}
