//! Re-checking everything that money and grants promise, from the rows themselves.
//!
//! What the documents say (orders, processor lines, payouts) is summed per ledger account, and the ledger
//! must show exactly that: a control account can't differ from its parts, a clearing account can hold
//! only what is in flight, and no share can be lost or paid twice.
//!
//! Rows are read page by page from one snapshot, so what is written meanwhile makes no difference.

mod bank;
mod clearing;
mod coupons;
mod documents;
mod expected;
mod fee_shares;
mod invoices;
mod orders;
mod payouts;
mod processor;
mod shares;
mod subscription_rows;
mod subscriptions;

use std::{collections::BTreeSet, fmt::Display};

use crate::{
    base::Invariant,
    error::Result,
    ledger::{self, verify::Report},
    settlement::proof,
    state::AppState,
};
use expected::Expected;

/// Rows looked at in one go.
const PAGE_ROWS: u64 = 500;
/// Violations told in full; more are only counted.
const TOLD_MAX: usize = 100;

/// What was checked, and what was found.
#[derive(Debug, Default)]
pub struct VerifyReport {
    /// The ledger's own promises.
    pub ledger: Report,
    /// Orders read.
    pub orders: u64,
    /// Orders of them that were paid.
    pub paid_orders: u64,
    /// Orders of them that were free and completed.
    pub free_orders: u64,
    /// Grants compared with their order.
    pub grants: u64,
    /// Lines of the processor compared with their entry.
    pub processor_lines: u64,
    /// Parts of the processor's fees that providers bear, compared with its lines.
    pub fee_shares: u64,
    /// Payouts compared with their items and their entry.
    pub payouts: u64,
    /// Invoices, credit notes and the like, read again.
    pub documents: u64,
    /// Leaves of the public tree hashed again.
    pub proof_leaves: u64,
    /// Signed heads compared with the tree.
    pub proof_heads: u64,
    /// Bank lines compared with their parts and their entry.
    pub bank_lines: u64,
    /// Licence documents hashed again.
    pub licence_documents: u64,
    /// Subscriptions whose periods were followed.
    pub subscriptions: u64,
    /// Meters whose records were summed.
    pub meters: u64,
    /// Units delivered beyond what was paid ahead: what several processes were sending at the same moment.
    pub overshoot_units: i64,
    /// Ledger accounts whose balance was derived again from the documents.
    pub accounts: u64,
    /// What is wrong outside of the ledger's own promises, as sentences with the ids in them.
    pub violations: Vec<String>,
    /// The promises that are broken outside of the ledger.
    pub broken: BTreeSet<Invariant>,
    /// Violations beyond the ones told.
    pub more: usize,
}

impl VerifyReport {
    /// True when nothing is wrong anywhere.
    pub fn is_clean(&self) -> bool {
        self.all_violations().next().is_none()
    }

    /// Everything that is wrong, the ledger's own promises first.
    pub fn all_violations(&self) -> impl Iterator<Item = &str> {
        self.ledger.violations.iter().chain(&self.violations).map(String::as_str)
    }

    /// Violations that were found and not told.
    pub fn untold(&self) -> usize {
        self.ledger.more + self.more
    }

    /// Every promise that is broken, in the ledger or outside of it.
    pub fn broken(&self) -> BTreeSet<Invariant> {
        self.ledger.broken.union(&self.broken).copied().collect()
    }

    /// Notes a violation of `invariant` unless `good`.
    pub(in crate::settlement) fn hold(&mut self, invariant: Invariant, good: bool, text: impl FnOnce() -> String) {
        if good {
            return;
        }
        self.broken.insert(invariant);
        if self.violations.len() < TOLD_MAX {
            self.violations.push(format!("{invariant}: {}", text()));
        } else {
            self.more += 1;
        }
    }

    /// As [`VerifyReport::hold`], of records that have to agree.
    pub(in crate::settlement) fn require(&mut self, good: bool, text: impl FnOnce() -> String) {
        self.hold(Invariant::Records, good, text);
    }

    fn same<T: PartialEq + Copy + Display>(&mut self, invariant: Invariant, what: &str, expected: T, found: T) {
        self.hold(invariant, expected == found, || format!("{what} is {found}, not {expected}"));
    }

    fn equal<T: PartialEq + Copy + Display>(&mut self, what: &str, expected: T, found: T) {
        self.same(Invariant::Records, what, expected, found);
    }
}

/// Re-checks everything; `progress` is told what is being read and how many rows of it so far.
///
/// # Errors
/// Those of the database; what is wrong in the data is in the report.
pub async fn verify_all(app: &AppState, mut progress: impl FnMut(&str, u64)) -> Result<VerifyReport> {
    let snapshot = app.db.snapshot().await?;
    let conn = snapshot.conn();
    let mut report = VerifyReport::default();
    let mut expected = Expected::default();
    orders::check(conn, &mut report, &mut expected, &mut progress).await?;
    payouts::check_payouts(conn, &mut report, &mut expected, &mut progress).await?;
    payouts::check_lines(conn, &mut report, &mut expected, &mut progress).await?;
    fee_shares::check(conn, &mut report, &mut expected, &mut progress).await?;
    subscriptions::check(app, conn, &mut report, &mut progress).await?;
    bank::check(conn, &mut report, &mut expected, &mut progress).await?;
    documents::check(conn, &mut report, &mut progress).await?;
    coupons::check(conn, &mut report, &mut progress).await?;
    invoices::check(conn, app.clock.now(), &mut report, &mut expected, &mut progress).await?;
    proof::check(conn, &mut report, &mut progress).await?;
    expected.compare(conn, &mut report).await?;
    report.ledger = ledger::verify::verify(conn, |entries| progress("ledger entries", entries)).await?;
    Ok(report)
}

/// As [`verify_all`], and asks the processor whether it holds what the books say.
///
/// # Errors
/// `Unavailable` when the processor does not answer; those of the database.
pub async fn verify_with_processor(app: &AppState, progress: impl FnMut(&str, u64)) -> Result<VerifyReport> {
    let mut report = verify_all(app, progress).await?;
    processor::check(app, &mut report).await?;
    Ok(report)
}

impl VerifyReport {
    /// How many rows of which kind were read.
    pub fn counts(&self) -> [(&'static str, u64); 18] {
        [
            ("ledger entries", self.ledger.entries),
            ("postings", self.ledger.postings),
            ("seals", self.ledger.seals),
            ("accounts", self.accounts),
            ("orders", self.orders),
            ("  paid", self.paid_orders),
            ("  free", self.free_orders),
            ("grants", self.grants),
            ("processor lines", self.processor_lines),
            ("fee shares", self.fee_shares),
            ("payouts", self.payouts),
            ("documents", self.documents),
            ("public leaves", self.proof_leaves),
            ("tree heads", self.proof_heads),
            ("subscriptions", self.subscriptions),
            ("meters", self.meters),
            ("bank lines", self.bank_lines),
            ("licence documents", self.licence_documents),
        ]
    }
}

/// The figures, a line each, and the verdict.
impl Display for VerifyReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let violations = self.all_violations().count() + self.untold();
        for (name, count) in self.counts() {
            writeln!(f, "{name:<18} {count:>10}")?;
        }
        for (currency, turnover) in &self.ledger.turnover {
            let turnover = i64::try_from(*turnover).unwrap_or(i64::MAX);
            writeln!(f, "{:<18} {:>10}", "turnover", crate::base::Money::new(turnover, *currency).to_string())?;
        }
        write!(f, "{:<18} {violations:>10}", "violations")
    }
}
