//! Orders against the processor's charges.

use std::collections::{BTreeMap, HashMap};

use entity::{
    Timestamp,
    ids::{OrderId, PaymentId, RefundId},
    order, payment, processor_transaction, refund,
    states::{ExceptionClass, OrderState, PaymentState, RefundState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use time::{Duration, OffsetDateTime};

use super::{NewException, YOUNG_MINUTES};
use crate::{
    base::{Currency, Money},
    error::Result,
    settlement::{currency, reconciliation::Period, rows},
};

/// Rows looked at in one go.
const PAGE_ROWS: u64 = 500;
/// Keys asked for in one statement; both databases limit its parameters.
const KEYS_MAX: usize = 1_000;

/// Something of the period whose counterpart is outside of it, or still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cutoff {
    /// The order.
    pub order_id: Option<OrderId>,
    /// The processor's line.
    pub transaction_id: Option<String>,
    /// What it adds to the orders' side, less what it adds to the charges' side.
    pub off: Money,
}

/// What comparing orders with charges gave.
#[derive(Debug, Default)]
pub struct Compared {
    /// What does not agree.
    pub found: Vec<NewException>,
    /// What is only a matter of time.
    pub cutoff: Vec<Cutoff>,
    /// Orders and charges that agree, by currency.
    pub matched: BTreeMap<Currency, u64>,
    /// Orders and charges looked at, by currency.
    pub looked_at: BTreeMap<Currency, u64>,
}

/// Compares the completed orders of a period that were paid at the processor with their charges, and its charges with
/// their orders.
///
/// # Errors
/// Those of the database.
pub async fn compare(conn: &impl ConnectionTrait, period: Period, now: OffsetDateTime) -> Result<Compared> {
    let mut compared = Compared::default();
    let mut after: Option<(Timestamp, OrderId)> = None;
    loop {
        let page = order_page(conn, period, after).await?;
        let Some(last) = page.last() else { break };
        after = last.closed_at.map(|at| (at, last.id));
        let charges = charges_of(conn, &page).await?;
        for row in &page {
            compared.check_order(row, charges.get(&row.id), period, now)?;
        }
    }
    let mut after: Option<(Timestamp, String)> = None;
    loop {
        let page = charge_page(conn, period, after.as_ref()).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.created_at, last.id.clone()));
        compared.check_charges(conn, &page, period, now).await?;
    }
    Ok(compared)
}

async fn order_page(
    conn: &impl ConnectionTrait,
    period: Period,
    after: Option<(Timestamp, OrderId)>,
) -> Result<Vec<order::Model>> {
    let mut query = order::Entity::find()
        .filter(order::Column::State.eq(OrderState::Completed))
        .filter(order::Column::TotalMinor.gt(0))
        .filter(rows::is_paid_at_processor())
        .filter(order::Column::ClosedAt.gte(period.from))
        .filter(order::Column::ClosedAt.lt(period.until))
        .order_by_asc(order::Column::ClosedAt)
        .order_by_asc(order::Column::Id)
        .limit(PAGE_ROWS);
    if let Some((at, id)) = after {
        let same = Condition::all().add(order::Column::ClosedAt.eq(at)).add(order::Column::Id.gt(id));
        query = query.filter(Condition::any().add(order::Column::ClosedAt.gt(at)).add(same));
    }
    Ok(query.all(conn).await?)
}

async fn charge_page(
    conn: &impl ConnectionTrait,
    period: Period,
    after: Option<&(Timestamp, String)>,
) -> Result<Vec<processor_transaction::Model>> {
    use processor_transaction::Column;
    let mut query = processor_transaction::Entity::find()
        .filter(Column::Kind.eq("charge"))
        .filter(Column::CreatedAt.gte(period.from))
        .filter(Column::CreatedAt.lt(period.until))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .limit(PAGE_ROWS);
    if let Some((at, id)) = after {
        let same = Condition::all().add(Column::CreatedAt.eq(*at)).add(Column::Id.gt(id));
        query = query.filter(Condition::any().add(Column::CreatedAt.gt(*at)).add(same));
    }
    Ok(query.all(conn).await?)
}

/// The first charge of each payment of these orders that is in the order's currency.
async fn charges_of(
    conn: &impl ConnectionTrait,
    orders: &[order::Model],
) -> Result<HashMap<OrderId, processor_transaction::Model>> {
    let payments: Vec<(PaymentId, OrderId)> = payment::Entity::find()
        .select_only()
        .columns([payment::Column::Id, payment::Column::OrderId])
        .filter(payment::Column::OrderId.is_in(orders.iter().map(|row| row.id)))
        .into_tuple()
        .all(conn)
        .await?;
    let currencies: HashMap<OrderId, &str> = orders.iter().map(|row| (row.id, row.currency.as_str())).collect();
    let first = first_charges(conn, payments.iter().map(|(id, _)| id.to_string())).await?;
    let mut of: HashMap<OrderId, processor_transaction::Model> = HashMap::new();
    for (payment, order) in payments {
        let Some(charge) = first.get(&payment.to_string()) else { continue };
        if currencies.get(&order).is_some_and(|code| *code == charge.currency) {
            of.insert(order, charge.clone());
        }
    }
    Ok(of)
}

