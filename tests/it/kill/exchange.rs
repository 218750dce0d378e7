//! An exchange in a process of its own, beside a twin of Stripe in another.

use entity::{
    ids::OrderId,
    payment,
    states::{OrderState, PaymentState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::net::TcpListener;
use torv::base::Clock;

use crate::{
    after_sale::issue,
    stripe::charge_with,
    subscriptions::market::Subscribed,
    support::{Address, ForSale, Home, TestApp, TestOrg, one_off},
};

/// Stripe's answer is waited for no longer: as short as the settings allow.
const TIMEOUT_SECONDS: u64 = 1;
/// Long enough for everything that the exchange does by itself.
pub const SHORT_WHILE: Duration = Duration::seconds(10);

/// Who takes part in a flow, and how far it has come when it begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    pub operator: TestOrg,
    pub buyer: TestOrg,
    pub sale: ForSale,
    /// The provider's account at Stripe.
    pub account: String,
    pub subscription: Option<Subscribed>,
    /// What one flow alone needs to know.
    pub more: Value,
}

impl Stage {
    /// When what the flow is about happens, of a flow that waits for something.
    pub fn due(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.more["due"].as_i64().expect("a time")).expect("a time")
    }
}

/// The exchange and what it reaches.
pub struct Exchange {
    pub app: TestApp,
    /// A client that tries again after everything had time to heal: it pays in another attempt when the first is over.
    pub is_again: bool,
    twin: String,
    http: reqwest::Client,
}

