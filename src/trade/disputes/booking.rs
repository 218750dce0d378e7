//! What a dispute books: the held share, and what winning or losing does with it.

use std::collections::BTreeMap;

use entity::{
    Timestamp, dispute, dispute_cost,
    ids::OrgId,
    order_line, order_reduction,
    states::{DisputeBearer, DisputeCostKind, EntryKind, OrderState, ReductionKind},
};
use time::OffsetDateTime;

use super::{model, store};
use crate::{
    base::{Currency, Money},
    db::Tx,
    error::{Error, Result},
    ledger::{self, Account, Line, NewEntry},
    trade::{
        orders::OrderFacts,
        reductions::{self, Taken},
        usage,
    },
};

/// Holds each provider's part of what is disputed, wherever its share stands.
///
/// More than is left of the order (after refunds) has no share behind it.
pub async fn hold(tx: &Tx, row: &dispute::Model, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
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
    reductions::insert(tx, row.id.0, ReductionKind::Dispute, facts.order.id, &taken, now).await
}

/// The lines whose sellers have a share: none of an order that was not completed, whose charge is going back anyway.
pub fn sold(facts: &OrderFacts) -> Vec<order_line::Model> {
    let completed = facts.order.state == OrderState::Completed;
    facts.lines().filter(|_| completed).cloned().collect()
}

/// Gives the held shares back.
pub async fn win(tx: &Tx, row: &dispute::Model, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    let currency = facts.total()?.currency;
    let undone = reductions::undo(tx, row.id.0, now).await?;
    let mut lines = released(&undone, currency)?;
    lines.extend(reductions::returned(&undone, facts.order.hold_ended_at.is_none(), currency));
    post(tx, row, facts, EntryKind::DisputeWon, "won", lines, now).await
}

/// Lets the money go, each part from whom it is agreed to bear it: the provider, the operator, or each its own.
pub async fn lose(tx: &Tx, row: &dispute::Model, facts: &OrderFacts, now: OffsetDateTime) -> Result<()> {
    let currency = facts.total()?.currency;
    let sold = sold(facts);
    let parts = borne(tx, row, &sold, now).await?;
    let mut lines = released(&parts, currency)?;
    for part in &parts {
        if part.bearer != Some(DisputeBearer::Provider) {
            lines.push(Line::debit(Account::Commission, Money::new(part.operator_minor, currency)));
        }
        lines.extend(facts.tax_account().map(|account| Line::debit(account, Money::new(part.tax_minor, currency))));
    }
    let kept: Vec<_> = parts.iter().filter(|part| part.bearer == Some(DisputeBearer::Operator)).cloned().collect();
    lines.extend(reductions::returned(&kept, facts.order.hold_ended_at.is_none(), currency));
    let loss = model::loss_of(&sold, &parts, row.amount_minor)?;
    lines.extend(charge(tx, row, facts, DisputeCostKind::Loss, &loss.providers, now).await?);
    lines.push(Line::debit(Account::DisputeLoss, Money::new(loss.operator_minor, currency)));
    lines.push(Line::credit(Account::DisputeHold, Money::new(row.amount_minor, currency)));
    post(tx, row, facts, EntryKind::DisputeLost, "lost", lines, now).await?;
    usage::withdraw_pack(tx, facts.order.id).await.map(drop)
}

/// Writes down who bears each held part; returns the parts as they are then.
async fn borne(
    tx: &Tx,
    row: &dispute::Model,
    sold: &[order_line::Model],
    now: OffsetDateTime,
) -> Result<Vec<order_reduction::Model>> {
    let held = store::reductions_of(tx.conn(), row.id).await?;
    let mut parts = Vec::with_capacity(held.len());
    for bearer in DisputeBearer::ALL {
        let of = held.iter().map(|part| part.line_no).filter(|no| model::bearer_of(sold, *no) == *bearer);
        let of: Vec<i32> = of.collect();
        if !of.is_empty() {
            parts.extend(reductions::bear(tx, row.id.0, &of, *bearer, now).await?);
        }
    }
    Ok(parts)
}

/// Takes from providers what they bear beyond their parts, and writes down from where; returns the debits.
pub async fn charge(
    tx: &Tx,
    row: &dispute::Model,
    facts: &OrderFacts,
    kind: DisputeCostKind,
    amounts: &BTreeMap<OrgId, i64>,
    now: OffsetDateTime,
) -> Result<Vec<Line>> {
    if amounts.is_empty() {
        return Ok(Vec::new());
    }
    let currency = facts.total()?.currency;
    let sums = reductions::order_account_sums(tx.conn(), facts.order.id).await?;
    let mut positions = reductions::positions(&reductions::parts_of(facts), &sums, currency);
    let (mut lines, mut costs) = (Vec::new(), Vec::new());
    for (org, minor) in amounts {
        let taken = positions.entry(*org).or_default().take(*minor);
        lines.extend(reductions::debits(*org, taken, currency));
        let torv_money::standing::Taken { pending_minor, payable_minor, receivable_minor } = taken;
        costs.push(dispute_cost::Model {
            dispute_id: row.id,
            organization_id: *org,
            kind,
            order_id: facts.order.id,
            currency: row.currency.clone(),
            pending_minor,
            payable_minor,
            receivable_minor,
            booked_at: Timestamp(now),
        });
    }
    store::insert_costs(tx, costs).await?;
    Ok(lines)
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

pub async fn post(
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
