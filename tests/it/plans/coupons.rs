//! Coupons: what they take off, whom they are for, and how often they are used when many race.

use entity::coupon;
use sea_orm::EntityTrait as _;
use serde_json::{Value, json};
use time::Duration;

use super::{VISA, assert_sums, assert_verified, minor, order_in, pointers, problem, quote, with};
use crate::support::{Answer, Backend, ForSale, TestApp, TestOrg, approved, on_both, one_off, subscription};

const CODE: &str = "SPRING-26";

async fn make(app: &TestApp, org: &TestOrg, body: &Value) -> Answer {
    app.as_org(org, "POST", "/api/v1/coupons").json(body).send().await
}

fn percent(bps: i64) -> Value {
    json!({"code": CODE, "percent_bps": bps})
}

fn fixed(minor: i64) -> Value {
    json!({"code": CODE, "off": {"minor": minor, "currency": "EUR"}})
}

/// Something for sale with a coupon for it.
async fn market(app: &TestApp, conditions: &Value, coupon: &Value) -> (ForSale, TestOrg) {
    let (sale, buyer) = app.market(conditions).await;
    make(app, &sale.provider, coupon).await.expect(201);
    (sale, buyer)
}

async fn order(app: &TestApp, buyer: &TestOrg, sale: &ForSale, key: &str, method: Option<&str>) -> Answer {
    app.order_with(buyer, key, &order_in(sale, method, &json!({"coupon": CODE}))).await
}

async fn quoted(app: &TestApp, buyer: &TestOrg, sale: &ForSale) -> Answer {
    quote(app, buyer, &json!({"offer_id": sale.offer, "coupon": CODE})).await
}

/// How often the one coupon of the test is used, as it counts itself.
async fn redeemed(app: &TestApp) -> i32 {
    let all = coupon::Entity::find().all(app.app.db.read()).await.expect("reads");
    assert_eq!(all.len(), 1);
    all[0].redeemed
}

