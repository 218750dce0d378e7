//! The processor's balances against the books, and the accounts that must return to zero.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{
    Timestamp,
    ids::OrderId,
    order, payout, processor_transaction, refund,
    states::{ExceptionClass, PayoutRecipient, PayoutState, RefundState},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, sea_query::Expr};

use super::{
    lines::{self, Told},
    model::{About, DifferenceClass, Findings, TimingClass},
    service::Period,
};
use crate::{
    base::{Currency, Money, MoneyError},
    error::Result,
    ledger::{self, Account, AccountBalance},
    ports::payments::ProcessorBalance,
    settlement::{currency, exceptions::NewException, outside},
    state::AppState,
};

/// How often both sides are read again because something moved in between.
const TRIES_MAX: usize = 5;
/// Orders looked at that leave something in clearing.
const CLEARING_ORDERS_MAX: u64 = 2_000;

/// Both sides at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Moment {
    ledger: Vec<AccountBalance>,
    processor: Vec<ProcessorBalance>,
    /// Net that can be spent and is booked as pending.
    to_move: BTreeMap<Currency, i64>,
    /// Provider payouts that are decided and not paid.
    to_leave: BTreeMap<Currency, i64>,
    /// Refunds that are decided and whose line is not booked.
    to_refund: BTreeMap<Currency, i64>,
}

/// The books, the processor's balances and its list of lines, none of which moved while they were read.
#[derive(Debug)]
pub struct Snapshot {
    moment: Moment,
    told: Told,
}

/// Reads both sides until nothing moved in between; under steady load the last reading counts.
pub async fn snapshot(app: &AppState, period: Period, findings: &Findings) -> Result<Snapshot> {
    let mut before = moment(app, findings).await?;
    for _ in 1..TRIES_MAX {
        let told = lines::compare(app, period, findings).await?;
        let after = moment(app, findings).await?;
        if before == after {
            return Ok(Snapshot { moment: after, told });
        }
        before = after;
    }
    Ok(Snapshot { told: lines::compare(app, period, findings).await?, moment: before })
}

async fn moment(app: &AppState, findings: &Findings) -> Result<Moment> {
    let sum = "CAST(SUM(net_minor) AS BIGINT)";
    let to_move = processor_transaction::Entity::find()
        .select_only()
        .column(processor_transaction::Column::Currency)
        .expr(Expr::cust(sum))
        .filter(processor_transaction::Column::AvailableBookedAt.is_null())
        .filter(processor_transaction::Column::AvailableAt.lte(Timestamp(findings.now)))
        .group_by(processor_transaction::Column::Currency)
        .into_tuple::<(String, i64)>()
        .all(app.db.read())
        .await?;
    let to_leave = payout::Entity::find()
        .select_only()
        .column(payout::Column::Currency)
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .filter(payout::Column::Recipient.eq(PayoutRecipient::Provider))
        .filter(payout::Column::State.ne(PayoutState::Paid))
        .group_by(payout::Column::Currency)
        .into_tuple::<(String, i64)>()
        .all(app.db.read())
        .await?;
    let to_refund = refund::Entity::find()
        .select_only()
        .column(refund::Column::Currency)
        .expr(Expr::cust("CAST(SUM(amount_minor) AS BIGINT)"))
        .filter(refund::Column::State.is_in([RefundState::Approved, RefundState::Submitted]))
        .group_by(refund::Column::Currency)
        .into_tuple::<(String, i64)>()
        .all(app.db.read())
        .await?;
    Ok(Moment {
        to_refund: by_currency(to_refund)?,
        ledger: ledger::balances(app.db.read(), None).await?,
        processor: app.payments.balances().await.map_err(outside)?,
        to_move: by_currency(to_move)?,
        to_leave: by_currency(to_leave)?,
    })
}

fn by_currency(rows: Vec<(String, i64)>) -> Result<BTreeMap<Currency, i64>> {
    rows.into_iter().map(|(code, minor)| Ok((currency(&code)?, minor))).collect()
}

