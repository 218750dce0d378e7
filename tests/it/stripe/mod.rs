//! The exchange with Stripe as its processor, against the twin.

mod buying;
mod faults;
mod lines;
pub mod paying_out;

use serde_json::{Value, json};
use stripe_twin::{DeliveryPlan, Endpoint, Options, Twin};
use time::Duration;
use tokio::net::TcpListener;
use torv::config::Config;

use crate::support::{Answer, Backend, Home, TestApp, TestOrg};

/// Long enough for everything that the exchange does by itself.
const SHORT_WHILE: Duration = Duration::seconds(10);
pub const WEBHOOK_SECRET: &str = "whsec_test_of_the_exchange";

/// An exchange and a twin that know each other; both clocks move together.
pub struct Connected {
    pub app: TestApp,
    pub twin: Twin,
}

/// Declares tests on both databases; `it` is the test's own [`Connected`].
macro_rules! with_twin {
    ($($(#[$meta:meta])* async fn $name:ident($it:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($it: &$crate::stripe::Connected) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$meta])*
            async fn sqlite() {
                $crate::stripe::run($crate::support::Backend::Sqlite, async |it| test(it).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$meta])*
            async fn postgres() {
                $crate::stripe::run($crate::support::Backend::Postgres, async |it| test(it).await).await;
            }
        }
    )+};
}
pub(crate) use with_twin;

pub async fn run(backend: Backend, test: impl AsyncFnOnce(&Connected)) {
    let Some(home) = Home::fresh(backend).await else { return };
    let it = Connected::start(home).await;
    test(&it).await;
    it.deliver().await;
    it.app.check_what_is_left().await;
}

impl Connected {
    async fn start(home: Home) -> Self {
        let start = time::macros::datetime!(2026-11-21 10:00:00 UTC).unix_timestamp();
        let delivery = DeliveryPlan { automatic: false, ..DeliveryPlan::default() };
        let options = Options { clock: stripe_twin::Clock::FixedAt(start), delivery, ..Options::default() };
        let twin = Twin::start(options).await.expect("the twin starts");
        let api_base = format!("{}/", twin.url());
        let app = TestApp::start(home, |config| {
            charge_with(config, api_base);
            config.payments.stripe.timeout_seconds = 2;
        })
        .await;
        let it = Self { app, twin };
        it.receive_webhooks().await;
        it
    }

    /// Serves the exchange on a port of its own and tells the twin.
    async fn receive_webhooks(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/api/v1/webhooks/stripe", listener.local_addr().expect("an address"));
        let router = self.app.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        self.twin.set_endpoints(vec![Endpoint { url, secrets: vec![WEBHOOK_SECRET.to_owned()] }]);
    }

    /// Moves both clocks, delivers what became due, and lets the exchange do its work. The exchange works every half
    /// second, so that it never misses a night: it does once before a long time passes.
    pub async fn advance(&self, by: Duration) {
        let first = by.min(SHORT_WHILE);
        self.step(first).await;
        if by > first {
            self.step(by - first).await;
        }
    }

    pub async fn step(&self, by: Duration) {
        self.app.advance(by);
        self.twin.advance(by.whole_seconds());
        self.deliver().await;
        self.app.run_jobs().await;
    }

    /// Waits until every webhook that is due was taken.
    pub async fn deliver(&self) {
        self.twin.deliver().await;
    }

    /// A command of the twin's control API.
    #[track_caller]
    pub fn world(&self, path: &str, body: &Value) -> Value {
        self.twin.control(path, body).unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// Every object of a kind that the twin holds.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        let dump = self.twin.dump();
        dump["objects"][kind].as_array().cloned().unwrap_or_default()
    }

    /// Brings a provider through onboarding, so that shares can be moved to it.
    pub async fn onboard(&self, provider: &TestOrg) -> String {
        let path = "/api/v1/settlement/payout-account";
        let body = json!({"return_url": "https://rivers.example/back"});
        let answer = self.app.as_org(provider, "POST", &format!("{path}/onboarding")).json(&body).send().await;
        answer.expect(200);
        let account = self.app.as_org(provider, "GET", path).send().await.expect(200).str("/account_ref");
        self.world(&format!("accounts/{account}/standing"), &json!({"standing": "complete"}));
        self.deliver().await;
        account
    }

    pub async fn order_state(&self, org: &TestOrg, order: &str) -> String {
        let seen = self.app.see_order(org, order).await;
        seen["state"].as_str().expect("a state").to_owned()
    }
}

/// Has an exchange charge with the Stripe at this address.
pub fn charge_with(config: &mut Config, api_base: String) {
    config.payments.stripe.secret_key = "sk_test_of_the_exchange".into();
    config.payments.stripe.api_base = api_base;
    config.payments.webhook_secrets = WEBHOOK_SECRET.into();
}

/// The order an answer is about.
pub fn order_of(answer: &Answer) -> String {
    answer.str("/id")
}
