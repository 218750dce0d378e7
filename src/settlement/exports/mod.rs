//! The ledger in the formats of plain-text accounting and as CSV, written page by page.
//!
//! Books are dated by the day of booking, so that a closed day never changes; the day of the event is
//! kept beside it. After each day stand the balances of the accounts that moved, and at the end those of
//! all, so that the reading program re-checks the sums itself.

mod beancount;
mod csv;
mod hledger;
mod http;
mod ledger_cli;
mod model;
mod xero;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
};

use entity::{ids::EntryId, ledger_account, ledger_entry, states::AccountClass};
use sea_orm::{EntityTrait as _, QueryOrder as _, QuerySelect as _};
use time::Date;

pub use http::routes;
pub use model::Format;

use crate::{
    base::{Currency, Money},
    error::{Error, Result},
    ledger::{self, StoredEntry},
    settlement::currency,
    state::AppState,
};

/// Entries read and written in one go.
const PAGE_ENTRIES: u64 = 500;

/// An account with the currencies it is kept in.
#[derive(Debug, Clone)]
struct ExportedAccount {
    code: String,
    class: AccountClass,
    currencies: Vec<Currency>,
}

/// Code, side and currency of an account that has a balance.
type Key = (String, AccountClass, Currency);

/// An export on its way: it hands out one piece of text after the other.
#[derive(Debug)]
pub struct Export {
    format: Format,
    place: Place,
    /// The sum of what was written, per account.
    sums: BTreeMap<Key, i128>,
    /// The day being written.
    day: Option<Date>,
    /// The accounts that moved on it.
    moved: BTreeSet<Key>,
    /// Entries written so far.
    entries: u64,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Start,
    /// After an entry, up to the one that was the newest when the export began: every account of the
    /// entries up to there was declared at the start.
    After(Option<EntryId>, EntryId),
    Done,
}

impl Export {
    /// An export from the beginning.
    pub fn new(format: Format) -> Self {
        Self { format, place: Place::Start, sums: BTreeMap::new(), day: None, moved: BTreeSet::new(), entries: 0 }
    }

    /// Entries written so far.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// The next piece of text; nothing at the end.
    ///
    /// # Errors
    /// Those of the database; internal for a sum beyond 64 bits.
    pub async fn next(&mut self, app: &AppState) -> Result<Option<String>> {
        match self.place {
            Place::Start => {
                self.place = newest(app).await?.map_or(Place::Done, |until| Place::After(None, until));
                let accounts = accounts(app).await?;
                Ok(Some(match self.format {
                    Format::Hledger => hledger::head(&accounts),
                    Format::Beancount => beancount::head(&accounts),
                    Format::Ledger => ledger_cli::head(&accounts),
                    Format::Csv => csv::head(),
                    Format::Xero => xero::head(),
                }))
            }
            Place::After(after, until) => {
                let mut rows = ledger::entries_after(app.db.read(), after, PAGE_ENTRIES).await?;
                rows.retain(|row| row.entry_id <= until);
                match rows.last() {
                    Some(last) => {
                        self.place = Place::After(Some(last.entry_id), until);
                        self.page(&rows).map(Some)
                    }
                    None => {
                        self.place = Place::Done;
                        self.tail().map(Some)
                    }
                }
            }
            Place::Done => Ok(None),
        }
    }

    fn page(&mut self, rows: &[StoredEntry]) -> Result<String> {
        let mut text = String::new();
        for entry in rows.chunk_by(|a, b| a.entry_id == b.entry_id) {
            self.entries += 1;
            let day = entry.first().map(|line| line.posted_at.0.date());
            if day > self.day {
                let moved = std::mem::take(&mut self.moved);
                self.assert_balances(&mut text, moved.iter())?;
                self.day = day;
            }
            for line in entry {
                let key = (line.code.clone(), line.class, currency(&line.currency)?);
                *self.sums.entry(key.clone()).or_default() += i128::from(line.amount_minor);
                self.moved.insert(key);
            }
            match self.format {
                Format::Hledger | Format::Ledger => hledger::entry(&mut text, entry)?,
                Format::Beancount => beancount::entry(&mut text, entry)?,
                Format::Csv => csv::entry(&mut text, entry)?,
                Format::Xero => xero::entry(&mut text, entry)?,
            }
        }
        Ok(text)
    }

    /// All balances after the last day.
    fn tail(&self) -> Result<String> {
        let mut text = String::new();
        self.assert_balances(&mut text, self.sums.keys())?;
        Ok(text)
    }

    /// What these accounts amount to after the day being written.
    fn assert_balances<'a>(&self, text: &mut String, accounts: impl Iterator<Item = &'a Key>) -> Result<()> {
        let Some(day) = self.day else { return Ok(()) };
        let balances = accounts
            .map(|key| {
                let sum = self.sums.get(key).copied().unwrap_or(0);
                let minor = i64::try_from(sum).map_err(|_| Error::from(crate::base::MoneyError::Overflow))?;
                Ok((key.0.as_str(), key.1, Money::new(minor, key.2)))
            })
            .collect::<Result<Vec<_>>>()?;
        match self.format {
            _ if balances.is_empty() => {}
            Format::Hledger | Format::Ledger => hledger::assertions(text, day, &balances),
            Format::Beancount => beancount::assertions(text, day, &balances),
            Format::Csv | Format::Xero => {}
        }
        Ok(())
    }
}

/// The currencies that accounts are kept in, each once.
fn currencies_of(accounts: &[ExportedAccount]) -> BTreeSet<Currency> {
    accounts.iter().flat_map(|account| account.currencies.iter().copied()).collect()
}

/// The newest entry.
async fn newest(app: &AppState) -> Result<Option<EntryId>> {
    let newest = ledger_entry::Entity::find()
        .select_only()
        .column(ledger_entry::Column::Id)
        .order_by_desc(ledger_entry::Column::Id)
        .limit(1);
    Ok(newest.into_tuple().one(app.db.read()).await?)
}

/// Every account, by code.
async fn accounts(app: &AppState) -> Result<Vec<ExportedAccount>> {
    let rows = ledger_account::Entity::find()
        .order_by_asc(ledger_account::Column::Code)
        .order_by_asc(ledger_account::Column::Currency)
        .all(app.db.read())
        .await?;
    let mut accounts: Vec<ExportedAccount> = Vec::new();
    for row in rows {
        let in_currency = currency(&row.currency)?;
        match accounts.last_mut() {
            Some(last) if last.code == row.code => last.currencies.push(in_currency),
            _ => accounts.push(ExportedAccount { code: row.code, class: row.class, currencies: vec![in_currency] }),
        }
    }
    Ok(accounts)
}

/// Writes the whole ledger into `sink`, page by page; `progress` is told the entries written so far.
/// Returns their number.
///
/// # Errors
/// Those of the database and of `sink`.
pub async fn export_ledger(
    app: &AppState,
    format: Format,
    sink: &mut impl Write,
    mut progress: impl FnMut(u64),
) -> Result<u64> {
    let mut export = Export::new(format);
    while let Some(piece) = export.next(app).await? {
        sink.write_all(piece.as_bytes()).map_err(Error::internal)?;
        progress(export.entries());
    }
    sink.flush().map_err(Error::internal)?;
    Ok(export.entries())
}
