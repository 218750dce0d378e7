use entity::{ids::OrderId, order_line, states::OfferKind};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use serde_json::{Value, json};
use time::{Duration, macros::datetime};

use super::market::{Subscribed, VISA, meter};
use crate::support::{Backend, Home, TestApp, TestOrg, on_both, one_off, subscription};

const DANE: &str = "DK13585628";
const GERMAN: &str = "DE136695976";

/// Moves an organisation to a country; with a VAT id it is a business there.
pub async fn settle_in(app: &TestApp, org: &TestOrg, country: &str, vat_id: Option<&str>) {
    let mut body = json!({
        "legal_name": "Data", "country": country, "is_business": vat_id.is_some(),
        "address": {"street": "Torvet 1", "postal_code": "8000", "city": "Aarhus"}
    });
    if let Some(id) = vat_id {
        body["vat_id"] = json!(id);
    }
    let path = format!("/api/v1/organizations/{}/tax-profile", org.id);
    app.as_org(org, "PUT", &path).json(&body).send().await.expect(200);
}

/// A subscription to something of a Danish business by a consumer in `country`.
async fn taxed(app: &TestApp, conditions: &Value, kind: OfferKind, plan: &Value, country: &str) -> Subscribed {
    let (sale, buyer) = app.planned(conditions, kind, plan).await;
    settle_in(app, &sale.provider, "DK", Some(DANE)).await;
    settle_in(app, &buyer, country, None).await;
    app.subscribe_to(&sale, &buyer, VISA).await
}

/// Net, tax, rate, category and whose tax it is, of the orders that followed.
async fn followed(app: &TestApp, of: &Subscribed) -> Vec<(i64, i64, i32, Option<String>, Option<String>)> {
    let mut all = Vec::new();
    for order in app.followed(of).await {
        let line = line_of(app, order.id).await;
        assert_eq!((order.tax_minor, order.total_minor), (line.tax_minor, line.price_minor + line.tax_minor));
        assert_eq!(line.operator_minor + line.provider_minor, order.total_minor, "an agent's provider owes the tax");
        all.push((line.price_minor, line.tax_minor, line.tax_bps, line.tax_category, order.tax_country));
    }
    all
}

async fn line_of(app: &TestApp, order: OrderId) -> order_line::Model {
    let line = order_line::Entity::find().filter(order_line::Column::OrderId.eq(order));
    line.one(app.app.db.read()).await.expect("reads").expect("a line")
}

fn standard(net: i64, tax: i64, bps: i32, country: &str) -> (i64, i64, i32, Option<String>, Option<String>) {
    (net, tax, bps, Some("S".to_owned()), Some(country.to_owned()))
}

/// On the way from 22 to 24 % in Estonia, on 1 July 2025.
async fn in_june_2025(backend: Backend, test: impl AsyncFnOnce(&TestApp)) {
    let Some(home) = Home::fresh(backend).await else { return };
    let app = TestApp::start_at(home, datetime!(2025-06-15 10:00 UTC), |_| {}).await;
    test(&app).await;
    app.assert_all_agrees("over a change of rates").await;
}

