use entity::states::{DisputeState, ReversalState};
use serde_json::json;
use time::Duration;
use torv::ledger::Account;

use super::{
    STAGES, Stage, answer, ask, at_processor, balance, disputed, disputes_of, is_open, reversals, square, stands,
    verified,
};
use crate::support::{Delivery, on_both};

on_both! {
    async fn a_won_dispute_gives_the_share_back_and_a_lost_one_takes_it(app) {
        for (stage, is_won) in STAGES.into_iter().flat_map(|stage| [(stage, true), (stage, false)]) {
            let square = square(app).await;
            let sold = square.sold(app, stage).await;
            let (fees, commission) = (balance(app, Account::DisputeFees).await, balance(app, Account::Commission).await);
            let at_bank = disputed(app, &sold, 10_001).await;
            app.deliver_webhooks(Delivery::InOrder).await;
            app.run_jobs().await;
            assert_eq!(stands(app, &square.provider).await, [0, 0, 8_001, 0], "{stage:?}");
            assert_eq!(balance(app, Account::DisputeHold).await, 10_001);
            assert_eq!(balance(app, Account::DisputeFees).await - fees, 1_500);
            assert!(!is_open(app, sold.order).await, "an open dispute closes the door");
            verified(app, "opened").await;
            square.refund(app, sold.order, None, "blocked").await.expect(409);
            ask(app, &square.buyer, sold.order, None, "blocked").await.expect(409);
            app.advance(Duration::days(10));
            app.run_jobs().await;
            assert_eq!(stands(app, &square.provider).await, [0, 0, 8_001, 0], "no hold ends meanwhile");
            app.sandbox.decide_dispute(&at_bank, is_won).await.expect("decides");
            app.deliver_webhooks(Delivery::InOrder).await;
            app.run_jobs().await;
            assert_eq!(balance(app, Account::DisputeHold).await, 0, "{stage:?}, won: {is_won}");
            let [pending, payable, held, owed] = stands(app, &square.provider).await;
            let ought = if is_won { 8_001 } else { 0 };
            assert_eq!((pending + payable, held, owed), (ought, 0, 0), "{stage:?}, won: {is_won}");
            assert_eq!(is_open(app, sold.order).await, is_won);
            assert_eq!(balance(app, Account::Commission).await - commission, if is_won { 0 } else { 2_000 });
            verified(app, "decided").await;
            square.pay_out(app).await;
            assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0], "what was won is paid again");
            verified(app, "paid again").await;
        }
        assert_eq!(reversals(app).await, [(8_001, ReversalState::Done), (8_001, ReversalState::Done)]);
    }

    async fn a_dispute_after_a_partial_refund_holds_what_is_left(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::PaidOut).await;
        square.refund(app, sold.order, Some(5_000), "part").await.expect(201);
        app.run_jobs().await;
        // The bank takes the whole charge; what is beyond the rest has no share behind it.
        let at_bank = disputed(app, &sold, 10_001).await;
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [0, 0, 4_001, 0], "told by its line alone");
        app.sandbox.decide_dispute(&at_bank, false).await.expect("decides");
        app.advance(Duration::minutes(11));
        app.run_jobs().await;
        assert_eq!(disputes_of(app, sold.order).await[0].state, DisputeState::Lost);
        assert_eq!(balance(app, Account::DisputeLoss).await, 5_000);
        assert_eq!(stands(app, &square.provider).await, [0, 0, 0, 0]);
        verified(app, "lost after a refund").await;
    }

    async fn a_warning_moves_nothing_until_it_becomes_a_dispute(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Payable).await;
        let charge = format!("ch_{}", sold.payment.0.simple());
        let warning = app.sandbox.dispute(&charge, sold.gross, true).await.expect("warns");
        app.deliver_webhooks(Delivery::InOrder).await;
        app.run_jobs().await;
        assert_eq!(disputes_of(app, sold.order).await[0].state, DisputeState::Warning);
        assert_eq!(stands(app, &square.provider).await, [0, 8_001, 0, 0]);
        assert_eq!(at_processor(app, "dispute").await, Vec::<i64>::new());
        verified(app, "warned").await;
        square.refund(app, sold.order, None, "to keep the peace").await.expect(201);
        app.run_jobs().await;
        let _ = warning;
        verified(app, "refunded").await;
    }

    async fn evidence_is_ours_and_the_providers_and_can_win(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Payable).await;
        disputed(app, &sold, 10_001).await;
        app.deliver_webhooks(Delivery::InOrder).await;
        let id = disputes_of(app, sold.order).await[0].id;
        let at = |what: &str| format!("/api/v1/disputes/{id}{what}");
        let words = json!({"statement": "winning_evidence: the buyer thanked us."});
        app.as_org(&square.buyer, "POST", &at("/evidence")).json(&words).send().await.expect(404);
        app.as_org(&app.provider().await, "GET", &at("")).send().await.expect(404);
        app.as_org(&square.provider, "POST", &at("/submit")).send().await.expect(403);
        app.as_org(&square.provider, "POST", &at("/evidence")).json(&json!({"statement": ""})).send().await.expect(422);
        app.as_org(&square.provider, "POST", &at("/evidence")).json(&words).send().await.expect(200);
        let sent = app.as_org(&square.operator, "POST", &at("/submit")).send().await.expect(200);
        assert_eq!(sent.str("/state"), "under_review");
        app.as_org(&square.operator, "POST", &at("/submit")).send().await.expect(409);
        app.as_org(&square.provider, "POST", &at("/evidence")).json(&words).send().await.expect(409);
        app.advance(Duration::seconds(61));
        app.sandbox.tick().await.expect("decides");
        app.deliver_webhooks(Delivery::InOrder).await;
        assert_eq!(app.as_org(&square.provider, "GET", &at("")).send().await.expect(200).str("/state"), "won");
        app.as_org(&square.operator, "POST", &at("/accept")).send().await.expect(409);
        app.run_jobs().await;
        verified(app, "won").await;
    }

    async fn a_dispute_that_is_given_up_is_lost(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Pending).await;
        disputed(app, &sold, 4_000).await;
        app.run_jobs().await;
        let id = disputes_of(app, sold.order).await[0].id;
        let path = format!("/api/v1/disputes/{id}/accept");
        assert_eq!(app.as_org(&square.operator, "POST", &path).send().await.expect(200).str("/state"), "lost");
        app.run_jobs().await;
        assert_eq!(stands(app, &square.provider).await, [4_801, 0, 0, 0]);
        assert!(!is_open(app, sold.order).await, "a lost dispute ends the access");
        verified(app, "given up").await;
    }

    async fn a_request_for_what_a_dispute_has_taken_meanwhile_can_only_be_declined(app) {
        let square = square(app).await;
        let sold = square.sold(app, Stage::Payable).await;
        let id = ask(app, &square.buyer, sold.order, None, "whole").await.expect(201).str("/id");
        let dispute = disputed(app, &sold, 4_000).await;
        app.deliver_webhooks(Delivery::InOrder).await;
        app.sandbox.decide_dispute(&dispute, false).await.expect("decides");
        app.deliver_webhooks(Delivery::InOrder).await;
        app.run_jobs().await;
        let refused = answer(app, &square.provider, &id, "approve").await.expect(409);
        assert!(refused.str("/detail").contains("Only 6001 minor units are left"), "{}", refused.text());
        answer(app, &square.provider, &id, "decline").await.expect(200);
        square.refund(app, sold.order, Some(6_001), "the rest").await.expect(201);
        app.run_jobs().await;
        verified(app, "all given back").await;
    }
}
