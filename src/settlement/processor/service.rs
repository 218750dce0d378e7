//! Importing the processor's lines and moving funds that have become available.

use std::collections::{BTreeSet, HashMap};

use entity::{
    ids::{OrderId, PaymentId, RefundId},
    processor_transaction,
    states::{EntryKind, ExceptionClass},
};
use time::{Duration, OffsetDateTime};

use super::{
    model::{self, Behind},
    store,
};
use crate::{
    base::{Currency, Money},
    db::Tx,
    error::{Error, Result},
    ledger::{self, Account, Line, NewEntry},
    ports::payments::{Transaction, TransactionKind, UnreadableLine},
    settlement::{
        exceptions::{self, NewException},
        outside, payouts, reversals,
    },
    state::AppState,
    trade::refunds,
};

/// Lines asked for, stored and booked in one go.
const PAGE_LINES: u32 = 500;
/// The word of lines that can't be read: their money waits in `suspense.unreadable`.
const UNREADABLE: &str = "unreadable";
/// The currency of a line of nothing, where not even its currency can be read.
const FALLBACK_CURRENCY: &str = "EUR";
/// How far back every import reads again: lines appear late with an earlier time.
const OVERLAP_SECONDS: i64 = 60;

/// Brings the processor's new lines into the books; returns how many were new.
///
/// Safe to run at any time in any number of processes: a line is booked by whoever stored it.
///
/// # Errors
/// `Unavailable` when the processor does not answer; those of the database.
pub async fn import_transactions(app: &AppState) -> Result<usize> {
    let newest = store::newest_import(app.db.read(), app.payments.name()).await?;
    let since = newest.map_or(OffsetDateTime::UNIX_EPOCH, |at| at - Duration::seconds(OVERLAP_SECONDS));
    let (mut imported, mut after) = (0, None);
    loop {
        let page = app.payments.transactions(since, after.as_deref(), PAGE_LINES).await.map_err(outside)?;
        let (mut lines, mut troubles) = (page.transactions, Vec::new());
        for unreadable in page.unreadable {
            let (line, trouble) = set_aside(unreadable, app.clock.now())?;
            lines.push(line);
            troubles.push(trouble);
        }
        troubles.extend(lines.iter().filter_map(unknown));
        imported += import_page(app, lines, troubles).await?;
        after = page.next;
        if after.is_none() {
            return Ok(imported);
        }
    }
}

/// A line that can't be read, as one that is stored and booked to suspense, and what a person is told of it.
fn set_aside(unreadable: UnreadableLine, now: OffsetDateTime) -> Result<(Transaction, NewException)> {
    let UnreadableLine { id, reason, net, created_at } = unreadable;
    let nothing = || FALLBACK_CURRENCY.parse().map(|currency| Money::new(0, currency)).map_err(Error::internal);
    let amount = net.map_or_else(nothing, Ok)?;
    let at = created_at.unwrap_or(now);
    let sentence = format!("The processor's line {id} can't be read: {reason}. {amount} of it is booked to suspense.");
    let new = NewException::new(ExceptionClass::UnreadableBalanceLine, id.clone(), amount, sentence);
    let trouble = NewException { transaction_id: Some(id.clone()), occurred_at: Some(at), ..new };
    let line = Transaction {
        kind: TransactionKind::Other(UNREADABLE.to_owned()),
        amount,
        fee_minor: 0,
        source_ref: id.clone(),
        our_ref: None,
        created_at: at,
        available_at: at,
        id,
    };
    Ok((line, trouble))
}

/// What a person is told of a line of a kind that is not known.
fn unknown(line: &Transaction) -> Option<NewException> {
    let TransactionKind::Other(word) = &line.kind else { return None };
    if word == UNREADABLE {
        return None;
    }
    let sentence = format!("The processor's line {} of {} is a {word}, which is not known here.", line.id, line.amount);
    let new = NewException::new(ExceptionClass::UnknownBalanceLine, line.id.clone(), line.amount, sentence);
    Some(NewException { transaction_id: Some(line.id.clone()), occurred_at: Some(line.created_at), ..new })
}

async fn import_page(app: &AppState, mut lines: Vec<Transaction>, troubles: Vec<NewException>) -> Result<usize> {
    let ids: Vec<String> = lines.iter().map(|line| line.id.clone()).collect();
    let known = store::known(app.db.read(), &ids).await?;
    lines.retain(|line| !known.contains(&line.id));
    if lines.is_empty() {
        return Ok(0);
    }
    for line in lines.iter().filter(|line| matches!(line.kind, TransactionKind::Other(_))) {
        let kind = line.kind.as_str();
        tracing::warn!(
            transaction = line.id,
            kind,
            "the processor's line {} of unknown kind {kind} is booked to suspense",
            line.id
        );
    }
    let behind = behind(app, &lines).await?;
    let of = |line: &Transaction| behind.get(&line.id).copied().unwrap_or_default();
    let with = |line: &Transaction| model::accounts(line, of(line)).map(|account| (account, line.amount.currency));
    ledger::open_accounts(app, &distinct(lines.iter().flat_map(with).collect())).await?;
    let (now, processor) = (app.clock.now(), app.payments.name());
    let pays_out_by_itself = app.payments.features().automatic_payouts;
    app.db
        .write("settlement.import_transactions", move |tx| {
            let (lines, behind, mut troubles) = (lines.clone(), behind.clone(), troubles.clone());
            async move {
                lock_what_is_owed(&tx, &lines).await?;
                let mine = store::claim(&tx, processor, &lines, now).await?;
                let mut entries = Vec::with_capacity(mine.len());
                for line in lines.iter().filter(|line| mine.contains(&line.id)) {
                    entries.extend(model::entry(line, behind.get(&line.id).copied().unwrap_or_default())?);
                    payouts::settle_line(&tx, line, now).await?;
                    if pays_out_by_itself {
                        payouts::note_line(&tx, processor, line, now).await?;
                    }
                    reversals::settle_line(&tx, line, now).await?;
                    refunds::settle_line(&tx, line, now).await?;
                }
                ledger::post(&tx, entries, now).await?;
                troubles.retain(|new| mine.contains(&new.subject));
                exceptions::raise(&tx, troubles, now).await?;
                Ok((mine.len(), tx))
            }
        })
        .await
}

