//! An order for a bundle with a coupon fails at every step, once each, and comes right again.

use entity::states::{OrderState, PaymentState};
use serde_json::json;

use super::{VISA, assert_verified, bundles::accepted, order_in};
use crate::support::{Answer, Delivery, TestApp, on_both};

/// Does `act` with its `at`-th step failing; true when there was one.
async fn crash(app: &TestApp, at: usize, act: impl Future<Output = Answer>) -> Option<String> {
    app.app.db.faults().arm(at);
    act.await;
    let (steps, failed) = app.app.db.faults().disarm();
    failed.then(|| format!("step {at} ({})", steps[at]))
}

on_both! {
    async fn a_bundle_with_a_coupon_survives_a_crash_at_every_commit(app) {
        let mut at = 0;
        for healed_by in ["repeating", "webhooks", "time"].iter().cycle() {
            let bundle = accepted(app, 10_001).await;
            let buyer = app.buyer().await;
            let coupon = json!({"code": "ONCE-2026", "percent_bps": 1_000, "redemptions_max": 1});
            app.as_org(&bundle.providers[0], "POST", "/api/v1/coupons").json(&coupon).send().await.expect(201);
            let body = order_in(&bundle.sale, VISA, &json!({"coupon": "ONCE-2026"}));
            let place = async || app.order_with(&buyer, "k", &body).await;
            let Some(context) = crash(app, at, place()).await else { break };
            match *healed_by {
                "webhooks" => { app.deliver_webhooks(Delivery::Shuffled { seed: 7, copies: 3 }).await; }
                "time" => app.let_time_heal().await,
                _ => {}
            }
            place().await;
            app.let_time_heal().await;
            let id = app.only_order_of(&buyer).await;
            if app.trace(&id).await.order.state == OrderState::AwaitingPayment {
                app.pay(&buyer, &id, "another", "pm_card_visa").await.expect(200);
                app.let_time_heal().await;
            }
            let trace = app.trace(&id).await;
            let taken = trace.payments.iter().filter(|payment| payment.state == PaymentState::Succeeded).count();
            let found = (trace.order.state, trace.order.total_minor, taken, trace.charge_lines, trace.sales.len(), trace.grants.len(), trace.told("order.completed"));
            assert_eq!(found, (OrderState::Completed, 9_501, 1, 1, 1, 3, 1), "{context}, healed by {healed_by}: {trace:?}");
            assert_verified(app).await;
            at += 1;
            assert!(at < 1_000, "there is no end");
        }
        assert!(at > 3, "only {at} steps");
        eprintln!("bundle with a coupon on {:?}: {at} steps failed, one by one", app.backend);
    }

    async fn closing_an_order_gives_its_coupon_back_once_whatever_crashes(app) {
        let mut at = 0;
        loop {
            let bundle = accepted(app, 10_001).await;
            let buyer = app.buyer().await;
            let coupon = json!({"code": "ONCE-2026", "percent_bps": 1_000, "redemptions_max": 1});
            app.as_org(&bundle.providers[0], "POST", "/api/v1/coupons").json(&coupon).send().await.expect(201);
            let body = order_in(&bundle.sale, None, &json!({"coupon": "ONCE-2026"}));
            let id = app.order_with(&buyer, "k", &body).await.expect(201).str("/id");
            let cancel = async || app.decide(&buyer, &id, "cancel", None).await;
            let Some(context) = crash(app, at, cancel()).await else { break };
            cancel().await;
            app.trace(&id).await.assert_not_sold(OrderState::Cancelled, &context);
            assert_verified(app).await;
            app.order_with(&buyer, "again", &body).await.expect(201);
            at += 1;
        }
        assert!(at > 0, "no step");
    }
}
