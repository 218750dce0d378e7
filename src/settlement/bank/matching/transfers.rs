//! Lines that name an order, its invoice, its purchase order or its refund: money past the processor.
//!
//! What comes for an order that waits is held as the buyer's credit until it reaches the order's total; then the order is
//! paid and granted in the transaction that books the line. What is too much stays a credit, which a line that sends it
//! back and names the order takes away. A refund of what came by bank goes back by bank.

use entity::{
    ids::{BankLineId, OrderId, RefundId},
    states::{BankLineState, EntryKind, ExceptionClass, MatchRule, MatchSubject, OrderState},
};
use time::OffsetDateTime;

use super::{
    super::days,
    entries,
    model::{Decision, LineFacts, Part, Receipt, receive},
    store,
};
use crate::{
    base::Money,
    db::Tx,
    error::{Error, Problem, Result},
    ledger::{self, Account, Line, NewEntry},
    settlement::exceptions::{self, NewException, detect},
    state::AppState,
    trade::{
        payments::{self, ForTransfer},
        refunds,
    },
};

/// What a line names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// An order.
    Order(OrderId),
    /// A refund.
    Refund(RefundId),
}

/// Books lines that name an order or a refund, each in a transaction of its own; returns those that can't be taken for
/// it, for the other rules.
///
/// # Errors
/// `Conflict` when somebody else booked one of them; those of the database.
pub async fn book_all(app: &AppState, lines: Vec<(LineFacts, Named)>) -> Result<Vec<BankLineId>> {
    let mut left = Vec::new();
    for (line, named) in lines {
        let id = line.id;
        let taken = match named {
            Named::Order(order) => take(app, line, order).await,
            Named::Refund(refund) => send_back(app, line, refund).await,
        };
        match taken {
            Ok(true) => {}
            Ok(false) => left.push(id),
            Err(error) if matches!(error.problem, Problem::Unavailable | Problem::Conflict) => return Err(error),
            Err(error) => {
                let text = error.cause.as_ref().map_or_else(|| error.to_string(), ToString::to_string);
                tracing::error!(line = %id, "the bank line {id} can't be booked to what it names: {text}");
                left.push(id);
            }
        }
    }
    Ok(left)
}

/// A line for an order: true when it was taken, false when it can't be.
async fn take(app: &AppState, line: LineFacts, order: OrderId) -> Result<bool> {
    let Some(known) = payments::for_transfer(app, order).await? else { return Ok(false) };
    if known.total()?.currency != line.currency {
        return Ok(false);
    }
    let accounts = [Account::Bank(line.account.clone()), Account::BuyerCredit(known.buyer()), Account::ClearingPayment];
    ledger::open_accounts(app, &accounts.map(|account| (account, line.currency))).await?;
    let now = app.clock.now();
    let (taken, paid) = app
        .db
        .write("settlement.book_order_transfer", move |tx| {
            let line = line.clone();
            async move { Ok((take_in(&tx, &line, order, now).await?, tx)) }
        })
        .await?;
    if paid {
        payments::stop_at_processor(app, order).await;
    }
    Ok(taken)
}

/// Whether the line was taken, and whether it paid the order.
async fn take_in(tx: &Tx, line: &LineFacts, order: OrderId, now: OffsetDateTime) -> Result<(bool, bool)> {
    let order = payments::lock_for_transfer(tx, order).await?;
    let (earlier, before) = store::credit_of(tx.conn(), order.id()).await?;
    let waits = order.state() == OrderState::AwaitingPayment;
    let Some(receipt) = receive(order.total()?.minor, before, line.amount_minor, waits) else {
        return Ok((false, false));
    };
    if receipt.order_minor > 0 && !order.pay(tx, &line.id.to_string(), now).await? {
        return Err(Error::internal(format!("{} was locked, and yet it moved", order.id())));
    }
    let part = |subject, minor| Part { order: Some(order.id()), ..Part::of(MatchRule::OrderReference, subject, minor) };
    let parts = [part(MatchSubject::Order, receipt.order_minor), part(MatchSubject::Credit, receipt.credit_minor)];
    let minor = |minor| Money::new(minor, line.currency);
    let against = vec![
        Line { amount: minor(receipt.order_minor).checked_neg()?, ..Line::debit(Account::ClearingPayment, minor(0)) }
            .of(order.id()),
        Line {
            amount: minor(receipt.credit_minor).checked_neg()?,
            ..Line::debit(Account::BuyerCredit(order.buyer()), minor(0))
        },
    ];
    book(tx, line, parts.into_iter().filter(|part| part.amount_minor != 0).collect(), against, now).await?;
    exceptions::lines_explained(tx, &earlier, now).await?;
    exceptions::raise(tx, trouble(line, &order, receipt, waits)?.into_iter().collect(), now).await?;
    Ok((true, receipt.order_minor > 0))
}

