use serde_json::json;
use time::Duration;

use super::{order_of, with_twin};
use crate::support::{ForSale, approved, one_off};

with_twin! {
    async fn a_card_is_charged_once_and_opens_the_door(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let placed = it.app.order(&buyer, &sale, "k1", Some("pm_card_visa")).await.expect(201);
        assert_eq!(placed.str("/state"), "completed");
        let again = it.app.order(&buyer, &sale, "k1", Some("pm_card_visa")).await.expect(200);
        assert_eq!(order_of(&again), order_of(&placed));
        let intents = it.objects("payment_intent");
        assert_eq!(intents.len(), 1);
        assert_eq!(intents[0]["amount"], 10_001);
        assert_eq!(intents[0]["transfer_group"], json!(order_of(&placed)));
        it.deliver().await;
        let left = it.app.trace(&order_of(&placed)).await;
        assert_eq!((left.grants.len(), left.sales.len(), left.told("order.completed")), (1, 1, 1));
    }

    async fn a_declined_card_leaves_an_order_that_another_card_pays(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let declined = it.app.order(&buyer, &sale, "k1", Some("pm_card_visa_chargeDeclined")).await.expect(402);
        assert!(declined.text().contains("declined"), "{}", declined.text());
        let order = it.app.only_order_of(&buyer).await;
        assert_eq!(it.order_state(&buyer, &order).await, "awaiting_payment");
        it.app.pay(&buyer, &order, "k2", "pm_card_visa").await.expect(200);
        assert_eq!(it.order_state(&buyer, &order).await, "completed");
    }

    async fn a_token_that_stripe_does_not_know_is_the_buyers_to_change(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let refused = it.app.order(&buyer, &sale, "k1", Some("pm_nobody_made_this")).await.expect(422);
        assert!(refused.text().contains("/payment_method"), "{}", refused.text());
    }

    async fn a_card_that_has_to_be_confirmed_completes_the_order_once_it_is(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let placed = it.app.order(&buyer, &sale, "k1", Some("pm_card_authenticationRequired")).await.expect(201);
        assert_eq!(placed.str("/state"), "awaiting_payment");
        assert_eq!(placed.str("/payments/0/state"), "action_required");
        let intent = it.objects("payment_intent")[0]["id"].as_str().expect("an id").to_owned();
        it.world(&format!("payment_intents/{intent}/authenticate"), &json!({"outcome": "succeed"}));
        it.deliver().await;
        assert_eq!(it.order_state(&buyer, &order_of(&placed)).await, "completed");
    }

    async fn a_confirmation_whose_webhook_is_lost_is_found_by_asking(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let placed = it.app.order(&buyer, &sale, "k1", Some("pm_card_authenticationRequired")).await.expect(201);
        it.twin.set_endpoints(Vec::new());
        let intent = it.objects("payment_intent")[0]["id"].as_str().expect("an id").to_owned();
        it.world(&format!("payment_intents/{intent}/authenticate"), &json!({"outcome": "succeed"}));
        it.advance(Duration::seconds(61)).await;
        assert_eq!(it.order_state(&buyer, &order_of(&placed)).await, "completed");
    }

    async fn an_order_whose_buyer_never_confirms_can_be_cancelled_and_expires(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let placed = it.app.order(&buyer, &sale, "k1", Some("pm_card_authenticationRequired")).await.expect(201);
        it.app.decide(&buyer, &order_of(&placed), "cancel", None).await.expect(200);
        assert_eq!(it.order_state(&buyer, &order_of(&placed)).await, "cancelled");
        assert_eq!(it.objects("payment_intent")[0]["status"], "canceled");
        let placed = it.app.order(&buyer, &sale, "k2", Some("pm_card_authenticationRequired")).await.expect(201);
        it.advance(Duration::hours(49)).await;
        assert_eq!(it.order_state(&buyer, &order_of(&placed)).await, "expired");
        assert_eq!(it.objects("payment_intent").iter().filter(|one| one["status"] == "canceled").count(), 2);
    }

    async fn a_held_card_is_taken_when_the_provider_approves(it) {
        let (sale, buyer) = it.app.market(&approved(one_off(10_001))).await;
        let placed = it.app.order(&buyer, &sale, "k1", Some("pm_card_visa")).await.expect(201);
        assert_eq!(it.objects("payment_intent")[0]["status"], "requires_capture");
        it.app.decide(&sale.provider, &order_of(&placed), "approve", None).await.expect(200);
        assert_eq!(it.order_state(&buyer, &order_of(&placed)).await, "completed");
    }

    async fn a_hosted_page_takes_the_payment(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let placed = it.app.order(&buyer, &sale, "k1", None).await.expect(201);
        let path = format!("/api/v1/orders/{}/checkout", order_of(&placed));
        let body = json!({"success_url": "https://maps.example/thanks", "cancel_url": "https://maps.example/basket"});
        for _ in 0..2 {
            let answer = it.app.as_org(&buyer, "POST", &path).header("idempotency-key", "c1").json(&body).send().await;
            assert_eq!(answer.expect(200).str("/payments/0/state"), "action_required");
        }
        let sessions = it.objects("checkout.session");
        assert_eq!(sessions.len(), 1);
        let session = sessions[0]["id"].as_str().expect("an id");
        it.world(&format!("checkout/{session}/pay"), &json!({}));
        it.deliver().await;
        assert_eq!(it.order_state(&buyer, &order_of(&placed)).await, "completed");
        let left = it.app.trace(&order_of(&placed)).await;
        assert_eq!((left.grants.len(), left.sales.len(), left.told("order.completed")), (1, 1, 1));
    }

    async fn what_a_currency_allows_is_said_when_a_price_is_set_and_can_be_charged_then(it) {
        let (provider, buyer) = (it.app.provider().await, it.app.buyer().await);
        let listing = it.app.published(&provider, &json!({})).await;
        let licence = it.app.as_org(&provider, "POST", "/api/v1/licences").json(&json!({"preset": "internal_use"}));
        let licence = licence.send().await.expect(201).str("/licence/id");
        let path = format!("/api/v1/listings/{listing}/offers");
        let publish = async |minor: i64, code: &str| {
            let price = json!({"minor": minor, "currency": code});
            let body = json!({"kind": "one_off", "price": price, "licence_id": licence});
            it.app.as_org(&provider, "POST", &path).json(&body).send().await
        };
        for (minor, code) in [
            (49, "EUR"), (249, "DKK"), (49, "JPY"), (1_005, "KWD"), (5, "BHD"), (1_001, "OMR"), (17_499, "HUF"), (1_000_000, "ISK"),
        ] {
            let refused = publish(minor, code).await.expect(422).json();
            assert_eq!(refused["errors"][0]["pointer"], "/price/minor", "{minor} {code}");
            assert!(refused["errors"][0]["detail"].as_str().is_some_and(|text| text.starts_with("Nobody can be charged")), "{refused}");
        }
        // What is left of the minor units in Stripe's own: ISK and UGX have two digits more there.
        for (number, (minor, code, theirs)) in [
            (50, "EUR", 50), (50, "JPY", 50), (1_010, "KWD", 1_010), (10, "BHD", 10), (17_500, "HUF", 17_500), (999_999, "ISK", 99_999_900),
            (1, "ISK", 100), (7, "UGX", 700), (150, "TWD", 150), (99_999_999, "EUR", 99_999_999),
        ].into_iter().enumerate() {
            let made = publish(minor, code).await.expect(201);
            let sale = ForSale { provider: provider.clone(), listing: listing.clone(), offer: made.str("/id"), licence_hash: made.str("/licence/hash") };
            let placed = it.app.order(&buyer, &sale, &format!("k{number}"), Some("pm_card_visa")).await.expect(201);
            assert_eq!(placed.str("/state"), "completed", "{minor} {code}");
            let intents = it.objects("payment_intent");
            let own = intents.iter().find(|one| one["transfer_group"] == json!(order_of(&placed))).expect("charged");
            assert_eq!((&own["amount"], &own["currency"]), (&json!(theirs), &json!(code.to_lowercase())));
            it.app.as_org(&provider, "POST", &format!("/api/v1/offers/{}/withdraw", made.str("/id"))).send().await;
        }
    }

    async fn parts_with_tax_in_a_currency_of_steps_are_charged_one_after_the_other(it) {
        let plan = json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
        let price = json!({"kind": "one_off", "price": {"minor": 10_000, "currency": "KWD"}});
        let (sale, buyer) = it.app.planned(&price, entity::states::OfferKind::OneOff, &plan).await;
        for (org, vat_id) in [(&sale.provider, Some("DK13585628")), (&buyer, None)] {
            let mut profile = json!({
                "legal_name": "Data", "country": "DK", "is_business": vat_id.is_some(),
                "address": {"street": "Torvet 1", "postal_code": "8000", "city": "Aarhus"}
            });
            if let Some(id) = vat_id { profile["vat_id"] = json!(id) }
            let path = format!("/api/v1/organizations/{}/tax-profile", org.id);
            it.app.as_org(org, "PUT", &path).json(&profile).send().await.expect(200);
        }
        it.app.subscribe_to(&sale, &buyer, "pm_card_visa").await;
        it.advance(Duration::days(30)).await;
        it.advance(Duration::days(30)).await;
        let mut paid: Vec<i64> = it.objects("payment_intent").iter().filter_map(|one| one["amount"].as_i64()).collect();
        paid.sort_unstable();
        assert_eq!(paid, [4_160, 4_170, 4_170], "12.500 KWD in parts that end in 0");
    }

    async fn a_bank_transfer_says_where_to_and_completes_when_it_arrives(it) {
        let (sale, buyer) = it.app.market(&one_off(10_001)).await;
        let placed = it.app.order(&buyer, &sale, "k1", Some("bank_transfer")).await.expect(201);
        assert_eq!(placed.str("/payments/0/state"), "action_required");
        let intent = it.objects("payment_intent")[0]["id"].as_str().expect("an id").to_owned();
        it.world(&format!("payment_intents/{intent}/fund"), &json!({"amount": 6_000}));
        it.deliver().await;
        assert_eq!(it.order_state(&buyer, &order_of(&placed)).await, "awaiting_payment");
        it.world(&format!("payment_intents/{intent}/fund"), &json!({"amount": 4_001}));
        it.deliver().await;
        assert_eq!(it.order_state(&buyer, &order_of(&placed)).await, "completed");
    }
}
