//! Payouts against the lines that should have left for them, and against their orders.

use std::collections::HashMap;

use entity::{
    ids::PayoutId,
    payout, payout_item, processor_transaction,
    states::{PayoutRecipient, PayoutState},
};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};

use super::{
    model::{About, DifferenceClass, Findings, TimingClass},
    service::{PAGE_ROWS, Period},
};
use crate::{
    base::Money,
    error::Result,
    ports::payments::TransactionKind,
    settlement::{currency, outside},
    state::AppState,
};

/// Lines asked for in one go.
const PAGE_LINES: u32 = 500;

pub async fn check(app: &AppState, period: Period, findings: &mut Findings) -> Result<()> {
    let mut after: Option<PayoutId> = None;
    loop {
        let mut query = payout::Entity::find()
            .filter(payout::Column::CreatedAt.gte(period.from))
            .filter(payout::Column::CreatedAt.lt(period.until))
            .order_by_asc(payout::Column::Id)
            .limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(payout::Column::Id.gt(after));
        }
        let page = query.all(app.db.read()).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let ids: Vec<PayoutId> = page.iter().map(|row| row.id).collect();
        let (left, items) = (left_for(app, &ids).await?, item_sums(app, &ids).await?);
        for row in &page {
            check_items(row, items.get(&row.id).copied().unwrap_or(0), findings)?;
            if row.is_itemised.is_some() {
                check_automatic(app, row, findings).await?;
                continue;
            }
            check_lines(app, row, left.get(&row.id).copied().unwrap_or(0), findings).await?;
        }
    }
}

/// How often money left for each payout, less how often it came back.
async fn left_for(app: &AppState, payouts: &[PayoutId]) -> Result<HashMap<PayoutId, i64>> {
    let rows: Vec<(Option<String>, String)> = processor_transaction::Entity::find()
        .select_only()
        .columns([processor_transaction::Column::OurRef, processor_transaction::Column::Kind])
        .filter(processor_transaction::Column::OurRef.is_in(payouts.iter().map(ToString::to_string)))
        .into_tuple()
        .all(app.db.read())
        .await?;
    let mut left = HashMap::new();
    for (our_ref, kind) in rows {
        let Some(id) = our_ref.and_then(|text| text.parse::<PayoutId>().ok()) else { continue };
        *left.entry(id).or_default() += match kind.as_str() {
            "transfer" | "payout" => 1,
            "payout_failure" => -1,
            _ => 0,
        };
    }
    Ok(left)
}

async fn item_sums(app: &AppState, payouts: &[PayoutId]) -> Result<HashMap<PayoutId, i64>> {
    Ok(payout_item::Entity::find()
        .select_only()
        .column(payout_item::Column::PayoutId)
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .filter(payout_item::Column::PayoutId.is_in(payouts.iter().copied()))
        .group_by(payout_item::Column::PayoutId)
        .into_tuple()
        .all(app.db.read())
        .await?
        .into_iter()
        .collect())
}

fn check_items(row: &payout::Model, items_minor: i64, findings: &mut Findings) -> Result<()> {
    let decided = Money::new(row.amount_minor, currency(&row.currency)?);
    let totals = findings.totals(decided.currency);
    totals.payouts_minor = totals.payouts_minor.saturating_add(decided.minor);
    let carried = Money::new(items_minor, decided.currency);
    if row.recipient == PayoutRecipient::Provider && carried != decided {
        let sentence = format!("The payout is of {decided}, and its orders sum to {carried}.");
        let off = decided.checked_sub(carried)?;
        findings.differ(DifferenceClass::PayoutAmountDiffers, About::payout(row.id), off, sentence);
    }
    Ok(())
}

/// A payout that the processor made by itself exists because of its line, which must still be there.
async fn check_automatic(app: &AppState, row: &payout::Model, findings: &mut Findings) -> Result<()> {
    let lines = processor_transaction::Entity::find()
        .filter(processor_transaction::Column::SourceRef.eq(row.processor_ref.as_deref().unwrap_or_default()))
        .filter(processor_transaction::Column::Kind.eq(TransactionKind::Payout.as_str()))
        .count(app.db.read())
        .await?;
    let sent = Money::new(row.amount_minor, currency(&row.currency)?);
    if lines == 0 {
        let sentence = format!("The processor's payout of {sent} has no line.");
        findings.differ(DifferenceClass::PayoutWithoutTransfer, About::payout(row.id), sent, sentence);
    }
    Ok(())
}

async fn check_lines(app: &AppState, row: &payout::Model, left: i64, findings: &mut Findings) -> Result<()> {
    let decided = Money::new(row.amount_minor, currency(&row.currency)?);
    let about = || About::payout(row.id);
    if left > 1 {
        let sentence = format!("The payout of {decided} left {left} times.");
        findings.differ(DifferenceClass::DuplicateTransfer, about(), decided, sentence);
    }
    if left > 0 {
        return Ok(());
    }
    let on_its_way = match row.state {
        PayoutState::Created | PayoutState::Failed => true,
        PayoutState::Submitted => is_told(app, row).await?,
        PayoutState::Paid => false,
    };
    if on_its_way {
        findings.late(TimingClass::PayoutToLeave, about(), decided);
    } else {
        let sentence = format!("The payout of {decided} is {}, and the processor has no line for it.", row.state);
        findings.differ(DifferenceClass::PayoutWithoutTransfer, about(), decided, sentence);
    }
    Ok(())
}

/// True when the processor has a line for the payout that is still to be imported.
async fn is_told(app: &AppState, row: &payout::Model) -> Result<bool> {
    let (our_ref, mut after) = (row.id.to_string(), None);
    loop {
        let page = app.payments.transactions(row.created_at.0, after.as_deref(), PAGE_LINES).await.map_err(outside)?;
        if page.transactions.iter().any(|line| line.our_ref.as_deref() == Some(&our_ref)) {
            return Ok(true);
        }
        after = page.next;
        if after.is_none() {
            return Ok(false);
        }
    }
}
