//! What each order leaves in clearing: what was sold or decided, less what the processor's lines say of it.

use std::collections::HashMap;

use entity::{
    ids::{OrderId, PaymentId, RefundId},
    order, payment, processor_transaction,
    states::OrderState,
};
use sea_orm::{ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QuerySelect as _};

use super::{VerifyReport, shares::Later};
use crate::{
    base::{Currency, Invariant},
    error::Result,
    ledger::Account,
    ports::payments::TransactionKind,
    settlement::currency,
};

/// Lines asked for in one statement; both databases limit its parameters.
const KEYS_MAX: usize = 1_000;

/// What the processor's lines moved of each order.
#[derive(Default)]
pub struct Moved {
    /// By order, kind and currency.
    sums: HashMap<(OrderId, String, String), i64>,
    /// References that lines of one kind carry more than once, with the order.
    repeated: Vec<(OrderId, String)>,
}

/// Reads the lines that belong to these orders' payments and refunds.
pub async fn load(conn: &impl ConnectionTrait, ids: &[OrderId], later: &Later) -> Result<Moved> {
    let payments: Vec<(PaymentId, OrderId)> = payment::Entity::find()
        .select_only()
        .columns([payment::Column::Id, payment::Column::OrderId])
        .filter(payment::Column::OrderId.is_in(ids.iter().copied()))
        .into_tuple()
        .all(conn)
        .await?;
    let mut orders: HashMap<String, OrderId> = HashMap::new();
    orders.extend(payments.into_iter().map(|(payment, order)| (payment.to_string(), order)));
    let refunds = ids.iter().flat_map(|order| later.refund_ids(*order).map(|refund: RefundId| (refund, *order)));
    orders.extend(refunds.map(|(refund, order)| (refund.to_string(), order)));
    let mut moved = Moved::default();
    let mut times: HashMap<(String, bool), i64> = HashMap::new();
    let references: Vec<&String> = orders.keys().collect();
    for chunk in references.chunks(KEYS_MAX) {
        let rows: Vec<(Option<String>, String, String, i64)> = processor_transaction::Entity::find()
            .select_only()
            .columns([processor_transaction::Column::OurRef, processor_transaction::Column::Kind])
            .columns([processor_transaction::Column::Currency, processor_transaction::Column::AmountMinor])
            .filter(processor_transaction::Column::OurRef.is_in(chunk.iter().map(|text| text.as_str())))
            .into_tuple()
            .all(conn)
            .await?;
        for (reference, kind, code, minor) in rows {
            let Some(reference) = reference else { continue };
            let Some(order) = orders.get(&reference) else { continue };
            match TransactionKind::from_word(&kind) {
                TransactionKind::Charge | TransactionKind::Refund => *times.entry((reference, true)).or_default() += 1,
                TransactionKind::RefundFailure => *times.entry((reference, false)).or_default() += 1,
                _ => {}
            }
            *moved.sums.entry((*order, kind, code)).or_default() += minor;
        }
    }
    for ((reference, _), count) in times.iter().filter(|((_, goes), _)| *goes) {
        let failed = times.get(&(reference.clone(), false)).copied().unwrap_or(0);
        if *count > 1 + failed {
            moved.repeated.extend(orders.get(reference).map(|order| (*order, reference.clone())));
        }
    }
    Ok(moved)
}

/// Compares what one order leaves in clearing with what is in flight of it.
pub fn check(row: &order::Model, later: &Later, moved: &Moved, report: &mut VerifyReport) -> Result<()> {
    let of: Currency = currency(&row.currency)?;
    let lines = |kind: TransactionKind| {
        let key = (row.id, kind.as_str().to_owned(), row.currency.clone());
        moved.sums.get(&key).copied().unwrap_or(0)
    };
    let sold = if row.state == OrderState::Completed { row.total_minor } else { 0 };
    let given_back: i64 = later.automatic_minor(row.id);
    let to_charge = sold + given_back - lines(TransactionKind::Charge);
    let came_back = lines(TransactionKind::Refund) + lines(TransactionKind::RefundFailure);
    let to_refund = -later.refunded_minor(row.id) - came_back;
    for (account, ought) in [(Account::ClearingPayment, to_charge), (Account::ClearingRefund, to_refund)] {
        let found = later.booked_minor(row.id, &account, of);
        report.same(Invariant::Clearing, &format!("what {} leaves in {account} (minor units)", row.id), ought, found);
    }
    for (_, reference) in moved.repeated.iter().filter(|(order, _)| *order == row.id) {
        report.hold(Invariant::Replay, false, || format!("{reference} of {} is booked more than once", row.id));
    }
    Ok(())
}
