use entity::{
    states::{OfferKind, OrderOrigin, OrderState},
    subscription_period,
};
use sea_orm::EntityTrait as _;
use serde_json::json;
use time::Duration;

use super::market::VISA;
use crate::support::{Backend, on_both, subscription};

on_both! {
    async fn each_period_is_ordered_paid_and_granted_without_a_gap(app) {
        let subscribed = app.monthly(VISA).await;
        assert_eq!(app.state_of(&subscribed).await, "active");
        for day in 1..=95 {
            app.pass(Duration::DAY).await;
            assert!(app.has_access(&subscribed).await, "day {day}");
        }
        let orders = app.followed(&subscribed).await;
        assert_eq!(orders.len(), 3);
        assert!(orders.iter().all(|order| (order.origin, order.state, order.total_minor) == (OrderOrigin::Renewal, OrderState::Completed, 1_000)));
        let grants = app.grants_of(&subscribed).await;
        assert_eq!(grants.len(), 4);
        for pair in grants.windows(2) {
            assert_eq!(pair[0].ends_at, Some(pair[1].starts_at), "neither gap nor overlap");
        }
        for order in &orders {
            app.trace(&order.id.to_string()).await.assert_sold_once("a renewal");
        }
        app.assert_all_agrees("after three renewals").await;
    }

    async fn the_door_stays_open_while_the_next_period_is_being_charged(app) {
        let subscribed = app.monthly(VISA).await;
        app.advance(Duration::days(30) + Duration::minutes(59));
        assert!(app.has_access(&subscribed).await, "the sweep has not come by");
        app.advance(Duration::minutes(2));
        assert!(!app.has_access(&subscribed).await, "nobody swept for an hour");
        app.settle_all().await;
        assert!(app.has_access(&subscribed).await);
        app.assert_all_agrees("a late sweep").await;
    }

    async fn months_are_counted_from_the_first_day_and_not_from_short_months(app) {
        app.pass(Duration::days(71)).await; // 31 January 2027
        let subscribed = app.monthly(VISA).await;
        let mut ends = Vec::new();
        for _ in 0..4 {
            ends.push(app.see(&subscribed).await["period_until"].as_str().unwrap()[..10].to_owned());
            app.pass(Duration::days(31)).await;
        }
        assert_eq!(ends, ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]);
    }

    async fn a_cancelled_one_ends_with_what_was_paid_and_can_be_kept_before(app) {
        let subscribed = app.monthly(VISA).await;
        app.pass(Duration::days(10)).await;
        assert_eq!(app.ask(&subscribed, "cancel").await.expect(200).json()["cancel_at_period_end"], true);
        app.ask(&subscribed, "keep").await.expect(200);
        app.pass(Duration::days(20)).await;
        assert_eq!(app.see(&subscribed).await["period"], 2, "kept");
        app.ask(&subscribed, "cancel").await.expect(200);
        app.ask(&subscribed, "cancel").await.expect(200);
        app.pass(Duration::days(30)).await;
        assert!(app.has_access(&subscribed).await, "the last day is paid");
        app.pass(Duration::days(1)).await;
        assert_eq!(app.state_of(&subscribed).await, "cancelled");
        assert!(!app.has_access(&subscribed).await);
        app.ask(&subscribed, "keep").await.expect(409);
        assert_eq!(app.followed(&subscribed).await.len(), 1);
        app.assert_all_agrees("cancelled").await;
    }

    async fn a_provider_gives_notice_for_the_end_of_the_period(app) {
        let subscribed = app.monthly(VISA).await;
        let path = format!("/api/v1/subscriptions/{}/end", subscribed.id);
        let end = async |org| app.as_org(org, "POST", &path).json(&json!({"note": "The sensors go."})).send().await;
        end(&subscribed.buyer).await.expect(404);
        let other = app.provider().await;
        end(&other).await.expect(404);
        end(&subscribed.sale.provider).await.expect(200);
        app.ask(&subscribed, "keep").await.expect(409);
        assert!(app.has_access(&subscribed).await);
        app.pass(Duration::days(31)).await;
        assert_eq!(app.see(&subscribed).await["end_reason"], "ended by the provider");
        assert!(app.followed(&subscribed).await.is_empty());
    }

    async fn a_trial_costs_nothing_and_then_the_first_charge_comes(app) {
        let plan = json!({"renews": true, "trial_days": 14});
        let subscribed = app.subscribe(&subscription(1_000, 1), OfferKind::Subscription, &plan, VISA).await;
        assert_eq!(app.state_of(&subscribed).await, "trialing");
        assert_eq!(app.see_order(&subscribed.buyer, &subscribed.order).await["total"]["minor"], 0);
        app.pass(Duration::days(13)).await;
        assert!(app.followed(&subscribed).await.is_empty() && app.has_access(&subscribed).await);
        app.pass(Duration::days(1)).await;
        assert_eq!(app.state_of(&subscribed).await, "active");
        assert_eq!(app.followed(&subscribed).await[0].total_minor, 1_000);
        assert!(app.has_access(&subscribed).await);
        assert_eq!(app.see(&subscribed).await["period_until"], "2027-01-05T10:00:00Z");
        app.assert_all_agrees("after a trial").await;
    }

    async fn a_trial_that_is_cancelled_costs_nothing_and_there_is_one_per_listing(app) {
        let plan = json!({"renews": true, "trial_days": 14});
        let subscribed = app.subscribe(&subscription(1_000, 1), OfferKind::Subscription, &plan, VISA).await;
        app.ask(&subscribed, "cancel").await.expect(200);
        app.pass(Duration::days(15)).await;
        assert_eq!(app.state_of(&subscribed).await, "cancelled");
        assert!(app.followed(&subscribed).await.is_empty() && !app.has_access(&subscribed).await);
        let method = app.row(&subscribed).await.saved_method_id.to_string();
        let again = app.order_saved(&subscribed.buyer, &subscribed.sale, "again", &method).await.expect(201).json();
        assert_eq!(again["total"]["minor"], 1_000, "no second trial");
        app.assert_all_agrees("after a cancelled trial").await;
    }

    async fn racing_trials_of_one_listing_are_one(app) {
        let plan = json!({"renews": true, "trial_days": 14});
        let (sale, buyer) = app.planned(&subscription(1_000, 1), OfferKind::Subscription, &plan).await;
        let method = app.keep_method(&buyer, VISA).await;
        let keys: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
        let answers = futures::future::join_all(keys.iter().map(|key| app.order_saved(&buyer, &sale, key, &method))).await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)), "{answers:?}");
        app.settle_all().await;
        let trials = app.subscriptions_of(&buyer).await;
        assert_eq!(trials.iter().filter(|one| one["state"] == "trialing").count(), 1);
    }

    async fn two_processes_that_sweep_at_once_place_one_order(app) {
        if app.backend == Backend::Sqlite { return }
        let mut subscribed = Vec::new();
        for _ in 0..6 { subscribed.push(app.monthly(VISA).await) }
        let sibling = app.sibling().await;
        app.advance(Duration::days(30));
        let sweep = async |app| torv::trade::subscriptions::advance_due(app).await;
        let (ours, theirs, third) = tokio::join!(sweep(&app.app), sweep(&sibling.app), sweep(&app.app));
        assert!(ours.unwrap() + theirs.unwrap() + third.unwrap() >= 6);
        app.let_time_heal().await;
        for one in &subscribed {
            let orders = app.followed(one).await;
            assert_eq!(orders.len(), 1);
            app.trace(&orders[0].id.to_string()).await.assert_sold_once("two sweeps");
        }
        let periods = subscription_period::Entity::find().all(app.app.db.read()).await.unwrap();
        assert_eq!(periods.len(), 12);
        app.assert_all_agrees("two sweeps").await;
    }

    async fn only_the_parties_see_a_subscription(app) {
        let subscribed = app.monthly(VISA).await;
        let path = format!("/api/v1/subscriptions/{}", subscribed.id);
        app.as_org(&app.buyer().await, "GET", &path).send().await.expect(404);
        let seen = app.as_org(&subscribed.sale.provider, "GET", &path).send().await.expect(200).json();
        assert!(seen.get("saved_method_id").is_none(), "that is the buyer's own affair");
        assert_eq!(seen["periods"].as_array().unwrap().len(), 1);
        let listed = app.as_org(&subscribed.sale.provider, "GET", "/api/v1/subscriptions?side=provider").send().await.expect(200);
        assert_eq!(listed.str("/items/0/id"), subscribed.id);
        let order = app.order_saved(&subscribed.buyer, &subscribed.sale, "begin", "pmt_00000000000000000000000000000000").await;
        order.expect(422);
    }
}
