//! What a dispute books: the held share, and what winning or losing does with it.

use std::collections::BTreeMap;

use entity::{
    dispute,
    ids::OrgId,
    order_reduction,
    states::{EntryKind, OrderState, ReductionKind},
};
use time::OffsetDateTime;

use super::{model, store};
use crate::{
    base::{Currency, Money},
    db::Tx,
    error::{Error, Result},
    ledger::{self, Account, Line, NewEntry},
    trade::{
        grants,
        orders::OrderFacts,
        reductions::{self, Taken},
        usage,
    },
};

/// Holds each provider's part of what is disputed, wherever its share stands.
///
/// More than is left of the order (after refunds) has no share behind it; lost, it is the operator's.
pub async fn hold(
    tx: &Tx,
    row: &dispute::Model,
    facts: &OrderFacts,
    suspends: bool,
    now: OffsetDateTime,
) -> Result<()> {
    let currency = facts.total()?.currency;
    let (whole, earlier) = (reductions::parts_of(facts), reductions::active(tx.conn(), facts).await?);
    let left_minor = facts.order.total_minor - reductions::taken(&earlier)?;
    if facts.order.state != OrderState::Completed || left_minor <= 0 {
        return Ok(());
    }
    let parts = reductions::split_off(&whole, &earlier, row.amount_minor.min(left_minor))?;
    let sums = reductions::order_account_sums(tx.conn(), facts.order.id).await?;
    let taken = Taken::all(&parts, &mut reductions::positions(&whole, &sums, currency), currency);
    let mut lines: Vec<Line> = taken.iter().flat_map(|taken| taken.debits.clone()).collect();
    for part in &parts {
        let held = Money::new(part.provider_minor, currency);
        lines.push(Line::credit(Account::ProviderDisputeHeld(part.provider), held));
    }
    post(tx, row, facts, EntryKind::DisputeHold, "opened", lines, now).await?;
    reductions::insert(tx, row.id.0, ReductionKind::Dispute, facts.order.id, &taken, now).await?;
    if suspends {
        grants::end_of_order(tx, facts.order.id, &model::suspension(row.id), now).await?;
    }
    Ok(())
}

/// Gives the held shares back.
pub async fn win(tx: &Tx, row: &dispute::Model, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    let currency = facts.total()?.currency;
    let undone = reductions::undo(tx, row.id.0, now).await?;
    let mut lines = released(&undone, currency)?;
    lines.extend(reductions::returned(&undone, facts.order.hold_ended_at.is_none(), currency));
    post(tx, row, facts, EntryKind::DisputeWon, "won", lines, now).await?;
    grants::reinstate(tx, facts.order.id, &model::suspension(row.id)).await
}

/// Lets the money go: each party loses its part, the operator also what has no share behind it, and the
/// access ends.
pub async fn lose(tx: &Tx, row: &dispute::Model, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    let currency = facts.total()?.currency;
    let rows = store::reductions_of(tx.conn(), row.id).await?;
    let mut lines = released(&rows, currency)?;
    let mut explained = 0_i64;
    for part in &rows {
        explained += part.provider_minor + part.operator_minor + part.tax_minor;
        lines.push(Line::debit(Account::Commission, Money::new(part.operator_minor, currency)));
        lines.extend(facts.tax_account().map(|account| Line::debit(account, Money::new(part.tax_minor, currency))));
    }
    lines.push(Line::debit(Account::DisputeLoss, Money::new(row.amount_minor - explained, currency)));
    lines.push(Line::credit(Account::DisputeHold, Money::new(row.amount_minor, currency)));
    post(tx, row, facts, EntryKind::DisputeLost, "lost", lines, now).await?;
    grants::end_of_order(tx, facts.order.id, &model::loss(row.id), now).await?;
    usage::withdraw_pack(tx, facts.order.id).await?;
    // One that was suspended before stays closed, and says why for good.
    grants::reword_end(tx, facts.order.id, &model::suspension(row.id), &model::loss(row.id)).await
}

/// The debits that empty what is held.
fn released(rows: &[order_reduction::Model], currency: Currency) -> Result<Vec<Line>> {
    let mut of: BTreeMap<OrgId, i64> = BTreeMap::new();
    for row in rows {
        let sum = of.entry(row.provider_id).or_default();
        *sum = sum.checked_add(row.provider_minor).ok_or_else(|| Error::internal("the held shares overflow"))?;
    }
    let line = |(org, minor)| Line::debit(Account::ProviderDisputeHeld(org), Money::new(minor, currency));
    Ok(of.into_iter().map(line).collect())
}

async fn post(
    tx: &Tx,
    row: &dispute::Model,
    facts: &OrderFacts,
    kind: EntryKind,
    step: &str,
    mut lines: Vec<Line>,
    now: OffsetDateTime,
) -> Result<()> {
    lines.retain(|line| !line.amount.is_zero());
    if lines.is_empty() {
        return Ok(());
    }
    let order = facts.order.id;
    let source = model::event(order, row.id, step);
    let lines = lines.into_iter().map(|line| line.of(order)).collect();
    let memo = Some(row.processor_ref.clone());
    ledger::post(tx, vec![NewEntry { kind, source, effective_at: now, memo, lines }], now).await
}
