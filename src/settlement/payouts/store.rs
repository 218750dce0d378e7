//! Payouts and their items.

use std::collections::HashSet;

use entity::{
    Timestamp,
    ids::{OrderId, OrgId, PayoutId, PayoutRunId},
    payout, payout_item, processor_transaction,
    states::{PayoutRecipient, PayoutState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};
use time::OffsetDateTime;

use super::model::Due;
use crate::{
    base::{Currency, Money},
    db::Tx,
    error::Result,
    ports::payments::ProcessorPayout,
    trade::{disputes, payments, refunds},
};

/// Rows of one insert; both databases limit the parameters of a statement.
const ROWS_PER_INSERT: usize = 1_000;
/// Longest reference of a bank that is kept; more is cut.
const TRACE_CHARS_MAX: usize = 120;

/// A payout as it is decided.
#[derive(Debug, Clone)]
pub struct NewPayout {
    /// The payout.
    pub id: PayoutId,
    /// The run that decided it.
    pub run: PayoutRunId,
    /// Whether a provider or the operator gets it.
    pub recipient: PayoutRecipient,
    /// Who gets it.
    pub organization: OrgId,
    /// What they get.
    pub amount: Money,
    /// The charge it comes from, where it carries one order.
    pub source_ref: Option<String>,
}

/// Stores a decided payout.
pub async fn insert(tx: &Tx, new: NewPayout, now: OffsetDateTime) -> Result<()> {
    payout::Entity::insert(active(new, now)).exec_without_returning(tx.conn()).await?;
    Ok(())
}

fn active(new: NewPayout, now: OffsetDateTime) -> payout::ActiveModel {
    payout::ActiveModel {
        id: Set(new.id),
        run_id: Set(new.run),
        recipient: Set(new.recipient),
        organization_id: Set(new.organization),
        currency: Set(new.amount.currency.code().to_owned()),
        amount_minor: Set(new.amount.minor),
        state: Set(PayoutState::Created),
        attempt: Set(1),
        processor_ref: Set(None),
        failure_text: Set(None),
        created_at: Set(Timestamp(now)),
        next_try_at: Set(Some(Timestamp(now))),
        paid_at: Set(None),
        source_ref: Set(new.source_ref),
        is_itemised: Set(None),
        arrival_at: Set(None),
        trace_ref: Set(None),
    }
}

/// Stores a payout that the processor made by itself; nothing where it is stored already.
pub async fn insert_automatic(
    tx: &Tx,
    new: NewPayout,
    processor_ref: &str,
    at: OffsetDateTime,
) -> Result<Option<payout::Model>> {
    let id = new.id;
    let row = payout::ActiveModel {
        state: Set(PayoutState::Paid),
        processor_ref: Set(Some(processor_ref.to_owned())),
        next_try_at: Set(None),
        paid_at: Set(Some(Timestamp(at))),
        is_itemised: Set(Some(false)),
        ..active(new, at)
    };
    let insert = payout::Entity::insert(row).on_conflict(OnConflict::new().do_nothing().to_owned());
    if insert.exec_without_returning(tx.conn()).await? == 0 {
        return Ok(None);
    }
    find(tx.conn(), id, None).await
}

/// Lines of payouts that the processor made by itself and that have no row, the oldest first; of a period, or all. The
/// condition is spelled out so that the index of payout lines serves it.
pub async fn automatic_without_row(
    conn: &impl ConnectionTrait,
    period: Option<(Timestamp, Timestamp)>,
    limit: u64,
) -> Result<Vec<processor_transaction::Model>> {
    use processor_transaction::Column::{AmountMinor, CreatedAt, Kind, OurRef, SourceRef};
    let known = payout::Entity::find()
        .select_only()
        .column(payout::Column::ProcessorRef)
        .filter(payout::Column::ProcessorRef.is_not_null())
        .into_query();
    let mut query = processor_transaction::Entity::find()
        .filter(Expr::cust("kind IN ('payout', 'payout_failure')"))
        .filter(Kind.eq("payout"))
        .filter(AmountMinor.lt(0))
        .filter(OurRef.is_null())
        .filter(SourceRef.not_in_subquery(known))
        .order_by_asc(CreatedAt)
        .limit(limit);
    if let Some((from, until)) = period {
        query = query.filter(CreatedAt.gte(from)).filter(CreatedAt.lt(until));
    }
    Ok(query.all(conn).await?)
}

/// True when the processor says that this payout came back.
pub async fn came_back(conn: &impl ConnectionTrait, processor_ref: &str) -> Result<bool> {
    let line = processor_transaction::Entity::find()
        .filter(Expr::cust("kind IN ('payout', 'payout_failure')"))
        .filter(processor_transaction::Column::Kind.eq("payout_failure"))
        .filter(processor_transaction::Column::SourceRef.eq(processor_ref));
    Ok(line.one(conn).await?.is_some())
}

/// Marks a payout that the processor made by itself as come back. Its money goes with the next one.
pub async fn mark_automatic_returned(tx: &Tx, processor_ref: &str) -> Result<()> {
    payout::Entity::update_many()
        .col_expr(payout::Column::State, Expr::value(PayoutState::Failed))
        .col_expr(payout::Column::FailureText, Expr::value(Some("The bank sent the payout back.")))
        .col_expr(payout::Column::PaidAt, Expr::value(Option::<Timestamp>::None))
        .filter(payout::Column::ProcessorRef.eq(processor_ref))
        .filter(payout::Column::IsItemised.is_not_null())
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// When the oldest payout since left that the processor made by itself and has not told everything of.
pub async fn oldest_untold(conn: &impl ConnectionTrait, since: OffsetDateTime) -> Result<Option<OffsetDateTime>> {
    let untold = Condition::any()
        .add(payout::Column::IsItemised.eq(false))
        .add(payout::Column::IsItemised.eq(true).and(payout::Column::TraceRef.is_null()));
    let oldest: Option<Timestamp> = payout::Entity::find()
        .select_only()
        .column(payout::Column::CreatedAt)
        .filter(untold)
        .filter(payout::Column::State.eq(PayoutState::Paid))
        .filter(payout::Column::CreatedAt.gte(Timestamp(since)))
        .order_by_asc(payout::Column::CreatedAt)
        .limit(1)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(oldest.map(|at| at.0))
}

/// Notes what the processor tells of a payout it made by itself; 1 when that was news.
pub async fn note_told(tx: &Tx, told: &ProcessorPayout) -> Result<usize> {
    let arrival_at = Some(Timestamp(told.arrives_at));
    let trace_ref: Option<String> = told.trace.as_deref().map(|text| text.chars().take(TRACE_CHARS_MAX).collect());
    let known = match &trace_ref {
        Some(trace) => payout::Column::TraceRef.eq(trace),
        None => payout::Column::TraceRef.is_null(),
    };
    let same = Condition::all()
        .add(payout::Column::IsItemised.eq(told.is_itemised))
        .add(payout::Column::ArrivalAt.eq(arrival_at))
        .add(known);
    let row = payout::Entity::find()
        .filter(payout::Column::ProcessorRef.eq(&told.processor_ref))
        .filter(payout::Column::IsItemised.is_not_null())
        .filter(same)
        .one(tx.conn())
        .await?;
    if row.is_some() {
        return Ok(0);
    }
    let updated = payout::Entity::update_many()
        .col_expr(payout::Column::IsItemised, Expr::value(Some(told.is_itemised)))
        .col_expr(payout::Column::ArrivalAt, Expr::value(arrival_at))
        .col_expr(payout::Column::TraceRef, Expr::value(trace_ref))
        .filter(payout::Column::ProcessorRef.eq(&told.processor_ref))
        .filter(payout::Column::IsItemised.is_not_null())
        .exec(tx.conn())
        .await?;
    Ok(usize::from(updated.rows_affected > 0))
}

/// Stores the orders a payout carries; an order that another payout carries is a conflict.
pub async fn insert_items(tx: &Tx, payout: PayoutId, due: &Due) -> Result<()> {
    for chunk in due.orders.chunks(ROWS_PER_INSERT) {
        let rows = chunk.iter().map(|(order, share)| payout_item::ActiveModel {
            order_id: Set(*order),
            payout_id: Set(payout),
            amount_minor: Set(share.minor),
        });
        payout_item::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// Orders of these that somebody asks money of back, or a bank decides about: their shares wait.
pub async fn contested(tx: &Tx, payable: &[(OrderId, Money)]) -> Result<HashSet<OrderId>> {
    let orders: Vec<OrderId> = payable.iter().map(|(order, _)| *order).collect();
    let mut contested = disputes::orders_in_dispute(tx.conn(), &orders).await?;
    contested.extend(refunds::orders_with_requests(tx.conn(), &orders).await?);
    Ok(contested)
}

/// The charge that a share of this order moves out of: the one that paid it, unless a share moved out of it before.
/// What comes again after a dispute was won is more than the processor lets out of one charge, though the first came
/// back; it moves out of the balance.
pub async fn charge_of(tx: &Tx, order: OrderId) -> Result<Option<String>> {
    let Some(charge) = payments::charge_that_paid(tx, order).await? else { return Ok(None) };
    let earlier = payout_item::Entity::find().filter(payout_item::Column::OrderId.eq(order)).one(tx.conn()).await?;
    Ok(Some(charge).filter(|_| earlier.is_none()))
}

/// The order that a payout carries alone: charge and transfer bear it at the processor.
pub async fn group_of(conn: &impl ConnectionTrait, row: &payout::Model) -> Result<Option<String>> {
    match items(conn, row.id, None, 2).await?.as_slice() {
        [item] => Ok(Some(item.order_id.to_string())),
        _ => Ok(None),
    }
}

/// What operator payouts amount to that the books don't show yet.
pub async fn unbooked_operator_minor(tx: &Tx, currency: Currency) -> Result<i64> {
    let open = [PayoutState::Created, PayoutState::Submitted, PayoutState::Failed];
    Ok(payout::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)"))
        .filter(payout::Column::Recipient.eq(PayoutRecipient::Operator))
        .filter(payout::Column::Currency.eq(currency.code()))
        .filter(payout::Column::State.is_in(open))
        // What the processor sent by itself is booked by its lines alone.
        .filter(payout::Column::IsItemised.is_null())
        .into_tuple::<i64>()
        .one(tx.conn())
        .await?
        .unwrap_or(0))
}

/// The payouts of a run, providers before the operator.
pub async fn of_run(conn: &impl ConnectionTrait, run: PayoutRunId) -> Result<Vec<payout::Model>> {
    Ok(payout::Entity::find()
        .filter(payout::Column::RunId.eq(run))
        .order_by_desc(payout::Column::Recipient)
        .order_by_asc(payout::Column::Id)
        .all(conn)
        .await?)
}

/// Payouts that may be handed to the processor now, at most `limit`.
pub async fn due_to_submit(conn: &impl ConnectionTrait, now: OffsetDateTime, limit: u64) -> Result<Vec<PayoutId>> {
    Ok(payout::Entity::find()
        .select_only()
        .column(payout::Column::Id)
        .filter(payout::Column::NextTryAt.is_not_null())
        .filter(payout::Column::NextTryAt.lte(Timestamp(now)))
        .order_by_asc(payout::Column::NextTryAt)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Takes a payout under a lease; nothing when it is not due, or somebody else's.
pub async fn lease(tx: &Tx, id: PayoutId, now: OffsetDateTime, until: OffsetDateTime) -> Result<Option<payout::Model>> {
    let mut rows = payout::Entity::update_many()
        .col_expr(payout::Column::NextTryAt, Expr::value(Some(Timestamp(until))))
        .col_expr(payout::Column::State, Expr::value(PayoutState::Created))
        .filter(payout::Column::Id.eq(id))
        .filter(payout::Column::NextTryAt.lte(Timestamp(now)))
        .filter(payout::Column::State.is_in([PayoutState::Created, PayoutState::Failed]))
        .exec_with_returning(tx.conn())
        .await?;
    Ok(rows.pop())
}

/// What came of asking the processor.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It took the payout, under this reference.
    Taken(String),
    /// A definitive no with its reason; another attempt may follow at that time.
    Refused(String, OffsetDateTime),
    /// No answer; the same attempt is made again at that time.
    Unknown(OffsetDateTime),
}

/// Writes down what came of an attempt, unless the payout has moved on since.
pub async fn note_outcome(tx: &Tx, row: &payout::Model, outcome: &Outcome) -> Result<()> {
    let update = payout::Entity::update_many()
        .filter(payout::Column::Id.eq(row.id))
        .filter(payout::Column::Attempt.eq(row.attempt))
        .filter(payout::Column::State.eq(PayoutState::Created));
    let later = |at: &OffsetDateTime| Expr::value(Some(Timestamp(*at)));
    let update = match outcome {
        Outcome::Taken(processor_ref) => update
            .col_expr(payout::Column::State, Expr::value(PayoutState::Submitted))
            .col_expr(payout::Column::ProcessorRef, Expr::value(Some(processor_ref.clone())))
            .col_expr(payout::Column::FailureText, Expr::value(Option::<String>::None))
            .col_expr(payout::Column::NextTryAt, Expr::value(Option::<Timestamp>::None)),
        Outcome::Refused(text, at) => update
            .col_expr(payout::Column::State, Expr::value(PayoutState::Failed))
            .col_expr(payout::Column::Attempt, Expr::col(payout::Column::Attempt).add(1))
            .col_expr(payout::Column::FailureText, Expr::value(Some(text.chars().take(400).collect::<String>())))
            .col_expr(payout::Column::NextTryAt, later(at)),
        Outcome::Unknown(at) => update.col_expr(payout::Column::NextTryAt, later(at)),
    };
    update.exec(tx.conn()).await?;
    Ok(())
}

/// Makes a failed payout due now; false when it is not failed.
pub async fn make_due(tx: &Tx, id: PayoutId, now: OffsetDateTime) -> Result<bool> {
    let updated = payout::Entity::update_many()
        .col_expr(payout::Column::NextTryAt, Expr::value(Some(Timestamp(now))))
        .filter(payout::Column::Id.eq(id))
        .filter(payout::Column::State.eq(PayoutState::Failed))
        .filter(payout::Column::IsItemised.is_null())
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Marks the payout as paid that exactly this money left for; nothing when there is none that waits for it.
pub async fn mark_paid(
    tx: &Tx,
    id: PayoutId,
    recipient: PayoutRecipient,
    sent: Money,
    processor_ref: &str,
    at: OffsetDateTime,
) -> Result<Option<payout::Model>> {
    let mut rows = payout::Entity::update_many()
        .col_expr(payout::Column::State, Expr::value(PayoutState::Paid))
        .col_expr(payout::Column::ProcessorRef, Expr::value(Some(processor_ref.to_owned())))
        .col_expr(payout::Column::FailureText, Expr::value(Option::<String>::None))
        .col_expr(payout::Column::NextTryAt, Expr::value(Option::<Timestamp>::None))
        .col_expr(payout::Column::PaidAt, Expr::value(Some(Timestamp(at))))
        .filter(payout::Column::Id.eq(id))
        .filter(payout::Column::Recipient.eq(recipient))
        .filter(payout::Column::AmountMinor.eq(sent.minor))
        .filter(payout::Column::Currency.eq(sent.currency.code()))
        .filter(payout::Column::State.ne(PayoutState::Paid))
        .exec_with_returning(tx.conn())
        .await?;
    Ok(rows.pop())
}

/// Marks an operator's payout as come back; it waits for a person to try it again.
pub async fn mark_returned(tx: &Tx, id: PayoutId) -> Result<()> {
    payout::Entity::update_many()
        .col_expr(payout::Column::State, Expr::value(PayoutState::Failed))
        .col_expr(payout::Column::Attempt, Expr::col(payout::Column::Attempt).add(1))
        .col_expr(payout::Column::FailureText, Expr::value(Some("The bank sent the payout back.")))
        .col_expr(payout::Column::NextTryAt, Expr::value(Option::<Timestamp>::None))
        .col_expr(payout::Column::PaidAt, Expr::value(Option::<Timestamp>::None))
        .filter(payout::Column::Id.eq(id))
        .filter(payout::Column::Recipient.eq(PayoutRecipient::Operator))
        .filter(payout::Column::State.is_in([PayoutState::Submitted, PayoutState::Paid]))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// A payout, of anybody's or of one organisation's.
pub async fn find(conn: &impl ConnectionTrait, id: PayoutId, of: Option<OrgId>) -> Result<Option<payout::Model>> {
    let mut query = payout::Entity::find_by_id(id);
    if let Some(org) = of {
        query = query.filter(payout::Column::OrganizationId.eq(org));
    }
    Ok(query.one(conn).await?)
}

/// Payouts, newest first, of everybody's or of one organisation's.
pub async fn list(
    conn: &impl ConnectionTrait,
    of: Option<OrgId>,
    state: Option<PayoutState>,
    before: Option<PayoutId>,
    limit: u64,
) -> Result<Vec<payout::Model>> {
    let mut query = payout::Entity::find().order_by_desc(payout::Column::Id).limit(limit);
    if let Some(org) = of {
        query = query.filter(payout::Column::OrganizationId.eq(org));
    }
    if let Some(state) = state {
        query = query.filter(payout::Column::State.eq(state));
    }
    if let Some(before) = before {
        query = query.filter(payout::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}

/// The orders a payout carries, oldest first.
pub async fn items(
    conn: &impl ConnectionTrait,
    payout: PayoutId,
    after: Option<OrderId>,
    limit: u64,
) -> Result<Vec<payout_item::Model>> {
    let mut query = payout_item::Entity::find()
        .filter(payout_item::Column::PayoutId.eq(payout))
        .order_by_asc(payout_item::Column::OrderId)
        .limit(limit);
    if let Some(after) = after {
        query = query.filter(payout_item::Column::OrderId.gt(after));
    }
    Ok(query.all(conn).await?)
}