/// The first charge under each of these references.
async fn first_charges(
    conn: &impl ConnectionTrait,
    references: impl Iterator<Item = String>,
) -> Result<HashMap<String, processor_transaction::Model>> {
    let rows = processor_transaction::Entity::find()
        .filter(processor_transaction::Column::OurRef.is_in(references))
        .filter(processor_transaction::Column::Kind.eq("charge"))
        .order_by_desc(processor_transaction::Column::CreatedAt)
        .order_by_desc(processor_transaction::Column::Id)
        .all(conn)
        .await?;
    // The earliest comes last and stays.
    Ok(rows.into_iter().filter_map(|row| Some((row.our_ref.clone()?, row))).collect())
}

fn is_in(period: Period, at: Timestamp) -> bool {
    (period.from..period.until).contains(&at)
}

fn is_young(at: Timestamp, now: OffsetDateTime) -> bool {
    now - at.0 < Duration::minutes(YOUNG_MINUTES)
}

impl Compared {
    fn look(&mut self, currency: Currency) {
        *self.looked_at.entry(currency).or_default() += 1;
    }

    fn agree(&mut self, currency: Currency) {
        *self.matched.entry(currency).or_default() += 1;
    }

    fn later(&mut self, order_id: Option<OrderId>, transaction_id: Option<String>, off: Money) {
        self.cutoff.push(Cutoff { order_id, transaction_id, off });
    }

    fn check_order(
        &mut self,
        row: &order::Model,
        charge: Option<&processor_transaction::Model>,
        period: Period,
        now: OffsetDateTime,
    ) -> Result<()> {
        let total = Money::new(row.total_minor, currency(&row.currency)?);
        self.look(total.currency);
        let closed_at = row.closed_at.unwrap_or(row.created_at);
        let Some(charge) = charge else {
            if is_young(closed_at, now) {
                self.later(Some(row.id), None, total);
                return Ok(());
            }
            let sentence = format!("The order of {total} was completed, and the processor has no charge for it.");
            let new = NewException::new(ExceptionClass::MissingBalanceLine, row.id.to_string(), total, sentence);
            self.found.push(NewException { order_id: Some(row.id), occurred_at: Some(closed_at.0), ..new });
            return Ok(());
        };
        let charged = Money::new(charge.amount_minor, total.currency);
        if charged != total {
            let off = total.checked_sub(charged)?;
            let sentence = format!("The order is of {total}, and {charged} was charged.");
            let new = NewException::new(ExceptionClass::ChargeAmountDiffers, charge.id.clone(), off, sentence);
            let (order_id, transaction_id) = (Some(row.id), Some(charge.id.clone()));
            self.found.push(NewException { order_id, transaction_id, occurred_at: Some(closed_at.0), ..new });
        } else {
            self.agree(total.currency);
        }
        if !is_in(period, charge.created_at) {
            self.later(Some(row.id), Some(charge.id.clone()), charged);
        }
        Ok(())
    }

    async fn check_charges(
        &mut self,
        conn: &impl ConnectionTrait,
        page: &[processor_transaction::Model],
        period: Period,
        now: OffsetDateTime,
    ) -> Result<()> {
        let payments: Vec<PaymentId> = page.iter().filter_map(|row| row.our_ref.as_deref()?.parse().ok()).collect();
        let orders = orders_behind(conn, &payments).await?;
        let first = first_charges(conn, page.iter().filter_map(|row| row.our_ref.clone())).await?;
        for row in page {
            let charged = Money::new(row.amount_minor, currency(&row.currency)?);
            self.look(charged.currency);
            let reference = row.our_ref.as_deref().unwrap_or_default();
            let order = reference.parse::<PaymentId>().ok().and_then(|id| orders.get(&id));
            let is_first = first.get(reference).is_none_or(|first| first.id == row.id);
            self.check_charge(row, charged, order, is_first, period, now)?;
        }
        Ok(())
    }

    fn check_charge(
        &mut self,
        row: &processor_transaction::Model,
        charged: Money,
        order: Option<&order::Model>,
        is_first: bool,
        period: Period,
        now: OffsetDateTime,
    ) -> Result<()> {
        let off = charged.checked_neg()?;
        let of_order = order.filter(|order| order.state == OrderState::Completed && order.currency == row.currency);
        let about = |class, sentence| NewException {
            order_id: order.map(|order| order.id),
            transaction_id: Some(row.id.clone()),
            occurred_at: Some(row.created_at.0),
            ..NewException::new(class, row.id.clone(), off, sentence)
        };
        match of_order {
            Some(_) if !is_first => {
                let sentence = format!("{charged} was charged again for an order that was charged before.");
                self.found.push(about(ExceptionClass::DuplicateBalanceLine, sentence));
            }
            Some(order) => {
                self.agree(charged.currency);
                if !order.closed_at.is_some_and(|at| is_in(period, at)) {
                    self.later(Some(order.id), Some(row.id.clone()), off);
                }
            }
            None if is_young(row.created_at, now) => self.later(None, Some(row.id.clone()), off),
            None => {
                let sentence = format!("{charged} was charged, and no completed order in this currency is behind it.");
                self.found.push(about(ExceptionClass::OrphanCharge, sentence));
            }
        }
        Ok(())
    }
}