/// Compares both sides of a snapshot, after everything else was checked; returns what of the processor's side is not in
/// whole minor units, and was compared without its fraction.
pub async fn check(app: &AppState, snapshot: Snapshot, findings: &mut Findings) -> Result<Vec<NewException>> {
    let Snapshot { moment, told } = snapshot;
    let mut currencies: BTreeSet<Currency> = moment.ledger.iter().map(|row| row.balance.currency).collect();
    currencies.extend(moment.processor.iter().map(|row| row.currency));
    for currency in currencies {
        check_processor(currency, &moment, &told, findings)?;
        check_clearing_payment(app, currency, &moment, findings).await?;
        check_clearing_transfer(currency, &moment, findings)?;
        check_clearing_refund(currency, &moment, findings)?;
    }
    for row in moment.ledger.iter().filter(|row| row.code.starts_with("suspense.") && !row.balance.is_zero()) {
        let sentence = format!("{} holds {} of lines of an unknown kind.", row.code, row.balance);
        findings.differ(DifferenceClass::SuspenseNotZero, About::account(&row.code), row.balance, sentence);
    }
    lines::tell(told, findings);
    Ok(moment.processor.iter().filter_map(unreadable).collect())
}

fn unreadable(balance: &ProcessorBalance) -> Option<NewException> {
    let told = balance.unreadable.as_ref()?;
    let (currency, minor) = (balance.currency, balance.pending_minor.saturating_add(balance.available_minor));
    let held = Money::new(minor, currency);
    let sentence = format!(
        "The processor's balance is not in whole minor units: {told}. It was compared as {held}, without the fraction."
    );
    let subject = format!("processor_balance:{}", currency.code());
    Some(NewException::new(ExceptionClass::UnreadableBalance, subject, Money::new(0, currency), sentence))
}

fn in_books(moment: &Moment, account: &Account, currency: Currency) -> i64 {
    let id = account.id(currency);
    moment.ledger.iter().find(|row| row.account_id == id).map_or(0, |row| row.balance.minor)
}

fn fitting(minor: i128) -> Result<i64, MoneyError> {
    i64::try_from(minor).map_err(|_| MoneyError::Overflow)
}

fn check_processor(currency: Currency, moment: &Moment, told: &Told, findings: &mut Findings) -> Result<()> {
    let theirs = moment.processor.iter().find(|row| row.currency == currency);
    let (pending, available) = theirs.map_or((0, 0), |row| (row.pending_minor, row.available_minor));
    let (pending_account, available_account) = (Account::ProcessorPending, Account::ProcessorAvailable);
    let ours = (in_books(moment, &pending_account, currency), in_books(moment, &available_account, currency));
    let missing = told.not_imported.get(&currency).copied().unwrap_or_default();
    let to_move = moment.to_move.get(&currency).copied().unwrap_or(0);
    if to_move != 0 {
        let about = About::account(&pending_account.code());
        findings.late(TimingClass::FundsToMove, about, Money::new(to_move, currency));
    }
    let expected_pending = i128::from(ours.0) - i128::from(to_move) + missing.pending_minor;
    let expected_available = i128::from(ours.1) + i128::from(to_move) + missing.available_minor;
    for (account, theirs, ours) in
        [(pending_account, pending, expected_pending), (available_account, available, expected_available)]
    {
        let off = Money::new(fitting(i128::from(theirs) - ours)?, currency);
        if !off.is_zero() {
            let ours = Money::new(fitting(ours)?, currency);
            let sentence = format!("The processor holds {}, the books say {ours}.", Money::new(theirs, currency));
            findings.differ(DifferenceClass::ProcessorBalanceDiffers, About::account(&account.code()), off, sentence);
        }
    }
    let totals = findings.totals(currency);
    totals.processor_balance_minor = pending.saturating_add(available);
    totals.ledger_balance_minor = ours.0.saturating_add(ours.1);
    Ok(())
}

