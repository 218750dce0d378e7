//! What every ledger account must amount to, summed from the documents behind it.

use std::collections::BTreeMap;

use entity::states::AccountClass;
use sea_orm::ConnectionTrait;

use super::VerifyReport;
use crate::{
    base::{Currency, Invariant, Money},
    error::Result,
    ledger::{self, Account},
};

/// Sums by account code and currency; debits positive.
#[derive(Debug, Default)]
pub struct Expected(BTreeMap<(String, Currency), i128>);

impl Expected {
    /// Adds a debit.
    pub fn debit(&mut self, account: &Account, amount: Money) {
        if amount.is_zero() {
            return;
        }
        *self.0.entry((account.code(), amount.currency)).or_default() += i128::from(amount.minor);
    }

    /// Adds a credit.
    pub fn credit(&mut self, account: &Account, amount: Money) {
        *self.0.entry((account.code(), amount.currency)).or_default() -= i128::from(amount.minor);
    }

    /// Compares with the balances of the ledger, and checks that nobody is owed less than nothing.
    pub async fn compare(mut self, conn: &impl ConnectionTrait, report: &mut VerifyReport) -> Result<()> {
        let mut trial: BTreeMap<Currency, i128> = BTreeMap::new();
        for row in ledger::balances(conn, None).await? {
            report.accounts += 1;
            *trial.entry(row.balance.currency).or_default() += i128::from(row.balance.minor);
            let found = i128::from(row.balance.minor);
            let expected = self.0.remove(&(row.code.clone(), row.balance.currency)).unwrap_or(0);
            let what = format!("the balance of {} in {} (minor units)", row.code, row.balance.currency);
            report.same(promise(&row.code), &what, expected, found);
            let owed = row.class == AccountClass::Liability && found > 0;
            report.hold(Invariant::NothingNegative, !owed, || {
                format!("{} owes us {}: a share was paid out twice", row.code, row.balance)
            });
            let overpaid = row.code.ends_with(".receivable") && found < 0;
            report.hold(Invariant::NothingNegative, !overpaid, || {
                format!("{} is {}: a debt was paid twice", row.code, row.balance)
            });
        }
        for ((code, currency), sum) in self.0 {
            report.same(promise(&code), &format!("the balance of {code} in {currency} (minor units)"), sum, 0);
        }
        for (currency, sum) in trial {
            report.same(Invariant::TrialBalance, &format!("the sum of all balances in {currency}"), 0, sum);
        }
        Ok(())
    }
}

/// The promise that an account breaks when it shows something else than its documents.
fn promise(code: &str) -> Invariant {
    match code.split('.').next().unwrap_or_default() {
        "clearing" | "suspense" | "dispute_hold" => Invariant::Clearing,
        "processor" | "processor_fees" | "dispute_fees" => Invariant::LinesOnce,
        "bank" | "bank_charges" => Invariant::PayoutsComplete,
        _ => Invariant::SubLedger,
    }
}
