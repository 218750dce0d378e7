//! The processor's own balances and lines against the books: the one check that asks somebody outside.

use std::collections::{BTreeMap, HashMap};

use entity::processor_transaction;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
use time::OffsetDateTime;

use super::VerifyReport;
use crate::{
    base::{Currency, Invariant},
    error::Result,
    ledger::{self, Account},
    ports::payments::Transaction,
    settlement::{outside, processor::model::word},
    state::AppState,
};

/// Lines asked for in one go.
const PAGE_LINES: u32 = 500;

/// What lines that were not imported add to the processor's balance: what waits, and what can be spent.
#[derive(Debug, Default, Clone, Copy)]
struct Missing {
    pending_minor: i128,
    available_minor: i128,
}

/// Asks the processor what it holds and for each line it has, and compares both with the books.
///
/// What was not imported yet is in flight and no violation; what was imported must be what the processor tells.
///
/// # Errors
/// `Unavailable` when the processor does not answer; those of the database.
pub async fn check(app: &AppState, report: &mut VerifyReport) -> Result<()> {
    let mut missing: BTreeMap<Currency, Missing> = BTreeMap::new();
    let (mut after, mut told) = (None, 0_u64);
    loop {
        let page = app.payments.transactions(OffsetDateTime::UNIX_EPOCH, after.as_deref(), PAGE_LINES).await;
        let page = page.map_err(outside)?;
        told += check_page(app, &page.transactions, &mut missing, report).await?;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let stored = report.processor_lines;
    report.same(Invariant::LinesOnce, "the number of imported lines that the processor has", stored, told);
    check_balances(app, &missing, report).await
}

async fn check_page(
    app: &AppState,
    lines: &[Transaction],
    missing: &mut BTreeMap<Currency, Missing>,
    report: &mut VerifyReport,
) -> Result<u64> {
    let ids: Vec<&str> = lines.iter().map(|line| line.id.as_str()).collect();
    let stored = processor_transaction::Entity::find().filter(processor_transaction::Column::Id.is_in(ids));
    let stored: HashMap<String, processor_transaction::Model> =
        stored.all(app.db.read()).await?.into_iter().map(|row| (row.id.clone(), row)).collect();
    let now = app.clock.now();
    for line in lines {
        let Some(row) = stored.get(&line.id) else {
            let net = i128::from(line.amount.minor) - i128::from(line.fee_minor);
            let sum = missing.entry(line.amount.currency).or_default();
            let side = if line.available_at <= now { &mut sum.available_minor } else { &mut sum.pending_minor };
            *side += net;
            continue;
        };
        let same = row.amount_minor == line.amount.minor
            && row.fee_minor == line.fee_minor
            && row.currency == line.amount.currency.code()
            && row.kind == word(&line.kind);
        report.hold(Invariant::LinesOnce, same, || format!("{} was imported otherwise than it is told", line.id));
    }
    Ok(stored.len() as u64)
}

async fn check_balances(
    app: &AppState,
    missing: &BTreeMap<Currency, Missing>,
    report: &mut VerifyReport,
) -> Result<()> {
    let theirs = app.payments.balances().await.map_err(outside)?;
    let to_move = funds_to_move(app).await?;
    for row in theirs {
        let of = row.currency;
        let more = missing.get(&of).copied().unwrap_or_default();
        if let Some(told) = &row.unreadable {
            let text = || format!("the processor's balance is not in whole minor units: {told}");
            report.hold(Invariant::ProcessorBalance, false, text);
        }
        let waits = i128::from(to_move.get(of.code()).copied().unwrap_or(0));
        let pending = ledger::balance(app.db.read(), &Account::ProcessorPending, of).await?.minor;
        let available = ledger::balance(app.db.read(), &Account::ProcessorAvailable, of).await?.minor;
        for (account, held, ours) in [
            (Account::ProcessorPending, row.pending_minor, i128::from(pending) - waits + more.pending_minor),
            (Account::ProcessorAvailable, row.available_minor, i128::from(available) + waits + more.available_minor),
        ] {
            let what = format!("what the processor holds as {account} in {of} (minor units)");
            report.same(Invariant::ProcessorBalance, &what, ours, i128::from(held));
        }
    }
    Ok(())
}

/// Net of lines that can be spent by now and are still booked as pending, by currency.
async fn funds_to_move(app: &AppState) -> Result<HashMap<String, i64>> {
    let due = processor_transaction::Entity::find()
        .filter(processor_transaction::Column::AvailableBookedAt.is_null())
        .filter(processor_transaction::Column::AvailableAt.lte(entity::Timestamp(app.clock.now())))
        .all(app.db.read())
        .await?;
    let mut sums: HashMap<String, i64> = HashMap::new();
    for row in due {
        *sums.entry(row.currency).or_default() += row.net_minor;
    }
    Ok(sums)
}
