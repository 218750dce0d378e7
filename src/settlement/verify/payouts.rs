//! Payouts against their items and entries; lines of the processor against their entries.

use std::collections::{BTreeMap, HashMap};

use entity::{
    ids::{LedgerAccountId, PayoutId},
    ledger_entry, payout, payout_item, processor_transaction,
    states::{PayoutRecipient, PayoutState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};

use super::{Expected, PAGE_ROWS, VerifyReport};
use crate::{
    base::{Currency, Invariant, Money},
    error::Result,
    ledger::Account,
    ports::payments::TransactionKind,
    settlement::{
        currency, processor,
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
        let left = left_for(conn, &page).await?;
        for row in &page {
            check_left(row, left.get(&row.id).copied().unwrap_or(0), report);
            report.payouts += 1;
            let told = match (&row.processor_ref, row.is_itemised) {
                (Some(processor_ref), Some(_)) => sources.contains(processor_ref),
                _ => lines.contains(&row.id.to_string()),
            };
            let unexplained = row.state == PayoutState::Paid && !told;
            report.hold(Invariant::PayoutsComplete, !unexplained, || {
                format!("{} is paid, and yet the processor has no line for it", row.id)
            });
            let entry = entries.get(&format!("payout:{}:decided", row.id));
            check_payout(row, items.get(&row.id).copied(), entry, report, expected)?;
        }
        progress("payouts", report.payouts);
    }
}

/// What left for each payout, less what came back, by the processor's lines.
async fn left_for(conn: &impl ConnectionTrait, page: &[payout::Model]) -> Result<HashMap<PayoutId, i128>> {
    let mut payouts: HashMap<String, PayoutId> = HashMap::new();
    for row in page {
        let word = if row.is_itemised.is_some() { row.processor_ref.clone() } else { Some(row.id.to_string()) };
        payouts.extend(word.map(|word| (word, row.id)));
    }
    let words = || payouts.keys().cloned();
    let lines = processor_transaction::Entity::find()
        .filter(processor_transaction::Column::Kind.is_in(["transfer", "payout", "payout_failure"]))
        .filter(
            processor_transaction::Column::OurRef
                .is_in(words())
                .or(processor_transaction::Column::SourceRef.is_in(words())),
        )
        .all(conn)
        .await?;
    let mut left: HashMap<PayoutId, i128> = HashMap::new();
    for line in lines {
        let id = line.our_ref.as_ref().and_then(|word| payouts.get(word)).or_else(|| payouts.get(&line.source_ref));
        if let Some(id) = id {
            *left.entry(*id).or_default() -= i128::from(line.amount_minor);
        }
    }
    Ok(left)
}

/// Exactly a payout's amount left when it is paid, and nothing before, or after it came back.
fn check_left(row: &payout::Model, left: i128, report: &mut VerifyReport) {
    let due = if row.state == PayoutState::Paid { row.amount_minor } else { 0 };
    report.same(Invariant::PayoutsComplete, &format!("what left for {} (minor units)", row.id), i128::from(due), left);
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
        report.hold(Invariant::PayoutsComplete, alone, || {
            format!("{} is the operator's, and yet it carries orders", row.id)
        });
        return Ok(());
    }
    report.same(
        Invariant::PayoutsComplete,
        &format!("the sum of the orders in {}", row.id),
        row.amount_minor,
        items.unwrap_or(0),
    );
    let cleared: i64 = entry
        .into_iter()
        .flatten()
        .filter(|leg| leg.account == Account::ClearingTransfer.id(currency))
        .map(|leg| -leg.minor)
        .sum();
    report.same(Invariant::PayoutsComplete, &format!("the decision booked for {}", row.id), row.amount_minor, cleared);
    expected.credit(&Account::ClearingTransfer, Money::new(row.amount_minor, currency));
    Ok(())
}

