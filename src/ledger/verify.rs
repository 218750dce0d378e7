//! Re-checking what the ledger promises, from the rows themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use entity::{
    ids::{EntryId, LedgerAccountId},
    ledger_account, ledger_balance, ledger_entry, posting, seal, sealed_entry,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::{guards, seal as sealing, store};
use crate::{
    base::{Currency, Invariant, Money},
    error::Result,
};

/// Entries looked at in one go.
const PAGE_ENTRIES: u64 = 1_000;
/// Violations told in full; more are only counted.
const TOLD_MAX: usize = 50;

/// What was checked, and what was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Number of entries read.
    pub entries: u64,
    /// Number of postings read.
    pub postings: u64,
    /// Number of seals recomputed.
    pub seals: u64,
    /// Debits per currency; credits are equal or it is a violation.
    pub turnover: BTreeMap<Currency, i128>,
    /// What is wrong, as sentences with the ids in them.
    pub violations: Vec<String>,
    /// The promises that are broken.
    pub broken: BTreeSet<Invariant>,
    /// Violations beyond the ones told.
    pub more: usize,
}

impl Report {
    /// Notes a violation of a promise.
    pub fn violation(&mut self, invariant: Invariant, text: impl std::fmt::Display) {
        self.broken.insert(invariant);
        if self.violations.len() < TOLD_MAX {
            self.violations.push(format!("{invariant}: {text}"));
        } else {
            self.more += 1;
        }
    }
}

/// Re-checks every entry, every balance and every seal; `progress` is told the entries read so far.
///
/// # Errors
/// Those of the database; what is wrong in the data is in the report.
pub async fn verify(conn: &impl ConnectionTrait, mut progress: impl FnMut(u64)) -> Result<Report> {
    let mut report = Report::default();
    let accounts: HashMap<LedgerAccountId, ledger_account::Model> =
        ledger_account::Entity::find().all(conn).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut sealed_sums: HashMap<LedgerAccountId, i128> = HashMap::new();
    let mut after: Option<EntryId> = None;
    loop {
        let mut query = ledger_entry::Entity::find().order_by_asc(ledger_entry::Column::Id).limit(PAGE_ENTRIES);
        if let Some(after) = after {
            query = query.filter(ledger_entry::Column::Id.gt(after));
        }
        let entries = query.all(conn).await?;
        let Some(last) = entries.last() else { break };
        after = Some(last.id);
        check_page(conn, &entries, &accounts, &mut sealed_sums, &mut report).await?;
        progress(report.entries);
    }
    check_orphans(conn, &mut report).await?;
    check_seals(conn, &mut report).await?;
    check_folded(conn, &sealed_sums, &mut report).await?;
    for name in guards::missing(conn).await? {
        report.violation(Invariant::Chain, format!("the database does not guard the books with {name}"));
    }
    Ok(report)
}

async fn check_page(
    conn: &impl ConnectionTrait,
    entries: &[ledger_entry::Model],
    accounts: &HashMap<LedgerAccountId, ledger_account::Model>,
    sealed_sums: &mut HashMap<LedgerAccountId, i128>,
    report: &mut Report,
) -> Result<()> {
    let ids: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
    let postings = sealing::postings_of(conn, &ids).await?;
    let sealed: HashMap<EntryId, String> = sealed_leaves(conn, &ids).await?;
    for entry in entries {
        report.entries += 1;
        let lines = postings.get(&entry.id);
        check_entry(entry, lines, accounts, report);
        let Some(leaf) = sealed.get(&entry.id) else { continue };
        if sealing::leaf(entry, lines)? != *leaf {
            report.violation(
                Invariant::Chain,
                format!("{} ({}) was changed after it was sealed", entry.id, entry.source),
            );
        }
        for line in lines.into_iter().flatten() {
            *sealed_sums.entry(line.account_id).or_default() += i128::from(line.amount_minor);
        }
    }
    Ok(())
}

