//! What becomes due as the clock advances.

use std::collections::BTreeMap;

use crate::{captures, checkout, disputes, payouts, refunds, world::World};

/// Something that happens by itself at an instant.
#[derive(Clone, Debug)]
pub enum Task {
    /// Makes a pending balance transaction available.
    Settle {
        transaction: String,
    },
    /// Books a charge that was captured in the background.
    FinishCapture {
        charge: String,
    },
    /// Tells of an account's balance, once for all that settled at an instant.
    AnnounceBalance {
        account: String,
    },
    /// Pays out the platform's available balance, and again a day later.
    DailyPayouts,
    ReconcilePayout {
        payout: String,
    },
    PayPayout {
        payout: String,
    },
    ExpireSession {
        session: String,
    },
    FailRefund {
        refund: String,
    },
    ResolveDispute {
        dispute: String,
        won: bool,
    },
}

#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// By instant (Unix seconds), then in the order in which it was planned.
    tasks: BTreeMap<(i64, u64), Task>,
    planned: u64,
}

impl Schedule {
    pub fn plan(&mut self, at: i64, task: Task) {
        self.planned += 1;
        self.tasks.insert((at, self.planned), task);
    }

    fn pop_until(&mut self, until: i64) -> Option<(i64, Task)> {
        let first = self.tasks.first_entry().filter(|entry| entry.key().0 <= until)?;
        let at = first.key().0;
        Some((at, first.remove()))
    }
}

impl World {
    /// Moves the clock to `target` (Unix seconds), running what becomes due on the way at its own instant.
    /// An earlier target runs what is due and leaves the clock.
    pub fn advance_to(&mut self, target: i64) {
        let target = target.max(self.now);
        while let Some((at, task)) = self.schedule.pop_until(target) {
            self.now = self.now.max(at);
            self.run(task);
        }
        self.now = target;
    }

    fn run(&mut self, task: Task) {
        self.cause = crate::world::Cause::default();
        match task {
            Task::Settle { transaction } => self.settle(&transaction),
            Task::FinishCapture { charge } => captures::finish_capture(self, &charge),
            Task::AnnounceBalance { account } => self.announce_balance(&account),
            Task::DailyPayouts => payouts::pay_out_daily(self),
            Task::ReconcilePayout { payout } => payouts::complete_reconciliation(self, &payout),
            Task::PayPayout { payout } => payouts::arrive(self, &payout),
            Task::ExpireSession { session } => checkout::expire_when_open(self, &session),
            Task::FailRefund { refund } => refunds::fail(self, &refund, "lost_or_stolen_card"),
            Task::ResolveDispute { dispute, won } => disputes::resolve(self, &dispute, won),
        }
    }
}