/// What a person has to look at: a credit that nobody used, or money that is missing.
fn trouble(line: &LineFacts, order: &ForTransfer, receipt: Receipt, waited: bool) -> Result<Option<NewException>> {
    if receipt.left_minor == 0 {
        return Ok(None);
    }
    let (total, left) = (order.total()?, Money::new(receipt.left_minor, line.currency));
    let came = Money::new(line.amount_minor, line.currency);
    let head = format!("{} shows {came} on {} for {}, of {total}.", line.account, line.booked_on, order.id());
    let is_paid = receipt.order_minor > 0 || (line.amount_minor < 0 && order.state() == OrderState::Completed);
    let (class, off, tail) = if is_paid {
        (ExceptionClass::OrderOverpaid, left, format!("{left} is a credit of the buyer: send it back."))
    } else if waited {
        let missing = left.checked_sub(total)?;
        let text = format!("{left} came so far; the order waits for {}.", missing.checked_neg()?);
        (ExceptionClass::OrderUnderpaid, missing, text)
    } else {
        let state = order.state().as_str().replace('_', " ");
        let text = format!("The order is {state}: {left} is a credit of the buyer. Send it back.");
        (ExceptionClass::OrderTransfer, left, text)
    };
    Ok(Some(NewException {
        line_id: Some(line.id),
        order_id: Some(order.id()),
        account: Some(line.account.clone()),
        occurred_at: Some(days::stored(line.booked_on).0),
        ..NewException::new(class, line.id.to_string(), off, format!("{head} {tail}"))
    }))
}

/// A line that sends a refund back: true when it is of exactly the refund.
async fn send_back(app: &AppState, line: LineFacts, refund: RefundId) -> Result<bool> {
    let Some(row) = refunds::due_by_bank(app.db.read(), refund).await? else { return Ok(false) };
    if row.currency != line.currency.code() || line.amount_minor.checked_neg() != Some(row.amount_minor) {
        return Ok(false);
    }
    let accounts = [Account::Bank(line.account.clone()), Account::ClearingRefund];
    ledger::open_accounts(app, &accounts.map(|account| (account, line.currency))).await?;
    let now = app.clock.now();
    app.db
        .write("settlement.book_refund_transfer", move |tx| {
            let (line, row) = (line.clone(), row.clone());
            async move {
                let at = days::stored(line.booked_on).0;
                if !refunds::paid_by_bank(&tx, &row, &line.id.to_string(), at, now).await? {
                    return Ok((false, tx));
                }
                let part = Part::of(MatchRule::OrderReference, MatchSubject::Refund, line.amount_minor);
                let sent = Money::new(row.amount_minor, line.currency);
                let against = vec![Line::debit(Account::ClearingRefund, sent).of(row.order_id)];
                book(&tx, &line, vec![Part { order: Some(row.order_id), ..part }], against, now).await?;
                Ok((true, tx))
            }
        })
        .await
}

/// Books a line against what it names, once.
async fn book(tx: &Tx, line: &LineFacts, parts: Vec<Part>, against: Vec<Line>, now: OffsetDateTime) -> Result<()> {
    store::advance(tx, &[line.id], BankLineState::Imported, BankLineState::Matched).await?;
    let decision = Decision::explained(line, parts);
    store::insert_parts(tx, &[(line, &decision)], now).await?;
    let amount = Money::new(line.amount_minor, line.currency);
    let mut lines = vec![Line { account: Account::Bank(line.account.clone()), amount, order_id: None }];
    lines.extend(against);
    let entry = NewEntry {
        kind: EntryKind::BankLine,
        source: entries::source(line),
        effective_at: days::stored(line.booked_on).0,
        memo: Some(MatchRule::OrderReference.to_string()),
        lines,
    };
    ledger::post(tx, vec![entry], now).await?;
    detect::request(tx).await
}
