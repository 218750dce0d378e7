use entity::states::{OrderState, PaymentState};
use serde_json::json;
use time::Duration;

use super::market::{DECLINED_LATER, Subscribed, VISA};
use crate::support::{TestApp, on_both};

async fn another_method(app: &TestApp, of: &Subscribed, token: &str) {
    let method = app.keep_method(&of.buyer, token).await;
    let path = format!("/api/v1/subscriptions/{}/payment-method", of.id);
    app.as_org(&of.buyer, "PUT", &path).json(&json!({"saved_method_id": method})).send().await.expect(200);
}

async fn attempts(app: &TestApp, of: &Subscribed) -> Vec<PaymentState> {
    let order = app.followed(of).await[0].id.to_string();
    let mut payments = app.trace(&order).await.payments;
    payments.sort_by_key(|payment| payment.attempt);
    assert!(payments.iter().all(|payment| payment.off_session));
    payments.into_iter().map(|payment| payment.state).collect()
}

on_both! {
    async fn a_declined_renewal_is_tried_by_the_schedule_with_access_and_then_ends(app) {
        let subscribed = app.monthly(DECLINED_LATER).await;
        app.pass(Duration::days(30)).await;
        let mut tried = vec![attempts(app, &subscribed).await.len()];
        assert_eq!(app.state_of(&subscribed).await, "past_due");
        for day in 1..=7 {
            assert!(app.has_access(&subscribed).await, "grace on day {day}");
            app.pass(Duration::DAY).await;
            tried.push(attempts(app, &subscribed).await.len());
        }
        assert_eq!(tried, [1, 2, 2, 3, 3, 3, 3, 4], "on days 0, 1, 3 and 7");
        assert_eq!(app.state_of(&subscribed).await, "ended");
        assert!(!app.has_access(&subscribed).await);
        let orders = app.followed(&subscribed).await;
        assert_eq!((orders.len(), orders[0].state), (1, OrderState::Expired));
        assert_eq!(attempts(app, &subscribed).await, [PaymentState::Failed; 4]);
        assert_eq!((app.told(&subscribed, "subscription.payment_failed").await, app.told(&subscribed, "subscription.ended").await), (3, 1));
        app.pass(Duration::days(60)).await;
        assert_eq!(app.followed(&subscribed).await.len(), 1, "nothing more is charged");
        app.assert_all_agrees("ended unpaid").await;
    }

    async fn a_payment_at_any_time_heals_it(app) {
        for days in [0, 2, 6] {
            let subscribed = app.monthly(DECLINED_LATER).await;
            app.pass(Duration::days(30)).await;
            app.pass(Duration::days(days)).await;
            assert_eq!(app.state_of(&subscribed).await, "past_due");
            let order = app.followed(&subscribed).await[0].id.to_string();
            app.pay(&subscribed.buyer, &order, "by-hand", VISA).await.expect(200);
            app.settle_all().await;
            assert_eq!(app.state_of(&subscribed).await, "active");
            app.trace(&order).await.assert_sold_once("paid by hand");
            let grants = app.grants_of(&subscribed).await;
            assert_eq!(grants[0].ends_at, Some(grants[1].starts_at), "days {days}: the period keeps its dates");
            assert!(app.has_access(&subscribed).await);
            assert_eq!(app.told(&subscribed, "subscription.recovered").await, 1);
        }
        app.assert_all_agrees("healed").await;
    }

    async fn another_means_is_charged_at_once(app) {
        let subscribed = app.monthly(DECLINED_LATER).await;
        app.pass(Duration::days(31)).await;
        another_method(app, &subscribed, VISA).await;
        app.settle_all().await;
        assert_eq!((app.state_of(&subscribed).await.as_str(), app.see(&subscribed).await["period"].clone()), ("active", json!(2)));
        app.pass(Duration::days(31)).await;
        assert_eq!(app.see(&subscribed).await["period"], 3, "and from then on");
        app.assert_all_agrees("another means").await;
    }

    async fn a_bank_that_wants_to_hear_from_the_buyer_is_told_of(app) {
        let subscribed = app.monthly("pm_card_authentication_required").await;
        app.pass(Duration::days(30)).await;
        let news = app.news(&subscribed.id).await;
        let failed = news.iter().find(|(kind, _)| kind == "subscription.payment_failed").unwrap();
        assert_eq!(failed.1["code"], "authentication_required");
        assert_eq!(failed.1["next_try_at"], "2026-12-22T10:00:00Z");
        let order = app.see(&subscribed).await["due_order_id"].as_str().unwrap().to_owned();
        app.pay(&subscribed.buyer, &order, "confirmed", "pm_card_authentication_required").await.expect(200);
        assert_eq!(app.state_of(&subscribed).await, "active");
    }

    async fn a_slow_bank_is_waited_for(app) {
        for (token, state, period) in [("pm_card_delayed", "active", 2), ("pm_card_delayed_decline", "past_due", 1)] {
            let subscribed = app.monthly(VISA).await;
            another_method(app, &subscribed, token).await;
            app.pass(app.row(&subscribed).await.period_until.0 - app.clock.now()).await;
            assert_eq!(app.see(&subscribed).await["period"], 1, "the bank takes its time");
            assert!(app.has_access(&subscribed).await);
            app.pass(Duration::seconds(61)).await;
            app.pass(Duration::seconds(61)).await;
            let seen = app.see(&subscribed).await;
            assert_eq!((seen["state"].as_str().unwrap(), &seen["period"]), (state, &json!(period)), "{token}");
        }
        app.assert_all_agrees("slow banks").await;
    }

    async fn a_processor_that_was_never_reached_is_no_decline(app) {
        let subscribed = app.monthly(VISA).await;
        app.advance(Duration::days(30));
        app.app.db.faults().arm(usize::MAX);
        torv::trade::subscriptions::advance_due(&app.app).await.unwrap();
        let (steps, _) = app.app.db.faults().disarm();
        let before = steps.iter().position(|step| step == "payments.charge: before the call").unwrap();
        let other = app.monthly(VISA).await;
        app.advance(Duration::days(30));
        app.app.db.faults().arm(before);
        torv::trade::subscriptions::advance_due(&app.app).await.unwrap();
        assert!(app.app.db.faults().disarm().1);
        app.let_time_heal().await;
        for one in [&subscribed, &other] {
            assert_eq!(app.state_of(one).await, "active");
            assert_eq!(app.told(one, "subscription.payment_failed").await, 0);
        }
        app.assert_all_agrees("never reached").await;
    }

    async fn cancelling_with_a_payment_overdue_ends_it_at_once(app) {
        let subscribed = app.monthly(DECLINED_LATER).await;
        app.pass(Duration::days(32)).await;
        let order = app.followed(&subscribed).await[0].id.to_string();
        app.decide(&subscribed.buyer, &order, "cancel", None).await.expect(409);
        app.ask(&subscribed, "cancel").await.expect(200);
        assert_eq!(app.state_of(&subscribed).await, "cancelled");
        assert!(!app.has_access(&subscribed).await);
        assert_eq!(app.followed(&subscribed).await[0].state, OrderState::Cancelled);
        app.pay(&subscribed.buyer, &order, "late", VISA).await.expect(409);
        app.assert_all_agrees("cancelled while overdue").await;
    }
}
