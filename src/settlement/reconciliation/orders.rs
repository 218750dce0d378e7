//! Paid orders against the processor's charges, their grants and the books.

use std::collections::HashMap;

use entity::{
    grant,
    ids::{OrderId, PaymentId},
    order, order_line, payment, processor_transaction,
    states::{OrderState, PaymentState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    after_sale,
    model::{About, DifferenceClass, Findings, TimingClass},
    service::{PAGE_ROWS, Period},
};
use crate::{
    base::Money,
    error::Result,
    settlement::{currency, rows},
    trade::payments::BANK,
};

/// What belongs to one order.
#[derive(Default)]
struct Around {
    paid: Vec<payment::Model>,
    charges: Vec<processor_transaction::Model>,
    lines: usize,
    grants: usize,
}

pub async fn check(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    let mut after: Option<order::Model> = None;
    loop {
        let page = page(conn, period, after.as_ref()).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        let ids: Vec<OrderId> = page.iter().map(|row| row.id).collect();
        let mut around = load(conn, &ids).await?;
        let sales: Vec<String> = ids.iter().map(|id| format!("order:{id}:sale")).collect();
        let booked = rows::booked(conn, &sales).await?;
        for row in &page {
            check_order(row, &around.remove(&row.id).unwrap_or_default(), findings)?;
            if !booked.contains_key(&format!("order:{}:sale", row.id)) {
                let total = Money::new(row.total_minor, currency(&row.currency)?);
                let sentence = "The order was completed, and its sale is not in the books.";
                findings.differ(DifferenceClass::UnbookedOrder, About::order(row.id), total, sentence);
            }
        }
    }
}

async fn page(conn: &impl ConnectionTrait, period: Period, after: Option<&order::Model>) -> Result<Vec<order::Model>> {
    let mut query = order::Entity::find()
        .filter(order::Column::State.eq(OrderState::Completed))
        .filter(order::Column::TotalMinor.gt(0))
        .filter(order::Column::ClosedAt.gte(period.from))
        .filter(order::Column::ClosedAt.lt(period.until))
        .order_by_asc(order::Column::ClosedAt)
        .order_by_asc(order::Column::Id)
        .limit(PAGE_ROWS);
    if let Some(after) = after {
        let same_instant =
            Condition::all().add(order::Column::ClosedAt.eq(after.closed_at)).add(order::Column::Id.gt(after.id));
        query = query.filter(Condition::any().add(order::Column::ClosedAt.gt(after.closed_at)).add(same_instant));
    }
    Ok(query.all(conn).await?)
}

async fn load(conn: &impl ConnectionTrait, ids: &[OrderId]) -> Result<HashMap<OrderId, Around>> {
    let of = || ids.iter().copied();
    let mut around: HashMap<OrderId, Around> = HashMap::new();
    let payments = payment::Entity::find().filter(payment::Column::OrderId.is_in(of())).all(conn).await?;
    let orders: HashMap<PaymentId, OrderId> = payments.iter().map(|row| (row.id, row.order_id)).collect();
    let given_back = after_sale::given_back(conn, of()).await?;
    let charged = payments.iter().map(|row| row.id).filter(|id| !given_back.contains(id));
    for charge in charges_of(conn, charged).await? {
        let payment: Option<PaymentId> = charge.our_ref.as_deref().and_then(|text| text.parse().ok());
        if let Some(order) = payment.and_then(|payment| orders.get(&payment)) {
            around.entry(*order).or_default().charges.push(charge);
        }
    }
    let kept = |row: &payment::Model| row.state == PaymentState::Succeeded && !given_back.contains(&row.id);
    for row in payments.into_iter().filter(kept) {
        around.entry(row.order_id).or_default().paid.push(row);
    }
    let lines = order_line::Entity::find()
        .select_only()
        .column(order_line::Column::OrderId)
        .filter(order_line::Column::OrderId.is_in(of()))
        // Parts of a price and what was used are paid for without a grant of their own.
        .filter(order_line::Column::GrantsAccess.eq(true));
    for order in lines.into_tuple::<OrderId>().all(conn).await? {
        around.entry(order).or_default().lines += 1;
    }
    let grants =
        grant::Entity::find().select_only().column(grant::Column::OrderId).filter(grant::Column::OrderId.is_in(of()));
    for order in grants.into_tuple::<OrderId>().all(conn).await? {
        around.entry(order).or_default().grants += 1;
    }
    Ok(around)
}

async fn charges_of(
    conn: &impl ConnectionTrait,
    payments: impl Iterator<Item = PaymentId>,
) -> Result<Vec<processor_transaction::Model>> {
    Ok(processor_transaction::Entity::find()
        .filter(processor_transaction::Column::OurRef.is_in(payments.map(|id| id.to_string())))
        .filter(processor_transaction::Column::Kind.eq("charge"))
        .order_by_asc(processor_transaction::Column::CreatedAt)
        .order_by_asc(processor_transaction::Column::Id)
        .all(conn)
        .await?)
}

fn check_order(row: &order::Model, around: &Around, findings: &mut Findings) -> Result<()> {
    let total = Money::new(row.total_minor, currency(&row.currency)?);
    let about = || About::order(row.id);
    let totals = findings.totals(total.currency);
    totals.orders += 1;
    totals.orders_minor = totals.orders_minor.saturating_add(total.minor);
    if around.paid.is_empty() {
        let sentence = "The order was completed, and no payment for it succeeded.";
        findings.differ(DifferenceClass::OrderWithoutPayment, about(), total, sentence);
    }
    for paid in around.paid.iter().filter(|paid| paid.amount_minor != row.total_minor || paid.currency != row.currency)
    {
        let about = About { payment_id: Some(paid.id), ..about() };
        let sentence =
            format!("The payment is of {} {} (minor units), the order of {total}.", paid.amount_minor, paid.currency);
        let off = Money::new(paid.amount_minor.saturating_sub(row.total_minor), total.currency);
        findings.differ(DifferenceClass::AmountDiffers, about, off, sentence);
    }
    if around.grants < around.lines {
        let sentence = format!("{} of {} lines were granted.", around.grants, around.lines);
        findings.differ(DifferenceClass::PaymentWithoutGrant, about(), total, sentence);
    }
    if around.charges.is_empty() && around.paid.iter().any(|paid| paid.processor == BANK) {
        // Its money is a line of the bank.
        return Ok(());
    }
    check_charges(row, total, &around.charges, findings)
}

fn check_charges(
    row: &order::Model,
    total: Money,
    charges: &[processor_transaction::Model],
    findings: &mut Findings,
) -> Result<()> {
    let about = |charge: &processor_transaction::Model| About {
        transaction_id: Some(charge.id.clone()),
        ..About::order(row.id)
    };
    let Some((first, more)) = charges.split_first() else {
        if row.closed_at.is_some_and(|at| findings.is_young(at.0)) {
            findings.late(TimingClass::ChargeToCome, About::order(row.id), total);
        } else {
            let sentence = "The order was completed, and no charge for it was imported.";
            findings.differ(DifferenceClass::OrderWithoutCharge, About::order(row.id), total, sentence);
        }
        return Ok(());
    };
    let charged = Money::new(first.amount_minor, currency(&first.currency)?);
    if charged.currency != total.currency {
        let sentence = format!("The order is of {total}, and {charged} was charged.");
        findings.differ(DifferenceClass::CurrencyDiffers, about(first), charged, sentence);
    } else if charged.minor != total.minor {
        let sentence = format!("The order is of {total}, and {charged} was charged.");
        findings.differ(DifferenceClass::AmountDiffers, about(first), charged.checked_sub(total)?, sentence);
    }
    for charge in more {
        let again = Money::new(charge.amount_minor, currency(&charge.currency)?);
        let sentence = format!("The order was charged before by {}, and {again} again.", first.id);
        findings.differ(DifferenceClass::DuplicateCharge, about(charge), again, sentence);
    }
    Ok(())
}
