//! Random walks: sales, time, imports, ends of holds, payouts and retries in any order, over three
//! providers and three currencies; after every step every invariant holds.

use std::collections::BTreeMap;

use entity::{payout_item, states::PayoutState};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sea_orm::EntityTrait as _;
use time::Duration;
use torv::settlement::{documents, holds, payouts, processor, verify::verify_all};

use crate::support::{Backend, Home, TestApp, TestOrg, sales::money};

const CURRENCIES: [&str; 3] = ["EUR", "JPY", "KWD"];

#[derive(Debug, Clone)]
enum Step {
    Sell { provider: usize, currency: usize, minor: i64 },
    Wait { hours: i64 },
    Import,
    BookFunds,
    EndHolds,
    Run { currency: usize, minimum_minor: i64, recipients: &'static str },
    Submit,
    Seal,
}

fn any_step() -> impl proptest::strategy::Strategy<Value = Step> {
    prop_oneof![
        6 => (0..3_usize, 0..3_usize, prop_oneof![1..20_i64, 1..9_999_999_i64])
            .prop_map(|(provider, currency, minor)| Step::Sell { provider, currency, minor }),
        4 => (1..100_i64).prop_map(|hours| Step::Wait { hours }),
        2 => Just(Step::Import),
        2 => Just(Step::BookFunds),
        2 => Just(Step::EndHolds),
        3 => (0..3_usize, 1..5_000_i64, prop_oneof![Just("providers"), Just("operator"), Just("both")])
            .prop_map(|(currency, minimum_minor, recipients)| Step::Run { currency, minimum_minor, recipients }),
        2 => Just(Step::Submit),
        1 => Just(Step::Seal),
    ]
}

struct World<'a> {
    app: &'a TestApp,
    providers: [TestOrg; 3],
    buyer: TestOrg,
    operator: TestOrg,
    shares: BTreeMap<&'static str, i64>,
    runs: usize,
}

impl World<'_> {
    async fn take(&mut self, step: &Step) {
        let app = &self.app.app;
        match step {
            Step::Sell { provider, currency, minor } => {
                let gross = money(*minor, CURRENCIES[*currency]);
                let sold = self.app.sell(&self.providers[*provider], &self.buyer, gross).await;
                *self.shares.entry(CURRENCIES[*currency]).or_default() += sold.share.minor;
            }
            Step::Wait { hours } => self.app.advance(Duration::hours(*hours)),
            Step::Import => drop(processor::import_transactions(app).await.expect("imports")),
            Step::BookFunds => drop(processor::book_available_funds(app).await.expect("books")),
            Step::EndHolds => drop(holds::end_holds(app).await.expect("ends")),
            Step::Submit => drop(payouts::submit_payouts(app).await.expect("submits")),
            Step::Seal => drop(torv::ledger::seal::seal_new_entries(app).await.expect("seals")),
            Step::Run { currency, minimum_minor, recipients } => {
                self.runs += 1;
                let body = serde_json::json!({
                    "currency": CURRENCIES[*currency], "minimum_minor": minimum_minor, "recipients": recipients
                });
                let request = self.app.as_org(&self.operator, "POST", "/api/v1/payout-runs");
                request.header("idempotency-key", self.runs.to_string()).json(&body).send().await.expect(201);
            }
        }
    }

    async fn check(&self, seed: u64, step: &Step) {
        // Days pass without the sweep of documents; an old sale without an invoice would be told.
        documents::issue_due(&self.app.app).await.expect("issues");
        let report = verify_all(&self.app.app, |_, _| {}).await.expect("reads");
        let found: Vec<_> = report.all_violations().collect();
        assert!(found.is_empty(), "seed {seed}, after {step:?}: {found:#?}");
    }

    /// When all is over every share has reached its provider, once, and the processor agrees with the books.
    async fn settle(&mut self, seed: u64) {
        for _ in 0..2 {
            self.app.advance(Duration::days(10));
            self.app.run_jobs().await;
            for currency in 0..3 {
                self.take(&Step::Run { currency, minimum_minor: 1, recipients: "both" }).await;
            }
        }
        self.app.advance(Duration::days(1));
        self.app.run_jobs().await;
        let rows = entity::payout::Entity::find().all(self.app.app.db.read()).await.expect("reads");
        assert!(rows.iter().all(|row| row.state == PayoutState::Paid), "seed {seed}: {rows:#?}");
        let mut sent: BTreeMap<String, i64> = BTreeMap::new();
        for row in payout_item::Entity::find().all(self.app.app.db.read()).await.expect("reads") {
            let payout = rows.iter().find(|payout| payout.id == row.payout_id).expect("its payout");
            *sent.entry(payout.currency.clone()).or_default() += row.amount_minor;
        }
        let owed: BTreeMap<String, i64> = self
            .shares
            .iter()
            .filter(|(_, minor)| **minor > 0)
            .map(|(code, minor)| ((*code).to_owned(), *minor))
            .collect();
        assert_eq!(sent, owed, "seed {seed}: every share, to the minor unit");
        for balance in self.app.app.payments.balances().await.expect("answers") {
            assert_eq!((balance.pending_minor, balance.available_minor), (0, 0), "seed {seed}: {balance:?}");
        }
        self.check(seed, &Step::Seal).await;
    }
}

async fn walk(backend: Backend, seed: u64, steps: usize) {
    let Some(home) = Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |_| {}).await;
    let providers = [app.provider().await, app.provider().await, app.provider().await];
    let (buyer, operator) = (app.buyer().await, app.operator().await);
    let mut world = World { app: &app, providers, buyer, operator, shares: BTreeMap::new(), runs: 0 };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..steps {
        let step = any_step().new_tree(&mut runner).expect("a step").current();
        world.take(&step).await;
        world.check(seed, &step).await;
    }
    world.settle(seed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_invariant_holds_after_every_random_step_on_sqlite() {
    for seed in 0..8 {
        walk(Backend::Sqlite, seed, 60).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_invariant_holds_after_every_random_step_on_postgres() {
    for seed in 100..102 {
        walk(Backend::Postgres, seed, 40).await;
    }
}
