//! Something to sell, orders for it, and what an order has left behind everywhere.

use entity::{
    grant,
    ids::{OrderId, PaymentId},
    ledger_entry, order, outbox, payment, posting, sandbox_object,
    states::{EntryKind, OrderState, PaymentState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use torv::ledger;

use super::{Answer, TestApp, TestOrg};

/// An offer that can be ordered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForSale {
    pub provider: TestOrg,
    pub listing: String,
    pub offer: String,
    pub licence_hash: String,
}

impl ForSale {
    /// What a buyer sends.
    pub fn order_in(&self, method: Option<&str>) -> Value {
        let mut body = json!({"offer_id": self.offer, "licence_hash": self.licence_hash, "use_case": "Warn drivers."});
        if let Some(method) = method {
            body["payment_method"] = json!(method);
        }
        body
    }
}

/// Conditions of a free offer.
pub fn free() -> Value {
    json!({"kind": "free", "licence": "CC-BY-4.0"})
}

/// Conditions of an offer paid once, in euro cents.
pub fn one_off(minor: i64) -> Value {
    json!({"kind": "one_off", "price": {"minor": minor, "currency": "EUR"}})
}

/// Conditions of a subscription, in euro cents.
pub fn subscription(minor: i64, months: i32) -> Value {
    json!({"kind": "subscription", "price": {"minor": minor, "currency": "EUR"}, "term_months": months})
}

/// The same conditions, with the provider's approval.
pub fn approved(mut conditions: Value) -> Value {
    conditions["approval_required"] = json!(true);
    conditions
}

/// Everything an order has left behind.
#[derive(Debug)]
pub struct Trace {
    pub order: order::Model,
    pub payments: Vec<payment::Model>,
    pub grants: Vec<grant::Model>,
    /// Entries of the sale in the ledger.
    pub sales: Vec<ledger_entry::Model>,
    /// Lines of the processor's balance that belong to the order.
    pub charge_lines: usize,
    /// Charges at the processor that hold a buyer's money without taking it.
    pub held: usize,
    /// Kinds of the news that name the order.
    pub news: Vec<String>,
}

impl Trace {
    /// How often this kind of news went out.
    pub fn told(&self, kind: &str) -> usize {
        self.news.iter().filter(|told| *told == kind).count()
    }

    /// Asserts that the buyer paid once, and once got what they paid for; `context` goes into the messages.
    #[track_caller]
    pub fn assert_sold_once(&self, context: &str) {
        assert_eq!(self.order.state, OrderState::Completed, "{context}: {self:?}");
        assert_eq!(self.charge_lines, 1, "charged {} times, {context}: {self:?}", self.charge_lines);
        assert_eq!(self.sales.len(), 1, "booked {} times, {context}: {self:?}", self.sales.len());
        assert_eq!(self.grants.len(), 1, "granted {} times, {context}: {self:?}", self.grants.len());
        assert_eq!(self.held, 0, "money is still held, {context}: {self:?}");
        assert_eq!(self.told("order.completed"), 1, "{context}: {self:?}");
        let taken = self.payments.iter().filter(|payment| payment.state == PaymentState::Succeeded).count();
        assert_eq!(taken, 1, "{context}: {self:?}");
    }

    /// Asserts that nothing was sold: no money taken or held, nothing booked, nothing granted.
    #[track_caller]
    pub fn assert_not_sold(&self, state: OrderState, context: &str) {
        assert_eq!(self.order.state, state, "{context}: {self:?}");
        let left = (self.charge_lines, self.held, self.sales.len(), self.grants.len(), self.told("order.completed"));
        assert_eq!(left, (0, 0, 0, 0, 0), "charged, held, booked, granted, told; {context}: {self:?}");
    }
}

impl TestApp {
    /// A published listing of `provider` with one offer on these conditions.
    pub async fn for_sale(&self, provider: &TestOrg, conditions: &Value) -> ForSale {
        let listing = self.published(provider, &json!({})).await;
        self.also_for_sale(provider, &listing, conditions).await
    }

    /// One more offer for a listing; a priced one without a licence gets one for internal use.
    pub async fn also_for_sale(&self, provider: &TestOrg, listing: &str, conditions: &Value) -> ForSale {
        let mut body = conditions.clone();
        if body["kind"] != "free" && body.get("licence_id").is_none() {
            let preset = json!({"preset": "internal_use"});
            let made = self.as_org(provider, "POST", "/api/v1/licences").json(&preset).send().await.expect(201);
            body["licence_id"] = json!(made.str("/licence/id"));
        }
        let path = format!("/api/v1/listings/{listing}/offers");
        let made = self.as_org(provider, "POST", &path).json(&body).send().await.expect(201);
        ForSale {
            provider: provider.clone(),
            listing: listing.to_owned(),
            offer: made.str("/id"),
            licence_hash: made.str("/licence/hash"),
        }
    }

    /// Something of a new provider for sale, and a new buyer.
    pub async fn market(&self, conditions: &Value) -> (ForSale, TestOrg) {
        let (provider, buyer) = (self.provider().await, self.buyer().await);
        (self.for_sale(&provider, conditions).await, buyer)
    }

    /// Places an order.
    pub async fn order(&self, buyer: &TestOrg, sale: &ForSale, key: &str, method: Option<&str>) -> Answer {
        self.order_with(buyer, key, &sale.order_in(method)).await
    }

    /// Places an order with this body.
    pub async fn order_with(&self, buyer: &TestOrg, key: &str, body: &Value) -> Answer {
        self.as_org(buyer, "POST", "/api/v1/orders").header("idempotency-key", key).json(body).send().await
    }

    /// Pays an order.
    pub async fn pay(&self, buyer: &TestOrg, order: &str, key: &str, method: &str) -> Answer {
        let path = format!("/api/v1/orders/{order}/payments");
        let body = json!({"payment_method": method});
        self.as_org(buyer, "POST", &path).header("idempotency-key", key).json(&body).send().await
    }

    /// Approves, declines or cancels an order; only the first two take a note.
    pub async fn decide(&self, org: &TestOrg, order: &str, what: &str, note: Option<&str>) -> Answer {
        let request = self.as_org(org, "POST", &format!("/api/v1/orders/{order}/{what}"));
        match (what, note) {
            ("cancel", _) => request.send().await,
            (_, Some(note)) => request.json(&json!({"note": note})).send().await,
            (_, None) => request.json(&json!({})).send().await,
        }
    }

    /// An order as `org` sees it.
    pub async fn see_order(&self, org: &TestOrg, order: &str) -> Value {
        self.as_org(org, "GET", &format!("/api/v1/orders/{order}")).send().await.expect(200).json()
    }

    /// The ids of all orders of `buyer`, oldest first.
    pub async fn orders_of(&self, buyer: &TestOrg) -> Vec<String> {
        let rows = order::Entity::find()
            .filter(order::Column::BuyerId.eq(buyer.id))
            .order_by_asc(order::Column::Id)
            .all(self.app.db.read())
            .await;
        rows.expect("orders are readable").into_iter().map(|row| row.id.to_string()).collect()
    }

    /// The one order of `buyer`.
    pub async fn only_order_of(&self, buyer: &TestOrg) -> String {
        let mut all = self.orders_of(buyer).await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// Everything this order has left behind.
    pub async fn trace(&self, id: &str) -> Trace {
        let id: OrderId = id.parse().expect("an order id");
        let conn = self.app.db.read();
        let order = order::Entity::find_by_id(id).one(conn).await.expect("readable").expect("the order");
        let payments =
            payment::Entity::find().filter(payment::Column::OrderId.eq(id)).all(conn).await.expect("readable");
        let grants = grant::Entity::find().filter(grant::Column::OrderId.eq(id)).all(conn).await.expect("readable");
        let sales = ledger_entry::Entity::find()
            .filter(ledger_entry::Column::Source.starts_with(format!("order:{id}:")))
            .filter(ledger_entry::Column::Kind.eq(EntryKind::Sale))
            .all(conn)
            .await
            .expect("readable");
        let charges: Vec<String> = payments.iter().map(|payment| charge_of(payment.id)).collect();
        let objects = || sandbox_object::Entity::find();
        let charge_lines = objects()
            .filter(sandbox_object::Column::Kind.eq("line"))
            .filter(sandbox_object::Column::Parent.is_in(charges.clone()))
            .count(conn);
        let held = objects()
            .filter(sandbox_object::Column::Id.is_in(charges))
            .filter(sandbox_object::Column::State.is_in(["authorised", "processing"]))
            .count(conn);
        let news = outbox::Entity::find().order_by_asc(outbox::Column::Seq).all(conn).await.expect("readable");
        let names_it = |one: &outbox::Model| one.payload["order_id"] == json!(id);
        Trace {
            order,
            payments,
            grants,
            sales,
            charge_lines: usize::try_from(charge_lines.await.expect("countable")).expect("few"),
            held: usize::try_from(held.await.expect("countable")).expect("few"),
            news: news.into_iter().filter(names_it).map(|one| one.kind).collect(),
        }
    }

    /// The postings of an entry as account code and minor units.
    pub async fn postings(&self, entry: &ledger_entry::Model) -> Vec<(String, i64)> {
        use entity::ledger_account;
        let rows = posting::Entity::find()
            .filter(posting::Column::EntryId.eq(entry.id))
            .order_by_asc(posting::Column::Seq)
            .all(self.app.db.read())
            .await
            .expect("readable");
        let mut lines = Vec::new();
        for row in rows {
            let account = ledger_account::Entity::find_by_id(row.account_id).one(self.app.db.read()).await;
            lines.push((account.expect("readable").expect("an account").code, row.amount_minor));
        }
        lines
    }

    /// Asserts that the ledger holds what it promises.
    pub async fn assert_ledger_is_clean(&self, context: &str) {
        let report = ledger::verify::verify(self.app.db.read(), |_| {}).await.expect("the ledger is readable");
        assert!(report.violations.is_empty(), "{context}: {:?}", report.violations);
    }

    /// Lets everything unfinished come to its end: repeated webhooks, the janitor, and the end of its patience.
    pub async fn let_time_heal(&self) {
        for seconds in [0, 61, 61, 601] {
            self.advance(time::Duration::seconds(seconds));
            self.sandbox.tick().await.expect("the processor moves on");
            self.deliver_webhooks(super::Delivery::InOrder).await;
            self.run_jobs().await;
        }
    }
}

/// What the sandbox calls the charge of a payment.
pub fn charge_of(payment: PaymentId) -> String {
    format!("ch_{}", payment.0.simple())
}
