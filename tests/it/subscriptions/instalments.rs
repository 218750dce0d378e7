use entity::states::{GrantState, OfferKind, OrderOrigin, OrderState, SubscriptionState};
use serde_json::{Value, json};
use time::Duration;

use super::market::{DECLINED_LATER, VISA};
use crate::support::{on_both, one_off};

fn thirds() -> Value {
    json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]})
}

on_both! {
    async fn a_price_in_parts_is_paid_by_the_schedule_to_the_cent(app) {
        let subscribed = app.subscribe(&one_off(10_001), OfferKind::OneOff, &thirds(), VISA).await;
        assert!(app.has_access(&subscribed).await, "from the first part on");
        let first = app.see_order(&subscribed.buyer, &subscribed.order).await["total"]["minor"].as_i64().unwrap();
        app.pass(Duration::days(30)).await;
        app.ask(&subscribed, "cancel").await.expect(409);
        app.ask(&subscribed, "pause").await.expect(409);
        app.pass(Duration::days(30)).await;
        let orders = app.followed(&subscribed).await;
        assert!(orders.iter().all(|order| (order.origin, order.state) == (OrderOrigin::Instalment, OrderState::Completed)));
        let later: Vec<i64> = orders.iter().map(|order| order.total_minor).collect();
        assert_eq!((first, later.as_slice(), first + later.iter().sum::<i64>()), (3_335, [3_333, 3_333].as_slice(), 10_001));
        let seen = app.see(&subscribed).await;
        assert_eq!((&seen["state"], &seen["end_reason"]), (&json!("ended"), &json!("all parts are paid")));
        assert!(app.has_access(&subscribed).await, "what is paid stays");
        assert_eq!(app.grants_of(&subscribed).await.len(), 1, "one grant for all parts");
        app.pass(Duration::days(90)).await;
        assert_eq!(app.followed(&subscribed).await.len(), 2);
        app.assert_all_agrees("paid in parts").await;
    }

    async fn a_coupon_over_all_of_it_leaves_no_parts(app) {
        let (sale, buyer) = app.planned(&one_off(10_001), OfferKind::OneOff, &thirds()).await;
        let coupon = json!({"code": "ALL-OF-IT-26", "percent_bps": 10_000});
        app.as_org(&sale.provider, "POST", "/api/v1/coupons").json(&coupon).send().await.expect(201);
        let mut body = sale.order_in(None);
        (body["saved_method_id"], body["coupon"]) = (json!(app.keep_method(&buyer, VISA).await), json!("ALL-OF-IT-26"));
        let order = app.order_with(&buyer, "k", &body).await.expect(201).json();
        assert_eq!((&order["state"], &order["total"]["minor"]), (&json!("completed"), &json!(0)));
        app.pass(Duration::days(100)).await;
        assert_eq!((app.orders_of(&buyer).await.len(), app.subscriptions_of(&buyer).await.len()), (1, 0));
        app.assert_all_agrees("nothing to pay").await;
    }

    async fn a_missed_part_suspends_access_until_it_is_paid(app) {
        let subscribed = app.subscribe(&one_off(10_001), OfferKind::OneOff, &thirds(), DECLINED_LATER).await;
        app.pass(Duration::days(30)).await;
        for day in 0..7 {
            assert!(app.has_access(&subscribed).await, "grace on day {day}");
            app.pass(Duration::DAY).await;
        }
        assert!(!app.has_access(&subscribed).await);
        assert_eq!(app.grants_of(&subscribed).await[0].state, GrantState::Suspended);
        app.pass(Duration::days(20)).await;
        let order = app.see(&subscribed).await["due_order_id"].as_str().unwrap().to_owned();
        app.pay(&subscribed.buyer, &order, "at-last", VISA).await.expect(200);
        assert!(app.has_access(&subscribed).await, "opened by the payment");
        assert_eq!(app.told(&subscribed, "grant.suspended").await, 1);
        assert_eq!(app.told(&subscribed, "grant.resumed").await, 1);
        app.assert_all_agrees("paid late").await;
        app.pass(Duration::days(3)).await;
        assert_eq!(app.state_of(&subscribed).await, "past_due", "the last part is due by now");
        app.assert_all_agrees("the next part").await;
    }

    async fn a_part_that_nobody_ever_pays_ends_access_for_good(app) {
        let subscribed = app.subscribe(&one_off(10_001), OfferKind::OneOff, &thirds(), DECLINED_LATER).await;
        for days in [30, 1, 2, 4, 100, 270] { app.pass(Duration::days(days)).await }
        assert_eq!(app.row(&subscribed).await.state, SubscriptionState::Ended);
        assert_eq!(app.followed(&subscribed).await[0].state, OrderState::Expired);
        assert_eq!(app.grants_of(&subscribed).await[0].state, GrantState::Ended);
        app.assert_all_agrees("never paid").await;
    }
}
