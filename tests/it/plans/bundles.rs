//! Bundles over several providers: who says what to them, what each receives, and what is refused.

use entity::{
    order_line,
    states::{FeeBearer, ListingState, ProviderKind},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::{Value, json};
use time::Duration;

use super::{VISA, assert_sums, assert_verified, licence, minor, order_in, pointers, problem, publish, quote, with};
use crate::support::{ForSale, May, TestApp, TestOrg, on_both, one_off};

/// A bundle of listings of three providers; the first composed it.
pub(super) struct Bundle {
    pub(super) providers: Vec<TestOrg>,
    pub(super) listings: Vec<String>,
    pub(super) sale: ForSale,
}

/// What a bundle of these listings is published with.
async fn body(app: &TestApp, composer: &TestOrg, price: i64, listings: &[String], weights: &[u32]) -> Value {
    let parts = listings.iter().zip(weights).map(|(listing, weight)| json!({"listing_id": listing, "weight": weight}));
    json!({
        "kind": "bundle", "price": {"minor": price, "currency": "EUR"}, "licence_id": licence(app, composer).await,
        "plan": {"parts": parts.collect::<Vec<_>>()}
    })
}

/// A bundle that waits for two providers.
async fn composed(app: &TestApp, price: i64) -> Bundle {
    let mut providers = Vec::new();
    let mut listings = Vec::new();
    for _ in 0..3 {
        let provider = app.provider().await;
        listings.push(app.published(&provider, &json!({})).await);
        providers.push(provider);
    }
    let body = body(app, &providers[0], price, &listings, &[5, 3, 2]).await;
    let made = publish(app, &providers[0], &listings[0], &body).await.expect(201);
    assert_eq!(made.str("/status"), "incomplete");
    let sale = ForSale {
        provider: providers[0].clone(),
        listing: listings[0].clone(),
        offer: made.str("/id"),
        licence_hash: made.str("/licence/hash"),
    };
    Bundle { providers, listings, sale }
}

/// A bundle that everybody accepted.
pub(super) async fn accepted(app: &TestApp, price: i64) -> Bundle {
    let bundle = composed(app, price).await;
    for provider in &bundle.providers[1..] {
        app.post(provider, &format!("/api/v1/offers/{}/accept", bundle.sale.offer)).await.expect(200);
    }
    bundle
}

async fn waiting(app: &TestApp, provider: &TestOrg) -> Vec<Value> {
    let page = app.as_org(provider, "GET", "/api/v1/bundle-parts?state=invited").send().await.expect(200).json();
    page["items"].as_array().expect("items").clone()
}

on_both! {
    async fn a_bundle_is_sold_once_every_provider_has_accepted(app) {
        let bundle = composed(app, 10_001).await;
        let (buyer, offer) = (app.buyer().await, &bundle.sale.offer);
        let accept = format!("/api/v1/offers/{offer}/accept");
        for (n, provider) in bundle.providers[1..].iter().enumerate() {
            assert_eq!(problem(&quote(app, &buyer, &json!({"offer_id": offer})).await.expect(409)), "conflict");
            app.order(&buyer, &bundle.sale, "early", VISA).await.expect(409);
            let asked = waiting(app, provider).await;
            assert_eq!((asked.len(), &asked[0]["listing_id"]), (1, &json!(bundle.listings[n + 1])));
            assert_eq!(asked[0]["offer"]["status"], "incomplete");
            app.post(provider, &accept).await.expect(200);
            app.post(provider, &accept).await.expect(200);
            assert!(waiting(app, provider).await.is_empty());
        }
        app.post(&app.provider().await, &accept).await.expect(404);
        let shown = app.get(&format!("/api/v1/offers/{offer}")).await.expect(200).json();
        assert_eq!((&shown["status"], shown["parts"].as_array().unwrap().len()), (&json!("active"), 3));
        app.order(&buyer, &bundle.sale, "k", VISA).await.expect(201);
        assert_verified(app).await;
    }

    async fn a_bundle_is_bought_granted_split_and_paid_out_line_by_line(app) {
        let operator = app.operator().await;
        let bundle = accepted(app, 10_001).await;
        // The second provider pays less commission than the others.
        let rule = json!({"operator_bps": 1_000, "organization_id": bundle.providers[1].id});
        app.as_org(&operator, "POST", "/api/v1/fee-rules").header("idempotency-key", "r").json(&rule).send().await.expect(201);
        let buyer = app.buyer().await;
        let quoted = quote(app, &buyer, &json!({"offer_id": bundle.sale.offer})).await.expect(200).json();
        assert_sums(&quoted);
        let placed = app.order(&buyer, &bundle.sale, "k", VISA).await.expect(201).json();
        assert_sums(&placed);
        let nets: Vec<i64> = (0..3).map(|n| minor(&placed, &format!("/lines/{n}/net"))).collect();
        assert_eq!((nets.iter().sum::<i64>(), &nets), (10_001, &vec![5_001, 3_000, 2_000]));
        assert_eq!([0, 1, 2].map(|n| minor(&placed, &format!("/lines/{n}/operator_share"))), [1_000, 300, 400]);
        for (n, line) in placed["lines"].as_array().unwrap().iter().enumerate() {
            assert_eq!((&line["line_no"], &line["listing_id"]), (&json!(n + 1), &json!(bundle.listings[n])));
            let path = format!("/api/v1/grants/{}", line["grant_id"].as_str().unwrap());
            let grant = app.as_org(&buyer, "GET", &path).send().await.expect(200).json();
            assert_eq!((&grant["listing_id"], &grant["provider_id"]), (&json!(bundle.listings[n]), &json!(bundle.providers[n].id)));
            app.as_org(&buyer, "GET", &format!("{path}/files")).send().await.expect(200);
        }
        let id = placed["id"].as_str().unwrap();
        let trace = app.trace(id).await;
        assert_eq!((trace.grants.len(), trace.sales.len(), trace.charge_lines, trace.told("order.completed")), (3, 1, 1, 1));
        app.run_jobs().await;
        assert_verified(app).await;
        app.advance(Duration::days(8));
        app.run_jobs().await;
        let run = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "both"});
        let paid = app.as_org(&operator, "POST", "/api/v1/payout-runs").header("idempotency-key", "p").json(&run).send().await.expect(201).json();
        assert_eq!(paid["payouts"].as_array().unwrap().len(), 4);
        app.run_jobs().await;
        assert_verified(app).await;
        let compared = app.as_org(&operator, "POST", "/api/v1/reconciliations").json(&json!({})).send().await.expect(201).json();
        assert_eq!(compared["difference_count"], 0, "{compared}");
    }

    async fn a_provider_of_a_bundle_sees_the_order_as_one_of_its_own_line(app) {
        let bundle = accepted(app, 10_001).await;
        let buyer = app.buyer().await;
        let whole = app.order(&buyer, &bundle.sale, "k", VISA).await.expect(201).json();
        let id = whole["id"].as_str().unwrap().to_owned();
        for (n, provider) in bundle.providers.iter().enumerate() {
            let seen = app.see_order(provider, &id).await;
            let own = &whole["lines"][n];
            assert_eq!(seen["lines"], json!([own]));
            for part in ["provider_share", "operator_share", "fee_bps", "total", "tax", "provider_id", "listing_id", "grant_id"] {
                assert_eq!(seen[part], own[part], "{part}");
            }
            assert_eq!((&seen["state"], &seen["buyer_id"]), (&json!("completed"), &json!(buyer.id)));
            for (m, other) in bundle.providers.iter().enumerate().filter(|(m, _)| *m != n) {
                let text = seen.to_string();
                assert!(!text.contains(&other.id.to_string()) && !text.contains(&bundle.listings[m]), "{text}");
            }
            let listed = app.as_org(provider, "GET", "/api/v1/orders?side=provider").send().await.expect(200).json();
            assert_eq!(listed["items"], json!([seen]));
            let receipt = app.as_org(provider, "GET", &format!("/api/v1/orders/{id}/receipt")).send().await.expect(200).json();
            assert!(receipt.get("more_agreements").is_none());
            assert!(receipt["agreement"].to_string().contains(&bundle.listings[n]), "{receipt}");
            assert_eq!(receipt["order"], seen);
        }
        let receipt = app.as_org(&buyer, "GET", &format!("/api/v1/orders/{id}/receipt")).send().await.expect(200).json();
        assert_eq!(receipt["more_agreements"].as_array().unwrap().len(), 2);
        app.as_org(&app.provider().await, "GET", &format!("/api/v1/orders/{id}")).send().await.expect(404);
    }

    async fn a_provider_of_a_bundle_proves_the_sale_and_reads_no_other_share(app) {
        let bundle = accepted(app, 10_001).await;
        let buyer = app.buyer().await;
        let id = app.order(&buyer, &bundle.sale, "k", VISA).await.expect(201).str("/id");
        app.run_jobs().await;
        let keys = app.get("/api/v1/transparency/keys").await.expect(200).bytes;
        let keys = torv_receipt::TrustedKeys::from_json(&keys).expect("keys");
        let path = format!("/api/v1/orders/{id}/proof");
        let whole = app.as_org(&buyer, "GET", &path).send().await.expect(200).bytes;
        let whole = torv_receipt::verify(&whole, &keys).expect("holds");
        assert_eq!(whole.statement.open_lines().count(), bundle.providers.len());
        for provider in &bundle.providers {
            let seen = app.as_org(provider, "GET", &path).send().await.expect(200).bytes;
            let verified = torv_receipt::verify(&seen, &keys).expect("holds");
            assert_eq!((verified.index, verified.tree_head.root), (whole.index, whole.tree_head.root));
            let own = provider.id.to_string();
            assert!(verified.statement.open_lines().all(|line| line.provider == own));
            assert_eq!((verified.statement.open_lines().count(), verified.statement.lines.len()), (1, bundle.providers.len()));
            let text = String::from_utf8(seen).expect("text");
            for other in whole.statement.open_lines().filter(|line| line.provider != own) {
                assert!(!text.contains(&other.provider) && !text.contains(&other.listing), "{text}");
            }
        }
    }

    async fn a_refund_of_a_bundle_reaches_every_provider_and_the_operator_decides(app) {
        let operator = app.operator().await;
        let bundle = accepted(app, 10_000).await;
        let buyer = app.buyer().await;
        let order = app.order(&buyer, &bundle.sale, "k", VISA).await.expect(201).str("/id");
        app.run_jobs().await;
        let asked = json!({"amount_minor": 5_000, "reason": "Half of the stations are missing."});
        let path = format!("/api/v1/orders/{order}/refunds");
        let asked = app.as_org(&buyer, "POST", &path).header("idempotency-key", "r").json(&asked).send().await.expect(201);
        assert_eq!((asked.str("/state").as_str(), &asked.json()["amount"]["minor"]), ("escalated", &json!(5_000)));
        let id = asked.str("/id");
        let own = [2_500, 1_500, 1_000];
        let seen_by_all = async || {
            for (provider, own) in bundle.providers.iter().zip(own) {
                let listed = app.as_org(provider, "GET", "/api/v1/refunds?side=provider").send().await.expect(200).json();
                assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["amount"]["minor"]), (&json!(id), &json!(own)));
                let seen = app.as_org(provider, "GET", &format!("/api/v1/refunds/{id}")).send().await.expect(200).json();
                assert_eq!(seen["amount"]["minor"], own);
            }
        };
        seen_by_all().await;
        let approve = format!("/api/v1/refunds/{id}/approve");
        for provider in &bundle.providers {
            app.as_org(provider, "POST", &approve).json(&json!({})).send().await.expect(409);
        }
        let decided = app.as_org(&operator, "POST", &approve).json(&json!({})).send().await.expect(200).json();
        assert_eq!(decided["amount"]["minor"], 5_000);
        app.run_jobs().await;
        seen_by_all().await;
        let told = app.news(&order).await;
        let (_, payload) = told.iter().find(|(kind, _)| kind == "refund.requested").expect("told");
        assert_eq!(payload["provider_ids"].as_array().map(Vec::len), Some(3));
        assert_verified(app).await;
    }

    async fn what_the_composer_bears_binds_no_partner(app) {
        let operator = app.operator().await;
        let (composer, partner, third) = (app.provider().await, app.provider().await, app.provider().await);
        let mut listings = Vec::new();
        for provider in [&composer, &partner, &third] { listings.push(app.published(provider, &json!({})).await) }
        // The third has a rule of its own by which it bears the processor's fee.
        let rule = json!({"operator_bps": 2_000, "organization_id": third.id, "fee_bearer": "provider"});
        app.as_org(&operator, "POST", "/api/v1/fee-rules").header("idempotency-key", "f").json(&rule).send().await.expect(201);
        let mut body = body(app, &composer, 10_000, &listings, &[1, 1, 2]).await;
        body["plan"]["fee_bearer"] = json!("provider");
        let made = publish(app, &composer, &listings[0], &body).await.expect(201);
        for provider in [&partner, &third] {
            app.post(provider, &format!("/api/v1/offers/{}/accept", made.str("/id"))).await.expect(200);
        }
        let sale = ForSale {
            provider: composer.clone(), listing: listings[0].clone(), offer: made.str("/id"), licence_hash: made.str("/licence/hash"),
        };
        let order = app.order(&app.buyer().await, &sale, "k", VISA).await.expect(201).str("/id");
        app.run_jobs().await;
        let id: entity::ids::OrderId = order.parse().unwrap();
        let lines = order_line::Entity::find().filter(order_line::Column::OrderId.eq(id)).order_by_asc(order_line::Column::LineNo);
        let bearers: Vec<FeeBearer> = lines.all(app.app.db.read()).await.unwrap().into_iter().map(|line| line.fee_bearer).collect();
        assert_eq!(bearers, [FeeBearer::Provider, FeeBearer::Operator, FeeBearer::Provider]);
        assert_verified(app).await;
    }

    async fn who_leaves_a_bundle_takes_it_off_the_shelf(app) {
        let bundle = accepted(app, 10_001).await;
        let (buyer, leave) = (app.buyer().await, format!("/api/v1/offers/{}/leave", bundle.sale.offer));
        let bought = app.order(&buyer, &bundle.sale, "k", VISA).await.expect(201).json();
        app.post(&bundle.providers[0], &leave).await.expect(409);
        app.post(&app.provider().await, &leave).await.expect(404);
        let left = app.post(&bundle.providers[2], &leave).await.expect(200).json();
        assert_eq!((&left["status"], &left["parts"][2]["state"]), (&json!("withdrawn"), &json!("left")));
        app.post(&bundle.providers[2], &leave).await.expect(409);
        app.post(&bundle.providers[2], &format!("/api/v1/offers/{}/accept", bundle.sale.offer)).await.expect(409);
        app.order(&buyer, &bundle.sale, "late", VISA).await.expect(404);
        let grant = format!("/api/v1/grants/{}", bought["lines"][2]["grant_id"].as_str().unwrap());
        assert_eq!(app.as_org(&buyer, "GET", &grant).send().await.expect(200).str("/state"), "active");
        assert_verified(app).await;
    }

    async fn a_coupon_of_the_composer_is_paid_by_the_composer(app) {
        let bundle = accepted(app, 10_000).await;
        let buyer = app.buyer().await;
        let coupon = json!({"code": "COMPOSED-26", "percent_bps": 5_000});
        app.as_org(&bundle.providers[0], "POST", "/api/v1/coupons").json(&coupon).send().await.expect(201);
        let body = order_in(&bundle.sale, VISA, &json!({"coupon": "COMPOSED-26"}));
        let placed = app.order_with(&buyer, "k", &body).await.expect(201).json();
        assert_eq!([0, 1, 2].map(|n| minor(&placed, &format!("/lines/{n}/net"))), [2_500, 3_000, 2_000]);
        assert_sums(&placed);
        let of_part = json!({"code": "OF-A-PART-26", "percent_bps": 5_000});
        app.as_org(&bundle.providers[1], "POST", "/api/v1/coupons").json(&of_part).send().await.expect(201);
        quote(app, &buyer, &json!({"offer_id": bundle.sale.offer, "coupon": "OF-A-PART-26"})).await.expect(422);
        assert_verified(app).await;
    }

    async fn nobody_buys_a_bundle_with_a_listing_of_their_own(app) {
        let both = app.org("both", May { provide: Some(ProviderKind::Company), buy: true, operate: false }).await;
        let composer = app.provider().await;
        let listings = [app.published(&composer, &json!({})).await, app.published(&both, &json!({})).await];
        let body = body(app, &composer, 500, &listings, &[1, 1]).await;
        let made = publish(app, &composer, &listings[0], &body).await.expect(201);
        app.post(&both, &format!("/api/v1/offers/{}/accept", made.str("/id"))).await.expect(200);
        let sale = ForSale { provider: composer, listing: listings[0].clone(), offer: made.str("/id"), licence_hash: made.str("/licence/hash") };
        assert_eq!(problem(&app.order(&both, &sale, "k", VISA).await.expect(409)), "conflict");
    }

    async fn what_can_not_be_a_part_is_refused_by_place(app) {
        let (composer, other) = (app.provider().await, app.provider().await);
        let (own, theirs) = (app.published(&composer, &json!({})).await, app.published(&other, &json!({})).await);
        let draft = app.draft(&other, &json!({})).await;
        let refused = async |listings: &[String]| {
            let body = body(app, &composer, 500, listings, &[1, 1]).await;
            pointers(&publish(app, &composer, &own, &body).await.expect(422))
        };
        assert_eq!(refused(&[own.clone(), draft]).await, ["/plan/parts/1/listing_id"]);
        assert_eq!(refused(&[theirs.clone(), theirs.clone()]).await, ["/plan/parts/1/listing_id"]);
        let third = app.published(&other, &json!({})).await;
        assert_eq!(refused(&[theirs.clone(), third]).await, ["/plan/parts"]);
        let personal = json!({"personal_data": "pseudonymised", "personal_data_note": "Hashed ids."});
        let personal = app.published(&other, &personal).await;
        assert_eq!(refused(&[own.clone(), personal]).await, ["/plan/parts/1/listing_id"]);
        let asking = with(body(app, &composer, 500, &[own.clone(), theirs], &[1, 1]).await, "approval_required", json!(true));
        assert_eq!(pointers(&publish(app, &composer, &own, &asking).await.expect(422)), ["/approval_required"]);
    }

    async fn the_price_guard_holds_for_each_part(app) {
        let city = app.org("city", May { provide: Some(ProviderKind::PublicSector), buy: false, operate: false }).await;
        let (composer, buyer) = (app.provider().await, app.buyer().await);
        let own = app.published(&composer, &json!({})).await;
        let guarded = app.published(&city, &json!({"theme": "transport"})).await;
        let body_of = async |listing: &String| body(app, &composer, 500, &[own.clone(), listing.clone()], &[1, 1]).await;
        let refused = publish(app, &composer, &own, &body_of(&guarded).await).await.expect(403);
        assert_eq!(problem(&refused), "price-guard");
        let open = app.published(&city, &json!({"theme": "economy"})).await;
        let made = publish(app, &composer, &own, &body_of(&open).await).await.expect(201);
        app.post(&city, &format!("/api/v1/offers/{}/accept", made.str("/id"))).await.expect(200);
        quote(app, &buyer, &json!({"offer_id": made.str("/id")})).await.expect(200);
        let change = app.as_org(&city, "PATCH", &format!("/api/v1/listings/{open}"));
        let seen = app.as_org(&city, "GET", &format!("/api/v1/listings/{open}")).send().await.expect(200).json();
        let version = format!("\"{}\"", seen["version"]);
        change.header("if-match", &version).json(&json!({"theme": "transport"})).send().await.expect(200);
        let refused = quote(app, &buyer, &json!({"offer_id": made.str("/id")})).await.expect(403);
        assert_eq!(problem(&refused), "price-guard");
    }

    async fn a_part_that_is_retired_closes_the_bundle(app) {
        let bundle = accepted(app, 10_001).await;
        app.force_state(bundle.listings[1].parse().unwrap(), ListingState::Retired).await;
        app.order(&app.buyer().await, &bundle.sale, "k", VISA).await.expect(404);
    }

    async fn a_bundle_is_no_price_of_one_listing_in_the_catalogue(app) {
        let bundle = accepted(app, 10_001).await;
        assert_eq!(app.offered(bundle.listings[0].parse().unwrap()).await, (false, false));
        app.also_for_sale(&bundle.providers[0], &bundle.listings[0], &one_off(700)).await;
        let found = app.get("/api/v1/listings?paid=true").await.expect(200).json();
        assert_eq!(found["items"][0]["prices_from"], json!([{"minor": 700, "currency": "EUR"}]));
    }
}