/// Every order that leaves something in clearing must be one that something was found about.
async fn check_clearing_payment(
    app: &AppState,
    currency: Currency,
    moment: &Moment,
    findings: &mut Findings,
) -> Result<()> {
    let account = Account::ClearingPayment;
    let whole = i128::from(in_books(moment, &account, currency));
    let rests = ledger::order_balances(app.db.read(), &account, currency, CLEARING_ORDERS_MAX).await?;
    let all_seen = (rests.len() as u64) < CLEARING_ORDERS_MAX;
    let of_orders: i128 = rests.iter().map(|(_, rest)| i128::from(rest.minor)).sum();
    let unexplained: Vec<_> = rests.into_iter().filter(|(id, _)| !findings.told_orders.contains(id)).collect();
    let sold_at = sold_at(app, unexplained.iter().map(|(id, _)| *id)).await?;
    for (id, rest) in unexplained {
        let about = About { account: Some(account.code()), ..About::order(id) };
        if sold_at.get(&id).is_some_and(|at| findings.is_young(at.0)) {
            findings.late(TimingClass::ChargeToCome, about, rest);
        } else {
            let sentence = format!("The order left {rest} in {account}, which nothing in flight explains.");
            findings.differ(DifferenceClass::ClearingNotZero, about, rest, sentence);
        }
    }
    let stray = findings.stray_charges.get(&currency).copied().unwrap_or(0);
    let rest = Money::new(fitting(whole - of_orders + stray)?, currency);
    // An order sold or imported since the snapshot moves both sums; the next reconciliation sees it whole.
    let moved = in_books_now(app, &account, currency).await? != whole;
    if all_seen && !moved && !rest.is_zero() {
        let sentence = format!("{account} holds {rest} that belongs to no order.");
        findings.differ(DifferenceClass::ClearingNotZero, About::account(&account.code()), rest, sentence);
    }
    Ok(())
}

async fn in_books_now(app: &AppState, account: &Account, currency: Currency) -> Result<i128> {
    Ok(i128::from(ledger::balance(app.db.read(), account, currency).await?.minor))
}

async fn sold_at(app: &AppState, orders: impl Iterator<Item = OrderId>) -> Result<HashMap<OrderId, Timestamp>> {
    let rows: Vec<(OrderId, Option<Timestamp>)> = order::Entity::find()
        .select_only()
        .columns([order::Column::Id, order::Column::ClosedAt])
        .filter(order::Column::Id.is_in(orders))
        .into_tuple()
        .all(app.db.read())
        .await?;
    Ok(rows.into_iter().filter_map(|(id, at)| Some((id, at?))).collect())
}

/// What waits in clearing is what was decided and has not left, less what left for nothing.
fn check_clearing_transfer(currency: Currency, moment: &Moment, findings: &mut Findings) -> Result<()> {
    let account = Account::ClearingTransfer;
    let to_leave = i128::from(moment.to_leave.get(&currency).copied().unwrap_or(0));
    let stray = findings.stray_transfers.get(&currency).copied().unwrap_or(0);
    let rest = i128::from(in_books(moment, &account, currency)) + to_leave - stray;
    let rest = Money::new(fitting(rest)?, currency);
    if !rest.is_zero() {
        let sentence = format!("{account} holds {rest} that no payout in flight explains.");
        findings.differ(DifferenceClass::ClearingNotZero, About::account(&account.code()), rest, sentence);
    }
    Ok(())
}

/// What waits in clearing is what was refunded and has not left, less what left for nothing.
fn check_clearing_refund(currency: Currency, moment: &Moment, findings: &mut Findings) -> Result<()> {
    let account = Account::ClearingRefund;
    let to_refund = i128::from(moment.to_refund.get(&currency).copied().unwrap_or(0));
    let stray = findings.stray_refunds.get(&currency).copied().unwrap_or(0);
    let rest = i128::from(in_books(moment, &account, currency)) + to_refund - stray;
    let rest = Money::new(fitting(rest)?, currency);
    if !rest.is_zero() {
        let sentence = format!("{account} holds {rest} that no refund in flight explains.");
        findings.differ(DifferenceClass::ClearingNotZero, About::account(&account.code()), rest, sentence);
    }
    Ok(())
}
