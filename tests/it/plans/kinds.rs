//! Quota packs, meters, trials, instalments, purchase orders and bank transfers.

use entity::states::OrderState;
use serde_json::{Value, json};
use time::Duration;

use super::{VISA, assert_sums, assert_verified, licence, minor, order_in, pointers, problem, publish, quote, with};
use crate::support::{Answer, ForSale, TestApp, TestOrg, approved, on_both, one_off, subscription};

fn pack(price: i64, volume: &Value) -> Value {
    let conditions = json!({"kind": "quota_pack", "price": {"minor": price, "currency": "EUR"}});
    with(conditions, "plan", json!({"quota": {"unit": "request", "units": 1_000}, "volume": volume}))
}

fn metered() -> Value {
    let tiers =
        json!([{"up_to_units": 10_000, "price_minor": 5, "per_units": 10}, {"price_minor": 2, "per_units": 10}]);
    let meter = json!({"unit": "row", "included_units": 1_000, "tiers": tiers, "cap_minor": 50_000});
    json!({"kind": "metered", "price": {"minor": 0, "currency": "DKK"}, "plan": {"meter": meter}})
}

async fn order(app: &TestApp, buyer: &TestOrg, sale: &ForSale, key: &str, method: Option<&str>, more: Value) -> Answer {
    app.order_with(buyer, key, &order_in(sale, method, &more)).await
}

/// What an order carries that later charges follow from.
async fn kept(app: &TestApp, buyer: &TestOrg) -> Value {
    let body = json!({"payment_method": "pm_card_visa", "consent": true});
    let request = app.as_org(buyer, "POST", "/api/v1/payment-methods").header("idempotency-key", "keep");
    json!({"saved_method_id": request.json(&body).send().await.expect(201).str("/id")})
}

