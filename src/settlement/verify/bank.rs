//! Bank lines against their parts and entries; payouts against what settles them; resolutions.

use std::collections::HashMap;

use entity::{
    bank_line, bank_match, bank_payout, exception_resolution,
    ids::{BankLineId, ExceptionId},
    order, processor_transaction, reconciliation_exception,
    states::{BankLineState, MatchSubject, ResolutionAccount, ResolutionState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};

use super::{Expected, PAGE_ROWS, VerifyReport};
use crate::{
    base::{Invariant, Money},
    error::Result,
    ledger::Account,
    settlement::{bank, currency, exceptions, rows},
};

/// Checks every booked line, every payout to a bank account, and every resolution that was carried out.
pub async fn check(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    check_lines(conn, report, expected, progress).await?;
    check_payouts(conn, report).await?;
    check_resolutions(conn, expected).await
}

async fn check_lines(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after: Option<BankLineId> = None;
    loop {
        let mut query = bank_line::Entity::find()
            .filter(bank::imports_seen(Expr::col(bank_line::Column::ImportId)))
            .order_by_asc(bank_line::Column::Id)
            .limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(bank_line::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let mut parts: HashMap<BankLineId, Vec<bank_match::Model>> = HashMap::new();
        let of_page = bank_match::Column::LineId.is_in(page.iter().map(|row| row.id));
        for part in bank_match::Entity::find().filter(of_page).all(conn).await? {
            parts.entry(part.line_id).or_default().push(part);
        }
        let sources: Vec<String> = page.iter().map(source).collect();
        let entries = rows::booked(conn, &sources).await?;
        for row in &page {
            report.bank_lines += 1;
            let parts = parts.remove(&row.id).unwrap_or_default();
            check_line(conn, row, &parts, entries.contains_key(&source(row)), report, expected).await?;
        }
        progress("bank lines", report.bank_lines);
    }
}

fn source(row: &bank_line::Model) -> String {
    format!("bank:{}:{}", row.account, row.key)
}

async fn check_line(
    conn: &impl ConnectionTrait,
    row: &bank_line::Model,
    parts: &[bank_match::Model],
    is_booked: bool,
    report: &mut VerifyReport,
    expected: &mut Expected,
) -> Result<()> {
    let waits = matches!(row.state, BankLineState::Imported | BankLineState::Undecided);
    let ought = !waits && row.amount_minor != 0;
    report.hold(Invariant::PayoutsComplete, is_booked == ought, || {
        format!("{} is {}, and its entry says otherwise", row.id, row.state)
    });
    let sum: i64 = parts.iter().map(|part| part.amount_minor).sum();
    report.same(
        Invariant::PayoutsComplete,
        &format!("the sum of the parts of {}", row.id),
        if waits { 0 } else { row.amount_minor },
        sum,
    );
    if waits {
        return Ok(());
    }
    let code = currency(&row.currency)?;
    expected.debit(&Account::Bank(row.account.clone()), Money::new(row.amount_minor, code));
    for part in parts {
        let Some(account) = account_of(conn, part).await? else {
            report.require(false, || format!("a part of {} is a credit of no buyer", row.id));
            continue;
        };
        expected.credit(&account, Money::new(part.amount_minor, code));
        if part.subject == MatchSubject::Exchange
            && let Some(id) = &part.bank_payout_id
            && let Some(payout) = bank_payout::Entity::find_by_id(id.clone()).one(conn).await?
        {
            let settled = Money::new(part.settled_minor, currency(&payout.currency)?);
            expected.debit(&Account::ClearingExchange, settled);
            expected.credit(&Account::ProcessorInTransit, settled);
        }
    }
    Ok(())
}

/// The account of a part; a credit's is that of the buyer of its order.
async fn account_of(conn: &impl ConnectionTrait, part: &bank_match::Model) -> Result<Option<Account>> {
    if let Some(account) = bank::account_of(part.subject) {
        return Ok(Some(account));
    }
    let Some(order) = part.order_id else { return Ok(None) };
    let row = order::Entity::find_by_id(order).one(conn).await?;
    Ok(row.map(|row| Account::BuyerCredit(row.buyer_id)))
}

/// What is settled of each payout is what parts and resolutions settle, and never more than the payout.
async fn check_payouts(conn: &impl ConnectionTrait, report: &mut VerifyReport) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let mut query = bank_payout::Entity::find().order_by_asc(bank_payout::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(bank_payout::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        let parts: Vec<(Option<String>, i64)> = bank_match::Entity::find()
            .select_only()
            .column(bank_match::Column::BankPayoutId)
            .expr(Expr::cust("CAST(SUM(settled_minor) AS BIGINT)"))
            .filter(bank_match::Column::BankPayoutId.is_in(page.iter().map(|row| row.id.clone())))
            .group_by(bank_match::Column::BankPayoutId)
            .into_tuple()
            .all(conn)
            .await?;
        let parts: HashMap<String, i64> = parts.into_iter().filter_map(|(id, sum)| Some((id?, sum))).collect();
        for row in &page {
            let by_lines = parts.get(&row.id).copied().unwrap_or(0);
            let fits = by_lines <= row.settled_minor && (0..=row.amount_minor).contains(&row.settled_minor);
            report.hold(Invariant::PayoutsComplete, fits, || {
                format!("{} is settled for {} of {}, lines for {by_lines}", row.id, row.settled_minor, row.amount_minor)
            });
        }
    }
}

async fn check_resolutions(conn: &impl ConnectionTrait, expected: &mut Expected) -> Result<()> {
    let done = exception_resolution::Entity::find()
        .filter(exception_resolution::Column::State.eq(ResolutionState::Done))
        .filter(exception_resolution::Column::Debit.is_not_null())
        .all(conn)
        .await?;
    for row in done {
        let (Some(debit), Some(credit)) = (row.debit, row.credit) else { continue };
        let money = Money::new(row.amount_minor, currency(&row.currency)?);
        let word = match [debit, credit].contains(&ResolutionAccount::SuspenseProcessor) {
            true => word_of(conn, row.exception_id).await?,
            false => None,
        };
        expected.debit(&exceptions::account_of(debit, word.as_deref()), money);
        expected.credit(&exceptions::account_of(credit, word.as_deref()), money);
    }
    Ok(())
}

/// The kind of the processor's line that an exception is about.
async fn word_of(conn: &impl ConnectionTrait, id: ExceptionId) -> Result<Option<String>> {
    let row = reconciliation_exception::Entity::find_by_id(id).one(conn).await?;
    let Some(line) = row.and_then(|row| row.transaction_id) else { return Ok(None) };
    Ok(processor_transaction::Entity::find_by_id(line).one(conn).await?.map(|line| line.kind))
}
