//! Parts of fees that providers bear, against the processor's lines, the frozen orders and the entries.

use std::collections::{BTreeMap, HashMap};

use entity::{
    fee_share,
    ids::{LedgerAccountId, OrderId},
    order_line, processor_transaction,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{Expected, PAGE_ROWS, VerifyReport};
use crate::{
    base::{Currency, Invariant, Money},
    error::Result,
    ledger::Account,
    settlement::{
        currency, fee_shares,
        rows::{self, Leg},
    },
};

/// What belongs to the orders of one page.
struct Around {
    lines: HashMap<OrderId, Vec<order_line::Model>>,
    charges: HashMap<String, processor_transaction::Model>,
    entries: HashMap<String, Vec<Leg>>,
}

pub async fn check(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    expected: &mut Expected,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after: Option<OrderId> = None;
    loop {
        let mut ids = fee_share::Entity::find()
            .select_only()
            .column(fee_share::Column::OrderId)
            .distinct()
            .order_by_asc(fee_share::Column::OrderId)
            .limit(PAGE_ROWS);
        if let Some(after) = after {
            ids = ids.filter(fee_share::Column::OrderId.gt(after));
        }
        let ids: Vec<OrderId> = ids.into_tuple().all(conn).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = Some(*last);
        let parts = fee_shares::of_orders(conn, &ids).await?;
        let around = load(conn, &ids, &parts).await?;
        for (order, parts) in &parts {
            report.fee_shares += 1;
            check_order(*order, parts, &around, report, expected)?;
        }
        progress("fee shares", report.fee_shares);
    }
}

async fn load(
    conn: &impl ConnectionTrait,
    ids: &[OrderId],
    parts: &HashMap<OrderId, Vec<fee_share::Model>>,
) -> Result<Around> {
    let rows = order_line::Entity::find()
        .filter(order_line::Column::OrderId.is_in(ids.iter().copied()))
        .order_by_asc(order_line::Column::LineNo);
    let mut lines: HashMap<OrderId, Vec<order_line::Model>> = HashMap::new();
    for line in rows.all(conn).await? {
        lines.entry(line.order_id).or_default().push(line);
    }
    let wanted = parts.values().flatten().map(|part| part.transaction_id.clone());
    let charges = processor_transaction::Entity::find().filter(processor_transaction::Column::Id.is_in(wanted));
    let charges = charges.all(conn).await?.into_iter().map(|row| (row.id.clone(), row)).collect();
    let sources: Vec<String> = ids.iter().map(|id| fee_shares::source(*id)).collect();
    Ok(Around { lines, charges, entries: rows::booked(conn, &sources).await? })
}

fn check_order(
    order: OrderId,
    parts: &[fee_share::Model],
    around: &Around,
    report: &mut VerifyReport,
    expected: &mut Expected,
) -> Result<()> {
    let Some(first) = parts.first() else { return Ok(()) };
    let code = currency(&first.currency)?;
    let lines = around.lines.get(&order).map_or(&[][..], Vec::as_slice);
    let charge = around.charges.get(&first.transaction_id);
    report.hold(Invariant::Shares, charge.is_some(), || {
        format!("the fee of {order} is taken for a line that does not exist")
    });
    let in_currency = lines.iter().all(|line| line.currency == first.currency);
    let fee = charge.filter(|_| in_currency).map_or(0, |charge| charge.fee_minor.max(0));
    let borne = fee_shares::allocate(fee, lines)?;
    let booked: BTreeMap<_, _> = parts.iter().map(|part| (part.organization_id, sum_of(part))).collect();
    report.hold(Invariant::Shares, borne == booked, || format!("the fee of {order} is not shared as its lines say"));
    let legs = legs(parts, code);
    let mut found: BTreeMap<LedgerAccountId, i64> = BTreeMap::new();
    for leg in around.entries.get(&fee_shares::source(order)).into_iter().flatten() {
        *found.entry(leg.account).or_default() += leg.minor;
    }
    report
        .hold(Invariant::Shares, found == legs, || format!("the fee share of {order} is not booked as its parts say"));
    // What was taken from shares is expected with the order they belong to.
    for part in parts {
        expected.credit(&Account::ProcessorFees, Money::new(sum_of(part), code));
    }
    Ok(())
}

fn sum_of(part: &fee_share::Model) -> i64 {
    part.pending_minor + part.payable_minor + part.receivable_minor
}

fn legs(parts: &[fee_share::Model], code: Currency) -> BTreeMap<LedgerAccountId, i64> {
    let mut legs: BTreeMap<LedgerAccountId, i64> = BTreeMap::new();
    for part in parts {
        let org = part.organization_id;
        for (account, minor) in [
            (Account::ProviderPending(org), part.pending_minor),
            (Account::ProviderPayable(org), part.payable_minor),
            (Account::ProviderReceivable(org), part.receivable_minor),
            (Account::ProcessorFees, -sum_of(part)),
        ] {
            *legs.entry(account.id(code)).or_default() += minor;
        }
    }
    legs.retain(|_, minor| *minor != 0);
    legs
}
