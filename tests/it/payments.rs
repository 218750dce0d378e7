//! Paying: every test card, holds, delays, silence, races, and orders that are paid again.

use entity::states::{OrderState, PaymentState};
use serde_json::json;
use time::Duration;

use crate::support::{Delivery, TestApp, TestOrg, approved, on_both, one_off};

const VISA: &str = "pm_card_visa";

fn problem(answer: &crate::support::Answer) -> String {
    answer.str("/type").trim_start_matches("/problems/").to_owned()
}

async fn state(app: &TestApp, org: &TestOrg, order: &str) -> String {
    app.see_order(org, order).await["state"].as_str().unwrap().to_owned()
}

on_both! {
    async fn a_declined_card_answers_402_and_another_card_pays(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        for (card, code) in [
            ("pm_card_declined", "card_declined"),
            ("pm_card_insufficient_funds", "insufficient_funds"),
            ("pm_card_expired", "expired_card"),
        ] {
            app.advance(Duration::SECOND);
            let refused = app.order(&buyer, &sale, card, Some(card)).await.expect(402);
            assert_eq!(problem(&refused), "payment-declined");
            let id = app.orders_of(&buyer).await.pop().unwrap();
            let order = app.see_order(&buyer, &id).await;
            assert_eq!((&order["state"], &order["payments"][0]["failure_code"]), (&json!("awaiting_payment"), &json!(code)));
            app.trace(&id).await.assert_not_sold(OrderState::AwaitingPayment, card);
            let again = app.pay(&buyer, &id, "again", card).await.expect(402);
            assert_eq!(again.str("/detail"), refused.str("/detail"));
            let paid = app.pay(&buyer, &id, "visa", VISA).await.expect(200).json();
            assert_eq!((&paid["state"], paid["payments"].as_array().unwrap().len()), (&json!("completed"), 3));
            app.deliver_webhooks(Delivery::Shuffled { seed: 1, copies: 2 }).await;
            app.trace(&id).await.assert_sold_once(card);
        }
    }

    async fn a_declined_payment_that_is_repeated_is_declined_again(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        for _ in 0..3 {
            app.pay(&buyer, &id, "same", "pm_card_declined").await.expect(402);
        }
        assert_eq!(app.trace(&id).await.payments.len(), 1);
        let reused = app.pay(&buyer, &id, "same", VISA).await.expect(409);
        assert_eq!(problem(&reused), "idempotency-key-reused");
    }

    async fn a_means_of_payment_nobody_knows_is_pointed_at_and_another_pays(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let refused = app.order(&buyer, &sale, "k", Some("pm_card_of_a_friend")).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/payment_method");
        let id = app.only_order_of(&buyer).await;
        assert_eq!(app.trace(&id).await.payments[0].state, PaymentState::Failed);
        app.pay(&buyer, &id, "visa", VISA).await.expect(200);
        app.trace(&id).await.assert_sold_once("after an unknown means");
    }

    async fn a_delayed_payment_is_completed_by_its_webhook(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let order = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).json();
        let id = order["id"].as_str().unwrap();
        assert_eq!((&order["state"], &order["payments"][0]["state"]), (&json!("awaiting_payment"), &json!("processing")));
        app.pay(&buyer, id, "second", VISA).await.expect(409);
        app.decide(&buyer, id, "cancel", None).await.expect(409);
        app.advance(Duration::seconds(59));
        app.sandbox.tick().await.unwrap();
        app.deliver_webhooks(Delivery::InOrder).await;
        assert_eq!(state(app, &buyer, id).await, "awaiting_payment");
        app.advance(Duration::seconds(1));
        app.sandbox.tick().await.unwrap();
        assert_eq!(app.deliver_webhooks(Delivery::InOrder).await, 1);
        app.trace(id).await.assert_sold_once("delayed");
    }

    async fn a_delayed_decline_leaves_the_order_to_be_paid(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed_decline")).await.expect(201).str("/id");
        app.advance(Duration::seconds(60));
        app.sandbox.tick().await.unwrap();
        app.deliver_webhooks(Delivery::Reversed).await;
        app.trace(&id).await.assert_not_sold(OrderState::AwaitingPayment, "declined later");
        app.pay(&buyer, &id, "visa", VISA).await.expect(200);
        app.trace(&id).await.assert_sold_once("paid again");
    }

    async fn an_order_in_payment_does_not_expire(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).str("/id");
        app.advance(Duration::hours(50));
        app.run_jobs().await;
        assert_eq!(state(app, &buyer, &id).await, "awaiting_payment");
        app.sandbox.tick().await.unwrap();
        app.deliver_webhooks(Delivery::InOrder).await;
        app.trace(&id).await.assert_sold_once("late");
    }

    async fn a_silent_processor_answers_503_and_a_repeated_request_completes(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let silent = app.order(&buyer, &sale, "k", Some("pm_card_timeout")).await.expect(503);
        assert_eq!(silent.header("retry-after"), "5");
        let id = app.only_order_of(&buyer).await;
        app.order(&buyer, &sale, "k", Some("pm_card_timeout")).await.expect(503);
        app.pay(&buyer, &id, "other", VISA).await.expect(409);
        app.decide(&buyer, &id, "cancel", None).await.expect(409);
        app.deliver_webhooks(Delivery::InOrder).await;
        app.order(&buyer, &sale, "k", Some("pm_card_timeout")).await.expect(200);
        app.trace(&id).await.assert_sold_once("webhook after silence");
    }

    async fn the_janitor_finds_out_about_a_charge_that_was_never_answered(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        app.order(&buyer, &sale, "k", Some("pm_card_timeout")).await.expect(503);
        let id = app.only_order_of(&buyer).await;
        app.advance(Duration::seconds(59));
        app.run_jobs().await;
        assert_eq!(state(app, &buyer, &id).await, "awaiting_payment");
        app.advance(Duration::seconds(1));
        app.run_jobs().await;
        app.trace(&id).await.assert_sold_once("janitor");
        app.deliver_webhooks(Delivery::InOrder).await;
        app.trace(&id).await.assert_sold_once("webhook after the janitor");
    }

    async fn the_janitor_finds_a_lost_answer_behind_many_slow_payments(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        for n in 0..51 {
            app.order(&buyer, &sale, &format!("slow{n}"), Some("pm_card_delayed")).await.expect(201);
        }
        app.advance(Duration::seconds(1));
        let late = app.buyer().await;
        app.order(&late, &sale, "k", Some("pm_card_timeout")).await.expect(503);
        app.advance(Duration::seconds(60));
        app.run_jobs().await;
        app.trace(&app.only_order_of(&late).await).await.assert_sold_once("behind slow ones");
    }

    async fn an_unpaid_order_expires_behind_many_that_are_being_paid(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        for n in 0..51 {
            app.order(&buyer, &sale, &format!("slow{n}"), Some("pm_card_delayed")).await.expect(201);
        }
        app.advance(Duration::seconds(1));
        let late = app.buyer().await;
        let id = app.order(&late, &sale, "k", None).await.expect(201).str("/id");
        app.advance(Duration::hours(48));
        app.run_jobs().await;
        assert_eq!(state(app, &late, &id).await, "expired");
    }

    async fn a_held_payment_is_taken_on_approval(app) {
        let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
        let order = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(201).json();
        let id = order["id"].as_str().unwrap();
        assert_eq!((&order["state"], &order["payments"][0]["state"]), (&json!("awaiting_approval"), &json!("authorised")));
        let trace = app.trace(id).await;
        assert_eq!((trace.held, trace.charge_lines), (1, 0));
        let done = app.decide(&sale.provider, id, "approve", None).await.expect(200).json();
        assert_eq!(done["state"], "completed");
        app.deliver_webhooks(Delivery::Reversed).await;
        app.trace(id).await.assert_sold_once("approved");
    }

    async fn a_held_payment_is_given_back_on_decline_cancel_and_expiry(app) {
        let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
        for (key, state) in [("decline", OrderState::Declined), ("cancel", OrderState::Cancelled), ("expire", OrderState::Expired)] {
            let id = app.order(&buyer, &sale, key, Some(VISA)).await.expect(201).str("/id");
            match key {
                "decline" => { app.decide(&sale.provider, &id, key, Some("No.")).await.expect(200); }
                "cancel" => { app.decide(&buyer, &id, key, None).await.expect(200); }
                _ => { app.advance(Duration::days(15)); app.run_jobs().await; }
            }
            app.deliver_webhooks(Delivery::Shuffled { seed: 3, copies: 2 }).await;
            let trace = app.trace(&id).await;
            trace.assert_not_sold(state, key);
            assert_eq!(trace.payments[0].failure_code.as_deref(), Some("voided"), "{key}");
        }
    }

    async fn a_hold_that_comes_late_is_taken_or_given_back(app) {
        let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
        for what in ["approve", "decline"] {
            let id = app.order(&buyer, &sale, what, Some("pm_card_delayed")).await.expect(201).str("/id");
            app.decide(&sale.provider, &id, what, Some("Because.")).await.expect(200);
            app.advance(Duration::seconds(60));
            app.sandbox.tick().await.unwrap();
            app.deliver_webhooks(Delivery::InOrder).await;
            app.run_jobs().await;
            app.deliver_webhooks(Delivery::InOrder).await;
            match what {
                "approve" => app.trace(&id).await.assert_sold_once(what),
                _ => app.trace(&id).await.assert_not_sold(OrderState::Declined, what),
            }
        }
    }

    async fn a_payment_given_up_is_not_charged_when_its_request_is_repeated(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        app.app.db.faults().arm(usize::MAX);
        app.pay(&buyer, &id, "probe", "pm_card_declined").await.expect(402);
        let (steps, _) = app.app.db.faults().disarm();
        let before_the_call = steps.iter().position(|step| step == "payments.charge: before the call").unwrap();
        app.app.db.faults().arm(before_the_call);
        app.pay(&buyer, &id, "first", VISA).await.expect(500);
        app.app.db.faults().disarm();
        app.advance(Duration::seconds(601));
        app.run_jobs().await;
        app.pay(&buyer, &id, "second", VISA).await.expect(200);
        app.pay(&buyer, &id, "first", VISA).await;
        app.let_time_heal().await;
        app.trace(&id).await.assert_sold_once("the given-up attempt was repeated");
    }

    async fn a_closed_order_is_not_charged_when_its_request_is_repeated(app) {
        let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
        app.order(&buyer, &sale, "probe", None).await.expect(201);
        app.app.db.faults().arm(usize::MAX);
        app.order(&buyer, &sale, "probed", Some(VISA)).await.expect(201);
        let (steps, _) = app.app.db.faults().disarm();
        let before_the_call = steps.iter().position(|step| step == "payments.charge: before the call").unwrap();
        app.advance(Duration::SECOND);
        app.app.db.faults().arm(before_the_call);
        app.order(&buyer, &sale, "k", Some(VISA)).await.expect(500);
        app.app.db.faults().disarm();
        let id = app.orders_of(&buyer).await.pop().unwrap();
        app.decide(&sale.provider, &id, "decline", Some("No.")).await.expect(200);
        app.order(&buyer, &sale, "k", Some(VISA)).await.expect(200);
        app.let_time_heal().await;
        app.trace(&id).await.assert_not_sold(OrderState::Declined, "repeated after the decline");
    }

    async fn an_order_whose_hold_is_being_taken_is_not_cancelled(app) {
        let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
        let id = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(201).str("/id");
        for step in 0.. {
            app.app.db.faults().arm(step);
            app.decide(&sale.provider, &id, "approve", None).await;
            let (steps, failed) = app.app.db.faults().disarm();
            assert!(failed, "the capture was never reached: {steps:?}");
            if steps.last().is_some_and(|step| step == "payments.capture: after the call") { break }
            if app.trace(&id).await.order.state == OrderState::AwaitingPayment { break }
        }
        let charge = app.trace(&id).await.payments[0].processor_ref.clone().unwrap();
        app.app.payments.capture(&charge).await.unwrap();
        app.decide(&buyer, &id, "cancel", None).await.expect(409);
        app.advance(Duration::hours(49));
        app.run_jobs().await;
        app.deliver_webhooks(Delivery::InOrder).await;
        app.trace(&id).await.assert_sold_once("captured before the cancel");
    }

    async fn a_hold_that_can_not_be_given_back_stops_nobody_else(app) {
        let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
        let stuck = app.order(&buyer, &sale, "stuck", Some(VISA)).await.expect(201).str("/id");
        let charge = app.trace(&stuck).await.payments[0].processor_ref.clone().unwrap();
        app.app.payments.capture(&charge).await.unwrap();
        app.decide(&sale.provider, &stuck, "decline", Some("No.")).await.expect(200);
        let other = app.order(&buyer, &sale, "other", Some(VISA)).await.expect(201).str("/id");
        app.decide(&sale.provider, &other, "decline", Some("No.")).await.expect(200);
        app.trace(&other).await.assert_not_sold(OrderState::Declined, "behind a stuck one");
        app.run_jobs().await;
        app.deliver_webhooks(Delivery::InOrder).await;
        let trace = app.trace(&stuck).await;
        assert_eq!((trace.sales.len(), trace.grants.len(), trace.told("payment.without_order")), (0, 0, 1));
    }

    async fn cancelling_and_paying_at_once_end_in_one_of_the_two(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let (mut paid, mut cancelled) = (0, 0);
        for n in 0..20 {
            let id = app.order(&buyer, &sale, &n.to_string(), None).await.expect(201).str("/id");
            let (pay, cancel) = tokio::join!(app.pay(&buyer, &id, "p", VISA), app.decide(&buyer, &id, "cancel", None));
            let statuses = (pay.status, cancel.status);
            app.let_time_heal().await;
            let trace = app.trace(&id).await;
            match statuses {
                (200, 409) => { trace.assert_sold_once("paid"); paid += 1; }
                (409, 200) => { trace.assert_not_sold(OrderState::Cancelled, "cancelled"); cancelled += 1; }
                other => panic!("{other:?}: {trace:?}"),
            }
        }
        eprintln!("cancel against pay: {paid} paid, {cancelled} cancelled");
    }

    async fn approving_and_cancelling_at_once_end_in_one_of_the_two(app) {
        let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
        for n in 0..20 {
            let id = app.order(&buyer, &sale, &n.to_string(), Some(VISA)).await.expect(201).str("/id");
            let approve = app.decide(&sale.provider, &id, "approve", None);
            let (approve, cancel) = tokio::join!(approve, app.decide(&buyer, &id, "cancel", None));
            let statuses = (approve.status, cancel.status);
            app.let_time_heal().await;
            let trace = app.trace(&id).await;
            match statuses {
                (200, 409) => trace.assert_sold_once("approved"),
                (409, 200) => trace.assert_not_sold(OrderState::Cancelled, "cancelled"),
                other => panic!("{other:?}: {trace:?}"),
            }
        }
    }

    async fn racing_payments_of_one_order_take_the_money_once(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        let keys: Vec<String> = (0..20).map(|n| format!("p{}", n % 10)).collect();
        let racing = keys.iter().map(|key| app.pay(&buyer, &id, key, VISA));
        let answers = futures::future::join_all(racing).await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)), "{answers:?}");
        app.let_time_heal().await;
        app.trace(&id).await.assert_sold_once("ten keys, twice each");
    }

    async fn only_the_buyer_pays(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        let stranger = app.buyer().await;
        app.pay(&stranger, &id, "p", VISA).await.expect(404);
        app.pay(&sale.provider, &id, "p", VISA).await.expect(404);
        let refused = app.pay(&buyer, &id, "p", "4242424242424242").await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/payment_method");
        app.pay(&buyer, &id, "", VISA).await.expect(422);
        app.trace(&id).await.assert_not_sold(OrderState::AwaitingPayment, "nobody paid");
    }

    async fn another_process_heals_what_this_one_left(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        app.order(&buyer, &sale, "k", Some("pm_card_timeout")).await.expect(503);
        let id = app.only_order_of(&buyer).await;
        let sibling = app.sibling().await;
        app.advance(Duration::seconds(60));
        let (ours, theirs) = tokio::join!(torv::jobs::run_until_quiet(&app.app), torv::jobs::run_until_quiet(&sibling.app));
        ours.unwrap();
        theirs.unwrap();
        app.deliver_webhooks(Delivery::InOrder).await;
        app.trace(&id).await.assert_sold_once("two janitors");
    }
}
