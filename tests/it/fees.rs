//! The operator's share: dated rules, the most specific one wins, and an order keeps the one it was placed under.

use entity::states::OrderState;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Answer, ForSale, TestApp, TestOrg, on_both, one_off};

const VISA: Option<&str> = Some("pm_card_visa");

async fn rule(app: &TestApp, operator: &TestOrg, key: &str, body: &Value) -> Answer {
    app.as_org(operator, "POST", "/api/v1/fee-rules").header("idempotency-key", key).json(body).send().await
}

async fn fee_bps(app: &TestApp, buyer: &TestOrg, sale: &ForSale) -> Value {
    let quote = app.as_org(buyer, "POST", "/api/v1/quotes").json(&json!({"offer_id": sale.offer})).send().await;
    quote.expect(200).json()["fee_bps"].clone()
}

on_both! {
    async fn the_most_specific_rule_wins_from_its_date_on(app) {
        let operator = app.operator().await;
        let (sale, buyer) = app.market(&one_off(10_000)).await;
        let (elsewhere, _) = app.market(&one_off(10_000)).await;
        assert_eq!(fee_bps(app, &buyer, &sale).await, 2_000);
        let provider = sale.provider.id;
        let tomorrow = json!(entity::Timestamp(app.clock.now() + Duration::days(1)));
        rule(app, &operator, "later", &json!({"operator_bps": 100, "from_at": tomorrow})).await.expect(201);
        assert_eq!(fee_bps(app, &buyer, &sale).await, 2_000);
        for (bps, narrowed) in [
            (1_900, json!({})),
            (1_800, json!({"organization_id": provider})),
            (1_700, json!({"listing_id": sale.listing})),
            (1_600, json!({"offer_id": sale.offer})),
        ] {
            let mut body = narrowed;
            body["operator_bps"] = json!(bps);
            rule(app, &operator, &bps.to_string(), &body).await.expect(201);
            assert_eq!(fee_bps(app, &buyer, &sale).await, bps);
            assert_eq!(fee_bps(app, &buyer, &elsewhere).await, 1_900);
            app.advance(Duration::SECOND);
        }
        let order = app.order(&buyer, &sale, "k", VISA).await.expect(201).json();
        assert_eq!((&order["operator_share"]["minor"], &order["provider_share"]["minor"]), (&json!(1_600), &json!(8_400)));
        app.advance(Duration::days(1));
        assert_eq!(fee_bps(app, &buyer, &elsewhere).await, 100);
        assert_eq!(fee_bps(app, &buyer, &sale).await, 1_600, "the offer's own rule still wins");
        rule(app, &operator, "newer", &json!({"operator_bps": 1_500, "offer_id": sale.offer})).await.expect(201);
        assert_eq!(fee_bps(app, &buyer, &sale).await, 1_500);
        app.deliver_webhooks(crate::support::Delivery::InOrder).await;
    }

    async fn an_order_keeps_the_rule_it_was_placed_under(app) {
        let operator = app.operator().await;
        let (sale, buyer) = app.market(&one_off(10_001)).await;
        let id = app.order(&buyer, &sale, "k", None).await.expect(201).str("/id");
        rule(app, &operator, "r", &json!({"operator_bps": 5_000})).await.expect(201);
        let paid = app.pay(&buyer, &id, "p", "pm_card_visa").await.expect(200).json();
        assert_eq!((&paid["fee_bps"], &paid["operator_share"]["minor"]), (&json!(2_000), &json!(2_000)));
        let trace = app.trace(&id).await;
        let commission = app.postings(&trace.sales[0]).await.into_iter().find(|(code, _)| code == "commission").unwrap();
        assert_eq!(commission.1, -2_000);
        let next = app.order(&buyer, &sale, "next", VISA).await.expect(201).json();
        assert_eq!((&next["fee_bps"], &next["operator_share"]["minor"]), (&json!(5_000), &json!(5_000)), "half of 10001 is 5000.5, to even");
    }

    async fn all_or_nothing_goes_to_the_operator_and_still_balances(app) {
        let operator = app.operator().await;
        for (key, bps, lines) in [("none", 0, 2), ("all", 10_000, 2), ("most", 9_999, 3)] {
            app.advance(Duration::SECOND);
            rule(app, &operator, key, &json!({"operator_bps": bps})).await.expect(201);
            let (sale, buyer) = app.market(&one_off(10_001)).await;
            let id = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/id");
            let trace = app.trace(&id).await;
            trace.assert_sold_once(key);
            let postings = app.postings(&trace.sales[0]).await;
            assert_eq!((postings.len(), postings.iter().map(|(_, minor)| minor).sum::<i64>()), (lines, 0), "{key}");
        }
    }

    async fn the_cheapest_sale_balances(app) {
        let (sale, buyer) = app.market(&one_off(1)).await;
        let id = app.order(&buyer, &sale, "k", VISA).await.expect(201).str("/id");
        let trace = app.trace(&id).await;
        trace.assert_sold_once("one cent");
        assert_eq!((trace.order.state, app.postings(&trace.sales[0]).await.len()), (OrderState::Completed, 2));
    }

    async fn only_the_operator_makes_rules_and_only_for_the_future(app) {
        let operator = app.operator().await;
        let (sale, buyer) = app.market(&one_off(500)).await;
        for org in [&sale.provider, &buyer] {
            rule(app, org, "k", &json!({"operator_bps": 0})).await.expect(403);
            app.as_org(org, "GET", "/api/v1/fee-rules").send().await.expect(403);
        }
        let no_finance = app.key(&operator, &["read", "buy", "catalogue"]).await;
        app.request("GET", "/api/v1/fee-rules").bearer(no_finance).send().await.expect(403);
        let past = json!(entity::Timestamp(app.clock.now() - Duration::SECOND));
        for (body, pointer) in [
            (json!({"operator_bps": 10_001}), "/operator_bps"),
            (json!({"operator_bps": -1}), "/operator_bps"),
            (json!({"operator_bps": 20.5}), "/operator_bps"),
            (json!({"operator_bps": 100, "from_at": past}), "/from_at"),
            (json!({"operator_bps": 100, "offer_id": "lst_1"}), "/offer_id"),
            (json!({"operator_bps": 100, "percent": 1}), "/percent"),
        ] {
            let refused = rule(app, &operator, "k", &body).await.expect(422).json();
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
        }
        let listed = app.as_org(&operator, "GET", "/api/v1/fee-rules").send().await.expect(200).json();
        assert_eq!(listed["items"], json!([]));
    }

    async fn a_rule_is_made_once_per_key_however_late_it_is_repeated(app) {
        let operator = app.operator().await;
        let soon = json!({"operator_bps": 700, "from_at": entity::Timestamp(app.clock.now() + Duration::seconds(10))});
        let first = rule(app, &operator, "k", &soon).await.expect(201).json();
        app.advance(Duration::seconds(20));
        assert_eq!(rule(app, &operator, "k", &soon).await.expect(201).json(), first);
        rule(app, &operator, "k", &json!({"operator_bps": 701})).await.expect(409);
        rule(app, &operator, "", &json!({"operator_bps": 701})).await.expect(422);
        let racing = futures::future::join_all((0..20).map(|_| {
            let body = json!({"operator_bps": 9});
            let operator = operator.clone();
            async move { rule(app, &operator, "race", &body).await.expect(201).str("/id") }
        })).await;
        assert!(racing.iter().all(|id| *id == racing[0]));
        let listed = app.as_org(&operator, "GET", "/api/v1/fee-rules?limit=1").send().await.expect(200).json();
        assert_eq!(listed["items"][0]["operator_bps"], 9);
        let rest = format!("/api/v1/fee-rules?cursor={}", listed["next_cursor"].as_str().unwrap());
        let rest = app.as_org(&operator, "GET", &rest).send().await.expect(200).json();
        assert_eq!(rest["items"], json!([first]));
        assert_eq!(app.audited(first["id"].as_str().unwrap()).await, ["fee_rule.create"]);
    }
}