on_both! {
    async fn a_coupon_takes_off_what_it_says_and_the_order_costs_what_was_quoted(app) {
        for (coupon, off) in [(percent(2_500), 2_500), (fixed(999), 999)] {
            let (sale, buyer) = market(app, &one_off(10_001), &coupon).await;
            let found = quoted(app, &buyer, &sale).await.expect(200).json();
            assert_eq!((minor(&found, "/lines/0/coupon_discount"), minor(&found, "/total")), (off, 10_001 - off));
            assert_sums(&found);
            let placed = order(app, &buyer, &sale, "k", VISA).await.expect(201).json();
            assert_eq!((&placed["state"], minor(&placed, "/total"), minor(&placed, "/lines/0/discount")), (&json!("completed"), 10_001 - off, off));
            assert_sums(&placed);
        }
        assert_verified(app).await;
    }

    async fn a_coupon_for_all_of_it_makes_the_order_free(app) {
        let (sale, buyer) = market(app, &one_off(500), &fixed(9_999)).await;
        let placed = order(app, &buyer, &sale, "k", VISA).await.expect(201).json();
        assert_eq!((&placed["state"], &placed["payments"], minor(&placed, "/total")), (&json!("completed"), &json!([]), 0));
        assert_eq!(app.trace(placed["id"].as_str().unwrap()).await.grants.len(), 1);
        assert_eq!(redeemed(app).await, 1);
        assert_verified(app).await;
    }

    async fn a_coupon_is_typed_in_any_case_and_is_for_its_own_provider(app) {
        let (sale, buyer) = market(app, &one_off(500), &percent(1_000)).await;
        let body = json!({"offer_id": sale.offer, "coupon": " spring-26 "});
        assert_eq!(minor(&quote(app, &buyer, &body).await.expect(200).json(), "/total"), 450);
        let other = app.for_sale(&app.provider().await, &one_off(500)).await;
        let refused = quoted(app, &buyer, &other).await.expect(422);
        assert_eq!(pointers(&refused), ["/coupon"]);
    }

    async fn a_code_that_is_unknown_over_or_for_something_else_looks_the_same(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let aside = app.for_sale(&sale.provider, &one_off(700)).await;
        let soon = json!(entity::Timestamp(app.clock.now() + Duration::days(1)));
        let make_as = async |code: &str, field: &str, value: Value| {
            let coupon = with(with(percent(1_000), "code", json!(code)), field, value);
            make(app, &sale.provider, &coupon).await.expect(201).str("/id")
        };
        make_as("NOT-YET-26", "valid_from", soon.clone()).await;
        make_as("FOR-OTHER-OFFER", "offers", json!([aside.offer])).await;
        make_as("FOR-OTHER-LISTING", "listings", json!([aside.listing])).await;
        let ended = make_as("ENDED-2026", "redemptions_max", json!(5)).await;
        app.post(&sale.provider, &format!("/api/v1/coupons/{ended}/end")).await.expect(200);
        app.post(&sale.provider, &format!("/api/v1/coupons/{ended}/end")).await.expect(409);
        let answers = ["UNKNOWN-26", "NOT-YET-26", "FOR-OTHER-OFFER", "FOR-OTHER-LISTING", "ENDED-2026"].map(async |code| {
            let body = json!({"offer_id": sale.offer, "coupon": code});
            let mut problem = quote(app, &buyer, &body).await.expect(422).json();
            problem["instance"] = Value::Null;
            problem
        });
        let mut seen = Vec::new();
        for answer in answers { seen.push(answer.await) }
        assert!(seen.iter().all(|problem| *problem == seen[0]), "{seen:?}");
        let body = json!({"offer_id": aside.offer, "coupon": "FOR-OTHER-OFFER"});
        assert_eq!(minor(&quote(app, &buyer, &body).await.expect(200).json(), "/total"), 630);
        let dollars = json!({"code": "DOLLARS-26", "off": {"minor": 5, "currency": "USD"}});
        make(app, &sale.provider, &dollars).await.expect(201);
        quote(app, &buyer, &json!({"offer_id": sale.offer, "coupon": "DOLLARS-26"})).await.expect(422);
    }

    async fn nobody_tries_codes_without_a_log_in_and_nothing_is_taken_off_nothing(app) {
        let (sale, buyer) = market(app, &with(subscription(500, 12), "plan", json!({"renews": true, "trial_days": 7})), &percent(1_000)).await;
        assert_eq!(pointers(&quoted(app, &buyer, &sale).await.expect(422)), ["/coupon"]);
        let paid = app.for_sale(&sale.provider, &one_off(500)).await;
        let body = json!({"offer_id": paid.offer, "coupon": CODE});
        let refused = app.request("POST", "/api/v1/quotes").json(&body).send().await.expect(422);
        assert_eq!(pointers(&refused), ["/coupon"]);
    }

    async fn racing_buyers_never_use_a_coupon_more_often_than_it_says(app) {
        let (sale, _) = market(app, &one_off(500), &with(percent(1_000), "redemptions_max", json!(3))).await;
        let mut buyers = Vec::new();
        for _ in 0..10 { buyers.push(app.buyer().await) }
        let answers = futures::future::join_all(buyers.iter().map(|buyer| order(app, buyer, &sale, "k", VISA))).await;
        let won = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(won, 3, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
        assert!(answers.iter().all(|answer| [201, 409].contains(&answer.status)));
        assert_eq!(redeemed(app).await, 3);
        app.run_jobs().await;
        assert_verified(app).await;
    }

    async fn one_buyer_racing_with_itself_uses_it_as_often_as_one_may(app) {
        let (sale, buyer) = market(app, &one_off(500), &with(percent(1_000), "per_buyer_max", json!(2))).await;
        let keys: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
        let answers = futures::future::join_all(keys.iter().map(|key| order(app, &buyer, &sale, key, VISA))).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 2);
        assert_eq!((app.orders_of(&buyer).await.len(), redeemed(app).await), (2, 2));
        let other = app.buyer().await;
        order(app, &other, &sale, "k", VISA).await.expect(201);
        app.run_jobs().await;
        assert_verified(app).await;
    }

    async fn repeating_a_request_finds_its_order_when_the_coupon_is_used_up(app) {
        let (sale, buyer) = market(app, &one_off(500), &with(percent(1_000), "redemptions_max", json!(1))).await;
        let first = order(app, &buyer, &sale, "k", VISA).await.expect(201).str("/id");
        let again = order(app, &buyer, &sale, "k", VISA).await.expect(200).str("/id");
        assert_eq!(first, again);
        assert_eq!(problem(&order(app, &buyer, &sale, "other", VISA).await.expect(409)), "conflict");
        assert_eq!(redeemed(app).await, 1);
    }

    async fn an_order_that_is_closed_unpaid_gives_its_coupon_back(app) {
        let coupon = with(percent(1_000), "redemptions_max", json!(1));
        let (sale, buyer) = market(app, &approved(one_off(500)), &coupon).await;
        let declined = order(app, &buyer, &sale, "declined", VISA).await.expect(201).str("/id");
        assert_eq!(redeemed(app).await, 1);
        order(app, &buyer, &sale, "too-many", VISA).await.expect(409);
        app.decide(&sale.provider, &declined, "decline", Some("No.")).await.expect(200);
        assert_eq!(redeemed(app).await, 0);
        let cancelled = order(app, &buyer, &sale, "cancelled", None).await.expect(201).str("/id");
        app.decide(&buyer, &cancelled, "cancel", None).await.expect(200);
        app.decide(&buyer, &cancelled, "cancel", None).await.expect(409);
        assert_eq!(redeemed(app).await, 0);
        order(app, &buyer, &sale, "expired", None).await.expect(201);
        app.advance(Duration::days(15));
        app.run_jobs().await;
        assert_eq!(redeemed(app).await, 0);
        order(app, &buyer, &sale, "kept", VISA).await.expect(201);
        assert_eq!(redeemed(app).await, 1);
        assert_verified(app).await;
    }

    async fn a_provider_sees_and_ends_its_own_coupons_alone(app) {
        let (provider, other) = (app.provider().await, app.provider().await);
        let made = make(app, &provider, &percent(1_000)).await.expect(201).json();
        assert_eq!(problem(&make(app, &provider, &fixed(5)).await.expect(409)), "conflict");
        make(app, &other, &percent(2_000)).await.expect(201);
        let listed = app.as_org(&provider, "GET", "/api/v1/coupons").send().await.expect(200).json();
        assert_eq!(listed["items"], json!([made]));
        app.post(&other, &format!("/api/v1/coupons/{}/end", made["id"].as_str().unwrap())).await.expect(404);
        let sale = app.for_sale(&other, &one_off(500)).await;
        for (field, value) in [("offers", json!([sale.offer])), ("listings", json!([sale.listing]))] {
            let body = with(json!({"code": "NOT-MINE-26", "percent_bps": 1}), field, value);
            assert_eq!(pointers(&make(app, &provider, &body).await.expect(422)), [format!("/{field}/0")]);
        }
        make(app, &app.buyer().await, &percent(1_000)).await.expect(403);
    }
}

/// With a processor that takes no charge below 50 minor units.
async fn too_small_is_refused_at_the_quote(backend: Backend) {
    let Some(home) = crate::support::Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |config| config.payments.sandbox.charge_min_minor = 50).await;
    let (sale, buyer) = market(&app, &one_off(100), &fixed(60)).await;
    let refused = quoted(&app, &buyer, &sale).await.expect(422);
    assert_eq!(pointers(&refused), ["/coupon"]);
    assert!(refused.str("/detail").starts_with("This would cost 0.40 EUR, and less than 0.50 EUR can't be charged."));
    order(&app, &buyer, &sale, "k", VISA).await.expect(422);
    assert!(app.orders_of(&buyer).await.is_empty());
    assert_eq!(redeemed(&app).await, 0);
    app.order(&buyer, &sale, "without", VISA).await.expect(201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_charged_is_refused_before_it_is_ordered() {
    too_small_is_refused_at_the_quote(Backend::Sqlite).await;
    too_small_is_refused_at_the_quote(Backend::Postgres).await;
}
