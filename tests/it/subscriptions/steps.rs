//! A processor that charges in steps of ten minor units, as Stripe does with KWD and BHD.

use entity::states::OfferKind;
use serde_json::{Value, json};
use time::Duration;

use super::{
    market::{Subscribed, VISA, meter},
    taxes::{report, settle_in},
};
use crate::support::{Backend, Home, TestApp, TestOrg};

const DANE: &str = "DK13585628";

fn dinars(kind: &str, minor: i64) -> Value {
    json!({"kind": kind, "price": {"minor": minor, "currency": "KWD"}})
}

async fn in_steps_of_ten(backend: Backend, test: impl AsyncFnOnce(&TestApp)) {
    let Some(home) = Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |config| config.payments.sandbox.charge_step_minor = 10).await;
    test(&app).await;
    app.assert_all_agrees("charged in steps").await;
    app.check_what_is_left().await;
}

/// Declares tests with a processor that charges in steps of ten, on both databases.
macro_rules! in_steps {
    ($(async fn $name:ident($app:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($app: &TestApp) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                in_steps_of_ten(Backend::Sqlite, async |app| test(app).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                in_steps_of_ten(Backend::Postgres, async |app| test(app).await).await;
            }
        }
    )+};
}

/// An offer of a Danish business, and a Danish consumer.
async fn market(
    app: &TestApp,
    conditions: &Value,
    kind: OfferKind,
    plan: &Value,
) -> (crate::support::ForSale, TestOrg) {
    let (sale, buyer) = app.planned(conditions, kind, plan).await;
    settle_in(app, &sale.provider, "DK", Some(DANE)).await;
    settle_in(app, &buyer, "DK", None).await;
    (sale, buyer)
}

/// Net and total of the orders that followed.
async fn followed(app: &TestApp, of: &Subscribed) -> Vec<(i64, i64)> {
    app.followed(of).await.iter().map(|order| (order.total_minor - order.tax_minor, order.total_minor)).collect()
}

