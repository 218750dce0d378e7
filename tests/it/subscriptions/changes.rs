use entity::states::{GrantState, OfferKind, OrderOrigin, OrderState};
use serde_json::{Value, json};
use time::Duration;

use super::market::{Subscribed, VISA};
use crate::support::{Answer, ForSale, TestApp, on_both, subscription};

/// A dearer, or cheaper, monthly offer of the same listing.
async fn sibling(app: &TestApp, of: &Subscribed, minor: i64) -> ForSale {
    let (provider, listing) = (&of.sale.provider, &of.sale.listing);
    app.also_planned(provider, listing, &subscription(minor, 1), OfferKind::Subscription, &json!({"renews": true}))
        .await
}

fn euro(minor: i64) -> Value {
    json!({"minor": minor, "currency": "EUR"})
}

async fn consent(app: &TestApp, of: &Subscribed, sale: &ForSale, minor: i64) -> Answer {
    let body = json!({"offer_id": sale.offer, "expected_total": euro(minor), "licence_hash": sale.licence_hash});
    app.as_org(&of.buyer, "POST", &format!("/api/v1/subscriptions/{}/consent", of.id)).json(&body).send().await
}

async fn preview(app: &TestApp, of: &Subscribed, sale: &ForSale) -> Value {
    let path = format!("/api/v1/subscriptions/{}/change?offer_id={}", of.id, sale.offer);
    app.as_org(&of.buyer, "GET", &path).send().await.expect(200).json()
}

async fn upgrade(app: &TestApp, of: &Subscribed, sale: &ForSale, key: &str, (total, charge): (i64, i64)) -> Answer {
    let body = json!({"offer_id": sale.offer, "expected_total": euro(total), "expected_charge": euro(charge), "licence_hash": sale.licence_hash});
    let path = format!("/api/v1/subscriptions/{}/upgrade", of.id);
    app.as_org(&of.buyer, "POST", &path).header("idempotency-key", key).json(&body).send().await
}

async fn withdraw(app: &TestApp, sale: &ForSale) {
    let path = format!("/api/v1/offers/{}/withdraw", sale.offer);
    app.as_org(&sale.provider, "POST", &path).send().await.expect(200);
}

