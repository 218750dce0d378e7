//! Quotes and orders: what they cost, what they give, and what is refused in each state.

use entity::{
    ids::OfferId,
    states::{ListingState, OrderState, ProviderKind},
};
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Answer, ForSale, May, TestApp, TestOrg, approved, free, on_both, one_off, subscription};

const VISA: Option<&str> = Some("pm_card_visa");

async fn quote(app: &TestApp, org: &TestOrg, offer: &str) -> Answer {
    app.as_org(org, "POST", "/api/v1/quotes").json(&json!({"offer_id": offer})).send().await
}

fn pointers(answer: &Answer) -> Vec<String> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().expect("errors").iter();
    errors.filter_map(|error| error["pointer"].as_str().map(str::to_owned)).collect()
}

fn problem(answer: &Answer) -> String {
    answer.str("/type").trim_start_matches("/problems/").to_owned()
}

/// Quote and order of an offer that nobody may order any more, or yet.
async fn expect_closed(app: &TestApp, buyer: &TestOrg, sale: &ForSale, why: &str) {
    assert_eq!(quote(app, buyer, &sale.offer).await.status, 404, "{why}");
    assert_eq!(app.order(buyer, sale, &why.replace(' ', "-"), VISA).await.status, 404, "{why}");
}

on_both! {
    async fn a_free_order_is_granted_at_once_and_books_nothing(app) {
        let (sale, buyer) = app.market(&free()).await;
        let order = app.order(&buyer, &sale, "k", None).await.expect(201).json();
        assert_eq!((&order["state"], &order["payments"]), (&json!("completed"), &json!([])));
        assert_eq!(order["total"]["minor"], 0);
        let trace = app.trace(order["id"].as_str().unwrap()).await;
        assert_eq!((trace.grants.len(), trace.payments.len(), trace.sales.len(), trace.charge_lines), (1, 0, 0, 0));
        assert_eq!(trace.told("order.completed"), 1);
        assert_eq!(order["grant_id"], json!(trace.grants[0].id));
        let receipt = format!("/api/v1/orders/{}/receipt", order["id"].as_str().unwrap());
        app.as_org(&buyer, "GET", &receipt).send().await.expect(200);
    }

    async fn a_free_order_ignores_a_means_of_payment(app) {
        let (sale, buyer) = app.market(&free()).await;
        let order = app.order(&buyer, &sale, "k", Some("pm_card_declined")).await.expect(201).json();
        assert_eq!((&order["state"], &order["payments"]), (&json!("completed"), &json!([])));
    }

    async fn a_paid_order_is_paid_granted_split_and_told_once(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let order = app.order(&buyer, &sale, "k", VISA).await.expect(201).json();
        let id = order["id"].as_str().unwrap();
        assert_eq!(order["state"], "completed");
        assert_eq!((&order["payments"][0]["state"], &order["payments"][0]["attempt"]), (&json!("succeeded"), &json!(1)));
        assert_eq!((&order["provider_share"]["minor"], &order["operator_share"]["minor"]), (&json!(8_001), &json!(2_000)));
        let trace = app.trace(id).await;
        trace.assert_sold_once("one call");
        let provider = format!("provider.{}.pending", sale.provider.id);
        let expected = [("clearing.payment", 10_001), (provider.as_str(), -8_001), ("commission", -2_000)];
        assert_eq!(app.postings(&trace.sales[0]).await, expected.map(|(code, minor)| (code.to_owned(), minor)));
        assert_eq!(app.see_order(&sale.provider, id).await, order);
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
        app.run_jobs().await;
        app.trace(id).await.assert_sold_once("after the webhook");
    }

    async fn a_quote_is_what_the_order_then_costs(app) {
        let provider = app.provider().await;
        let (listing, buyer) = (app.published(&provider, &json!({})).await, app.buyer().await);
        for (n, conditions) in [free(), one_off(1), one_off(3), one_off(10_001), one_off(99_999_999), subscription(77, 12)].iter().enumerate() {
            let sale = app.also_for_sale(&provider, &listing, conditions).await;
            let quote = quote(app, &buyer, &sale.offer).await.expect(200).json();
            let order = app.order(&buyer, &sale, &n.to_string(), VISA).await.expect(201).json();
            for field in ["total", "provider_share", "operator_share", "fee_bps", "licence_hash", "listing_id", "offer_id"] {
                assert_eq!(quote[field], order[field], "{field} of {conditions}");
            }
            let sum = quote["provider_share"]["minor"].as_i64().unwrap() + quote["operator_share"]["minor"].as_i64().unwrap();
            assert_eq!(json!(sum), quote["total"]["minor"]);
        }
        let anonymous = app.request("POST", "/api/v1/quotes").json(&json!({"offer_id": app.also_for_sale(&provider, &listing, &free()).await.offer}));
        anonymous.send().await.expect(200);
    }

    async fn an_order_names_the_licence_that_was_read(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let other = ForSale { licence_hash: "0".repeat(64), ..sale.clone() };
        let refused = app.order(&buyer, &other, "k", VISA).await.expect(409);
        assert_eq!(problem(&refused), "licence-changed");
        assert!(refused.str("/detail").contains(&sale.licence_hash));
        assert!(app.orders_of(&buyer).await.is_empty());
        app.order(&buyer, &sale, "k", VISA).await.expect(201);
    }

    async fn nobody_orders_their_own_listing(app) {
        let both = app.org("both", May { provide: Some(ProviderKind::Company), buy: true, operate: false }).await;
        let sale = app.for_sale(&both, &free()).await;
        assert_eq!(problem(&app.order(&both, &sale, "k", None).await.expect(409)), "conflict");
        assert!(app.orders_of(&both).await.is_empty());
    }

    async fn an_organisation_that_may_not_buy_is_refused(app) {
        let (sale, _) = app.market(&free()).await;
        let stranger = app.provider().await;
        app.order(&stranger, &sale, "k", None).await.expect(403);
        let buyer = app.buyer().await;
        let reads_only = app.key(&buyer, &["read"]).await;
        let request = app.request("POST", "/api/v1/orders").bearer(reads_only).header("idempotency-key", "k");
        request.json(&sale.order_in(None)).send().await.expect(403);
        app.request("POST", "/api/v1/orders").header("idempotency-key", "k").json(&sale.order_in(None)).send().await.expect(401);
    }

    async fn an_offer_that_is_not_open_is_not_found(app) {
        let (provider, buyer) = (app.provider().await, app.buyer().await);
        let listing = app.published(&provider, &json!({})).await;
        let now = app.clock.now();
        let at = |days: i64| json!(entity::Timestamp(now + Duration::days(days)));
        let with = |mut conditions: Value, field: &str, value: Value| { conditions[field] = value; conditions };
        let upcoming = app.also_for_sale(&provider, &listing, &with(one_off(5), "valid_from", at(2))).await;
        let ending = app.also_for_sale(&provider, &listing, &with(one_off(5), "valid_until", at(1))).await;
        let withdrawn = app.also_for_sale(&provider, &listing, &one_off(5)).await;
        app.post(&provider, &format!("/api/v1/offers/{}/withdraw", withdrawn.offer)).await.expect(200);
        expect_closed(app, &buyer, &withdrawn, "withdrawn").await;
        expect_closed(app, &buyer, &upcoming, "upcoming").await;
        expect_closed(app, &buyer, &ForSale { offer: OfferId::at(now).to_string(), ..ending.clone() }, "unknown").await;
        quote(app, &buyer, &ending.offer).await.expect(200);
        app.advance(Duration::days(1));
        expect_closed(app, &buyer, &ending, "ended").await;
        app.advance(Duration::days(1));
        app.order(&buyer, &upcoming, "begun", VISA).await.expect(201);
    }

    async fn a_listing_sells_only_while_it_is_published_and_only_to_its_audience(app) {
        let (provider, buyer, other) = (app.provider().await, app.buyer().await, app.buyer().await);
        let named = json!({"audience": "named", "audience_organizations": [buyer.id]});
        let listing = app.draft(&provider, &json!({})).await;
        app.publish_data(&provider, &listing, "levels.csv", "station,level\nAsuwa,1.25\n").await;
        let sale = app.also_for_sale(&provider, &listing, &one_off(5)).await;
        expect_closed(app, &buyer, &sale, "draft").await;
        app.post(&provider, &format!("/api/v1/listings/{listing}/publish")).await.expect(200);
        quote(app, &buyer, &sale.offer).await.expect(200);
        app.post(&provider, &format!("/api/v1/listings/{listing}/retire")).await.expect(200);
        expect_closed(app, &buyer, &sale, "retired").await;

        let listing = app.published(&provider, &named).await;
        let sale = app.also_for_sale(&provider, &listing, &one_off(5)).await;
        expect_closed(app, &other, &sale, "another audience").await;
        app.order(&buyer, &sale, "named", VISA).await.expect(201);
    }

    async fn every_value_that_has_to_change_is_pointed_at(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let with = |field: &str, value: Value| { let mut body = sale.order_in(VISA); body[field] = value; body };
        let cases = [
            (with("use_case", json!("")), "/use_case"),
            (with("use_case", json!(" \n ")), "/use_case"),
            (with("use_case", json!("x".repeat(2_001))), "/use_case"),
            (with("use_case", json!("a\u{0}b")), "/use_case"),
            (with("use_case", json!(5)), "/use_case"),
            (with("payment_method", json!("4242424242424242")), "/payment_method"),
            (with("payment_method", json!("4242 4242 4242 4242")), "/payment_method"),
            (with("payment_method", json!("4242-4242-4242-4242")), "/payment_method"),
            (with("payment_method", json!("")), "/payment_method"),
            (with("payment_method", json!("p".repeat(121))), "/payment_method"),
            (with("payment_method", json!("pm_ü")), "/payment_method"),
            (with("offer_id", json!("lst_019352f0a1b27c3d8e4f5061728394a5")), "/offer_id"),
            (with("price_minor", json!(1)), "/price_minor"),
        ];
        for (body, pointer) in cases {
            let refused = app.order_with(&buyer, "k", &body).await;
            assert_eq!(refused.status, 422, "{body}: {}", refused.text());
            assert_eq!(pointers(&refused), [pointer], "{body}");
        }
        let mut without = sale.order_in(VISA);
        without.as_object_mut().unwrap().remove("licence_hash");
        app.order_with(&buyer, "k", &without).await.expect(422);
        let longest = with("use_case", json!("ü".repeat(2_000)));
        app.order_with(&buyer, "k", &longest).await.expect(201);
        assert_eq!(app.orders_of(&buyer).await.len(), 1);
    }

    async fn an_order_needs_a_proper_idempotency_key(app) {
        let (sale, buyer) = app.market(&free()).await;
        let body = sale.order_in(None);
        let send = async |key: Option<String>| {
            let request = app.as_org(&buyer, "POST", "/api/v1/orders").json(&body);
            key.into_iter().fold(request, |request, key| request.header("idempotency-key", key)).send().await
        };
        for key in [None, Some(String::new()), Some("with space".to_owned()), Some("x".repeat(256))] {
            let refused = send(key.clone()).await;
            assert_eq!((refused.status, pointers(&refused)), (422, vec!["Idempotency-Key".to_owned()]), "{key:?}");
        }
        send(Some("x".repeat(255))).await.expect(201);
    }

    async fn a_key_belongs_to_one_request_of_one_organisation(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let other = app.buyer().await;
        let first = app.order(&buyer, &sale, "k", VISA).await.expect(201).json();
        assert_eq!(app.order(&buyer, &sale, "k", VISA).await.expect(200).json(), first);
        let reused = app.order(&buyer, &sale, "k", Some("pm_card_declined")).await.expect(409);
        assert_eq!(problem(&reused), "idempotency-key-reused");
        let theirs = app.order(&other, &sale, "k", VISA).await.expect(201).json();
        assert_ne!(theirs["id"], first["id"]);
        app.trace(first["id"].as_str().unwrap()).await.assert_sold_once("repeated");
    }

    async fn a_repeated_request_finds_its_order_though_the_offer_is_gone(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let first = app.order(&buyer, &sale, "k", VISA).await.expect(201).json();
        app.post(&sale.provider, &format!("/api/v1/offers/{}/withdraw", sale.offer)).await.expect(200);
        assert_eq!(app.order(&buyer, &sale, "k", VISA).await.expect(200).json(), first);
        let changed = ForSale { licence_hash: "0".repeat(64), ..sale.clone() };
        assert_eq!(problem(&app.order(&buyer, &changed, "k", VISA).await.expect(409)), "idempotency-key-reused");
        app.order(&buyer, &sale, "another", VISA).await.expect(404);
    }

    async fn fifty_racing_requests_with_one_key_are_one_order(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let racing = (0..50).map(|_| app.order(&buyer, &sale, "k", VISA));
        let answers = futures::future::join_all(racing).await;
        let fresh = answers.iter().filter(|answer| answer.status == 201).count();
        let bad: Vec<_> = answers.iter().filter(|answer| !matches!(answer.status, 200 | 201)).map(Answer::text).collect();
        assert_eq!((fresh, bad), (1, vec![]));
        let order = app.only_order_of(&buyer).await;
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
        app.trace(&order).await.assert_sold_once("fifty twins");
    }

    async fn fifty_racing_requests_with_their_own_keys_are_fifty_orders(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let racing = (0..50).map(async |n: i32| app.order(&buyer, &sale, &format!("k{n}"), VISA).await.status);
        assert_eq!(futures::future::join_all(racing).await, vec![201; 50]);
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
        let orders = app.orders_of(&buyer).await;
        assert_eq!(orders.len(), 50);
        for order in orders {
            app.trace(&order).await.assert_sold_once("one of fifty");
        }
    }

    async fn a_declined_order_needs_a_reason_and_the_right_provider(app) {
        let (sale, buyer) = app.market(&approved(one_off(500))).await;
        let stranger = app.provider().await;
        let id = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/id");
        for (who, what) in [(&stranger, "approve"), (&stranger, "decline"), (&buyer, "approve"), (&buyer, "decline")] {
            let refused = app.decide(who, &id, what, Some("because")).await.status;
            assert!(matches!(refused, 403 | 404), "{what}: {refused}");
        }
        app.decide(&stranger, &id, "approve", None).await.expect(404);
        app.decide(&sale.provider, &id, "cancel", None).await.expect(404);
        for note in [None, Some(""), Some("   ")] {
            assert_eq!(pointers(&app.decide(&sale.provider, &id, "decline", note).await.expect(422)), ["/note"]);
        }
        let long = "x".repeat(2_001);
        assert_eq!(pointers(&app.decide(&sale.provider, &id, "approve", Some(&long)).await.expect(422)), ["/note"]);
        let declined = app.decide(&sale.provider, &id, "decline", Some("Not for this purpose.")).await.expect(200).json();
        assert_eq!((&declined["state"], &declined["decision_note"]), (&json!("declined"), &json!("Not for this purpose.")));
        app.trace(&id).await.assert_not_sold(OrderState::Declined, "declined");
        app.as_org(&stranger, "GET", &format!("/api/v1/orders/{id}")).send().await.expect(404);
    }

    async fn a_free_order_that_is_approved_is_granted(app) {
        let (sale, buyer) = app.market(&approved(free())).await;
        let order = app.order(&buyer, &sale, "k", None).await.expect(201).json();
        let id = order["id"].as_str().unwrap();
        assert_eq!(order["state"], "awaiting_approval");
        app.pay(&buyer, id, "p", "pm_card_visa").await.expect(409);
        let approved = app.decide(&sale.provider, id, "approve", Some("Welcome.")).await.expect(200).json();
        assert_eq!((&approved["state"], &approved["decision_note"]), (&json!("completed"), &json!("Welcome.")));
        let trace = app.trace(id).await;
        assert_eq!((trace.grants.len(), trace.sales.len(), trace.told("order.completed")), (1, 0, 1));
    }

    async fn orders_that_nobody_pays_or_approves_expire(app) {
        let provider = app.provider().await;
        let (listing, buyer) = (app.published(&provider, &json!({})).await, app.buyer().await);
        let unpaid = app.also_for_sale(&provider, &listing, &one_off(500)).await;
        let unapproved = app.also_for_sale(&provider, &listing, &approved(one_off(500))).await;
        let unpaid = app.order(&buyer, &unpaid, "a", None).await.expect(201).str("/id");
        let unapproved = app.order(&buyer, &unapproved, "b", VISA).await.expect(201).str("/id");
        assert_eq!(app.trace(&unapproved).await.held, 1);
        app.advance(Duration::hours(48) - Duration::SECOND);
        app.run_jobs().await;
        assert_eq!(app.see_order(&buyer, &unpaid).await["state"], "awaiting_payment");
        app.advance(Duration::SECOND);
        app.run_jobs().await;
        app.trace(&unpaid).await.assert_not_sold(OrderState::Expired, "unpaid");
        assert_eq!(app.see_order(&buyer, &unapproved).await["state"], "awaiting_approval");
        app.advance(Duration::days(12));
        app.run_jobs().await;
        let trace = app.trace(&unapproved).await;
        trace.assert_not_sold(OrderState::Expired, "unapproved");
        assert_eq!(trace.told("order.expired"), 1);
        app.pay(&buyer, &unpaid, "late", "pm_card_visa").await.expect(409);
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
    }

    async fn what_is_overdue_is_neither_paid_nor_approved_though_no_job_has_closed_it(app) {
        let provider = app.provider().await;
        let (listing, buyer) = (app.published(&provider, &json!({})).await, app.buyer().await);
        let direct = app.also_for_sale(&provider, &listing, &one_off(500)).await;
        let asked = app.also_for_sale(&provider, &listing, &approved(one_off(500))).await;
        let unpaid = app.order(&buyer, &direct, "a", None).await.expect(201).str("/id");
        let unapproved = app.order(&buyer, &asked, "b", VISA).await.expect(201).str("/id");
        app.advance(Duration::hours(48));
        app.pay(&buyer, &unpaid, "late", "pm_card_visa").await.expect(409);
        app.advance(Duration::days(12));
        app.decide(&provider, &unapproved, "approve", None).await.expect(409);
        app.run_jobs().await;
        app.trace(&unpaid).await.assert_not_sold(OrderState::Expired, "unpaid");
        app.trace(&unapproved).await.assert_not_sold(OrderState::Expired, "unapproved");
    }

    async fn an_approved_order_has_the_payment_window_from_then_on(app) {
        let (sale, buyer) = app.market(&approved(one_off(500))).await;
        let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        app.advance(Duration::days(13));
        app.run_jobs().await;
        let order = app.decide(&sale.provider, &id, "approve", None).await.expect(200).json();
        assert_eq!((&order["state"], &order["expires_at"]), (&json!("awaiting_payment"), &json!("2026-12-06T10:00:00Z")));
        app.advance(Duration::hours(47));
        app.run_jobs().await;
        app.pay(&buyer, &id, "p", "pm_card_visa").await.expect(200);
        app.trace(&id).await.assert_sold_once("approved, then paid");
    }

    async fn every_operation_answers_in_every_state_as_documented(app) {
        let provider = app.provider().await;
        let (listing, buyer) = (app.published(&provider, &json!({})).await, app.buyer().await);
        let direct = app.also_for_sale(&provider, &listing, &one_off(500)).await;
        let asked = app.also_for_sale(&provider, &listing, &approved(one_off(500))).await;
        let mut checked = 0;
        for state in OrderState::ALL {
            for operation in ["approve", "decline", "cancel", "pay", "receipt", "get"] {
                let key = format!("{state}-{operation}");
                let id = bring_to(app, &buyer, &direct, &asked, *state, &key).await;
                assert_eq!(app.see_order(&buyer, &id).await["state"], state.as_str(), "{key}");
                let status = match operation {
                    "approve" | "decline" => app.decide(&provider, &id, operation, Some("Because.")).await.status,
                    "cancel" => app.decide(&buyer, &id, operation, None).await.status,
                    "pay" => app.pay(&buyer, &id, &key, "pm_card_visa").await.status,
                    "receipt" => app.as_org(&buyer, "GET", &format!("/api/v1/orders/{id}/receipt")).send().await.status,
                    _ => app.as_org(&buyer, "GET", &format!("/api/v1/orders/{id}")).send().await.status,
                };
                let allowed = matches!(
                    (operation, state),
                    ("get", _)
                        | ("approve" | "decline" | "cancel", OrderState::AwaitingApproval)
                        | ("cancel" | "pay", OrderState::AwaitingPayment)
                        | ("receipt", OrderState::Completed)
                );
                assert_eq!(status, if allowed { 200 } else { 409 }, "{key}");
                checked += 1;
            }
        }
        assert_eq!(checked, 36);
    }

    async fn orders_are_listed_by_side_state_and_listing(app) {
        let provider = app.provider().await;
        let (listing, buyer) = (app.published(&provider, &json!({})).await, app.buyer().await);
        let sale = app.also_for_sale(&provider, &listing, &one_off(500)).await;
        let elsewhere = app.for_sale(&provider, &free()).await;
        let mut placed = Vec::new();
        for (n, method) in [VISA, None, VISA].into_iter().enumerate() {
            app.advance(Duration::SECOND);
            placed.push(app.order(&buyer, &sale, &n.to_string(), method).await.expect(201).str("/id"));
        }
        app.advance(Duration::SECOND);
        placed.push(app.order(&buyer, &elsewhere, "free", None).await.expect(201).str("/id"));
        let list = async |org: &TestOrg, query: &str| -> (Vec<String>, Option<String>) {
            let page = app.as_org(org, "GET", &format!("/api/v1/orders?{query}")).send().await.expect(200).json();
            let ids = page["items"].as_array().unwrap().iter().map(|order| order["id"].as_str().unwrap().to_owned());
            (ids.collect(), page["next_cursor"].as_str().map(str::to_owned))
        };
        placed.reverse();
        assert_eq!(list(&buyer, "").await.0, placed);
        assert_eq!(list(&provider, "side=provider").await.0, placed);
        assert!(list(&provider, "").await.0.is_empty() && list(&buyer, "side=provider").await.0.is_empty());
        assert_eq!(list(&buyer, "state=awaiting_payment").await.0, placed[2..3]);
        assert_eq!(list(&buyer, &format!("listing_id={listing}")).await.0, placed[1..]);
        let (first, cursor) = list(&buyer, "limit=3").await;
        let (rest, end) = list(&buyer, &format!("limit=3&cursor={}", cursor.unwrap())).await;
        assert_eq!(([first, rest].concat(), end), (placed, None));
        app.as_org(&buyer, "GET", "/api/v1/orders?limit=101").send().await.expect(422);
        app.as_org(&buyer, "GET", "/api/v1/orders?colour=red").send().await.expect(422);
    }

    async fn a_receipt_holds_the_accepted_document_and_the_split(app) {
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/id");
        let path = format!("/api/v1/orders/{id}/receipt");
        let receipt = app.as_org(&sale.provider, "GET", &path).send().await.expect(200).json();
        assert_eq!(receipt["order"]["operator_share"]["minor"], 2_000);
        let hash = torv::base::digest::canonical_json_sha256(&receipt["licence_document"]).unwrap();
        assert_eq!(hash, sale.licence_hash);
        app.get(receipt["licence_text_url"].as_str().unwrap()).await.expect(200);
        let stranger = app.buyer().await;
        app.as_org(&stranger, "GET", &path).send().await.expect(404);
    }

    async fn an_order_keeps_to_what_it_promised_though_the_listing_moves_on(app) {
        let (sale, buyer) = app.market(&one_off(500)).await;
        let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        app.publish_data(&sale.provider, &sale.listing, "levels.csv", "station,level\nAsuwa,2.5\n").await;
        app.post(&sale.provider, &format!("/api/v1/offers/{}/withdraw", sale.offer)).await.expect(200);
        app.force_state(sale.listing.parse().unwrap(), ListingState::Retired).await;
        app.pay(&buyer, &id, "p", "pm_card_visa").await.expect(200);
        let trace = app.trace(&id).await;
        trace.assert_sold_once("after everything changed");
        assert_eq!((trace.grants[0].through_revision, trace.order.total_minor), (1, 500));
    }
}

/// A fresh order in this state.
async fn bring_to(
    app: &TestApp,
    buyer: &TestOrg,
    direct: &ForSale,
    asked: &ForSale,
    state: OrderState,
    key: &str,
) -> String {
    let place = async |sale: &ForSale, method| app.order(buyer, sale, key, method).await.expect(201).str("/id");
    match state {
        OrderState::AwaitingApproval => place(asked, None).await,
        OrderState::AwaitingPayment => place(direct, None).await,
        OrderState::Completed => place(direct, VISA).await,
        OrderState::Declined => {
            let id = place(asked, None).await;
            app.decide(&asked.provider, &id, "decline", Some("No.")).await.expect(200);
            id
        }
        OrderState::Cancelled => {
            let id = place(direct, None).await;
            app.decide(buyer, &id, "cancel", None).await.expect(200);
            id
        }
        OrderState::Expired => {
            let id = place(direct, None).await;
            app.advance(Duration::hours(49));
            app.run_jobs().await;
            id
        }
    }
}
