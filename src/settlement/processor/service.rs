//! Importing the processor's lines and moving funds that have become available.

use std::collections::HashMap;

use entity::{
    ids::{OrderId, PaymentId},
    processor_transaction,
    states::EntryKind,
};
use time::{Duration, OffsetDateTime};

use super::{model, store};
use crate::{
    base::{Currency, Money},
    error::{Error, Result},
    ledger::{self, Account, Line, NewEntry},
    ports::payments::{Transaction, TransactionKind},
    settlement::{outside, payouts},
    state::AppState,
};

/// Lines asked for, stored and booked in one go.
const PAGE_LINES: u32 = 500;
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
        imported += import_page(app, page.transactions).await?;
        after = page.next;
        if after.is_none() {
            return Ok(imported);
        }
    }
}

async fn import_page(app: &AppState, mut lines: Vec<Transaction>) -> Result<usize> {
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
    let accounts: Vec<(Account, Currency)> =
        lines.iter().flat_map(|line| model::accounts(line).map(|account| (account, line.amount.currency))).collect();
    ledger::open_accounts(app, &distinct(accounts)).await?;
    let orders = orders_behind(app, &lines).await?;
    let (now, processor) = (app.clock.now(), app.payments.name());
    app.db
        .write("settlement.import_transactions", move |tx| {
            let (lines, orders) = (lines.clone(), orders.clone());
            async move {
                let mine = store::claim(&tx, processor, &lines, now).await?;
                let mut entries = Vec::with_capacity(mine.len());
                for line in lines.iter().filter(|line| mine.contains(&line.id)) {
                    entries.extend(model::entry(line, orders.get(&line.id).copied())?);
                    payouts::settle_line(&tx, line, now).await?;
                }
                ledger::post(&tx, entries, now).await?;
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

/// The order behind each charge line, by the line's id.
async fn orders_behind(app: &AppState, lines: &[Transaction]) -> Result<HashMap<String, OrderId>> {
    let charges: Vec<(&str, PaymentId)> = lines
        .iter()
        .filter(|line| line.kind == TransactionKind::Charge)
        .filter_map(|line| Some((line.id.as_str(), line.our_ref.as_deref()?.parse().ok()?)))
        .collect();
    let payments: Vec<PaymentId> = charges.iter().map(|(_, payment)| *payment).collect();
    let orders = store::orders_of(app.db.read(), &payments).await?;
    Ok(charges.into_iter().filter_map(|(id, payment)| Some((id.to_owned(), *orders.get(&payment)?))).collect())
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
