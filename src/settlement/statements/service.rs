//! Drawing balances and statements from the ledger.

use std::collections::BTreeMap;

use entity::{
    Timestamp,
    ids::{EntryId, OrderId, OrgId},
    states::{EntryKind, PayoutState},
};

use super::{
    model::{self, BalanceView, CurrencyStatement, Owed, StatementLine, StatementView},
    store::{self, Movement},
};
use crate::{
    base::{Currency, MoneyError},
    error::{Error, Result},
    ledger::{self, Account},
    settlement::currency,
    state::AppState,
};

/// Movements read in one go.
const PAGE_ROWS: u64 = 1_000;
/// Lines a statement shows as JSON; more come as CSV, which is streamed.
const LINES_MAX: usize = 5_000;

/// Whose statement over which period, in whole milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The organisation.
    pub organization: OrgId,
    /// From when, included.
    pub from: Timestamp,
    /// Until when, excluded.
    pub until: Timestamp,
}

impl Wanted {
    /// A period, cut to whole milliseconds.
    ///
    /// # Errors
    /// `Invalid` when it ends before it begins.
    pub fn new(organization: OrgId, from: Timestamp, until: Timestamp) -> Result<Self> {
        let cut = |at: Timestamp| Timestamp::from_micros(at.micros() / 1_000 * 1_000);
        let (from, until) = (cut(from), cut(until));
        if from < until {
            return Ok(Self { organization, from, until });
        }
        Err(Error::invalid("until", "Choose an end that comes after the beginning."))
    }
}

/// What an organisation is owed and was paid, by currency.
pub async fn balances(app: &AppState, org: OrgId) -> Result<Vec<BalanceView>> {
    let mut of: BTreeMap<Currency, BalanceView> = BTreeMap::new();
    let empty = |currency| BalanceView {
        currency,
        pending_minor: 0,
        payable_minor: 0,
        held_minor: 0,
        debt_minor: 0,
        in_payout_minor: 0,
        paid_out_minor: 0,
    };
    for row in ledger::balances(app.db.read(), Some(org)).await? {
        let view = of.entry(row.balance.currency).or_insert_with(|| empty(row.balance.currency));
        let owed = row.balance.checked_neg()?.minor;
        if row.code == Account::ProviderPending(org).code() {
            view.pending_minor = owed;
        } else if row.code == Account::ProviderPayable(org).code() {
            view.payable_minor = owed;
        } else if row.code == Account::ProviderDisputeHeld(org).code() {
            view.held_minor = owed;
        } else if row.code == Account::ProviderReceivable(org).code() {
            view.debt_minor = row.balance.minor;
        }
    }
    for (code, state, minor) in store::payout_sums(app.db.read(), org).await? {
        let currency = currency(&code)?;
        let view = of.entry(currency).or_insert_with(|| empty(currency));
        let sum = if state == PayoutState::Paid { &mut view.paid_out_minor } else { &mut view.in_payout_minor };
        *sum = sum.checked_add(minor).ok_or(MoneyError::Overflow)?;
    }
    Ok(of.into_values().collect())
}

/// What is owed in a currency just before an entry.
pub async fn owed_before(app: &AppState, org: OrgId, currency: Currency, before: EntryId) -> Result<Owed> {
    let [pending, payable, held, debt] = accounts(org).map(|account| account.id(currency));
    let owed = |sum: i64| sum.checked_neg().ok_or(MoneyError::Overflow);
    Ok(Owed {
        pending_minor: owed(store::sum_before(app.db.read(), pending, before).await?)?,
        payable_minor: owed(store::sum_before(app.db.read(), payable, before).await?)?,
        held_minor: owed(store::sum_before(app.db.read(), held, before).await?)?,
        debt_minor: store::sum_before(app.db.read(), debt, before).await?,
    })
}

fn accounts(org: OrgId) -> [Account; 4] {
    [
        Account::ProviderPending(org),
        Account::ProviderPayable(org),
        Account::ProviderDisputeHeld(org),
        Account::ProviderReceivable(org),
    ]
}

/// The currencies an organisation was ever owed anything in.
pub async fn currencies(app: &AppState, org: OrgId) -> Result<Vec<Currency>> {
    store::currencies(app.db.read(), org).await?.iter().map(|code| currency(code)).collect()
}

/// Some lines of a period, and from which entry on to ask for the next ones.
#[derive(Debug)]
pub struct LinePage {
    /// The lines, in the order of booking.
    pub lines: Vec<StatementLine>,
    /// Where to go on; absent at the end.
    pub next: Option<EntryId>,
}

