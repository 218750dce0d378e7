//! The end of the hold: a provider's share becomes payable.

mod store;

use std::collections::{BTreeMap, HashMap};

use entity::{
    Timestamp,
    ids::{LedgerAccountId, OrderId, OrgId},
    order, order_line,
    states::EntryKind,
};
use time::Duration;

use crate::{
    base::{Currency, Money},
    error::Result,
    ledger::{self, Account, Line, NewEntry},
    settlement::currency,
    state::AppState,
};

/// Orders whose hold ends in one transaction.
const ORDERS_PER_ROUND: u64 = 200;

/// Makes shares payable whose hold is over; returns the number of orders.
///
/// An order's hold is over when that of its last line is, and nobody asks its money back. Safe to run at any time in any number of
/// processes: an order is booked by whoever marked it.
///
/// # Errors
/// Those of the database.
pub async fn end_holds(app: &AppState) -> Result<usize> {
    let mut ended = 0;
    loop {
        let now = app.clock.now();
        let due = store::due(app.db.read(), now, ORDERS_PER_ROUND).await?;
        if due.is_empty() {
            return Ok(ended);
        }
        let lines = store::lines_of(app.db.read(), &due).await?;
        open_payable(app, lines.values().flatten()).await?;
        ended += app
            .db
            .write("settlement.end_holds", move |tx| {
                let (due, lines) = (due.clone(), lines.clone());
                async move {
                    let mine = store::claim(&tx, &due, now).await?;
                    let ids: Vec<OrderId> = mine.iter().map(|order| order.id).collect();
                    let booked = ledger::orders_sums(tx.conn(), &ids).await?;
                    let mut entries = Vec::with_capacity(mine.len());
                    for order in &mine {
                        entries.extend(hold_end(order, lines.get(&order.id).map_or(&[], Vec::as_slice), &booked)?);
                    }
                    ledger::post(&tx, entries, now).await?;
                    Ok((mine.len(), tx))
                }
            })
            .await?;
    }
}

async fn open_payable(app: &AppState, lines: impl Iterator<Item = &order_line::Model>) -> Result<()> {
    let mut wanted: Vec<(OrgId, Currency)> = Vec::new();
    for line in lines {
        wanted.push((line.provider_id, currency(&line.currency)?));
    }
    wanted.sort_unstable();
    wanted.dedup();
    let accounts: Vec<_> = wanted
        .into_iter()
        .flat_map(|(org, currency)| {
            [Account::ProviderPending(org), Account::ProviderPayable(org)].map(|a| (a, currency))
        })
        .collect();
    ledger::open_accounts(app, &accounts).await
}

/// The entry that ends an order's hold: what is left of each share becomes payable; nothing where
/// nothing is left.
fn hold_end(
    order: &order::Model,
    lines: &[order_line::Model],
    booked: &HashMap<(OrderId, LedgerAccountId), i64>,
) -> Result<Option<NewEntry>> {
    let mut shares: BTreeMap<(OrgId, Currency), Money> = BTreeMap::new();
    for line in lines {
        let currency = currency(&line.currency)?;
        let pending = Account::ProviderPending(line.provider_id).id(currency);
        let left = Money::new(booked.get(&(order.id, pending)).copied().unwrap_or(0), currency);
        shares.insert((line.provider_id, currency), left.checked_neg()?);
    }
    shares.retain(|_, share| !share.is_zero());
    if shares.is_empty() {
        return Ok(None);
    }
    let days = lines.iter().map(|line| line.hold_days).max().unwrap_or(0);
    let sold = order.closed_at.unwrap_or(Timestamp(order.created_at.0));
    let lines = shares
        .into_iter()
        .flat_map(|((org, _), share)| {
            [Line::debit(Account::ProviderPending(org), share), Line::credit(Account::ProviderPayable(org), share)]
        })
        .map(|line| line.of(order.id))
        .collect();
    Ok(Some(NewEntry {
        kind: EntryKind::HoldEnd,
        source: format!("order:{}:hold_end", order.id),
        effective_at: sold.0 + Duration::days(i64::from(days)),
        memo: None,
        lines,
    }))
}