pub async fn check_lines(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let (mut after, mut moving): (Option<String>, u64) = (None, 0);
    loop {
        let mut query =
            processor_transaction::Entity::find().order_by_asc(processor_transaction::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(processor_transaction::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return check_entries(conn, moving, report).await };
        after = Some(last.id.clone());
        let sources: Vec<String> =
            page.iter().flat_map(|row| [source(&row.id), format!("{}:available", source(&row.id))]).collect();
        let entries = rows::booked(conn, &sources).await?;
        for row in &page {
            report.processor_lines += 1;
            moving += u64::from(row.amount_minor != 0 || row.fee_minor != 0);
            check_line(row, &entries, report, expected)?;
        }
        progress("processor lines", report.processor_lines);
    }
}

/// No entry says that it is of a line which is not there.
async fn check_entries(conn: &impl ConnectionTrait, moving: u64, report: &mut VerifyReport) -> Result<()> {
    let of_lines = ledger_entry::Entity::find()
        .filter(ledger_entry::Column::Source.starts_with("processor:"))
        .filter(ledger_entry::Column::Source.ends_with(":available").not())
        .count(conn)
        .await?;
    report.same(Invariant::LinesOnce, "the number of entries of processor lines", moving, of_lines);
    Ok(())
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
    report.same(Invariant::LinesOnce, &format!("the net of {id}"), net, i128::from(row.net_minor));
    if row.amount_minor == 0 && row.fee_minor == 0 {
        return Ok(());
    }
    let Some(legs) = entries.get(&source(id)) else {
        report.hold(Invariant::LinesOnce, false, || format!("{id} was imported and is not booked"));
        return Ok(());
    };
    let on = |account: Account| -> i64 {
        let account = account.id(currency);
        legs.iter().filter(|leg| leg.account == account).map(|leg| leg.minor).sum()
    };
    let waiting = on(Account::ProcessorPending);
    let booked = waiting + on(Account::ProcessorAvailable);
    report.same(Invariant::LinesOnce, &format!("the balance booked for {id}"), row.net_minor, booked);
    let moved = entries.contains_key(&format!("{}:available", source(id)));
    let ought = waiting != 0 && row.available_booked_at.is_some();
    report.hold(Invariant::LinesOnce, moved == ought, || format!("the funds of {id} are not where its dates say"));
    check_legs(row, currency, legs, report);
    let paid_debt = on(Account::Suspense(row.kind.clone())) == 0;
    expect(row, currency, waiting != 0 && !moved, paid_debt, expected);
    Ok(())
}

/// The entry moves the net, the fee and the amount between exactly the accounts that the line's kind says.
fn check_legs(row: &processor_transaction::Model, currency: Currency, legs: &[Leg], report: &mut VerifyReport) {
    let kind = TransactionKind::from_word(&row.kind);
    let mut ought: BTreeMap<LedgerAccountId, i64> = BTreeMap::new();
    let balance = [Account::ProcessorPending, Account::ProcessorAvailable].map(|account| account.id(currency));
    let on = legs.iter().map(|leg| leg.account).find(|account| balance.contains(account));
    *ought.entry(on.unwrap_or(balance[1])).or_default() += row.net_minor;
    *ought.entry(fees(&kind).id(currency)).or_default() += row.fee_minor;
    let explained = explanation(&kind).map(|account| account.id(currency));
    let others = legs.iter().map(|leg| leg.account).find(|account| !ought.contains_key(account));
    // A reversal that is ours pays a debt: whose, the order's documents tell.
    let account = explained.or(others);
    if let Some(account) = account {
        *ought.entry(account).or_default() -= row.amount_minor;
    }
    ought.retain(|_, minor| *minor != 0);
    let mut found: BTreeMap<LedgerAccountId, i64> = BTreeMap::new();
    for leg in legs {
        *found.entry(leg.account).or_default() += leg.minor;
    }
    found.retain(|_, minor| *minor != 0);
    report.hold(Invariant::LinesOnce, found == ought, || format!("the entry of {} is not what the line says", row.id));
}

fn fees(kind: &TransactionKind) -> Account {
    match kind {
        TransactionKind::Dispute | TransactionKind::DisputeReversal => Account::DisputeFees,
        _ => Account::ProcessorFees,
    }
}

/// The account that explains a line; nothing for a reversal, which pays a debt or waits for a person.
fn explanation(kind: &TransactionKind) -> Option<Account> {
    Some(match kind {
        TransactionKind::Charge => Account::ClearingPayment,
        TransactionKind::Transfer => Account::ClearingTransfer,
        TransactionKind::Payout | TransactionKind::PayoutFailure => Account::ProcessorInTransit,
        TransactionKind::Fee => Account::ProcessorFees,
        TransactionKind::Refund | TransactionKind::RefundFailure => Account::ClearingRefund,
        TransactionKind::Dispute | TransactionKind::DisputeReversal => Account::DisputeHold,
        TransactionKind::Reserve => Account::ProcessorReserve,
        TransactionKind::TransferReversal => return None,
        TransactionKind::Other(_) => Account::Suspense(processor::model::word(kind)),
    })
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
    expected.debit(&fees(&kind), money(row.fee_minor));
    let explained = match explanation(&kind) {
        Some(account) => account,
        // A reversal that is ours pays a debt, which the order's documents tell of.
        None if paid_debt => return,
        None => Account::Suspense(row.kind.clone()),
    };
    expected.credit(&explained, money(row.amount_minor));
}
