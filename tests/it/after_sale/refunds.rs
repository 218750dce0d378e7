use entity::states::{RefundOrigin, RefundState, ReversalState};
use serde_json::json;
use time::Duration;
use torv::ledger::Account;

use super::{
    STAGES, Stage, answer, ask, at_processor, balance, is_open, issue, refunds_of, reversals, square, stands, verified,
};
use crate::support::{TestApp, on_both, one_off};

async fn state(app: &TestApp, order: entity::ids::OrderId) -> Vec<RefundState> {
    refunds_of(app, order).await.iter().map(|row| row.state).collect()
}

async fn answer_without_note(app: &TestApp, org: &crate::support::TestOrg, refund: &str) -> crate::support::Answer {
    app.as_org(org, "POST", &format!("/api/v1/refunds/{refund}/withdraw")).send().await
}

on_both! {
    async fn a_full_refund_returns_exactly_the_share_from_wherever_it_stands(app) {
        for stage in STAGES {
            let square = square(app).await;
            let sold = square.sold(app, stage).await;
            let (commission, sent) = (balance(app, Account::Commission).await, at_processor(app, "refund").await.len());
            square.refund(app, sold.order, None, "whole").await.expect(201);
            assert!(!is_open(app, sold.order).await, "{stage:?}: the door closes with the decision");
            assert_eq!(balance(app, Account::Commission).await - commission, 2_000, "{stage:?}");
            verified(app, "before the processor's line").await;
            app.run_jobs().await;
            assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0], "{stage:?}");
            assert_eq!(at_processor(app, "refund").await.len(), sent + 1);
            assert_eq!(balance(app, Account::ClearingRefund).await, 0);
            assert_eq!(state(app, sold.order).await, [RefundState::Paid]);
            square.refund(app, sold.order, None, "again").await.expect(409);
            verified(app, "after it").await;
        }
        assert_eq!(reversals(app).await, [(8_001, ReversalState::Done)], "only what was paid out is taken back");
        assert_eq!(at_processor(app, "transfer_reversal").await, [8_001]);
    }

    async fn refunds_in_parts_return_exactly_the_share(app) {
        for stage in STAGES {
            let square = square(app).await;
            let sold = square.sold(app, stage).await;
            for (number, minor) in [3_333, 1, 2, 3_333, 3_331].into_iter().enumerate() {
                square.refund(app, sold.order, Some(minor), &number.to_string()).await.expect(201);
                app.run_jobs().await;
                assert!(is_open(app, sold.order).await, "a partial refund keeps the door open");
                verified(app, &format!("{stage:?}, part {number}")).await;
            }
            square.refund(app, sold.order, Some(2), "too much").await.expect(409);
            square.refund(app, sold.order, Some(1), "last").await.expect(201);
            app.run_jobs().await;
            assert!(!is_open(app, sold.order).await);
            assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0], "{stage:?}");
            verified(app, "all parts").await;
        }
    }

    async fn racing_refunds_never_give_back_more_than_was_paid(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Payable).await;
        let all = (0..12).map(|number| {
            let (square, order) = (&square, sold.order);
            async move {
                let key = format!("race {number}");
                match number % 3 {
                    0 => ask(app, &square.buyer, order, Some(2_000), &key).await.status,
                    1 => issue(app, &square.provider, order, Some(2_000), &key).await.status,
                    _ => square.refund(app, order, Some(2_000), &key).await.status,
                }
            }
        });
        let done = futures::future::join_all(all).await;
        assert_eq!(done.iter().filter(|status| **status == 201).count(), 5, "{done:?}");
        assert_eq!(done.iter().filter(|status| **status == 409).count(), 7, "{done:?}");
        app.run_jobs().await;
        verified(app, "after the race").await;
    }

    async fn a_request_has_a_clock_and_then_the_operator_decides(app) {
        let square = square(app).await;
        // The clock stands on Saturday 2026-11-21, 10:00.
        let sold = square.sold(app, Stage::Pending).await;
        let asked = ask(app, &square.buyer, sold.order, Some(5_000), "one").await.expect(201);
        let id = asked.str("/id");
        assert_eq!((asked.str("/state"), asked.str("/answer_due_at")), ("requested".into(), "2026-11-26T00:00:00Z".into()));
        assert_eq!(ask(app, &square.buyer, sold.order, Some(5_000), "one").await.expect(201).str("/id"), id);
        answer(app, &square.operator, &id, "approve").await.expect(409);
        app.advance(Duration::days(4));
        app.run_jobs().await;
        assert_eq!(state(app, sold.order).await, [RefundState::Requested]);
        app.advance(Duration::days(1));
        app.run_jobs().await;
        answer(app, &square.provider, &id, "decline").await.expect(409);
        let queue = app.as_org(&square.operator, "GET", "/api/v1/refunds?state=escalated").send().await.expect(200).json();
        assert_eq!(queue["items"][0]["id"], json!(id));
        answer(app, &square.operator, &id, "approve").await.expect(200);
        app.run_jobs().await;
        assert_eq!(state(app, sold.order).await, [RefundState::Paid]);
        answer(app, &square.operator, &id, "decline").await.expect(409);
        verified(app, "decided by the operator").await;
    }

    async fn what_the_provider_declined_can_be_appealed_once(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Pending).await;
        let id = ask(app, &square.buyer, sold.order, None, "one").await.expect(201).str("/id");
        answer(app, &square.buyer, &id, "appeal").await.expect(409);
        answer(app, &square.provider, &id, "decline").await.expect(200);
        answer(app, &square.provider, &id, "appeal").await.expect(404);
        answer(app, &square.buyer, &id, "appeal").await.expect(200);
        let stranger = app.provider().await;
        answer(app, &stranger, &id, "approve").await.expect(404);
        app.as_org(&stranger, "GET", &format!("/api/v1/refunds/{id}")).send().await.expect(404);
        let declined = answer(app, &square.operator, &id, "decline").await.expect(200);
        assert_eq!((declined.str("/state"), declined.str("/decision_note")), ("declined".into(), "We have looked into it.".into()));
        answer(app, &square.buyer, &id, "appeal").await.expect(409);
        assert!(is_open(app, sold.order).await);
        verified(app, "declined").await;
    }

    async fn a_buyer_takes_a_request_back_until_it_is_decided(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Pending).await;
        let id = ask(app, &square.buyer, sold.order, None, "one").await.expect(201).str("/id");
        for stranger in [&square.provider, &square.operator, &app.buyer().await] {
            let refused = answer_without_note(app, stranger, &id).await.status;
            assert!(refused == 403 || refused == 404, "{refused}");
        }
        let withdrawn = answer_without_note(app, &square.buyer, &id).await.expect(200);
        assert_eq!((withdrawn.str("/state"), withdrawn.str("/withdrawn_at")), ("withdrawn".into(), "2026-11-21T10:00:00Z".into()));
        let again = answer_without_note(app, &square.buyer, &id).await.expect(409);
        assert!(again.text().contains("this one is withdrawn"), "{}", again.text());
        for what in ["approve", "decline"] {
            answer(app, &square.provider, &id, what).await.expect(409);
        }
        answer(app, &square.buyer, &id, "appeal").await.expect(409);
        app.advance(Duration::days(8));
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [0, 8_001, 0, 0], "the hold goes on and ends as if nobody had asked");
        assert_eq!(app.news(&sold.order.to_string()).await.iter().filter(|(kind, _)| kind == "refund.withdrawn").count(), 1);
        // All of it can be asked for again, also after the operator's turn has come.
        let second = ask(app, &square.buyer, sold.order, None, "two").await.expect(201).str("/id");
        app.advance(Duration::days(7));
        app.run_jobs().await;
        assert_eq!(state(app, sold.order).await, [RefundState::Withdrawn, RefundState::Escalated]);
        answer_without_note(app, &square.buyer, &second).await.expect(200);
        answer(app, &square.operator, &second, "approve").await.expect(409);
        // What was decided stays decided.
        let third = ask(app, &square.buyer, sold.order, Some(1), "three").await.expect(201).str("/id");
        answer(app, &square.provider, &third, "decline").await.expect(200);
        answer_without_note(app, &square.buyer, &third).await.expect(409);
        let fourth = ask(app, &square.buyer, sold.order, Some(1), "four").await.expect(201).str("/id");
        answer(app, &square.provider, &fourth, "approve").await.expect(200);
        answer_without_note(app, &square.buyer, &fourth).await.expect(409);
        app.run_jobs().await;
        verified(app, "taken back").await;
    }

    async fn a_request_is_withdrawn_or_approved_and_never_both(app) {
        let square = square(app).await;
        for number in 0..6 {
            let sold = square.sold(app, Stage::Pending).await;
            let id = ask(app, &square.buyer, sold.order, None, &format!("race {number}")).await.expect(201).str("/id");
            let (one, two) = (answer_without_note(app, &square.buyer, &id), answer(app, &square.provider, &id, "approve"));
            let (withdrawn, approved) = tokio::join!(one, two);
            let both = [withdrawn.status, approved.status];
            assert!(both == [200, 409] || both == [409, 200], "{both:?}");
            app.run_jobs().await;
            let ought = if withdrawn.status == 200 { RefundState::Withdrawn } else { RefundState::Paid };
            assert_eq!(state(app, sold.order).await, [ought]);
        }
        verified(app, "raced").await;
    }

    async fn a_share_that_is_asked_back_becomes_neither_payable_nor_paid(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Pending).await;
        let id = ask(app, &square.buyer, sold.order, Some(1_000), "one").await.expect(201).str("/id");
        app.advance(Duration::days(8));
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [8_001, 0, 0, 0], "the hold goes on while somebody asks");
        answer(app, &square.operator, &id, "decline").await.expect(200);
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [0, 8_001, 0, 0]);
        let id = ask(app, &square.buyer, sold.order, Some(1_000), "two").await.expect(201).str("/id");
        square.pay_out(app).await;
        assert_eq!(stands(app, &square.provider).await, [0, 8_001, 0, 0], "it waits");
        answer(app, &square.provider, &id, "approve").await.expect(200);
        app.run_jobs().await;
        square.pay_out(app).await;
        assert_eq!(at_processor(app, "transfer").await.iter().filter(|minor| **minor == -7_201).count(), 1);
        verified(app, "paid out what is left").await;
    }

    async fn a_request_that_makes_no_sense_is_refused(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Pending).await;
        ask(app, &square.buyer, sold.order, Some(0), "k").await.expect(422);
        ask(app, &square.buyer, sold.order, Some(-5), "k").await.expect(422);
        ask(app, &square.buyer, sold.order, Some(10_002), "k").await.expect(409);
        ask(app, &app.buyer().await, sold.order, None, "k").await.expect(404);
        issue(app, &square.buyer, sold.order, None, "k").await.expect(403);
        let free = app.sell_uncharged(&square.provider, &square.buyer, crate::support::sales::money(0, "EUR")).await;
        ask(app, &square.buyer, free.order, None, "k").await.expect(409);
        app.advance(Duration::days(31));
        app.run_jobs().await;
        ask(app, &square.buyer, sold.order, None, "late").await.expect(409);
        assert_eq!(refunds_of(app, sold.order).await, []);
    }

    async fn a_refund_that_comes_back_is_undone_and_the_door_opens_again(app) {
        for stage in STAGES {
            let square = square(app).await;
            let sold = square.sold(app, stage).await;
            square.refund(app, sold.order, None, "whole").await.expect(201);
            app.run_jobs().await;
            let row = refunds_of(app, sold.order).await.remove(0);
            app.sandbox.return_refund(row.processor_ref.as_deref().expect("taken")).await.expect("comes back");
            app.run_jobs().await;
            assert_eq!(state(app, sold.order).await, [RefundState::Failed], "{stage:?}");
            assert!(is_open(app, sold.order).await, "{stage:?}");
            let [pending, payable, held, owed] = stands(app, &square.provider).await;
            assert_eq!((pending + payable, held, owed), (8_001, 0, 0), "{stage:?}: the share is the provider's again");
            assert_eq!(balance(app, Account::ClearingRefund).await, 0);
            verified(app, "undone").await;
            square.refund(app, sold.order, None, "once more").await.expect(201);
            app.run_jobs().await;
            assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0], "{stage:?}");
            verified(app, "refunded after all").await;
        }
    }

    async fn money_for_an_order_that_is_closed_goes_back_once(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).str("/id");
        app.advance(Duration::days(3));
        torv::trade::orders::expire_due(&app.app).await.expect("expires");
        let order: entity::ids::OrderId = id.parse().expect("an order");
        let state_before = app.trace(&id).await.order.state;
        app.let_time_heal().await;
        app.let_time_heal().await;
        if state_before == entity::states::OrderState::Expired {
            let rows = refunds_of(app, order).await;
            assert_eq!(rows.len(), 1, "{rows:?}");
            assert_eq!((rows[0].origin, rows[0].state), (RefundOrigin::ClosedOrder, RefundState::Paid));
            assert_eq!(at_processor(app, "refund").await, [-10_001]);
            assert_eq!(balance(app, Account::ClearingPayment).await, 0);
        } else {
            assert_eq!(app.trace(&id).await.charge_lines, 1);
        }
        verified(app, "given back").await;
    }
}