fn minor(value: &Value, pointer: &str) -> i64 {
    value
        .pointer(pointer)
        .and_then(|money| money["minor"].as_i64())
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

in_steps! {
    async fn a_price_that_nobody_can_be_charged_is_refused_when_it_is_published(app) {
        let provider = app.provider().await;
        let listing = app.published(&provider, &json!({})).await;
        let licence = json!({"preset": "internal_use"});
        let made = app.as_org(&provider, "POST", "/api/v1/licences").json(&licence).send().await.expect(201);
        let mut body = dinars("one_off", 1_234);
        body["licence_id"] = json!(made.str("/licence/id"));
        let path = format!("/api/v1/listings/{listing}/offers");
        let refused = app.as_org(&provider, "POST", &path).json(&body).send().await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/price/minor");
        assert_eq!(refused["errors"][0]["detail"], "Nobody can be charged 1.234 KWD: choose 0.010 KWD to 99999.990 KWD, in steps of 0.010 KWD.");
        body["price"]["minor"] = json!(1_230);
        app.as_org(&provider, "POST", &path).json(&body).send().await.expect(201);
    }

    async fn a_tax_off_the_step_is_refused_at_the_quote_with_the_reason_and_no_order_is_left(app) {
        let (sale, buyer) = market(app, &dinars("one_off", 1_230), OfferKind::OneOff, &json!({})).await;
        let ask = json!({"offer_id": sale.offer});
        let refused = app.as_org(&buyer, "POST", "/api/v1/quotes").json(&ask).send().await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/offer_id");
        let detail = refused["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("This would cost 1.538 KWD with tax, and only multiples of 0.010 KWD can be charged"), "{detail}");
        app.order(&buyer, &sale, "k", Some(VISA)).await.expect(422);
        assert!(app.orders_of(&buyer).await.is_empty());
        // A business elsewhere in the union pays no tax here, and so can buy it.
        settle_in(app, &buyer, "DE", Some("DE136695976")).await;
        assert_eq!(app.order(&buyer, &sale, "k2", Some(VISA)).await.expect(201).json()["total"]["minor"], 1_230);
    }

    async fn the_parts_of_a_price_are_charged_as_quoted_and_make_the_whole(app) {
        let plan = json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
        let (sale, buyer) = market(app, &dinars("one_off", 10_000), OfferKind::OneOff, &plan).await;
        let ask = json!({"offer_id": sale.offer});
        let quoted = app.as_org(&buyer, "POST", "/api/v1/quotes").json(&ask).send().await.expect(200).json();
        let later: Vec<(i64, i64)> = (0..2).map(|n| (minor(&quoted, &format!("/schedule/{n}/amount")), minor(&quoted, &format!("/schedule/{n}/total")))).collect();
        assert_eq!(later, [(3_336, 4_170), (3_336, 4_170)]);
        assert_eq!(minor(&quoted, "/total"), 4_160);
        let of = app.subscribe_to(&sale, &buyer, VISA).await;
        app.pass(Duration::days(30)).await;
        app.pass(Duration::days(30)).await;
        assert_eq!(followed(app, &of).await, later);
        assert_eq!(app.see(&of).await["end_reason"], "all parts are paid");
    }

    async fn parts_move_when_the_tax_does_and_never_take_more(app) {
        let plan = json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
        let (sale, buyer) = market(app, &dinars("one_off", 10_000), OfferKind::OneOff, &plan).await;
        let of = app.subscribe_to(&sale, &buyer, VISA).await;
        settle_in(app, &buyer, "FI", None).await;
        app.pass(Duration::days(30)).await;
        settle_in(app, &buyer, "DE", Some("DE136695976")).await;
        app.pass(Duration::days(30)).await;
        let orders = followed(app, &of).await;
        assert!(orders.iter().all(|(_, total)| total % 10 == 0), "{orders:?}");
        let paid = 3_328 + orders.iter().map(|(net, _)| net).sum::<i64>();
        assert!((9_991..=10_000).contains(&paid), "{paid}: {orders:?}");
    }

    async fn a_renewal_gives_way_by_less_than_a_step_when_the_tax_changes(app) {
        let mut monthly = dinars("subscription", 1_240);
        monthly["term_months"] = json!(1);
        let (sale, buyer) = market(app, &monthly, OfferKind::Subscription, &json!({"renews": true})).await;
        let of = app.subscribe_to(&sale, &buyer, VISA).await;
        assert_eq!(app.see_order(&buyer, &of.order).await["total"]["minor"], 1_550);
        settle_in(app, &buyer, "FI", None).await;
        app.pass(Duration::days(30)).await;
        // 25.5 % of 1.240 make 1.556: 1.235 and 0.315 are the nearest below that can be charged.
        assert_eq!(followed(app, &of).await, [(1_235, 1_550)]);
        assert_eq!(app.state_of(&of).await, "active");
    }

    async fn a_month_of_use_is_charged_with_its_tax(app) {
        let plan = meter("event", &json!({"included_units": 0, "tiers": [{"price_minor": 7, "per_units": 1}]}));
        let (sale, buyer) = market(app, &dinars("metered", 0), OfferKind::Metered, &plan).await;
        let of = app.subscribe_to(&sale, &buyer, VISA).await;
        report(app, &of, 11).await;
        app.pass(Duration::days(35)).await;
        assert_eq!(followed(app, &of).await, [(72, 90)], "0.077 and 25 % can't be charged; 0.072 and 0.018 can");
    }

    async fn a_refund_off_the_step_is_refused_before_anybody_decides(app) {
        let (sale, buyer) = market(app, &dinars("one_off", 1_240), OfferKind::OneOff, &json!({})).await;
        let order = app.order(&buyer, &sale, "k", Some(VISA)).await.expect(201).str("/id");
        let path = format!("/api/v1/orders/{order}/refunds");
        for (key, minor, status) in [("a", 123, 422), ("b", 120, 201)] {
            let body = json!({"amount_minor": minor, "reason": "Half of it is missing."});
            app.as_org(&buyer, "POST", &path).header("idempotency-key", key).json(&body).send().await.expect(status);
        }
        app.run_jobs().await;
    }
}
