//! Payouts against their items and entries; lines of the processor against their entries.

use std::collections::HashMap;

use entity::{
    ids::PayoutId,
    payout, payout_item, processor_transaction,
    states::{PayoutRecipient, PayoutState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};

use super::{Expected, PAGE_ROWS, VerifyReport};
use crate::{
    base::{Currency, Money},
    error::Result,
    ledger::Account,
    ports::payments::TransactionKind,
    settlement::{
        currency,
        rows::{self, Leg},
    },
};

pub async fn check_payouts(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after: Option<PayoutId> = None;
    loop {
        let mut query = payout::Entity::find().order_by_asc(payout::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(payout::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let ids: Vec<PayoutId> = page.iter().map(|row| row.id).collect();
        let items = item_sums(conn, &ids).await?;
        let sources: Vec<String> = ids.iter().map(|id| format!("payout:{id}:decided")).collect();
        let entries = rows::booked(conn, &sources).await?;
        let lines = rows::present::<processor_transaction::Entity, _>(
            conn,
            processor_transaction::Column::OurRef,
            ids.iter().map(ToString::to_string),
        )
        .await?;
        let automatic = page.iter().filter(|row| row.is_itemised.is_some());
        let sources = rows::present::<processor_transaction::Entity, _>(
            conn,
            processor_transaction::Column::SourceRef,
            automatic.filter_map(|row| row.processor_ref.clone()),
        )
        .await?;
        for row in &page {
            report.payouts += 1;
            let told = match (&row.processor_ref, row.is_itemised) {
                (Some(processor_ref), Some(_)) => sources.contains(processor_ref),
                _ => lines.contains(&row.id.to_string()),
            };
            let unexplained = row.state == PayoutState::Paid && !told;
            report.require(!unexplained, || format!("{} is paid, and yet the processor has no line for it", row.id));
            let entry = entries.get(&format!("payout:{}:decided", row.id));
            check_payout(row, items.get(&row.id).copied(), entry, report, expected)?;
        }
        progress("payouts", report.payouts);
    }
}

async fn item_sums(conn: &impl ConnectionTrait, payouts: &[PayoutId]) -> Result<HashMap<PayoutId, i64>> {
    Ok(payout_item::Entity::find()
        .select_only()
        .column(payout_item::Column::PayoutId)
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .filter(payout_item::Column::PayoutId.is_in(payouts.iter().copied()))
        .group_by(payout_item::Column::PayoutId)
        .into_tuple()
        .all(conn)
        .await?
        .into_iter()
        .collect())
}

fn check_payout(
    row: &payout::Model,
    items: Option<i64>,
    entry: Option<&Vec<Leg>>,
    report: &mut VerifyReport,
    expected: &mut Expected,
) -> Result<()> {
    let currency = currency(&row.currency)?;
    if row.recipient == PayoutRecipient::Operator {
        let alone = items.is_none() && entry.is_none();
        report.require(alone, || format!("{} is the operator's, and yet it carries orders", row.id));
        return Ok(());
    }
    report.equal(&format!("the sum of the orders in {}", row.id), row.amount_minor, items.unwrap_or(0));
    let cleared: i64 = entry
        .into_iter()
        .flatten()
        .filter(|leg| leg.account == Account::ClearingTransfer.id(currency))
        .map(|leg| -leg.minor)
        .sum();
    report.equal(&format!("the decision booked for {}", row.id), row.amount_minor, cleared);
    expected.credit(&Account::ClearingTransfer, Money::new(row.amount_minor, currency));
    Ok(())
}

pub async fn check_lines(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let mut query =
            processor_transaction::Entity::find().order_by_asc(processor_transaction::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(processor_transaction::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        let sources: Vec<String> =
            page.iter().flat_map(|row| [source(&row.id), format!("{}:available", source(&row.id))]).collect();
        let entries = rows::booked(conn, &sources).await?;
        for row in &page {
            report.processor_lines += 1;
            check_line(row, &entries, report, expected)?;
        }
        progress("processor lines", report.processor_lines);
    }
}

fn source(id: &str) -> String {
    format!("processor:{id}")
}

fn check_line(
    row: &processor_transaction::Model,
    entries: &HashMap<String, Vec<Leg>>,
    report: &mut VerifyReport,
    expected: &mut Expected,
) -> Result<()> {
    let currency = currency(&row.currency)?;
    let id = &row.id;
    let net = i128::from(row.amount_minor) - i128::from(row.fee_minor);
    report.equal(&format!("the net of {id}"), net, i128::from(row.net_minor));
    if row.amount_minor == 0 && row.fee_minor == 0 {
        return Ok(());
    }
    let Some(legs) = entries.get(&source(id)) else {
        report.require(false, || format!("{id} was imported and is not booked"));
        return Ok(());
    };
    let on = |account: Account| -> i64 {
        let account = account.id(currency);
        legs.iter().filter(|leg| leg.account == account).map(|leg| leg.minor).sum()
    };
    let waiting = on(Account::ProcessorPending);
    let booked = waiting + on(Account::ProcessorAvailable);
    report.equal(&format!("the balance booked for {id}"), row.net_minor, booked);
    let moved = entries.contains_key(&format!("{}:available", source(id)));
    let ought = waiting != 0 && row.available_booked_at.is_some();
    report.require(moved == ought, || format!("the funds of {id} are not where its dates say"));
    let paid_debt = on(Account::Suspense(row.kind.clone())) == 0;
    expect(row, currency, waiting != 0 && !moved, paid_debt, expected);
    Ok(())
}

/// What the line does to each account.
fn expect(
    row: &processor_transaction::Model,
    currency: Currency,
    waits: bool,
    paid_debt: bool,
    expected: &mut Expected,
) {
    let money = |minor| Money::new(minor, currency);
    let balance = if waits { Account::ProcessorPending } else { Account::ProcessorAvailable };
    expected.debit(&balance, money(row.net_minor));
    let kind = TransactionKind::from_word(&row.kind);
    let fees = match kind {
        TransactionKind::Dispute | TransactionKind::DisputeReversal => Account::DisputeFees,
        _ => Account::ProcessorFees,
    };
    expected.debit(&fees, money(row.fee_minor));
    let explained = match kind {
        // A reversal that is ours pays a debt, which the order's documents tell of.
        TransactionKind::TransferReversal if paid_debt => return,

        TransactionKind::Charge => Account::ClearingPayment,
        TransactionKind::Transfer => Account::ClearingTransfer,
        TransactionKind::Payout | TransactionKind::PayoutFailure => Account::ProcessorInTransit,
        TransactionKind::Fee => Account::ProcessorFees,
        TransactionKind::Refund | TransactionKind::RefundFailure => Account::ClearingRefund,
        TransactionKind::Dispute | TransactionKind::DisputeReversal => Account::DisputeHold,
        TransactionKind::TransferReversal => Account::Suspense(row.kind.clone()),
        TransactionKind::Reserve => Account::ProcessorReserve,
        TransactionKind::Other(word) => Account::Suspense(word),
    };
    expected.credit(&explained, money(row.amount_minor));
}