/// The orders that payments which succeeded belong to.
async fn orders_behind(
    conn: &impl ConnectionTrait,
    payments: &[PaymentId],
) -> Result<HashMap<PaymentId, order::Model>> {
    let rows: Vec<(PaymentId, OrderId)> = payment::Entity::find()
        .select_only()
        .columns([payment::Column::Id, payment::Column::OrderId])
        .filter(payment::Column::Id.is_in(payments.iter().copied()))
        .filter(payment::Column::State.eq(PaymentState::Succeeded))
        .into_tuple()
        .all(conn)
        .await?;
    let orders =
        order::Entity::find().filter(order::Column::Id.is_in(rows.iter().map(|(_, order)| *order))).all(conn).await?;
    let orders: HashMap<OrderId, order::Model> = orders.into_iter().map(|row| (row.id, row)).collect();
    Ok(rows.into_iter().filter_map(|(payment, order)| Some((payment, orders.get(&order)?.clone()))).collect())
}

/// Refunds of the processor that no refund of ours is behind: none with its reference that was decided, or one of
/// another currency or amount, or one whose money left before and did not come back.
///
/// # Errors
/// Those of the database.
pub async fn orphan_refunds(conn: &impl ConnectionTrait, period: Period) -> Result<Vec<NewException>> {
    let rows = processor_transaction::Entity::find()
        .filter(processor_transaction::Column::Kind.eq("refund"))
        .filter(processor_transaction::Column::CreatedAt.gte(period.from))
        .filter(processor_transaction::Column::CreatedAt.lt(period.until))
        .order_by_asc(processor_transaction::Column::CreatedAt)
        .all(conn)
        .await?;
    let ours = Ours::load(conn, &rows).await?;
    rows.into_iter()
        .filter(|row| !ours.explain(row))
        .map(|row| {
            let refunded = Money::new(row.amount_minor, currency(&row.currency)?);
            let sentence = format!("The processor refunded {refunded}, and nobody here asked for it.");
            let new = NewException::new(ExceptionClass::OrphanRefund, row.id.clone(), refunded, sentence);
            Ok(NewException { transaction_id: Some(row.id), occurred_at: Some(row.created_at.0), ..new })
        })
        .collect()
}

/// Refunds of ours, and every line that carries their references.
struct Ours {
    refunds: HashMap<String, refund::Model>,
    lines: HashMap<String, Vec<processor_transaction::Model>>,
}

impl Ours {
    async fn load(conn: &impl ConnectionTrait, rows: &[processor_transaction::Model]) -> Result<Self> {
        let references: Vec<&str> = rows.iter().filter_map(|row| row.our_ref.as_deref()).collect();
        let (mut refunds, mut lines) = (HashMap::new(), HashMap::<String, Vec<_>>::new());
        for chunk in references.chunks(KEYS_MAX) {
            let ids: Vec<RefundId> = chunk.iter().filter_map(|text| text.parse().ok()).collect();
            let found = refund::Entity::find().filter(refund::Column::Id.is_in(ids)).all(conn).await?;
            refunds.extend(found.into_iter().map(|row| (row.id.to_string(), row)));
            let told = processor_transaction::Entity::find()
                .filter(processor_transaction::Column::Kind.is_in(["refund", "refund_failure"]))
                .filter(processor_transaction::Column::OurRef.is_in(chunk.iter().copied()))
                .order_by_asc(processor_transaction::Column::CreatedAt)
                .order_by_asc(processor_transaction::Column::Id)
                .all(conn)
                .await?;
            for line in told {
                let of = lines.entry(line.our_ref.clone().unwrap_or_default()).or_default();
                if !of.iter().any(|known: &processor_transaction::Model| known.id == line.id) {
                    of.push(line);
                }
            }
        }
        Ok(Self { refunds, lines })
    }

    fn explain(&self, row: &processor_transaction::Model) -> bool {
        let reference = row.our_ref.as_deref().unwrap_or_default();
        let Some(refund) = self.refunds.get(reference) else { return false };
        let undecided = matches!(refund.state, RefundState::Requested | RefundState::Escalated | RefundState::Declined);
        if undecided || refund.currency != row.currency || refund.amount_minor.checked_neg() != Some(row.amount_minor) {
            return false;
        }
        // Each time it came back it may leave once more.
        let told = self.lines.get(reference).map_or(&[][..], Vec::as_slice);
        let back = told.iter().filter(|line| line.kind == "refund_failure").count();
        let place = told.iter().filter(|line| line.kind == "refund").position(|line| line.id == row.id);
        place.is_none_or(|place| place <= back)
    }
}