on_both! {
    async fn packs_are_bought_by_the_dozen_with_a_reduction(app) {
        let steps = json!([{"from_quantity": 10, "off_bps": 1_000}, {"from_quantity": 100, "off_bps": 2_500}]);
        let (sale, buyer) = app.market(&pack(333, &steps)).await;
        for (quantity, total) in [(1, 333), (9, 2_997), (10, 2_997), (100, 24_975)] {
            let body = json!({"offer_id": sale.offer, "quantity": quantity});
            let quoted = quote(app, &buyer, &body).await.expect(200).json();
            assert_eq!(minor(&quoted, "/total"), total, "{quantity}");
            assert_sums(&quoted);
            let more = json!({"quantity": quantity, "expected_total": quoted["total"]});
            let placed = order(app, &buyer, &sale, &quantity.to_string(), VISA, more).await.expect(201).json();
            assert_eq!((&placed["state"], &placed["lines"][0]["quantity"]), (&json!("completed"), &json!(quantity)));
            assert_eq!(minor(&placed, "/lines/0/discount"), 333 * quantity - total);
            for field in ["total", "provider_share", "operator_share"] {
                assert_eq!(placed[field], quoted[field], "{field} of {quantity}");
            }
        }
        for quantity in [0, -1, 100_001] {
            let refused = quote(app, &buyer, &json!({"offer_id": sale.offer, "quantity": quantity})).await.expect(422);
            assert_eq!(pointers(&refused), ["/quantity"]);
        }
        assert_verified(app).await;
    }

    async fn what_has_no_quantity_is_bought_once(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let refused = order(app, &buyer, &sale, "k", VISA, json!({"quantity": 2})).await.expect(422);
        assert_eq!(pointers(&refused), ["/quantity"]);
        assert!(app.orders_of(&buyer).await.is_empty());
    }

    async fn an_order_never_costs_other_than_expected(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        for wrong in [json!({"minor": 499, "currency": "EUR"}), json!({"minor": 500, "currency": "DKK"})] {
            let refused = order(app, &buyer, &sale, "k", VISA, json!({"expected_total": wrong})).await.expect(409);
            assert_eq!(problem(&refused), "price-changed");
        }
        assert!(app.orders_of(&buyer).await.is_empty());
        order(app, &buyer, &sale, "k", VISA, json!({"expected_total": {"minor": 500, "currency": "EUR"}})).await.expect(201);
    }

    async fn a_metered_offer_costs_nothing_to_begin_and_tells_what_a_month_may_cost(app) {
        let (sale, buyer) = app.market(&metered()).await;
        let quoted = quote(app, &buyer, &json!({"offer_id": sale.offer, "expected_units": 21_000})).await.expect(200).json();
        assert_eq!(minor(&quoted, "/total"), 0);
        assert_eq!([minor(&quoted, "/forecast/low"), minor(&quoted, "/forecast/expected"), minor(&quoted, "/forecast/high")], [4_750, 7_000, 11_200]);
        assert_eq!(quoted["forecast"]["expected"]["currency"], "DKK");
        let placed = order(app, &buyer, &sale, "k", None, kept(app, &buyer).await).await.expect(201).json();
        assert_eq!((&placed["state"], &placed["payments"]), (&json!("completed"), &json!([])));
        assert!(placed["grant_id"].is_string());
        let listing = app.get(&format!("/api/v1/listings/{}", sale.listing)).await.expect(200).json();
        assert_eq!((&listing["has_free_offer"], &listing["has_paid_offer"]), (&json!(false), &json!(true)), "{listing}");
        let (plain, _) = app.market(&one_off(5)).await;
        let refused = quote(app, &buyer, &json!({"offer_id": plain.offer, "expected_units": 5})).await.expect(422);
        assert_eq!(pointers(&refused), ["/expected_units"]);
        assert_verified(app).await;
    }

    async fn a_trial_is_free_until_its_end(app) {
        let plan = json!({"renews": true, "trial_days": 14});
        let (sale, buyer) = app.market(&with(subscription(4_900, 12), "plan", plan)).await;
        let quoted = quote(app, &buyer, &json!({"offer_id": sale.offer})).await.expect(200).json();
        assert_eq!((minor(&quoted, "/total"), minor(&quoted, "/lines/0/net")), (0, 4_900));
        let reasons: Vec<_> = quoted["schedule"].as_array().unwrap().iter().map(|later| later["reason"].clone()).collect();
        assert_eq!(reasons, [json!("trial_end"), json!("renewal")]);
        let placed = order(app, &buyer, &sale, "k", None, kept(app, &buyer).await).await.expect(201).json();
        assert_eq!((&placed["state"], &placed["lines"][0]["period_until"]), (&json!("completed"), &quoted["trial_until"]));
        let grant = app.trace(placed["id"].as_str().unwrap()).await.grants.remove(0);
        // An hour longer, so that the first charge closes no door.
        assert_eq!(grant.ends_at.unwrap().0, app.clock.now() + Duration::days(14) + Duration::HOUR);
        assert_verified(app).await;
    }

    async fn instalments_are_quoted_whole_and_begin_with_the_first(app) {
        let plan = json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
        let (sale, buyer) = app.market(&with(one_off(10_001), "plan", plan)).await;
        let quoted = quote(app, &buyer, &json!({"offer_id": sale.offer})).await.expect(200).json();
        let later: i64 = quoted["schedule"].as_array().unwrap().iter().map(|part| minor(part, "/amount")).sum();
        assert_eq!((minor(&quoted, "/total"), later, minor(&quoted, "/lines/0/net")), (3_335, 6_666, 10_001));
        assert_sums(&quoted);
        let placed = order(app, &buyer, &sale, "k", VISA, kept(app, &buyer).await).await.expect(201).json();
        assert_eq!((&placed["state"], minor(&placed, "/total")), (&json!("completed"), 3_335));
        assert_verified(app).await;
    }

    async fn a_purchase_order_and_a_bank_transfer_have_weeks(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let more = json!({"purchase_order": "PO-2026/4711"});
        let placed = order(app, &buyer, &sale, "card", None, more).await.expect(201).json();
        assert_eq!(placed["purchase_order"], "PO-2026/4711");
        let id = placed["id"].as_str().unwrap().to_owned();
        let days = |row: &entity::order::Model| (row.expires_at.0 - row.created_at.0).whole_days();
        assert_eq!(days(&app.trace(&id).await.order), 2);
        // Whatever the processor makes of it, whoever pays by bank has the time that takes.
        app.pay(&buyer, &id, "p", "bank_transfer").await;
        assert_eq!(days(&app.trace(&id).await.order), 30);
        order(app, &buyer, &sale, "bank", Some("bank_transfer"), json!({})).await;
        let other = app.orders_of(&buyer).await.pop().unwrap();
        assert_eq!(days(&app.trace(&other).await.order), 30);
        for number in ["", "\n", &"9".repeat(71)] {
            let refused = order(app, &buyer, &sale, "bad", None, json!({"purchase_order": number})).await.expect(422);
            assert_eq!(pointers(&refused)[0], "/purchase_order");
        }
        let asked = app.for_sale(&sale.provider, &approved(one_off(500))).await;
        let refused = order(app, &buyer, &asked, "asked", Some("bank_transfer"), json!({})).await.expect(422);
        assert_eq!(pointers(&refused), ["/payment_method"]);
    }

    async fn plans_that_make_no_sense_are_refused_by_place(app) {
        let provider = app.provider().await;
        let (listing, licence) = (app.published(&provider, &json!({})).await, licence(app, &provider).await);
        let body = |kind: &str, plan: Value| json!({"kind": kind, "price": {"minor": 100, "currency": "EUR"}, "licence_id": licence, "plan": plan});
        let cases = [
            (body("one_off", json!({"renews": true})), "/plan/renews"),
            (body("quota_pack", json!({})), "/plan/quota"),
            (body("metered", json!({"meter": {"unit": "row", "tiers": [{"price_minor": 1, "per_units": 1}]}})), "/price/minor"),
            (body("one_off", json!({"volume": [{"from_quantity": 1, "off_bps": 1}]})), "/plan/volume/0/from_quantity"),
            (body("one_off", json!({"private_to": app.buyer().await.id})), "/valid_until"),
            (with(body("subscription", json!({"renews": true, "trial_days": 7})), "term_months", json!(12)), ""),
        ];
        for (body, pointer) in cases {
            let answer = publish(app, &provider, &listing, &body).await;
            match pointer {
                "" => assert_eq!(answer.expect(201).json()["plan"]["trial_days"], 7),
                _ => assert_eq!(pointers(&answer.expect(422)), [pointer]),
            }
        }
        let unknown = publish(app, &provider, &listing, &body("one_off", json!({"rebate": 1}))).await.expect(422);
        assert_eq!(pointers(&unknown), ["/plan/rebate"]);
    }

    async fn orders_made_by_hand_show_what_they_are(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let placed = order(app, &buyer, &sale, "k", VISA, json!({})).await.expect(201).json();
        assert_eq!((&placed["origin"], minor(&placed, "/tax"), minor(&placed, "/lines/0/tax")), (&json!("purchase"), 0, 0));
        assert_eq!(placed["lines"][0]["grant_id"], placed["grant_id"]);
        assert_eq!(app.trace(placed["id"].as_str().unwrap()).await.order.state, OrderState::Completed);
    }
}
