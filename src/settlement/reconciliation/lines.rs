//! The processor's lines, as it tells them now and as they were imported, against what they are for.

use std::collections::{BTreeMap, HashMap};

use entity::{
    ids::{OrderId, PaymentId, PayoutId},
    order, payment, payout, processor_transaction,
    states::{OrderState, PayoutRecipient},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{
    after_sale,
    model::{About, DifferenceClass, Findings, TimingClass},
    service::{PAGE_ROWS, Period},
};
use crate::{
    base::{Currency, Money},
    error::Result,
    ports::payments::{Transaction, TransactionKind},
    settlement::{currency, outside, rows},
    state::AppState,
};

/// Lines asked for in one go.
const PAGE_LINES: u32 = 500;

/// Net of lines that were not imported: what can be spent by now, and what waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotImported {
    /// Of lines that can be spent.
    pub available_minor: i128,
    /// Of the others.
    pub pending_minor: i128,
}

/// What comparing with the processor's own list found.
#[derive(Debug, Default)]
pub struct Told {
    /// What is missing, by currency.
    pub not_imported: BTreeMap<Currency, NotImported>,
    /// The lines that are missing.
    pub missing: Vec<Transaction>,
    /// The lines that were stored otherwise than told, with the stored net.
    pub changed: Vec<(Transaction, i64)>,
}

/// Reads the processor's list from the beginning of the period until now, and compares it with what was imported.
pub async fn compare(app: &AppState, period: Period, findings: &Findings) -> Result<Told> {
    let (mut told, mut after) = (Told::default(), None);
    loop {
        let page = app.payments.transactions(period.from.0, after.as_deref(), PAGE_LINES).await.map_err(outside)?;
        let ids: Vec<String> = page.transactions.iter().map(|line| line.id.clone()).collect();
        let stored: HashMap<String, processor_transaction::Model> = processor_transaction::Entity::find()
            .filter(processor_transaction::Column::Id.is_in(ids))
            .all(app.db.read())
            .await?
            .into_iter()
            .map(|row| (row.id.clone(), row))
            .collect();
        for line in page.transactions {
            match stored.get(&line.id) {
                Some(row) => {
                    let same = row.amount_minor == line.amount.minor
                        && row.fee_minor == line.fee_minor
                        && row.currency == line.amount.currency.code();
                    if !same {
                        told.changed.push((line, row.net_minor));
                    }
                }
                None => {
                    let net = i128::from(line.amount.minor) - i128::from(line.fee_minor);
                    let sum = told.not_imported.entry(line.amount.currency).or_default();
                    if line.available_at <= findings.now {
                        sum.available_minor += net;
                    } else {
                        sum.pending_minor += net;
                    }
                    told.missing.push(line);
                }
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(told);
        }
    }
}

/// Tells what [`compare`] found.
pub fn tell(told: Told, findings: &mut Findings) {
    for line in told.missing {
        let about = About::transaction(&line.id);
        if findings.is_young(line.created_at) {
            findings.late(TimingClass::LineToImport, about, line.amount);
        } else {
            let sentence = format!("The processor has a line of {} that was never imported.", line.amount);
            findings.differ(DifferenceClass::TransactionNotImported, about, line.amount, sentence);
        }
    }
    for (line, stored_net_minor) in told.changed {
        let net = line.amount.minor.saturating_sub(line.fee_minor);
        let off = Money::new(stored_net_minor.saturating_sub(net), line.amount.currency);
        let sentence = format!("The processor tells a line of {} that was imported otherwise.", line.amount);
        findings.differ(DifferenceClass::AmountDiffers, About::transaction(&line.id), off, sentence);
    }
}

/// What lines can be for.
struct Around {
    /// The order of a payment, and whether it was completed or the payment went back.
    payments: HashMap<PaymentId, (OrderId, bool)>,
    payouts: HashMap<PayoutId, payout::Model>,
    /// Payouts that the processor made by itself, by its reference.
    automatic: HashMap<String, payout::Model>,
}

/// Checks what every imported line of the period is for, and that it is in the books.
pub async fn check(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let mut query = processor_transaction::Entity::find()
            .filter(processor_transaction::Column::CreatedAt.gte(period.from))
            .filter(processor_transaction::Column::CreatedAt.lt(period.until))
            .order_by_asc(processor_transaction::Column::Id)
            .limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(processor_transaction::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id.clone());
        let around = load(conn, &page).await?;
        let sources: Vec<String> = page.iter().map(|row| format!("processor:{}", row.id)).collect();
        let booked = rows::booked(conn, &sources).await?;
        for row in &page {
            check_line(row, &around, findings)?;
            let moves = row.amount_minor != 0 || row.fee_minor != 0;
            if moves && !booked.contains_key(&format!("processor:{}", row.id)) {
                let net = Money::new(row.net_minor, currency(&row.currency)?);
                let sentence = format!("The processor's {} of {net} is not in the books.", row.kind);
                findings.differ(DifferenceClass::UnbookedTransaction, About::transaction(&row.id), net, sentence);
            }
        }
    }
}

