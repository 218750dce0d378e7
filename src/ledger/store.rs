//! Entries and balances in the database.

use std::collections::{BTreeMap, HashMap};

use entity::{
    Timestamp,
    ids::{EntryId, LedgerAccountId, OrderId, OrgId},
    ledger_account, ledger_balance, ledger_entry, posting, sealed_entry,
    states::{AccountClass, EntryKind},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationTrait as _,
    sea_query::{Expr, ExprTrait as _, LockType, OnConflict, Query},
};
use time::OffsetDateTime;

use super::{Account, NewEntry, seal};
use crate::{
    base::{Currency, Money},
    db::{
        Tx,
        bulk::{self, Known},
    },
    error::{Error, Result},
    state::AppState,
};

/// Entries from which on they are booked in bulk: importers' batches, not sales.
const ENTRIES_IN_BULK: usize = 64;

/// Opens the accounts that the lines will need, in a transaction of its own; known ones cost nothing.
///
/// # Errors
/// Those of the database.
pub async fn open_accounts(app: &AppState, wanted: &[(Account, Currency)]) -> Result<()> {
    let now = app.clock.now();
    let fresh: Vec<_> = wanted
        .iter()
        .filter(|(account, currency)| !app.ledger_accounts.holds(account.id(*currency)))
        .map(|(account, currency)| ledger_account::ActiveModel {
            id: Set(account.id(*currency)),
            code: Set(account.code()),
            currency: Set(currency.code().to_owned()),
            class: Set(account.class()),
            organization_id: Set(account.owner()),
            created_at: Set(Timestamp(now)),
        })
        .collect();
    if fresh.is_empty() {
        return Ok(());
    }
    app.db
        .write("ledger.open_accounts", move |tx| {
            let fresh = fresh.clone();
            async move {
                ledger_account::Entity::insert_many(fresh)
                    .on_conflict(OnConflict::new().do_nothing().to_owned())
                    .exec_without_returning(tx.conn())
                    .await?;
                Ok(((), tx))
            }
        })
        .await?;
    app.ledger_accounts.add(wanted.iter().map(|(account, currency)| account.id(*currency)));
    Ok(())
}

/// Books entries in the caller's transaction: one statement for all postings, one for all entries.
///
/// The accounts must be open ([`open_accounts`]). A `source` that is booked already is an error:
/// the caller claims the event first, or asks [`booked_sources`].
///
/// # Errors
/// Internal, for an entry that does not balance; a conflict, for a `source` booked before.
pub async fn post(tx: &Tx, entries: Vec<NewEntry>, now: OffsetDateTime) -> Result<()> {
    let (mut postings, mut heads) = (Vec::new(), Vec::new());
    for entry in entries {
        let entry = entry.balanced().map_err(Error::internal)?;
        let id = EntryId::at(now);
        for (seq, line) in (0_i32..).zip(entry.lines) {
            postings.push(posting::ActiveModel {
                entry_id: Set(id),
                seq: Set(seq),
                account_id: Set(line.account.id(line.amount.currency)),
                order_id: Set(line.order_id),
                amount_minor: Set(line.amount.minor),
                currency: Set(line.amount.currency.code().to_owned()),
            });
        }
        heads.push(ledger_entry::ActiveModel {
            id: Set(id),
            kind: Set(entry.kind),
            source: Set(entry.source),
            effective_at: Set(Timestamp(entry.effective_at)),
            posted_at: Set(Timestamp(now)),
            memo: Set(entry.memo),
        });
    }
    if heads.is_empty() {
        return Ok(());
    }
    // Postings first: the database checks an entry's balance when its head arrives.
    if heads.len() >= ENTRIES_IN_BULK {
        bulk::insert(tx, postings, Known::Refuse).await?;
        bulk::insert(tx, heads, Known::Refuse).await?;
        return Ok(());
    }
    posting::Entity::insert_many(postings).exec_without_returning(tx.conn()).await?;
    ledger_entry::Entity::insert_many(heads).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Which of these business events are booked already.
///
/// # Errors
/// Those of the database.
pub async fn booked_sources(conn: &impl ConnectionTrait, sources: &[String]) -> Result<Vec<String>> {
    Ok(ledger_entry::Entity::find()
        .select_only()
        .column(ledger_entry::Column::Source)
        .filter(ledger_entry::Column::Source.is_in(sources))
        .into_tuple()
        .all(conn)
        .await?)
}

/// What an account amounts to; debits positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountBalance {
    /// The account's id.
    pub account_id: LedgerAccountId,
    /// Its code.
    pub code: String,
    /// Its side.
    pub class: AccountClass,
    /// Whose it is, where it is somebody's.
    pub organization_id: Option<OrgId>,
    /// The sum of all its postings.
    pub balance: Money,
}