/// The lines from an entry on, until the end of the period.
pub async fn lines(app: &AppState, wanted: Wanted, currency: Currency, from: EntryId) -> Result<LinePage> {
    let ids = accounts(wanted.organization).map(|account| account.id(currency));
    let until = store::first_entry_at(wanted.until);
    let mut rows = store::movements(app.db.read(), ids, from, until, PAGE_ROWS).await?;
    let mut next = None;
    if rows.len() as u64 == PAGE_ROWS {
        // The last entry may go on in the next page: it is left to it whole.
        next = rows.last().map(|row| row.entry_id);
        rows.retain(|row| Some(row.entry_id) != next);
    }
    let sold: Vec<OrderId> =
        rows.iter().filter(|row| row.kind == EntryKind::Sale).filter_map(|row| model::order_of(&row.source)).collect();
    let shares = store::shares(app.db.read(), wanted.organization, &sold).await?;
    let mut lines: Vec<StatementLine> = Vec::new();
    for entry in rows.chunk_by(|a, b| a.entry_id == b.entry_id) {
        let Some(first) = entry.first() else { continue };
        let order_id = model::order_of(&first.source);
        let share = order_id.filter(|_| first.kind == EntryKind::Sale).and_then(|id| shares.get(&id));
        lines.push(StatementLine {
            at: first.posted_at,
            kind: first.kind,
            order_id,
            payout_id: model::payout_of(&first.source),
            gross_minor: share.map(|share| share.0),
            operator_minor: share.map(|share| share.1),
            provider_minor: share.map(|share| share.2),
            change: change(entry, ids)?,
        });
    }
    Ok(LinePage { lines, next })
}

/// What an entry changed; credits raise what is owed, debits what the provider owes.
fn change(
    entry: &[Movement],
    [pending, payable, held, debt]: [entity::ids::LedgerAccountId; 4],
) -> Result<Owed, MoneyError> {
    entry.iter().try_fold(Owed::default(), |sum, row| {
        let owed = row.amount_minor.checked_neg().ok_or(MoneyError::Overflow)?;
        sum.plus(Owed {
            pending_minor: if row.account_id == pending { owed } else { 0 },
            payable_minor: if row.account_id == payable { owed } else { 0 },
            held_minor: if row.account_id == held { owed } else { 0 },
            debt_minor: if row.account_id == debt { row.amount_minor } else { 0 },
        })
    })
}

/// A whole statement.
///
/// # Errors
/// `Invalid` beyond [`LINES_MAX`] lines.
pub async fn statement(app: &AppState, wanted: Wanted) -> Result<StatementView> {
    let mut parts = Vec::new();
    let mut room = LINES_MAX;
    for currency in currencies(app, wanted.organization).await? {
        let part = one_currency(app, wanted, currency, room).await?;
        room -= part.lines.len();
        parts.push(part);
    }
    let Wanted { organization, from, until } = wanted;
    Ok(StatementView { organization_id: organization, from, until, currencies: parts })
}

async fn one_currency(app: &AppState, wanted: Wanted, currency: Currency, room: usize) -> Result<CurrencyStatement> {
    let begin = store::first_entry_at(wanted.from);
    let end = store::first_entry_at(wanted.until);
    let (mut all, mut next) = (Vec::new(), Some(begin));
    while let Some(from) = next {
        let page = lines(app, wanted, currency, from).await?;
        all.extend(page.lines);
        next = page.next;
        if all.len() > room {
            let detail = format!("There are more than {LINES_MAX} lines. Choose a shorter period, or format=csv.");
            return Err(Error::invalid("until", detail));
        }
    }
    let sum = |part: fn(&StatementLine) -> i64| {
        all.iter().try_fold(0_i64, |sum, line| sum.checked_add(part(line))).ok_or(MoneyError::Overflow)
    };
    let paid = |line: &StatementLine| if line.payout_id.is_some() { -line.change.payable_minor } else { 0 };
    Ok(CurrencyStatement {
        currency,
        opening: owed_before(app, wanted.organization, currency, begin).await?,
        gross_minor: sum(|line| line.gross_minor.unwrap_or(0))?,
        operator_minor: sum(|line| line.operator_minor.unwrap_or(0))?,
        provider_minor: sum(|line| line.provider_minor.unwrap_or(0))?,
        payouts_minor: sum(paid)?,
        closing: owed_before(app, wanted.organization, currency, end).await?,
        lines: all,
    })
}

/// The first entry of a period.
pub fn begin(wanted: Wanted) -> EntryId {
    store::first_entry_at(wanted.from)
}
