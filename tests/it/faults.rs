//! Every multi-step path fails at every step, once each, and comes right again: by repeating the
//! request, by the webhooks, or by time alone.

use entity::states::OrderState;
use time::Duration;

use crate::support::{Answer, Delivery, ForSale, TestApp, TestOrg, approved, free, on_both, one_off, stride};

const VISA: &str = "pm_card_visa";

/// What happens first after the crash; all of it happens in the end.
#[derive(Debug, Clone, Copy)]
enum First {
    Repeat,
    Webhooks,
    Time,
}

const FIRST: [First; 3] = [First::Repeat, First::Webhooks, First::Time];

/// Does `act` with its `at`-th step failing; nothing when there are fewer steps.
async fn crash(app: &TestApp, at: usize, act: impl Future<Output = Answer>) -> Option<String> {
    app.app.db.faults().arm(at);
    let answer = act.await;
    let (steps, failed) = app.app.db.faults().disarm();
    if failed {
        return Some(format!("step {at} ({})", steps[at]));
    }
    assert!((200..300).contains(&answer.status), "nothing failed, and yet: {}", answer.text());
    None
}

/// Repeats the request and waits, beginning with `first`.
async fn recover(app: &TestApp, first: First, repeat: impl AsyncFn() -> Answer) {
    match first {
        First::Repeat => {}
        First::Webhooks => {
            app.deliver_webhooks(Delivery::Shuffled { seed: 7, copies: 3 }).await;
        }
        First::Time => app.let_time_heal().await,
    }
    repeat().await;
    app.let_time_heal().await;
}

/// Crashes a path at every step and recovers, in every way or in one of them in turn; `path` sees the step and tells
/// whether there was one. Prints how many there are.
async fn at_every_step(app: &TestApp, name: &str, path: impl AsyncFn(usize, First) -> bool) {
    for round in (0..FIRST.len()).step_by(stride(FIRST.len())) {
        let mut at = 0;
        while path(at, FIRST[(at + round) % FIRST.len()]).await {
            at += 1;
            assert!(at < 1_000, "{name} has no end");
        }
        assert!(at > 1, "{name} has {at} steps");
        eprintln!("{name} on {:?}: {at} steps failed, one by one", app.backend);
        app.assert_ledger_is_clean(name).await;
    }
}

/// An order that is not completed can still be paid by another request.
async fn complete(app: &TestApp, buyer: &TestOrg, sale: &ForSale, id: &str) {
    if app.trace(id).await.order.state == OrderState::AwaitingApproval {
        app.decide(&sale.provider, id, "approve", None).await.expect(200);
    }
    if app.trace(id).await.order.state == OrderState::AwaitingPayment {
        app.pay(buyer, id, "another-attempt", VISA).await.expect(200);
    }
    app.let_time_heal().await;
}