/// The balance of one account: what is sealed plus what came since.
///
/// # Errors
/// Those of the database.
pub async fn balance(conn: &impl ConnectionTrait, account: &Account, currency: Currency) -> Result<Money> {
    let id = account.id(currency);
    let sealed = ledger_balance::Entity::find_by_id(id).one(conn).await?.map_or(0, |row| row.sealed_minor);
    let since = unsealed_sums(conn, Some(id)).await?;
    let minor = sealed.checked_add(since.get(&id).copied().unwrap_or(0)).ok_or(crate::base::MoneyError::Overflow)?;
    Ok(Money::new(minor, currency))
}

/// The balances of all accounts, or of those of one organisation, by code and currency.
///
/// # Errors
/// Those of the database.
pub async fn balances(conn: &impl ConnectionTrait, of: Option<OrgId>) -> Result<Vec<AccountBalance>> {
    let mut query = ledger_account::Entity::find()
        .order_by_asc(ledger_account::Column::Code)
        .order_by_asc(ledger_account::Column::Currency);
    if let Some(org) = of {
        query = query.filter(ledger_account::Column::OrganizationId.eq(org));
    }
    let accounts = query.all(conn).await?;
    let sealed: HashMap<_, _> = ledger_balance::Entity::find()
        .all(conn)
        .await?
        .into_iter()
        .map(|row| (row.account_id, row.sealed_minor))
        .collect();
    let since = unsealed_sums(conn, None).await?;
    let sum = |id: LedgerAccountId| {
        let sealed = sealed.get(&id).copied().unwrap_or(0);
        sealed.checked_add(since.get(&id).copied().unwrap_or(0)).ok_or(crate::base::MoneyError::Overflow)
    };
    accounts
        .into_iter()
        .map(|row| {
            let currency = currency_of(&row.currency)?;
            let balance = Money::new(sum(row.id)?, currency);
            let (code, class, organization_id) = (row.code, row.class, row.organization_id);
            Ok(AccountBalance { account_id: row.id, code, class, organization_id, balance })
        })
        .collect()
}

/// Sums of the postings whose entries are not sealed yet.
async fn unsealed_sums(
    conn: &impl ConnectionTrait,
    of: Option<LedgerAccountId>,
) -> Result<HashMap<LedgerAccountId, i64>> {
    let floor = seal::unsealed_floor(conn).await?;
    let sealed = Query::select()
        .expr(Expr::val(1))
        .from(sealed_entry::Entity)
        .and_where(
            Expr::col((sealed_entry::Entity, sealed_entry::Column::EntryId))
                .equals((posting::Entity, posting::Column::EntryId)),
        )
        .to_owned();
    let mut query = posting::Entity::find()
        .select_only()
        .column(posting::Column::AccountId)
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .filter(posting::Column::EntryId.gte(floor))
        .filter(Expr::exists(sealed).not())
        .group_by(posting::Column::AccountId);
    if let Some(id) = of {
        query = query.filter(posting::Column::AccountId.eq(id));
    }
    Ok(query.into_tuple::<(LedgerAccountId, i64)>().all(conn).await?.into_iter().collect())
}

/// Sums per order on one account, those that are not zero, at most `limit`, oldest order first.
///
/// # Errors
/// Those of the database.
pub async fn order_balances(
    conn: &impl ConnectionTrait,
    account: &Account,
    currency: Currency,
    limit: u64,
) -> Result<Vec<(OrderId, Money)>> {
    let rows = posting::Entity::find()
        .select_only()
        .column(posting::Column::OrderId)
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .filter(posting::Column::AccountId.eq(account.id(currency)))
        .filter(posting::Column::OrderId.is_not_null())
        .group_by(posting::Column::OrderId)
        .having(Expr::cust("SUM(amount_minor) <> 0"))
        .order_by_asc(posting::Column::OrderId)
        .limit(limit)
        .into_tuple::<(OrderId, i64)>()
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|(order, minor)| (order, Money::new(minor, currency))).collect())
}