impl Exchange {
    /// Starts on what is in `home`, at this time, and takes webhooks from now on.
    pub async fn open(home: Address, twin: String, now: i64) -> Self {
        let clock = Clock::manual(OffsetDateTime::from_unix_timestamp(now).expect("a time"));
        let app = TestApp::resume(Home::at(home), clock, |config| {
            charge_with(config, format!("{twin}/"));
            config.payments.stripe.timeout_seconds = TIMEOUT_SECONDS;
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/api/v1/webhooks/stripe", listener.local_addr().expect("an address"));
        let router = app.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let it = Self { app, is_again: false, twin, http: reqwest::Client::new() };
        it.world("webhooks/move", &json!({"url": url})).await;
        it
    }

    /// A command of the twin's control API. A refusal is an answer too: the world may be further already.
    pub async fn world(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/_twin/{path}", self.twin)).json(body);
        let answer = request.send().await.expect("the twin is there");
        answer.json().await.expect("the twin speaks JSON")
    }

    pub async fn dump(&self) -> Value {
        self.world("dump", &Value::Null).await
    }

    /// Every object of a kind that the twin holds, oldest first.
    pub async fn objects(&self, kind: &str) -> Vec<Value> {
        self.dump().await["objects"][kind].as_array().cloned().unwrap_or_default()
    }

    /// Moves both clocks, takes what became due, and works.
    pub async fn pass(&self, by: Duration) {
        self.app.advance(by);
        self.world("clock", &json!({"advance_seconds": by.whole_seconds()})).await;
        self.work().await;
    }

    /// Takes webhooks and does what is due; what fails is tried again later.
    pub async fn work(&self) {
        self.world("webhooks/deliver", &Value::Null).await;
        let _ = torv::jobs::run_until_quiet(&self.app.app).await;
    }

    /// As the exchange works every half second, it does so before a long time passes.
    pub async fn pass_long(&self, by: Duration) {
        self.pass(SHORT_WHILE).await;
        self.pass(by - SHORT_WHILE).await;
    }

    /// Lets time pass until then, unless it is later already.
    pub async fn pass_until(&self, at: OffsetDateTime) {
        let left = at - self.app.clock.now();
        if left > SHORT_WHILE {
            self.pass_long(left).await;
        } else if left.is_positive() {
            self.pass(left).await;
        }
    }

    /// Everything unfinished comes to its end: leases run out, webhooks are repeated, the janitor asks.
    pub async fn heal(&self) {
        self.work().await;
        for seconds in [61, 601] {
            self.pass(Duration::seconds(seconds)).await;
        }
    }

    /// Something for sale by a provider that Stripe knows, a buyer, and the operator.
    pub async fn market(&self, conditions: &Value) -> Stage {
        let (sale, buyer) = self.app.market(conditions).await;
        self.stage(sale, buyer).await
    }

    /// As [`Exchange::market`], for what was made already.
    pub async fn stage(&self, sale: ForSale, buyer: TestOrg) -> Stage {
        let operator = self.app.operator().await;
        let account = self.onboard(&sale.provider).await;
        Stage { operator, buyer, sale, account, subscription: None, more: Value::Null }
    }

    async fn onboard(&self, provider: &TestOrg) -> String {
        let path = "/api/v1/settlement/payout-account";
        let body = json!({"return_url": "https://rivers.example/back"});
        self.app.as_org(provider, "POST", &format!("{path}/onboarding")).json(&body).send().await.expect(200);
        let account = self.app.as_org(provider, "GET", path).send().await.expect(200).str("/account_ref");
        self.world(&format!("accounts/{account}/standing"), &json!({"standing": "complete"})).await;
        self.work().await;
        account
    }

    /// The buyer orders, and pays again where an attempt came to nothing.
    pub async fn buy(&self, stage: &Stage, method: Option<&str>) {
        self.app.order(&stage.buyer, &stage.sale, "k", method).await;
        if let (true, Some(method)) = (self.is_again, method) {
            self.pay_again(stage, method).await;
        }
    }

    /// Pays the newest order of the buyer in another attempt, when all earlier ones came to nothing.
    pub async fn pay_again(&self, stage: &Stage, method: &str) {
        let Some(order) = self.order_of(stage).await else { return };
        let attempts = self.payments_of(&order).await;
        let over = attempts.iter().all(|attempt| attempt.state == PaymentState::Failed);
        if over && self.app.trace(&order).await.order.state == OrderState::AwaitingPayment {
            self.app.pay(&stage.buyer, &order, &format!("again-{}", attempts.len()), method).await;
        }
    }

    /// The newest order of the buyer.
    pub async fn order_of(&self, stage: &Stage) -> Option<String> {
        self.app.orders_of(&stage.buyer).await.pop()
    }

    /// Gives part of the first order back, all that is left without an amount.
    pub async fn refund(&self, stage: &Stage, minor: Option<i64>, key: &str) {
        let order: OrderId = self.app.orders_of(&stage.buyer).await[0].parse().expect("an id");
        issue(&self.app, &stage.operator, order, minor, key).await;
    }

    /// Pays all providers what is due.
    pub async fn pay_out(&self, stage: &Stage, key: &str) {
        let body = json!({"currency": "EUR", "minimum_minor": 1, "recipients": "providers"});
        let request = self.app.as_org(&stage.operator, "POST", "/api/v1/payout-runs").header("idempotency-key", key);
        request.json(&body).send().await;
        self.pass(Duration::seconds(1)).await;
    }

    pub async fn payments_of(&self, order: &str) -> Vec<payment::Model> {
        let id: OrderId = order.parse().expect("an id");
        let query = payment::Entity::find().filter(payment::Column::OrderId.eq(id));
        query.all(self.app.app.db.read()).await.expect("payments are readable")
    }

    /// Payments that nobody knows the end of.
    pub async fn unknown_payments(&self) -> u64 {
        let open =
            [PaymentState::Created, PaymentState::Processing, PaymentState::ActionRequired, PaymentState::Authorised];
        let query = payment::Entity::find().filter(payment::Column::State.is_in(open));
        query.count(self.app.app.db.read()).await.expect("payments are countable")
    }

    /// A sale of 100.01 EUR that was paid by card.
    pub async fn sold(&self) -> Stage {
        let stage = self.market(&one_off(10_001)).await;
        self.app.order(&stage.buyer, &stage.sale, "k", Some("pm_card_visa")).await.expect(201);
        self.pass(SHORT_WHILE).await;
        stage
    }

    /// As [`Exchange::sold`], with the provider's share transferred after the hold.
    pub async fn paid_out(&self) -> Stage {
        let stage = self.sold().await;
        self.pass_long(Duration::days(8)).await;
        self.pay_out(&stage, "r1").await;
        self.work().await;
        stage
    }
}
