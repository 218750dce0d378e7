//! Random walks over everything that happens after a sale: refunds of any size by anybody, some that come
//! back, disputes won and lost, accounts that are emptied, set-offs and payouts, in any order. After every
//! step every invariant holds.

use entity::states::{DisputeState, RefundState};
use time::Duration;
use torv::settlement::{holds, payouts, processor, reversals};

use super::{Square, answer, ask, balance, disputes_of, refunds_of, square, verified};
use crate::support::{
    Backend, Delivery, Dice, Home, TestApp,
    sales::{Sold, money},
};

struct World<'a> {
    app: &'a TestApp,
    square: Square,
    sold: Vec<Sold>,
    dice: Dice,
    step: usize,
}

impl World<'_> {
    fn any_sale(&mut self) -> Option<Sold> {
        let count = self.sold.len() as u64;
        (count > 0).then(|| self.sold[usize::try_from(self.dice.below(count)).expect("an index")])
    }

    fn part_of(&mut self, sold: &Sold) -> Option<i64> {
        let minor = 1 + i64::try_from(self.dice.below(sold.gross.minor.unsigned_abs())).expect("small");
        (self.dice.below(3) > 0).then_some(minor)
    }

    /// One random thing; what is refused for where things stand is refused, and changes nothing.
    async fn take(&mut self) -> String {
        self.step += 1;
        let (app, key) = (self.app, format!("step {}", self.step));
        let exchange = &app.app;
        match self.dice.below(16) {
            0..=3 => {
                let minor = 1 + i64::try_from(self.dice.below(20_000)).expect("small");
                let sold = app.sell(&self.square.provider, &self.square.buyer, money(minor, "EUR")).await;
                self.sold.push(sold);
                format!("sell {minor}")
            }
            4 | 5 => {
                let Some(sold) = self.any_sale() else { return "nothing".to_owned() };
                let minor = self.part_of(&sold);
                let status = self.square.refund(app, sold.order, minor, &key).await.status;
                assert!(status == 201 || status == 409, "{status}");
                format!("refund {minor:?} of {}: {status}", sold.order)
            }
            6 => {
                let Some(sold) = self.any_sale() else { return "nothing".to_owned() };
                let minor = self.part_of(&sold);
                let asked = ask(app, &self.square.buyer, sold.order, minor, &key).await;
                assert!(asked.status == 201 || asked.status == 409, "{}", asked.text());
                format!("ask for {minor:?} of {}", sold.order)
            }
            7 => self.decide().await,
            8 => self.dispute().await,
            9 => self.end_dispute().await,
            10 => self.return_refund().await,
            11 => {
                let minor = i64::try_from(self.dice.below(9_000)).expect("small");
                self.square.drain(app, minor).await;
                format!("drain {minor}")
            }
            12 => {
                self.square.pay_out(app).await;
                "pay out".to_owned()
            }
            13 => {
                let hours = i64::try_from(1 + self.dice.below(90)).expect("small");
                app.advance(Duration::hours(hours));
                // Invoices are a day late at most, whatever else waits.
                torv::settlement::documents::issue_due(&app.app).await.expect("issues");
                format!("wait {hours} hours")
            }
            14 => {
                let seed = self.dice.below(1_000);
                app.deliver_webhooks(Delivery::Lossy { seed, percent: 40 }).await;
                "webhooks".to_owned()
            }
            _ => {
                // One sweep alone, so that the others see what it leaves.
                let outcome = match self.dice.below(6) {
                    0 => processor::import_transactions(exchange).await,
                    1 => processor::book_available_funds(exchange).await,
                    2 => holds::end_holds(exchange).await,
                    3 => reversals::ask_for_debts(exchange).await,
                    4 => reversals::submit_reversals(exchange).await,
                    _ => payouts::submit_payouts(exchange).await,
                };
                format!("sweep: {outcome:?}")
            }
        }
    }

    async fn decide(&mut self) -> String {
        let Some(sold) = self.any_sale() else { return "nothing".to_owned() };
        let open = refunds_of(self.app, sold.order).await;
        let open = open.iter().find(|row| matches!(row.state, RefundState::Requested | RefundState::Escalated));
        let Some(row) = open else { return "nothing to decide".to_owned() };
        let who = if row.state == RefundState::Requested { &self.square.provider } else { &self.square.operator };
        let what = if self.dice.below(2) == 0 { "approve" } else { "decline" };
        let status = answer(self.app, who, &row.id.to_string(), what).await.status;
        assert!(status == 200 || status == 409, "{status}");
        format!("{what} {}: {status}", row.id)
    }

    async fn dispute(&mut self) -> String {
        let Some(sold) = self.any_sale() else { return "nothing".to_owned() };
        let rows = disputes_of(self.app, sold.order).await;
        let charged = self.app.app.payments.find_charge(sold.payment, None).await;
        if !rows.is_empty() || charged.expect("answers").is_none() {
            return "disputed before".to_owned();
        }
        let minor = self.part_of(&sold).unwrap_or(sold.gross.minor);
        let charge = format!("ch_{}", sold.payment.0.simple());
        self.app.sandbox.dispute(&charge, money(minor, "EUR"), false).await.expect("disputes");
        self.app.deliver_webhooks(Delivery::InOrder).await;
        format!("dispute {minor} of {}", sold.order)
    }

    async fn end_dispute(&mut self) -> String {
        let Some(sold) = self.any_sale() else { return "nothing".to_owned() };
        let rows = disputes_of(self.app, sold.order).await;
        let Some(row) = rows.iter().find(|row| row.state == DisputeState::NeedsResponse) else {
            return "no dispute".to_owned();
        };
        let is_won = self.dice.below(2) == 0;
        self.app.sandbox.decide_dispute(&row.processor_ref, is_won).await.expect("decides");
        format!("{} won: {is_won}", row.id)
    }

    async fn return_refund(&mut self) -> String {
        let Some(sold) = self.any_sale() else { return "nothing".to_owned() };
        let rows = refunds_of(self.app, sold.order).await;
        let Some(at_bank) = rows.iter().find_map(|row| row.processor_ref.clone()) else {
            return "none sent".to_owned();
        };
        self.app.sandbox.return_refund(&at_bank).await.expect("comes back");
        format!("{at_bank} comes back")
    }

    /// When all is over, every clearing account is empty, and nobody has more or less than is theirs.
    async fn settle(&mut self, seed: u64) {
        for sold in self.sold.clone() {
            for row in disputes_of(self.app, sold.order).await {
                self.app.sandbox.decide_dispute(&row.processor_ref, true).await.expect("decides");
            }
            for row in refunds_of(self.app, sold.order).await {
                if matches!(row.state, RefundState::Requested | RefundState::Escalated) {
                    self.app.advance(Duration::days(8));
                    self.app.run_jobs().await;
                    answer(self.app, &self.square.operator, &row.id.to_string(), "decline").await.expect(200);
                }
            }
        }
        for _ in 0..3 {
            self.app.advance(Duration::days(9));
            self.app.let_time_heal().await;
            self.square.pay_out(self.app).await;
        }
        self.app.let_time_heal().await;
        verified(self.app, &format!("seed {seed}, at the end")).await;
        use torv::ledger::Account;
        for account in
            [Account::ClearingPayment, Account::ClearingRefund, Account::ClearingTransfer, Account::DisputeHold]
        {
            assert_eq!(balance(self.app, account.clone()).await, 0, "seed {seed}: {account}");
        }
    }
}