fn distinct(mut accounts: Vec<(Account, Currency)>) -> Vec<(Account, Currency)> {
    accounts.sort_by_key(|(account, currency)| (account.code(), *currency));
    accounts.dedup();
    accounts
}

/// Takes the currency locks first that settling these lines takes later, so that two transactions with
/// the same orders can't wait for each other.
async fn lock_what_is_owed(tx: &Tx, lines: &[Transaction]) -> Result<()> {
    let moves_shares =
        |line: &&Transaction| matches!(line.kind, TransactionKind::RefundFailure | TransactionKind::TransferReversal);
    let currencies: BTreeSet<Currency> = lines.iter().filter(moves_shares).map(|line| line.amount.currency).collect();
    for currency in currencies {
        ledger::lock_currency(tx, currency).await?;
    }
    Ok(())
}

/// What is behind each line, by the line's id: the order of a charge, refund, reversal or dispute.
async fn behind(app: &AppState, lines: &[Transaction]) -> Result<HashMap<String, Behind>> {
    let mut all: HashMap<String, Behind> = HashMap::new();
    for (id, order) in orders_behind(app, lines).await? {
        all.insert(id, Behind { order: Some(order), debtor: None });
    }
    for (id, found) in reversals::behind(app, lines).await? {
        all.insert(id, Behind { order: Some(found.order), debtor: Some(found.organization) });
    }
    Ok(all)
}

/// The order behind each line of a charge, refund or dispute, by the line's id.
async fn orders_behind(app: &AppState, lines: &[Transaction]) -> Result<HashMap<String, OrderId>> {
    let conn = app.db.read();
    let references = || lines.iter().filter_map(|line| line.our_ref.as_deref());
    let payments: Vec<PaymentId> = references().filter_map(|text| text.parse().ok()).collect();
    let refunds: Vec<RefundId> = references().filter_map(|text| text.parse().ok()).collect();
    let disputes: Vec<String> = lines
        .iter()
        .filter(|line| matches!(line.kind, TransactionKind::Dispute | TransactionKind::DisputeReversal))
        .map(|line| line.source_ref.clone())
        .collect();
    let of_payments = store::orders_of(conn, &payments).await?;
    let of_refunds = store::orders_of_refunds(conn, &refunds).await?;
    let of_disputes = store::orders_of_disputes(conn, app.payments.name(), &disputes).await?;
    let order = |line: &Transaction| {
        let our_ref = line.our_ref.as_deref().unwrap_or_default();
        match line.kind {
            TransactionKind::Charge => of_payments.get(&our_ref.parse().ok()?).copied(),
            TransactionKind::Refund | TransactionKind::RefundFailure => of_refunds.get(&our_ref.parse().ok()?).copied(),
            TransactionKind::Dispute | TransactionKind::DisputeReversal => {
                let by_payment = our_ref.parse().ok().and_then(|id| of_payments.get(&id));
                by_payment.or_else(|| of_disputes.get(&line.source_ref)).copied()
            }
            _ => None,
        }
    };
    Ok(lines.iter().filter_map(|line| Some((line.id.clone(), order(line)?))).collect())
}

/// Moves the net of lines that can be spent by now from pending to available; returns how many lines.
///
/// # Errors
/// Those of the database.
pub async fn book_available_funds(app: &AppState) -> Result<usize> {
    let mut booked = 0;
    loop {
        let now = app.clock.now();
        let due = store::due_funds(app.db.read(), now, u64::from(PAGE_LINES)).await?;
        if due.is_empty() {
            return Ok(booked);
        }
        let ids: Vec<String> = due.into_iter().map(|row| row.id).collect();
        booked += app
            .db
            .write("settlement.book_available_funds", move |tx| {
                let ids = ids.clone();
                async move {
                    let mine = store::claim_funds(&tx, &ids, now).await?;
                    let entries = mine.iter().map(available_entry).collect::<Result<Vec<_>>>()?;
                    ledger::post(&tx, entries.into_iter().flatten().collect(), now).await?;
                    Ok((mine.len(), tx))
                }
            })
            .await?;
    }
}

fn available_entry(row: &processor_transaction::Model) -> Result<Option<NewEntry>> {
    if row.net_minor == 0 {
        return Ok(None);
    }
    let currency =
        row.currency.parse().map_err(|error: crate::base::currency::UnknownCurrency| Error::internal(error))?;
    let net = Money::new(row.net_minor, currency);
    Ok(Some(NewEntry {
        kind: EntryKind::FundsAvailable,
        source: format!("{}:available", model::source(&row.id)),
        effective_at: row.available_at.0,
        memo: None,
        lines: vec![
            Line::debit(Account::ProcessorAvailable, net),
            Line { account: Account::ProcessorPending, amount: net.checked_neg()?, order_id: None },
        ],
    }))
}
