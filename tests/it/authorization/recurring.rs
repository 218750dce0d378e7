//! What is charged and counted again and again, on both sides of `home`.

use serde_json::{Value, json};

use super::world::{fresh, licence, offer, text};
use crate::support::{TestApp, TestOrg};

/// One of everything that goes on.
pub struct Recurring {
    /// A renewing offer of `partner`, and what `home` subscribes to there.
    pub renewing_offer: Value,
    pub subscription: String,
    pub meter: String,
    /// What `partner` subscribes to, or has units of, at `home`.
    pub served_subscription: String,
    pub served_meter: String,
    pub quota: String,
}

impl Recurring {
    pub async fn build(app: &TestApp, home: (&TestOrg, &str), partner: (&TestOrg, &str)) -> Self {
        let renewing_offer = renewing(app, partner).await;
        let served_offer = renewing(app, home).await;
        let pack =
            json!({"kind": "quota_pack", "price": euro(500), "plan": {"quota": {"unit": "event", "units": 1_000}}});
        let pack = priced(app, home, pack).await;
        order(app, partner.0, &pack).await;
        let quotas = app.as_org(partner.0, "GET", "/api/v1/quotas").send().await.expect(200);
        Self {
            subscription: subscribe(app, home.0, &renewing_offer).await,
            meter: subscribe(app, home.0, &metered(app, partner).await).await,
            served_subscription: subscribe(app, partner.0, &served_offer).await,
            served_meter: subscribe(app, partner.0, &metered(app, home).await).await,
            quota: quotas.str("/items/0/id"),
            renewing_offer,
        }
    }
}

fn euro(minor: i64) -> Value {
    json!({"minor": minor, "currency": "EUR"})
}

async fn priced(app: &TestApp, (org, listing): (&TestOrg, &str), mut body: Value) -> Value {
    body["licence_id"] = json!(licence(app, org).await);
    offer(app, org, listing, &body).await
}

async fn renewing(app: &TestApp, at: (&TestOrg, &str)) -> Value {
    let body = json!({"kind": "subscription", "term_months": 1, "price": euro(1_000), "plan": {"renews": true}});
    priced(app, at, body).await
}

async fn metered(app: &TestApp, at: (&TestOrg, &str)) -> Value {
    let meter = json!({"unit": "event", "tiers": [{"price_minor": 1, "per_units": 1}]});
    priced(app, at, json!({"kind": "metered", "price": euro(0), "plan": {"meter": meter}})).await
}

/// Keeps a means of payment; returns its id.
pub async fn keep_method(app: &TestApp, org: &TestOrg) -> String {
    let body = json!({"payment_method": "pm_card_visa", "consent": true});
    let request = app.as_org(org, "POST", "/api/v1/payment-methods").header("idempotency-key", fresh());
    request.json(&body).send().await.expect(201).str("/id")
}

async fn order(app: &TestApp, buyer: &TestOrg, offer: &Value) {
    let body = json!({
        "offer_id": offer["id"], "licence_hash": offer["licence"]["hash"], "use_case": "Warn of floods",
        "saved_method_id": keep_method(app, buyer).await,
    });
    let request = app.as_org(buyer, "POST", "/api/v1/orders").header("idempotency-key", fresh());
    request.json(&body).send().await.expect(201);
}

/// Subscribes; returns the subscription, which is the newest one.
async fn subscribe(app: &TestApp, buyer: &TestOrg, offer: &Value) -> String {
    order(app, buyer, offer).await;
    let listed = app.as_org(buyer, "GET", "/api/v1/subscriptions").send().await.expect(200).json();
    let own = listed["items"].as_array().expect("a list").iter().find(|one| one["offer_id"] == offer["id"]);
    text(own.expect("it began"), "/id")
}