on_both! {
    async fn a_withdrawn_offer_needs_consent_and_without_it_nothing_is_charged(app) {
        let subscribed = app.monthly(VISA).await;
        let dearer = sibling(app, &subscribed, 1_500).await;
        withdraw(app, &subscribed.sale).await;
        app.pass(Duration::days(23)).await;
        assert_eq!(app.state_of(&subscribed).await, "awaiting_consent", "a week before the end");
        assert_eq!(app.told(&subscribed, "subscription.consent_needed").await, 1);
        app.pass(Duration::days(6)).await;
        assert!(app.has_access(&subscribed).await);
        app.pass(Duration::days(1)).await;
        assert_eq!(app.state_of(&subscribed).await, "ended");
        assert!(!app.has_access(&subscribed).await);
        assert!(app.followed(&subscribed).await.is_empty());
        consent(app, &subscribed, &dearer, 1_500).await.expect(409);
        app.assert_all_agrees("no consent").await;
    }

    async fn with_consent_the_new_price_holds_from_the_next_period(app) {
        let subscribed = app.monthly(VISA).await;
        let dearer = sibling(app, &subscribed, 1_500).await;
        withdraw(app, &subscribed.sale).await;
        app.pass(Duration::days(25)).await;
        consent(app, &subscribed, &dearer, 1_000).await.expect(409);
        let wrong = ForSale { licence_hash: "0".repeat(64), ..dearer.clone() };
        consent(app, &subscribed, &wrong, 1_500).await.expect(409);
        let stranger = Subscribed { buyer: app.buyer().await, ..subscribed.clone() };
        consent(app, &stranger, &dearer, 1_500).await.expect(404);
        assert_eq!(consent(app, &subscribed, &dearer, 1_500).await.expect(200).str("/state"), "active");
        app.pass(Duration::days(5)).await;
        let orders = app.followed(&subscribed).await;
        assert_eq!((orders.len(), orders[0].total_minor), (1, 1_500));
        assert!(app.has_access(&subscribed).await);
        let seen = app.see(&subscribed).await;
        assert_eq!((seen["offer_id"].as_str().unwrap(), seen.get("next_offer_id")), (dearer.offer.as_str(), None));
        app.assert_all_agrees("consented").await;
    }

    async fn an_offer_withdrawn_on_the_last_day_is_not_charged(app) {
        let subscribed = app.monthly(VISA).await;
        app.pass(Duration::days(29) + Duration::hours(23)).await;
        withdraw(app, &subscribed.sale).await;
        app.pass(Duration::hours(1)).await;
        assert_eq!(app.state_of(&subscribed).await, "ended");
        assert!(app.followed(&subscribed).await.is_empty());
    }

    async fn an_upgrade_costs_the_rest_less_what_is_unused_and_swaps_the_grants(app) {
        let subscribed = app.monthly(VISA).await;
        let larger = sibling(app, &subscribed, 3_000).await;
        app.pass(Duration::days(15)).await;
        let cost = preview(app, &subscribed, &larger).await;
        assert_eq!([&cost["rest"]["minor"], &cost["unused"]["minor"], &cost["charge"]["minor"]], [1_500, 500, 1_000]);
        upgrade(app, &subscribed, &larger, "low", (3_000, 999)).await.expect(409);
        let done = upgrade(app, &subscribed, &larger, "k", (3_000, 1_000)).await.expect(200).json();
        assert_eq!((done["offer_id"].as_str().unwrap(), &done["period"]), (larger.offer.as_str(), &json!(1)));
        upgrade(app, &subscribed, &larger, "k", (3_000, 1_000)).await.expect(200);
        app.settle_all().await;
        let orders = app.followed(&subscribed).await;
        assert_eq!((orders.len(), orders[0].origin, orders[0].total_minor), (1, OrderOrigin::Upgrade, 1_000));
        let grants = app.grants_of(&subscribed).await;
        assert_eq!((grants.len(), grants[0].state, grants[0].ends_at), (2, GrantState::Ended, Some(grants[1].starts_at)));
        assert!(app.has_access(&subscribed).await);
        app.assert_all_agrees("upgraded").await;

        // A second one knows what the first was paid for.
        let largest = sibling(app, &subscribed, 6_000).await;
        let cost = preview(app, &subscribed, &largest).await;
        assert_eq!([&cost["rest"]["minor"], &cost["unused"]["minor"], &cost["charge"]["minor"]], [3_000, 1_500, 1_500]);
        upgrade(app, &subscribed, &largest, "again", (6_000, 1_500)).await.expect(200);
        app.pass(Duration::days(15)).await;
        let orders = app.followed(&subscribed).await;
        assert_eq!((orders.len(), orders[2].origin, orders[2].total_minor), (3, OrderOrigin::Renewal, 6_000), "the next period whole");
        assert!(app.has_access(&subscribed).await);
        app.assert_all_agrees("upgraded twice and renewed").await;
    }

    async fn a_cheaper_offer_begins_with_the_next_period(app) {
        let subscribed = app.monthly(VISA).await;
        let smaller = sibling(app, &subscribed, 400).await;
        upgrade(app, &subscribed, &smaller, "now", (400, 0)).await.expect(409);
        consent(app, &subscribed, &smaller, 400).await.expect(200);
        let path = format!("/api/v1/subscriptions/{}/change", subscribed.id);
        app.as_org(&subscribed.buyer, "DELETE", &path).send().await.expect(200);
        consent(app, &subscribed, &smaller, 400).await.expect(200);
        assert_eq!(app.see(&subscribed).await["next_price"]["minor"], 400);
        app.pass(Duration::days(30)).await;
        assert_eq!(app.followed(&subscribed).await[0].total_minor, 400);
        assert_eq!(app.see(&subscribed).await["price"]["minor"], 400);
        app.assert_all_agrees("downgraded").await;
    }

    async fn an_unpaid_upgrade_changes_nothing(app) {
        let subscribed = app.monthly(VISA).await;
        let larger = sibling(app, &subscribed, 3_000).await;
        let method = app.keep_method(&subscribed.buyer, "pm_card_delayed_decline").await;
        let path = format!("/api/v1/subscriptions/{}/payment-method", subscribed.id);
        app.as_org(&subscribed.buyer, "PUT", &path).json(&json!({"saved_method_id": method})).send().await.expect(200);
        app.pass(Duration::days(15)).await;
        upgrade(app, &subscribed, &larger, "k", (3_000, 1_000)).await.expect(200);
        upgrade(app, &subscribed, &larger, "other", (3_000, 1_000)).await.expect(409);
        app.pass(Duration::seconds(61)).await;
        assert_eq!(app.see(&subscribed).await["offer_id"], json!(subscribed.sale.offer));
        app.pass(Duration::minutes(61)).await;
        assert_eq!(app.followed(&subscribed).await[0].state, OrderState::Expired);
        assert!(app.has_access(&subscribed).await);
        app.assert_all_agrees("unpaid upgrade").await;
    }

    async fn a_paused_one_closes_with_the_period_and_begins_anew_when_resumed(app) {
        let subscribed = app.monthly(VISA).await;
        app.ask(&subscribed, "pause").await.expect(200);
        app.ask(&subscribed, "resume").await.expect(200);
        app.ask(&subscribed, "pause").await.expect(200);
        app.pass(Duration::days(29)).await;
        assert!(app.has_access(&subscribed).await);
        app.pass(Duration::days(2)).await;
        assert_eq!((app.state_of(&subscribed).await.as_str(), app.has_access(&subscribed).await), ("paused", false));
        app.pass(Duration::days(50)).await;
        assert!(app.followed(&subscribed).await.is_empty());
        app.ask(&subscribed, "resume").await.expect(200);
        app.settle_all().await;
        let seen = app.see(&subscribed).await;
        assert_eq!((seen["state"].as_str().unwrap(), seen["period_from"].as_str().unwrap()), ("active", "2027-02-10T10:00:00Z"));
        assert!(app.has_access(&subscribed).await);
        app.pass(Duration::days(28)).await;
        assert_eq!(app.see(&subscribed).await["period_from"], "2027-03-10T10:00:00Z");
        app.assert_all_agrees("paused and resumed").await;
        app.ask(&subscribed, "pause").await.expect(200);
        app.pass(Duration::days(31)).await;
        app.ask(&subscribed, "cancel").await.expect(200);
        assert_eq!(app.state_of(&subscribed).await, "cancelled", "there is nothing left to use");
    }
}
