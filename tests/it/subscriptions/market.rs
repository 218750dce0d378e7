//! Offers with a plan, subscriptions to them, and what becomes of both as time passes.

use entity::{grant, ids::SubscriptionId, order, states::OfferKind, subscription};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::Duration;
use torv::settlement::verify::verify_all;

use crate::support::{Answer, Delivery, ForSale, TestApp, TestOrg, one_off, subscription};

pub const VISA: &str = "pm_card_visa";
pub const DECLINED_LATER: &str = "pm_card_declined_later";

/// A subscription of a buyer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subscribed {
    pub sale: ForSale,
    pub buyer: TestOrg,
    pub order: String,
    pub id: String,
}

/// Ten cents a request after the first two.
pub fn meter(unit: &str, more: &Value) -> Value {
    let mut meter =
        json!({"unit": unit, "included_units": 2, "tiers": [{"price_minor": 10, "per_units": 1}], "late_hours": 24});
    for (key, value) in more.as_object().into_iter().flatten() {
        meter[key] = value.clone();
    }
    json!({"meter": meter})
}

impl TestApp {
    /// One more offer of a listing, with a plan.
    pub async fn also_planned(
        &self,
        provider: &TestOrg,
        listing: &str,
        conditions: &Value,
        kind: OfferKind,
        plan: &Value,
    ) -> ForSale {
        let mut body = conditions.clone();
        (body["kind"], body["plan"]) = (json!(kind), plan.clone());
        self.also_for_sale(provider, listing, &body).await
    }

    /// A new listing of a new provider at an offer with a plan, and a new buyer.
    pub async fn planned(&self, conditions: &Value, kind: OfferKind, plan: &Value) -> (ForSale, TestOrg) {
        let (provider, buyer) = (self.provider().await, self.buyer().await);
        let listing = self.published(&provider, &json!({})).await;
        (self.also_planned(&provider, &listing, conditions, kind, plan).await, buyer)
    }

    /// Keeps a means of payment; returns its id.
    pub async fn keep_method(&self, buyer: &TestOrg, token: &str) -> String {
        self.try_keep(buyer, &format!("keep-{token}"), token).await.expect(201).str("/id")
    }

    pub async fn try_keep(&self, buyer: &TestOrg, key: &str, token: &str) -> Answer {
        let body = json!({"payment_method": token, "consent": true});
        self.as_org(buyer, "POST", "/api/v1/payment-methods").header("idempotency-key", key).json(&body).send().await
    }

    /// Orders with a kept means of payment.
    pub async fn order_saved(&self, buyer: &TestOrg, sale: &ForSale, key: &str, method: &str) -> Answer {
        let mut body = sale.order_in(None);
        body["saved_method_id"] = json!(method);
        self.order_with(buyer, key, &body).await
    }

    pub async fn subscribe(&self, conditions: &Value, kind: OfferKind, plan: &Value, token: &str) -> Subscribed {
        let (sale, buyer) = self.planned(conditions, kind, plan).await;
        self.subscribe_to(&sale, &buyer, token).await
    }

    pub async fn subscribe_to(&self, sale: &ForSale, buyer: &TestOrg, token: &str) -> Subscribed {
        let method = self.keep_method(buyer, token).await;
        let order = self.order_saved(buyer, sale, "begin", &method).await.expect(201);
        assert_eq!(order.str("/state"), "completed");
        let found = self.subscriptions_of(buyer).await;
        let (sale, buyer) = (sale.clone(), buyer.clone());
        Subscribed {
            sale,
            buyer,
            order: order.str("/id"),
            id: found.last().unwrap()["id"].as_str().unwrap().to_owned(),
        }
    }

    /// A monthly subscription that renews, at ten euros.
    pub async fn monthly(&self, token: &str) -> Subscribed {
        self.subscribe(&subscription(1_000, 1), OfferKind::Subscription, &json!({"renews": true}), token).await
    }

    pub async fn metered(&self, unit: &str, more: &Value) -> Subscribed {
        self.subscribe(&one_off(0), OfferKind::Metered, &meter(unit, more), VISA).await
    }

    pub async fn subscriptions_of(&self, buyer: &TestOrg) -> Vec<Value> {
        let answer = self.as_org(buyer, "GET", "/api/v1/subscriptions").send().await.expect(200).json();
        answer["items"].as_array().unwrap().clone()
    }

    /// A subscription as its buyer sees it.
    pub async fn see(&self, of: &Subscribed) -> Value {
        self.as_org(&of.buyer, "GET", &format!("/api/v1/subscriptions/{}", of.id)).send().await.expect(200).json()
    }

    pub async fn state_of(&self, of: &Subscribed) -> String {
        self.see(of).await["state"].as_str().unwrap().to_owned()
    }

    /// A request of the buyer about the subscription, without a body.
    pub async fn ask(&self, of: &Subscribed, what: &str) -> Answer {
        self.as_org(&of.buyer, "POST", &format!("/api/v1/subscriptions/{}/{what}", of.id)).send().await
    }

    /// Lets time pass, and everything happen that is due then.
    pub async fn pass(&self, by: Duration) {
        self.advance(by);
        self.settle_all().await;
    }

    /// Everything that is due now.
    pub async fn settle_all(&self) {
        self.sandbox.tick().await.unwrap();
        self.deliver_webhooks(Delivery::InOrder).await;
        self.run_jobs().await;
        self.deliver_webhooks(Delivery::InOrder).await;
    }

    /// Orders that followed from the subscription, oldest first.
    pub async fn followed(&self, of: &Subscribed) -> Vec<order::Model> {
        let id: SubscriptionId = of.id.parse().unwrap();
        let orders = order::Entity::find().filter(order::Column::SubscriptionId.eq(id)).order_by_asc(order::Column::Id);
        orders.all(self.app.db.read()).await.unwrap()
    }

    /// All grants of the buyer, in the order in which they begin.
    pub async fn grants_of(&self, of: &Subscribed) -> Vec<grant::Model> {
        let grants = grant::Entity::find().filter(grant::Column::OrganizationId.eq(of.buyer.id));
        grants
            .order_by_asc(grant::Column::StartsAt)
            .order_by_asc(grant::Column::Id)
            .all(self.app.db.read())
            .await
            .unwrap()
    }

    /// True when exactly one grant opens the door at this moment; false when none does.
    pub async fn has_access(&self, of: &Subscribed) -> bool {
        let mut open = 0;
        for grant in self.grants_of(of).await {
            let path = format!("/api/v1/grants/{}/files", grant.id);
            open += usize::from(self.as_org(&of.buyer, "GET", &path).send().await.status == 200);
        }
        assert!(open <= 1, "{open} grants are open at the same time");
        open == 1
    }

    /// How often news of this kind went out about the subscription.
    pub async fn told(&self, of: &Subscribed, kind: &str) -> usize {
        self.news(&of.id).await.iter().filter(|(told, _)| told == kind).count()
    }

    /// Asserts that all books agree: orders, payments, grants, periods, records, ledger.
    pub async fn assert_all_agrees(&self, context: &str) {
        self.app.recorder.flush().await;
        let report = verify_all(&self.app, |_, _| {}).await.unwrap();
        assert_eq!(report.all_violations().collect::<Vec<_>>(), Vec::<&str>::new(), "{context}");
    }

    /// The row as it is.
    pub async fn row(&self, of: &Subscribed) -> subscription::Model {
        let id: SubscriptionId = of.id.parse().unwrap();
        subscription::Entity::find_by_id(id).one(self.app.db.read()).await.unwrap().unwrap()
    }
}
