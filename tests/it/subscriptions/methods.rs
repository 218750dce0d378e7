use entity::{saved_method, states::OfferKind};
use sea_orm::EntityTrait as _;
use serde_json::json;
use time::Duration;

use super::market::VISA;
use crate::support::{TestApp, on_both, one_off, subscription};

async fn kept(app: &TestApp) -> usize {
    saved_method::Entity::find().all(app.app.db.read()).await.unwrap().len()
}

on_both! {
    async fn a_token_goes_in_and_a_label_with_the_consent_comes_out(app) {
        let buyer = app.buyer().await;
        let answer = app.try_keep(&buyer, "k", VISA).await.expect(201);
        assert!(!answer.text().contains(VISA) && !answer.text().contains("kept_") && !answer.text().contains("cus_"), "{}", answer.text());
        let view = answer.json();
        assert!(view["label"].as_str().unwrap().starts_with("card ····"), "{view}");
        assert!(view["consent_text"].as_str().unwrap().contains("without asking each time"));
        assert_eq!(view["consented_at"], "2026-11-21T10:00:00Z");
        let listed = app.as_org(&buyer, "GET", "/api/v1/payment-methods").send().await.expect(200).json();
        assert_eq!(listed["items"], json!([view]));
        assert_eq!(app.audited(view["id"].as_str().unwrap()).await, ["saved_method.consent"]);
    }

    async fn a_repeated_request_keeps_one(app) {
        let buyer = app.buyer().await;
        let first = app.try_keep(&buyer, "k", VISA).await.expect(201).str("/id");
        assert_eq!(app.try_keep(&buyer, "k", VISA).await.expect(201).str("/id"), first);
        app.try_keep(&buyer, "k", "pm_card_delayed").await.expect(409);
        assert_ne!(app.try_keep(&buyer, "other", VISA).await.expect(201).str("/id"), first);
        assert_eq!(kept(app).await, 2);
    }

    async fn keeping_survives_every_crash(app) {
        let mut at = 0;
        loop {
            let buyer = app.buyer().await;
            app.app.db.faults().arm(at);
            let answer = app.try_keep(&buyer, "k", VISA).await;
            let (steps, failed) = app.app.db.faults().disarm();
            if !failed { answer.expect(201); break }
            app.try_keep(&buyer, "k", VISA).await.expect(201);
            let listed = app.as_org(&buyer, "GET", "/api/v1/payment-methods").send().await.expect(200).json();
            assert_eq!(listed["items"].as_array().unwrap().len(), 1, "step {at} ({})", steps[at]);
            at += 1;
        }
        assert!(at >= 6, "{at} steps");
    }

    async fn without_consent_or_with_a_bad_token_nothing_is_kept(app) {
        let buyer = app.buyer().await;
        let send = async |body: serde_json::Value, key: &str| {
            app.as_org(&buyer, "POST", "/api/v1/payment-methods").header("idempotency-key", key).json(&body).send().await
        };
        let refused = send(json!({"payment_method": VISA, "consent": false}), "a").await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/consent");
        let number = send(json!({"payment_method": "4242424242424242", "consent": true}), "b").await.expect(422).json();
        assert_eq!(number["errors"][0]["pointer"], "/payment_method");
        send(json!({"payment_method": "pm_unknown", "consent": true}), "c").await.expect(422);
        send(json!({"payment_method": "pm_card_declined", "consent": true}), "d").await.expect(402);
        let listed = app.as_org(&buyer, "GET", "/api/v1/payment-methods").send().await.expect(200).json();
        assert_eq!(listed["items"], json!([]));
    }

    async fn a_kept_means_pays_an_order_of_its_owner_and_of_nobody_else(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let method = app.keep_method(&buyer, VISA).await;
        let order = app.order_saved(&buyer, &sale, "k", &method).await.expect(201);
        app.settle_all().await;
        app.trace(&order.str("/id")).await.assert_sold_once("a kept means");
        let stranger = app.buyer().await;
        let refused = app.order_saved(&stranger, &sale, "k", &method).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/saved_method_id");
    }

    async fn a_means_in_use_stays_until_another_takes_over(app) {
        let subscribed = app.monthly(VISA).await;
        let buyer = &subscribed.buyer;
        let used = app.row(&subscribed).await.saved_method_id.to_string();
        let remove = async |id: &str| app.as_org(buyer, "DELETE", &format!("/api/v1/payment-methods/{id}")).send().await;
        remove(&used).await.expect(409);
        let other = app.try_keep(buyer, "other", VISA).await.expect(201).str("/id");
        let path = format!("/api/v1/subscriptions/{}/payment-method", subscribed.id);
        app.as_org(buyer, "PUT", &path).json(&json!({"saved_method_id": other})).send().await.expect(200);
        remove(&used).await.expect(204);
        remove(&used).await.expect(204);
        let stranger = app.buyer().await;
        app.as_org(&stranger, "DELETE", &format!("/api/v1/payment-methods/{other}")).send().await.expect(404);
        app.pass(Duration::days(30)).await;
        assert_eq!(app.see(&subscribed).await["period"], 2);
    }

    async fn an_offer_with_later_charges_needs_a_kept_means(app) {
        let (sale, buyer) = app.planned(&subscription(1_000, 1), OfferKind::Subscription, &json!({"renews": true})).await;
        let refused = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/saved_method_id");
        assert!(app.orders_of(&buyer).await.is_empty());
    }
}
