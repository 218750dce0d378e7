//! Booking the parts of fees that providers bear.

use std::collections::BTreeMap;

use entity::{
    Timestamp, fee_share,
    ids::{OrderId, OrgId},
    order_line, processor_transaction,
    states::EntryKind,
};
use time::OffsetDateTime;
use torv_money::standing::Position;

use super::{model::allocate, store};
use crate::{
    base::{Currency, Money},
    db::Tx,
    error::Result,
    ledger::{self, Account, Line, NewEntry},
    settlement::currency,
    state::AppState,
};

/// Orders looked at in one go.
const ORDERS_PER_ROUND: u64 = 200;

/// The business event of an order's fee share.
pub(in crate::settlement) fn source(order: OrderId) -> String {
    format!("order:{order}:fee_share")
}

/// What is to be booked for an order.
#[derive(Debug, Clone)]
struct Due {
    order: OrderId,
    line: processor_transaction::Model,
    borne: BTreeMap<OrgId, i64>,
    currency: Currency,
}

/// Takes the processor's fee from the shares of providers that bear it, for orders whose line is known by
/// now; returns how many orders.
///
/// Safe to run at any time in any number of processes: an order is booked by whoever stored its parts.
///
/// # Errors
/// Those of the database.
pub async fn book_fee_shares(app: &AppState) -> Result<usize> {
    let (mut booked, mut after) = (0, None);
    loop {
        let orders = store::unbooked(app.db.read(), after, ORDERS_PER_ROUND).await?;
        let Some(last) = orders.last() else { return Ok(booked) };
        after = Some(*last);
        for (order, line) in store::charge_lines(app.db.read(), &orders).await? {
            let due = due(order, line, &store::order_lines(app.db.read(), order).await?)?;
            booked += usize::from(book(app, due).await?);
        }
    }
}

/// What providers bear; nothing of a fee in another currency, which can't be taken from the share.
fn due(order: OrderId, line: processor_transaction::Model, lines: &[order_line::Model]) -> Result<Due> {
    let of_line = currency(&line.currency)?;
    let same = lines.iter().all(|sold| sold.currency == line.currency);
    if !same {
        tracing::warn!(order.id = %order, transaction = line.id, "the fee for {order} is in {of_line}: the operator bears it");
    }
    let borne = allocate(if same { line.fee_minor.max(0) } else { 0 }, lines)?;
    Ok(Due { order, line, borne, currency: of_line })
}

async fn book(app: &AppState, due: Due) -> Result<bool> {
    let providers = due.borne.keys().flat_map(|org| accounts(*org));
    let ours = [Account::ProcessorFees, Account::ProcessorAvailable];
    let wanted: Vec<_> = providers.chain(ours).map(|account| (account, due.currency)).collect();
    ledger::open_accounts(app, &wanted).await?;
    let now = app.clock.now();
    app.db
        .write("settlement.book_fee_share", move |tx| {
            let due = due.clone();
            async move { Ok((book_in(&tx, &due, now).await?, tx)) }
        })
        .await
}

/// Held, due, and owed to us.
fn accounts(org: OrgId) -> [Account; 3] {
    [Account::ProviderPending(org), Account::ProviderPayable(org), Account::ProviderReceivable(org)]
}

/// The order's lock keeps its hold from ending meanwhile, the currency's a payout from carrying the share.
async fn book_in(tx: &Tx, due: &Due, now: OffsetDateTime) -> Result<bool> {
    store::lock_order(tx, due.order).await?;
    ledger::lock_currency(tx, due.currency).await?;
    let (mut parts, mut lines, mut sum) = (Vec::new(), Vec::new(), Money::zero(due.currency));
    for (org, minor) in &due.borne {
        let [pending, payable, receivable] = accounts(*org);
        let held = store::standing(tx, due.order, &pending, due.currency).await?;
        let owed = store::standing(tx, due.order, &payable, due.currency).await?;
        let taken = Position { pending_minor: held, payable_minor: owed }.take(*minor);
        let money = |minor| Money::new(minor, due.currency);
        lines.push(Line::debit(pending, money(taken.pending_minor)).of(due.order));
        lines.push(Line::debit(payable, money(taken.payable_minor)).of(due.order));
        lines.push(Line::debit(receivable, money(taken.receivable_minor)).of(due.order));
        sum = sum.checked_add(money(*minor))?;
        parts.push(fee_share::Model {
            order_id: due.order,
            organization_id: *org,
            transaction_id: due.line.id.clone(),
            currency: due.line.currency.clone(),
            pending_minor: taken.pending_minor,
            payable_minor: taken.payable_minor,
            receivable_minor: taken.receivable_minor,
            booked_at: Timestamp(now),
        });
    }
    if parts.is_empty() || !store::claim(tx, parts).await? {
        return Ok(false);
    }
    if sum.is_zero() {
        return Ok(true);
    }
    lines.push(Line::credit(Account::ProcessorFees, sum).of(due.order));
    let entry = NewEntry {
        kind: EntryKind::FeeShare,
        source: source(due.order),
        effective_at: due.line.created_at.0,
        memo: Some(due.line.id.clone()),
        lines,
    };
    ledger::post(tx, vec![entry], now).await?;
    Ok(true)
}
