//! Every commit point of what happens by itself fails once, and comes right with time.

use super::market::{DECLINED_LATER, Subscribed, VISA};
use crate::support::{TestApp, on_both, subscription};
use entity::states::OrderState;
use serde_json::{Value, json};

/// Fails the `at`-th step of `act`; false when there are fewer steps.
async fn crash(app: &TestApp, at: usize, act: impl Future<Output = ()>) -> Option<String> {
    app.app.db.faults().arm(at);
    act.await;
    let (steps, failed) = app.app.db.faults().disarm();
    failed.then(|| steps[at].clone())
}

/// What sweeps do now; they log what fails and go on.
async fn sweep(app: &TestApp) {
    let _ = torv::jobs::run_until_quiet(&app.app).await;
}

/// Crashes `flow` at every step, each time on a fresh subscription, and checks it after time has healed.
async fn at_every_step(
    app: &TestApp,
    name: &str,
    begin: impl AsyncFn() -> Subscribed,
    flow: impl AsyncFn(&Subscribed),
    check: impl AsyncFn(&Subscribed, &str),
) {
    let mut at = 0;
    loop {
        let subscribed = begin().await;
        let failed = crash(app, at, flow(&subscribed)).await;
        let two_in_a_row = failed.is_some() && at % 3 == 2;
        if two_in_a_row {
            crash(app, at / 2, sweep(app)).await;
        }
        app.let_time_heal().await;
        let context = format!("{name}, step {at} ({failed:?})");
        check(&subscribed, &context).await;
        if failed.is_none() {
            break;
        }
        at += 1;
    }
    assert!(at > 5, "{name} has {at} steps");
    eprintln!("{name} on {:?}: {at} steps failed, one by one", app.backend);
    app.assert_all_agrees(name).await;
}

async fn assert_renewed_once(app: &TestApp, of: &Subscribed, context: &str) {
    let orders = app.followed(of).await;
    assert_eq!(orders.len(), 1, "{context}");
    app.trace(&orders[0].id.to_string()).await.assert_sold_once(context);
    assert_eq!(app.row(of).await.period_no, 2, "{context}");
    let grants = app.grants_of(of).await;
    assert_eq!(grants[0].ends_at, Some(grants[1].starts_at), "{context}");
    assert!(app.has_access(of).await, "{context}");
}

fn euro(minor: i64) -> Value {
    json!({"minor": minor, "currency": "EUR"})
}

on_both! {
    async fn a_renewal_survives_every_crash(app) {
        at_every_step(app, "renewal", async || {
            let subscribed = app.monthly(VISA).await;
            app.settle_all().await;
            let until = app.row(&subscribed).await.period_until.0;
            app.advance(until - app.clock.now());
            subscribed
        }, async |_| sweep(app).await, async |of, context| {
            assert_renewed_once(app, of, context).await;
            // Out of the way of the next one.
            app.ask(of, "cancel").await.expect(200);
        }).await;
    }

    async fn dunning_survives_every_crash(app) {
        at_every_step(app, "dunning", async || {
            let subscribed = app.monthly(DECLINED_LATER).await;
            app.settle_all().await;
            let until = app.row(&subscribed).await.period_until.0;
            app.advance(until - app.clock.now());
            subscribed
        }, async |_| sweep(app).await, async |of, context| {
            let orders = app.followed(of).await;
            assert_eq!((orders.len(), orders[0].state), (1, OrderState::AwaitingPayment), "{context}");
            let trace = app.trace(&orders[0].id.to_string()).await;
            let declined = trace.payments.iter().filter(|payment| payment.failure_code.as_deref() == Some("card_declined")).count();
            let row = app.row(of).await;
            assert_eq!((usize::try_from(row.failed_attempts).unwrap(), row.state.as_str()), (declined, "past_due"), "{context}");
            assert_eq!(app.told(of, "subscription.payment_failed").await, declined, "{context}");
            assert!(app.has_access(of).await, "{context}");
            app.ask(of, "cancel").await.expect(200);
        }).await;
    }

    async fn the_close_of_a_month_survives_every_crash(app) {
        at_every_step(app, "month close", async || {
            let subscribed = app.metered("event", &json!({})).await;
            let at = app.clock.now().format(&time::format_description::well_known::Rfc3339).unwrap();
            let body = json!({"records": [{"key": "a", "units": 12, "occurred_at": at}]});
            let path = format!("/api/v1/subscriptions/{}/usage", subscribed.id);
            app.as_org(&subscribed.sale.provider, "POST", &path).json(&body).send().await.expect(200);
            app.ask(&subscribed, "cancel").await.expect(200);
            let until = app.row(&subscribed).await.next_action_at.unwrap().0;
            app.advance(until - app.clock.now());
            subscribed
        }, async |_| sweep(app).await, async |of, context| {
            let orders = app.followed(of).await;
            assert_eq!((orders.len(), orders[0].state, orders[0].total_minor), (1, OrderState::Completed, 100), "{context}");
            let trace = app.trace(&orders[0].id.to_string()).await;
            assert_eq!((trace.charge_lines, trace.sales.len(), trace.grants.len()), (1, 1, 0), "{context}");
            assert_eq!(app.row(of).await.state.as_str(), "cancelled", "{context}");
        }).await;
    }

    async fn an_upgrade_survives_every_crash(app) {
        let larger = async |of: &Subscribed| {
            let plan = json!({"renews": true});
            app.also_planned(&of.sale.provider, &of.sale.listing, &subscription(3_000, 1), entity::states::OfferKind::Subscription, &plan).await
        };
        at_every_step(app, "upgrade", async || {
            let subscribed = app.monthly(VISA).await;
            app.settle_all().await;
            Subscribed { sale: larger(&subscribed).await, ..subscribed }
        }, async |of| {
            let body = json!({"offer_id": of.sale.offer, "expected_total": euro(3_000), "expected_charge": euro(2_000), "licence_hash": of.sale.licence_hash});
            let path = format!("/api/v1/subscriptions/{}/upgrade", of.id);
            app.as_org(&of.buyer, "POST", &path).header("idempotency-key", "k").json(&body).send().await;
        }, async |of, context| {
            let body = json!({"offer_id": of.sale.offer, "expected_total": euro(3_000), "expected_charge": euro(2_000), "licence_hash": of.sale.licence_hash});
            let path = format!("/api/v1/subscriptions/{}/upgrade", of.id);
            app.as_org(&of.buyer, "POST", &path).header("idempotency-key", "k").json(&body).send().await;
            app.let_time_heal().await;
            let orders = app.followed(of).await;
            assert_eq!(orders.len(), 1, "{context}");
            let id = orders[0].id.to_string();
            if orders[0].state == OrderState::AwaitingPayment {
                app.pay(&of.buyer, &id, "again", VISA).await.expect(200);
                app.let_time_heal().await;
            }
            app.trace(&id).await.assert_sold_once(context);
            assert_eq!(app.row(of).await.offer_id.to_string(), of.sale.offer, "{context}");
            assert!(app.has_access(of).await, "{context}");
        }).await;
    }
}