on_both! {
    async fn each_period_is_taxed_as_its_buyer_stands_then(app) {
        let of = taxed(app, &subscription(1_000, 1), OfferKind::Subscription, &json!({"renews": true}), "DK").await;
        assert_eq!(app.see_order(&of.buyer, &of.order).await["total"]["minor"], 1_250);
        app.pass(Duration::days(30)).await;
        settle_in(app, &of.buyer, "DE", Some(GERMAN)).await;
        app.pass(Duration::days(31)).await;
        settle_in(app, &of.buyer, "FI", None).await;
        app.pass(Duration::days(31)).await;
        let reverse = (1_000, 0, 0, Some("AE".to_owned()), None);
        assert_eq!(followed(app, &of).await, [standard(1_000, 250, 2_500, "DK"), reverse, standard(1_000, 255, 2_550, "FI")]);
        assert_eq!(app.see_order(&of.buyer, &of.order).await["total"]["minor"], 1_250, "what was sold stays as it was");
        app.assert_all_agrees("a buyer that moved twice").await;
    }

    async fn a_provider_that_is_registered_later_charges_tax_from_then_on(app) {
        let of = app.monthly(VISA).await;
        settle_in(app, &of.buyer, "DK", None).await;
        app.pass(Duration::days(30)).await;
        settle_in(app, &of.sale.provider, "DK", Some(DANE)).await;
        app.pass(Duration::days(31)).await;
        let none = (1_000, 0, 0, Some("O".to_owned()), None);
        assert_eq!(followed(app, &of).await, [none, standard(1_000, 250, 2_500, "DK")]);
        app.assert_all_agrees("a provider that registered").await;
    }

    async fn parts_and_months_of_use_are_taxed_as_their_buyer_stands_then(app) {
        let plan = json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
        let parts = taxed(app, &one_off(10_001), OfferKind::OneOff, &plan, "DK").await;
        let months = taxed(app, &one_off(0), OfferKind::Metered, &meter("event", &json!({"included_units": 0})), "DK").await;
        report(app, &months, 10).await;
        app.pass(Duration::days(10)).await;
        settle_in(app, &parts.buyer, "FI", None).await;
        settle_in(app, &months.buyer, "FI", None).await;
        app.pass(Duration::days(25)).await;
        app.pass(Duration::days(30)).await;
        assert_eq!(followed(app, &parts).await, [standard(3_333, 850, 2_550, "FI"), standard(3_333, 850, 2_550, "FI")]);
        assert_eq!(followed(app, &months).await, [standard(100, 26, 2_550, "FI")]);
        app.assert_all_agrees("after the parts").await;
    }

    async fn a_change_within_a_period_says_what_is_paid_with_tax(app) {
        let of = taxed(app, &subscription(1_000, 1), OfferKind::Subscription, &json!({"renews": true}), "DK").await;
        let (provider, listing) = (&of.sale.provider, &of.sale.listing);
        let larger = app.also_planned(provider, listing, &subscription(3_000, 1), OfferKind::Subscription, &json!({"renews": true})).await;
        app.pass(Duration::days(15)).await;
        let path = format!("/api/v1/subscriptions/{}/change?offer_id={}", of.id, larger.offer);
        let cost = app.as_org(&of.buyer, "GET", &path).send().await.expect(200).json();
        assert_eq!((&cost["charge"]["minor"], &cost["total"]["minor"]), (&json!(1_000), &json!(1_250)));
    }

    async fn a_quote_says_what_is_charged_later_with_its_tax(app) {
        let (sale, buyer) = app.planned(&subscription(1_000, 1), OfferKind::Subscription, &json!({"renews": true, "trial_days": 14})).await;
        settle_in(app, &sale.provider, "DK", Some(DANE)).await;
        settle_in(app, &buyer, "DK", None).await;
        let quoted = app.as_org(&buyer, "POST", "/api/v1/quotes").json(&json!({"offer_id": sale.offer})).send().await.expect(200).json();
        assert_eq!(quoted["total"]["minor"], 0);
        for later in quoted["schedule"].as_array().unwrap() {
            assert_eq!((&later["amount"]["minor"], &later["total"]["minor"]), (&json!(1_000), &json!(1_250)));
        }
    }
}

/// Events of the buyer's, as its provider tells of them.
pub async fn report(app: &TestApp, of: &Subscribed, units: i64) {
    let at = app.clock.now().format(&time::format_description::well_known::Rfc3339).unwrap();
    let body = json!({"records": [{"key": "a", "units": units, "occurred_at": at}]});
    let path = format!("/api/v1/subscriptions/{}/usage", of.id);
    app.as_org(&of.sale.provider, "POST", &path).json(&body).send().await.expect(200);
}

async fn a_rate_that_changes_between_periods_counts_by_their_day(app: &TestApp) {
    let renewing = taxed(app, &subscription(1_000, 1), OfferKind::Subscription, &json!({"renews": true}), "EE").await;
    let plan = json!({"instalments": [{"after_days": 10, "share_bps": 2_500}, {"after_days": 30, "share_bps": 2_500}]});
    let parts = taxed(app, &one_off(10_000), OfferKind::OneOff, &plan, "EE").await;
    assert_eq!(app.see_order(&renewing.buyer, &renewing.order).await["total"]["minor"], 1_220);
    assert_eq!(app.see_order(&parts.buyer, &parts.order).await["total"]["minor"], 6_100);
    for days in [10, 20, 10] {
        app.pass(Duration::days(days)).await;
    }
    assert_eq!(followed(app, &renewing).await, [standard(1_000, 240, 2_400, "EE")]);
    assert_eq!(followed(app, &parts).await, [standard(2_500, 550, 2_200, "EE"), standard(2_500, 600, 2_400, "EE")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_rate_counts_from_its_day_on_sqlite() {
    in_june_2025(Backend::Sqlite, a_rate_that_changes_between_periods_counts_by_their_day).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_rate_counts_from_its_day_on_postgres() {
    in_june_2025(Backend::Postgres, a_rate_that_changes_between_periods_counts_by_their_day).await;
}