/// Sums per account of everything that is booked about one order.
///
/// # Errors
/// Those of the database.
pub async fn order_sums(conn: &impl ConnectionTrait, order: OrderId) -> Result<HashMap<LedgerAccountId, i64>> {
    let all = orders_sums(conn, &[order]).await?;
    Ok(all.into_iter().map(|((_, account), minor)| (account, minor)).collect())
}

/// Sums per order and account of everything that is booked about these orders.
///
/// # Errors
/// Those of the database.
pub async fn orders_sums(
    conn: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<HashMap<(OrderId, LedgerAccountId), i64>> {
    let rows = posting::Entity::find()
        .select_only()
        .columns([posting::Column::OrderId, posting::Column::AccountId])
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .filter(posting::Column::OrderId.is_in(orders.iter().copied()))
        .group_by(posting::Column::OrderId)
        .group_by(posting::Column::AccountId)
        .into_tuple::<(OrderId, LedgerAccountId, i64)>()
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|(order, account, minor)| ((order, account), minor)).collect())
}

/// Lets one transaction at a time decide about what providers are due in a currency (PostgreSQL; SQLite
/// has one writer anyway). It is taken before any lock on an order, so that two can't wait for each other.
///
/// # Errors
/// Those of the database.
pub async fn lock_currency(tx: &Tx, currency: Currency) -> Result<()> {
    ledger_account::Entity::find_by_id(Account::ProcessorAvailable.id(currency))
        .lock(LockType::NoKeyUpdate)
        .one(tx.conn())
        .await?;
    Ok(())
}

/// One posting with its entry and account, for exports and statements.
#[derive(Debug, Clone, FromQueryResult)]
pub struct StoredEntry {
    /// The entry.
    pub entry_id: EntryId,
    /// Position in the entry.
    pub seq: i32,
    /// What happened.
    pub kind: EntryKind,
    /// The business event.
    pub source: String,
    /// When it happened.
    pub effective_at: Timestamp,
    /// When it was booked.
    pub posted_at: Timestamp,
    /// The note.
    pub memo: Option<String>,
    /// The account's code.
    pub code: String,
    /// The account's side.
    pub class: AccountClass,
    /// The order, where the account is kept per order.
    pub order_id: Option<OrderId>,
    /// Debits positive, credits negative.
    pub amount_minor: i64,
    /// The currency.
    pub currency: String,
}

/// Postings in order of entry, after a given one: an export walks the ledger page by page.
///
/// # Errors
/// Those of the database.
pub async fn entries_after(
    conn: &impl ConnectionTrait,
    after: Option<EntryId>,
    entries_max: u64,
) -> Result<Vec<StoredEntry>> {
    let mut heads = ledger_entry::Entity::find()
        .select_only()
        .column(ledger_entry::Column::Id)
        .order_by_asc(ledger_entry::Column::Id)
        .limit(entries_max);
    if let Some(after) = after {
        heads = heads.filter(ledger_entry::Column::Id.gt(after));
    }
    let ids: Vec<EntryId> = heads.into_tuple().all(conn).await?;
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
    Ok(posting::Entity::find()
        .select_only()
        .columns([posting::Column::EntryId, posting::Column::Seq, posting::Column::OrderId])
        .columns([posting::Column::AmountMinor, posting::Column::Currency])
        .column(ledger_entry::Column::Kind)
        .column(ledger_entry::Column::Source)
        .column(ledger_entry::Column::EffectiveAt)
        .column(ledger_entry::Column::PostedAt)
        .column(ledger_entry::Column::Memo)
        .column(ledger_account::Column::Code)
        .column(ledger_account::Column::Class)
        .join(JoinType::InnerJoin, posting::Relation::LedgerEntry.def())
        .join(JoinType::InnerJoin, posting::Relation::LedgerAccount.def())
        .filter(posting::Column::EntryId.between(*first, *last))
        .order_by_asc(posting::Column::EntryId)
        .order_by_asc(posting::Column::Seq)
        .into_model()
        .all(conn)
        .await?)
}

pub(super) fn currency_of(code: &str) -> Result<Currency> {
    code.parse().map_err(|error: crate::base::currency::UnknownCurrency| Error::internal(error))
}

/// Sums of several maps of balances by currency; for reports.
pub(super) fn add_to(sums: &mut BTreeMap<Currency, i128>, amount: Money) {
    *sums.entry(amount.currency).or_default() += i128::from(amount.minor);
}