async fn walk(backend: Backend, seed: u64, steps: usize) {
    let Some(home) = Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |_| {}).await;
    let square = square(&app).await;
    // Money of the operator that nobody is owed, so that refunds have something to leave from.
    let other = app.provider().await;
    app.sell(&other, &square.buyer, money(5_000_000, "EUR")).await;
    app.advance(Duration::days(3));
    app.run_jobs().await;
    let mut world = World { app: &app, square, sold: Vec::new(), dice: Dice::new(seed), step: 0 };
    for _ in 0..steps {
        let what = world.take().await;
        verified(&app, &format!("seed {seed}, step {}: {what}", world.step)).await;
        if world.step.is_multiple_of(5) {
            app.run_jobs().await;
            verified(&app, &format!("seed {seed}, sweeps after step {}", world.step)).await;
        }
    }
    world.settle(seed).await;
}

/// Seeds to walk; the full run sets `TORV_TEST_WALKS`.
fn walks(default: u64) -> u64 {
    std::env::var("TORV_TEST_WALKS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_invariant_holds_after_every_step_after_a_sale_on_sqlite() {
    for seed in 0..walks(6) {
        walk(Backend::Sqlite, seed, 80).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_invariant_holds_after_every_step_after_a_sale_on_postgres() {
    for seed in 100..100 + walks(2) {
        walk(Backend::Postgres, seed, 50).await;
    }
}