fn check_entry(
    entry: &ledger_entry::Model,
    lines: Option<&Vec<posting::Model>>,
    accounts: &HashMap<LedgerAccountId, ledger_account::Model>,
    report: &mut Report,
) {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for line in lines.into_iter().flatten() {
        report.postings += 1;
        *sums.entry(&line.currency).or_default() += i128::from(line.amount_minor);
        match accounts.get(&line.account_id) {
            None => report.violation(
                Invariant::EntriesBalance,
                format!("{} posts to {}, which does not exist", entry.id, line.account_id),
            ),
            Some(account) if account.currency != line.currency => {
                report.violation(
                    Invariant::EntriesBalance,
                    format!("{} posts {} to {}", entry.id, line.currency, account.code),
                );
            }
            Some(_) => {}
        }
        if let Ok(currency) = store::currency_of(&line.currency)
            && line.amount_minor > 0
        {
            store::add_to(&mut report.turnover, Money::new(line.amount_minor, currency));
        }
    }
    if sums.is_empty() {
        report.violation(Invariant::EntriesBalance, format!("{} ({}) has no postings", entry.id, entry.source));
    }
    for (currency, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
        report.violation(
            Invariant::EntriesBalance,
            format!("{} ({}) is off by {sum} minor units of {currency}", entry.id, entry.source),
        );
    }
}

async fn sealed_leaves(conn: &impl ConnectionTrait, ids: &[EntryId]) -> Result<HashMap<EntryId, String>> {
    let rows =
        sealed_entry::Entity::find().filter(sealed_entry::Column::EntryId.is_in(ids.iter().copied())).all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.entry_id, row.leaf)).collect())
}

/// Postings and seal members whose entry is gone.
async fn check_orphans(conn: &impl ConnectionTrait, report: &mut Report) -> Result<()> {
    let postings = posting::Entity::find().count(conn).await?;
    if postings != report.postings {
        report.violation(
            Invariant::EntriesBalance,
            format!("{postings} postings are stored, but the entries hold {}", report.postings),
        );
    }
    let members = sealed_entry::Entity::find().count(conn).await?;
    if members > report.entries {
        report.violation(
            Invariant::Chain,
            format!("{members} entries were sealed, but only {} are there", report.entries),
        );
    }
    Ok(())
}

async fn check_seals(conn: &impl ConnectionTrait, report: &mut Report) -> Result<()> {
    let mut previous = sealing::FIRST_HEAD.to_owned();
    let mut seen = HashSet::new();
    for row in seal::Entity::find().order_by_asc(seal::Column::Number).all(conn).await? {
        report.seals += 1;
        let members = sealed_entry::Entity::find()
            .filter(sealed_entry::Column::SealNumber.eq(row.number))
            .order_by_asc(sealed_entry::Column::LeafIndex)
            .all(conn)
            .await?;
        let leaves: Vec<String> = members.iter().map(|member| member.leaf.clone()).collect();
        let whole = i64::try_from(leaves.len()).is_ok_and(|count| count == row.entry_count);
        let root = sealing::root(&leaves);
        let chained = row.previous_head == previous && row.head == sealing::head(row.number, &previous, &root);
        if !whole || root != row.root || !chained {
            report.violation(
                Invariant::Chain,
                format!("seal {} does not hold: entries were removed, added or changed", row.number),
            );
        }
        if members.iter().any(|member| !seen.insert(member.entry_id)) {
            report.violation(Invariant::Chain, format!("seal {} covers an entry that another seal covers", row.number));
        }
        previous = row.head;
    }
    Ok(())
}

async fn check_folded(
    conn: &impl ConnectionTrait,
    sums: &HashMap<LedgerAccountId, i128>,
    report: &mut Report,
) -> Result<()> {
    let folded = ledger_balance::Entity::find().all(conn).await?;
    for row in &folded {
        let sum = sums.get(&row.account_id).copied().unwrap_or(0);
        if i128::from(row.sealed_minor) != sum {
            report.violation(
                Invariant::TrialBalance,
                format!("the folded balance of {} is {}, its postings sum to {sum}", row.account_id, row.sealed_minor),
            );
        }
    }
    if folded.len() < sums.len() {
        report.violation(
            Invariant::TrialBalance,
            format!("{} accounts have sealed postings, {} have a folded balance", sums.len(), folded.len()),
        );
    }
    Ok(())
}