on_both! {
    async fn placing_a_paid_order_survives_every_crash(app) {
        at_every_step(app, "place and pay", async |at, first| {
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            let place = async || app.order(&buyer, &sale, "k", Some(VISA)).await;
            let Some(context) = crash(app, at, place()).await else { return false };
            recover(app, first, place).await;
            let id = app.only_order_of(&buyer).await;
            complete(app, &buyer, &sale, &id).await;
            app.trace(&id).await.assert_sold_once(&format!("{context}, {first:?}"));
            true
        }).await;
    }

    async fn placing_an_order_survives_two_crashes_in_a_row(app) {
        for (at, then) in (0..24).flat_map(|at| [3, 8].map(|then| (at, then))) {
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            let place = async || app.order(&buyer, &sale, "k", Some(VISA)).await;
            let Some(context) = crash(app, at, place()).await else { break };
            app.app.db.faults().arm(then);
            place().await;
            app.app.db.faults().disarm();
            recover(app, FIRST[at % 3], place).await;
            let id = app.only_order_of(&buyer).await;
            complete(app, &buyer, &sale, &id).await;
            app.trace(&id).await.assert_sold_once(&format!("{context}, then step {then}"));
        }
    }

    async fn placing_a_free_order_survives_every_crash(app) {
        at_every_step(app, "place a free order", async |at, first| {
            let (sale, buyer) = app.market(&free()).await;
            let place = async || app.order(&buyer, &sale, "k", None).await;
            let Some(context) = crash(app, at, place()).await else { return false };
            recover(app, first, place).await;
            let trace = app.trace(&app.only_order_of(&buyer).await).await;
            assert_eq!((trace.order.state, trace.grants.len(), trace.told("order.completed")), (OrderState::Completed, 1, 1), "{context}");
            true
        }).await;
    }

    async fn paying_an_order_later_survives_every_crash(app) {
        at_every_step(app, "start a payment", async |at, first| {
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
            let pay = async || app.pay(&buyer, &id, "p", VISA).await;
            let Some(context) = crash(app, at, pay()).await else { return false };
            recover(app, first, pay).await;
            complete(app, &buyer, &sale, &id).await;
            app.trace(&id).await.assert_sold_once(&format!("{context}, {first:?}"));
            true
        }).await;
    }

    async fn a_decline_survives_every_crash(app) {
        at_every_step(app, "decline by the processor", async |at, first| {
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            let place = async || app.order(&buyer, &sale, "k", Some("pm_card_declined")).await;
            app.app.db.faults().arm(at);
            place().await;
            let (steps, failed) = app.app.db.faults().disarm();
            if !failed { return false }
            recover(app, first, place).await;
            let id = app.only_order_of(&buyer).await;
            app.trace(&id).await.assert_not_sold(OrderState::AwaitingPayment, &steps[at]);
            complete(app, &buyer, &sale, &id).await;
            app.trace(&id).await.assert_sold_once(&format!("{}, {first:?}", steps[at]));
            true
        }).await;
    }

    async fn holding_a_payment_survives_every_crash(app) {
        at_every_step(app, "place with a hold", async |at, first| {
            let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
            let place = async || app.order(&buyer, &sale, "k", Some(VISA)).await;
            let Some(context) = crash(app, at, place()).await else { return false };
            recover(app, first, place).await;
            let id = app.only_order_of(&buyer).await;
            complete(app, &buyer, &sale, &id).await;
            app.trace(&id).await.assert_sold_once(&format!("{context}, {first:?}"));
            true
        }).await;
    }

    async fn an_approval_survives_every_crash(app) {
        at_every_step(app, "approve and capture", async |at, first| {
            let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
            let id = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(201).str("/id");
            let approve = async || app.decide(&sale.provider, &id, "approve", None).await;
            let Some(context) = crash(app, at, approve()).await else { return false };
            recover(app, first, approve).await;
            app.trace(&id).await.assert_sold_once(&format!("{context}, {first:?}"));
            true
        }).await;
    }

    async fn a_free_approval_survives_every_crash(app) {
        at_every_step(app, "approve a free order", async |at, first| {
            let (sale, buyer) = app.market(&approved(free())).await;
            let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
            let approve = async || app.decide(&sale.provider, &id, "approve", None).await;
            let Some(context) = crash(app, at, approve()).await else { return false };
            recover(app, first, approve).await;
            let trace = app.trace(&id).await;
            assert_eq!((trace.order.state, trace.grants.len(), trace.told("order.completed")), (OrderState::Completed, 1, 1), "{context}");
            true
        }).await;
    }

    async fn giving_a_hold_back_survives_every_crash(app) {
        for (what, state) in [("decline", OrderState::Declined), ("cancel", OrderState::Cancelled)] {
            at_every_step(app, what, async |at, first| {
                let (sale, buyer) = app.market(&approved(one_off(10_001))).await;
                let id = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(201).str("/id");
                let who = if what == "decline" { &sale.provider } else { &buyer };
                let decide = async || app.decide(who, &id, what, Some("No.")).await;
                let Some(context) = crash(app, at, decide()).await else { return false };
                recover(app, first, decide).await;
                app.trace(&id).await.assert_not_sold(state, &format!("{context}, {first:?}"));
                true
            }).await;
        }
    }

    async fn a_webhook_survives_every_crash(app) {
        at_every_step(app, "webhook", async |at, first| {
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            let id = app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await.expect(201).str("/id");
            app.deliver_webhooks(Delivery::InOrder).await;
            app.advance(Duration::seconds(60));
            app.sandbox.tick().await.unwrap();
            let due = app.due_webhooks().await;
            assert_eq!(due.len(), 1);
            app.app.db.faults().arm(at);
            let answer = app.post_webhook(&due[0]).await;
            let (steps, failed) = app.app.db.faults().disarm();
            if !failed { answer.expect(204); return false }
            app.sandbox.settle_webhook(&due[0], answer.status == 204).await.unwrap();
            recover(app, first, async || app.order(&buyer, &sale, "k", Some("pm_card_delayed")).await).await;
            app.trace(&id).await.assert_sold_once(&format!("{}, {first:?}", steps[at]));
            true
        }).await;
    }

    async fn the_janitor_survives_every_crash(app) {
        at_every_step(app, "janitor", async |at, first| {
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            app.order(&buyer, &sale, "k", Some("pm_card_timeout")).await.expect(503);
            let asked = app.for_sale(&sale.provider, &approved(one_off(77))).await;
            let left = app.order(&buyer, &asked, "left", Some(VISA)).await.expect(201).str("/id");
            app.run_jobs().await;
            let id = app.orders_of(&buyer).await.into_iter().find(|id| *id != left).unwrap();
            app.advance(Duration::days(15));
            app.app.db.faults().arm(at);
            let _ = torv::jobs::run_until_quiet(&app.app).await;
            let (steps, failed) = app.app.db.faults().disarm();
            recover(app, first, async || app.order(&buyer, &asked, "left", Some(VISA)).await).await;
            let context = format!("{:?}, {first:?}", steps.get(at));
            app.trace(&id).await.assert_sold_once(&context);
            app.trace(&left).await.assert_not_sold(OrderState::Expired, &context);
            failed
        }).await;
    }

    async fn the_end_of_a_term_survives_every_crash(app) {
        at_every_step(app, "end of a term", async |at, first| {
            let (sale, buyer) = app.market(&crate::support::subscription(500, 1)).await;
            let id = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(201).str("/id");
            app.deliver_webhooks(Delivery::InOrder).await;
            app.run_jobs().await;
            let ends_at = app.trace(&id).await.grants[0].ends_at.unwrap().0;
            app.advance(ends_at - app.clock.now());
            app.app.db.faults().arm(at);
            let _ = torv::jobs::run_until_quiet(&app.app).await;
            let (_, failed) = app.app.db.faults().disarm();
            recover(app, first, async || app.get("/healthz").await).await;
            let trace = app.trace(&id).await;
            assert_eq!(trace.grants[0].state, entity::states::GrantState::Ended);
            let news = app.news(&sale.listing).await;
            assert_eq!(news.iter().filter(|(kind, _)| kind == "grant.ended").count(), 1);
            failed
        }).await;
    }
}