async fn load(conn: &impl ConnectionTrait, page: &[processor_transaction::Model]) -> Result<Around> {
    let references = || page.iter().filter_map(|row| row.our_ref.as_deref());
    let payments: Vec<PaymentId> = references().filter_map(|text| text.parse().ok()).collect();
    let payouts: Vec<PayoutId> = references().filter_map(|text| text.parse().ok()).collect();
    let orders: HashMap<PaymentId, OrderId> = payment::Entity::find()
        .select_only()
        .columns([payment::Column::Id, payment::Column::OrderId])
        .filter(payment::Column::Id.is_in(payments))
        .into_tuple::<(PaymentId, OrderId)>()
        .all(conn)
        .await?
        .into_iter()
        .collect();
    let states: HashMap<OrderId, OrderState> = order::Entity::find()
        .select_only()
        .columns([order::Column::Id, order::Column::State])
        .filter(order::Column::Id.is_in(orders.values().copied()))
        .into_tuple::<(OrderId, OrderState)>()
        .all(conn)
        .await?
        .into_iter()
        .collect();
    let completed = |order: &OrderId| states.get(order) == Some(&OrderState::Completed);
    let given_back = after_sale::given_back(conn, orders.values().copied()).await?;
    let payouts = payout::Entity::find().filter(payout::Column::Id.is_in(payouts)).all(conn).await?;
    let sources = page.iter().filter(|row| row.kind == TransactionKind::Payout.as_str()).map(|row| &row.source_ref);
    let automatic = payout::Entity::find()
        .filter(payout::Column::ProcessorRef.is_in(sources))
        .filter(payout::Column::IsItemised.is_not_null())
        .all(conn)
        .await?;
    Ok(Around {
        payments: orders
            .iter()
            .map(|(payment, order)| {
                let explained = completed(order) || given_back.contains(payment);
                (*payment, (*order, explained))
            })
            .collect(),
        payouts: payouts.into_iter().map(|row| (row.id, row)).collect(),
        automatic: automatic.into_iter().filter_map(|row| Some((row.processor_ref.clone()?, row))).collect(),
    })
}

fn check_line(row: &processor_transaction::Model, around: &Around, findings: &mut Findings) -> Result<()> {
    let amount = Money::new(row.amount_minor, currency(&row.currency)?);
    match TransactionKind::from_word(&row.kind) {
        TransactionKind::Charge => {
            let totals = findings.totals(amount.currency);
            totals.charges_minor = totals.charges_minor.saturating_add(amount.minor);
            check_charge(row, amount, around, findings);
            Ok(())
        }
        TransactionKind::Transfer => check_outflow(row, amount, PayoutRecipient::Provider, around, findings),
        TransactionKind::Payout => check_outflow(row, amount, PayoutRecipient::Operator, around, findings),
        TransactionKind::PayoutFailure
        | TransactionKind::Fee
        | TransactionKind::Refund
        | TransactionKind::RefundFailure
        | TransactionKind::TransferReversal
        | TransactionKind::Dispute
        | TransactionKind::DisputeReversal
        | TransactionKind::Reserve
        | TransactionKind::Other(_) => Ok(()),
    }
}

fn check_charge(row: &processor_transaction::Model, amount: Money, around: &Around, findings: &mut Findings) {
    let payment_id: Option<PaymentId> = row.our_ref.as_deref().and_then(|text| text.parse().ok());
    let order = payment_id.and_then(|payment| around.payments.get(&payment));
    let about = || About { payment_id, order_id: order.map(|(order, _)| *order), ..About::transaction(&row.id) };
    match order {
        Some((_, true)) => {}
        Some((_, false)) if findings.is_young(row.created_at.0) => {
            findings.late(TimingClass::OrderToCome, about(), amount);
        }
        Some(_) => {
            let sentence = format!("{amount} was charged, and the order was not completed.");
            findings.differ(DifferenceClass::ChargeWithoutOrder, about(), amount, sentence);
        }
        None => {
            *findings.stray_charges.entry(amount.currency).or_default() += i128::from(amount.minor);
            let sentence = format!("{amount} was charged, and there is no payment it belongs to.");
            findings.differ(DifferenceClass::ChargeWithoutOrder, about(), amount, sentence);
        }
    }
}

fn check_outflow(
    row: &processor_transaction::Model,
    amount: Money,
    recipient: PayoutRecipient,
    around: &Around,
    findings: &mut Findings,
) -> Result<()> {
    let sent = amount.checked_neg()?;
    let totals = findings.totals(amount.currency);
    totals.transfers_minor = totals.transfers_minor.saturating_add(sent.minor);
    let id: Option<PayoutId> = row.our_ref.as_deref().and_then(|text| text.parse().ok());
    let of_ours = id.and_then(|id| around.payouts.get(&id));
    let payout = of_ours.or_else(|| around.automatic.get(&row.source_ref)).filter(|row| row.recipient == recipient);
    let about = About { payout_id: payout.map(|row| row.id).or(id), ..About::transaction(&row.id) };
    let Some(payout) = payout else {
        if recipient == PayoutRecipient::Provider {
            *findings.stray_transfers.entry(amount.currency).or_default() += i128::from(sent.minor);
        }
        let sentence = format!("{sent} left, and there is no payout it belongs to.");
        findings.differ(DifferenceClass::TransferWithoutPayout, about, sent, sentence);
        return Ok(());
    };
    let decided = Money::new(payout.amount_minor, currency(&payout.currency)?);
    if decided.currency != sent.currency {
        let sentence = format!("The payout is of {decided}, and {sent} left.");
        findings.differ(DifferenceClass::CurrencyDiffers, about, sent, sentence);
    } else if decided.minor != sent.minor {
        let sentence = format!("The payout is of {decided}, and {sent} left.");
        findings.differ(DifferenceClass::PayoutAmountDiffers, about, sent.checked_sub(decided)?, sentence);
    }
    Ok(())
}
