//! Refunds in the database.

use entity::{
    Timestamp,
    ids::{OrderId, OrgId, RefundId},
    order_line, refund,
    states::{RefundOrigin, RefundState},
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, Query},
};
use time::OffsetDateTime;

use super::model::OPEN;
use crate::{db::Tx, error::Result};

pub async fn insert(tx: &Tx, row: refund::Model) -> Result<()> {
    refund::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Writes a refund as it is now; the caller holds the lock on its order.
pub async fn replace(tx: &Tx, row: refund::Model) -> Result<()> {
    let id = row.id;
    refund::Entity::update_many()
        .set(row.into_active_model().reset_all())
        .filter(refund::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

pub async fn find(conn: &impl ConnectionTrait, id: RefundId) -> Result<Option<refund::Model>> {
    Ok(refund::Entity::find_by_id(id).one(conn).await?)
}

/// Who sold something of an order, each once.
pub async fn providers_of(conn: &impl ConnectionTrait, order: OrderId) -> Result<Vec<OrgId>> {
    let lines = order_line::Entity::find().filter(order_line::Column::OrderId.eq(order));
    let mut providers: Vec<OrgId> =
        lines.select_only().column(order_line::Column::ProviderId).into_tuple().all(conn).await?;
    providers.sort_unstable();
    providers.dedup();
    Ok(providers)
}

/// Refunds of an order that were approved, whatever came of them, in the order of their decisions.
pub async fn decided_of(tx: &Tx, order: OrderId) -> Result<Vec<refund::Model>> {
    Ok(refund::Entity::find()
        .filter(refund::Column::OrderId.eq(order))
        .filter(refund::Column::State.is_not_in([RefundState::Requested, RefundState::Escalated]))
        .filter(refund::Column::State.is_not_in([RefundState::Declined, RefundState::Withdrawn]))
        .filter(refund::Column::Origin.ne(RefundOrigin::ClosedOrder))
        .order_by_asc(refund::Column::DecidedAt)
        .order_by_asc(refund::Column::Id)
        .all(tx.conn())
        .await?)
}

/// Sum of the requests of an order that nobody has decided yet.
pub async fn open_requests_minor(conn: &impl ConnectionTrait, order: OrderId) -> Result<i64> {
    Ok(refund::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)"))
        .filter(refund::Column::OrderId.eq(order))
        .filter(refund::Column::State.is_in(OPEN))
        .into_tuple::<i64>()
        .one(conn)
        .await?
        .unwrap_or(0))
}

/// Which refunds to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Only of orders of this buyer.
    pub buyer: Option<OrgId>,
    /// Only of orders that this organisation sold something of.
    pub provider: Option<OrgId>,
    pub order: Option<OrderId>,
    pub state: Option<RefundState>,
    pub before: Option<RefundId>,
}

pub async fn list(conn: &impl ConnectionTrait, wanted: Wanted, limit: usize) -> Result<Vec<refund::Model>> {
    let mut query =
        refund::Entity::find().order_by_desc(refund::Column::Id).limit(u64::try_from(limit).unwrap_or(u64::MAX));
    if let Some(buyer) = wanted.buyer {
        query = query.filter(refund::Column::BuyerId.eq(buyer));
    }
    if let Some(provider) = wanted.provider {
        let sold = Query::select()
            .column(order_line::Column::OrderId)
            .from(order_line::Entity)
            .and_where(Expr::col(order_line::Column::ProviderId).eq(provider.0))
            .to_owned();
        query = query.filter(refund::Column::OrderId.in_subquery(sold));
    }
    if let Some(order) = wanted.order {
        query = query.filter(refund::Column::OrderId.eq(order));
    }
    if let Some(state) = wanted.state {
        query = query.filter(refund::Column::State.eq(state));
    }
    if let Some(before) = wanted.before {
        query = query.filter(refund::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}

/// Requests whose time to answer is over.
pub async fn overdue(conn: &impl ConnectionTrait, now: OffsetDateTime, limit: u64) -> Result<Vec<RefundId>> {
    Ok(refund::Entity::find()
        .select_only()
        .column(refund::Column::Id)
        .filter(refund::Column::State.eq(RefundState::Requested))
        .filter(refund::Column::AnswerDueAt.lte(Timestamp(now)))
        .order_by_asc(refund::Column::AnswerDueAt)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Passes requests on; returns those that still waited.
pub async fn escalate(tx: &Tx, ids: &[RefundId]) -> Result<Vec<refund::Model>> {
    Ok(refund::Entity::update_many()
        .col_expr(refund::Column::State, Expr::value(RefundState::Escalated))
        .filter(refund::Column::Id.is_in(ids.iter().copied()))
        .filter(refund::Column::State.eq(RefundState::Requested))
        .exec_with_returning(tx.conn())
        .await?)
}

/// Refunds that may be handed to the processor now, at most `limit`.
pub async fn due_to_submit(conn: &impl ConnectionTrait, now: OffsetDateTime, limit: u64) -> Result<Vec<RefundId>> {
    Ok(refund::Entity::find()
        .select_only()
        .column(refund::Column::Id)
        .filter(refund::Column::NextTryAt.is_not_null())
        .filter(refund::Column::NextTryAt.lte(Timestamp(now)))
        .order_by_asc(refund::Column::NextTryAt)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Takes a refund under a lease; nothing when it is not due, or somebody else's.
pub async fn lease(tx: &Tx, id: RefundId, now: OffsetDateTime, until: OffsetDateTime) -> Result<Option<refund::Model>> {
    let mut rows = refund::Entity::update_many()
        .col_expr(refund::Column::NextTryAt, Expr::value(Some(Timestamp(until))))
        .filter(refund::Column::Id.eq(id))
        .filter(refund::Column::NextTryAt.lte(Timestamp(now)))
        .filter(refund::Column::State.eq(RefundState::Approved))
        .exec_with_returning(tx.conn())
        .await?;
    Ok(rows.pop())
}

/// Notes that the processor took it, unless it has moved on since.
pub async fn note_taken(tx: &Tx, id: RefundId, processor_ref: &str) -> Result<()> {
    refund::Entity::update_many()
        .col_expr(refund::Column::State, Expr::value(RefundState::Submitted))
        .col_expr(refund::Column::ProcessorRef, Expr::value(Some(processor_ref.to_owned())))
        .col_expr(refund::Column::FailureText, Expr::value(Option::<String>::None))
        .col_expr(refund::Column::NextTryAt, Expr::value(Option::<Timestamp>::None))
        .filter(refund::Column::Id.eq(id))
        .filter(refund::Column::State.eq(RefundState::Approved))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Notes that the attempt was refused and another follows, or that it has no answer yet.
pub async fn note_later(tx: &Tx, row: &refund::Model, refused: Option<&str>, at: OffsetDateTime) -> Result<()> {
    let mut update = refund::Entity::update_many()
        .col_expr(refund::Column::NextTryAt, Expr::value(Some(Timestamp(at))))
        .filter(refund::Column::Id.eq(row.id))
        .filter(refund::Column::Attempt.eq(row.attempt))
        .filter(refund::Column::State.eq(RefundState::Approved));
    if let Some(text) = refused {
        update = update
            .col_expr(refund::Column::Attempt, Expr::col(refund::Column::Attempt).add(1))
            .col_expr(refund::Column::FailureText, Expr::value(Some(shortened(text))));
    }
    update.exec(tx.conn()).await?;
    Ok(())
}

fn shortened(text: &str) -> String {
    text.chars().take(400).collect()
}

/// Marks a refund as failed; nothing when it was before, or is not decided.
pub async fn mark_failed(tx: &Tx, id: RefundId, text: &str) -> Result<Option<refund::Model>> {
    let mut rows = refund::Entity::update_many()
        .col_expr(refund::Column::State, Expr::value(RefundState::Failed))
        .col_expr(refund::Column::FailureText, Expr::value(Some(shortened(text))))
        .col_expr(refund::Column::NextTryAt, Expr::value(Option::<Timestamp>::None))
        .filter(refund::Column::Id.eq(id))
        .filter(refund::Column::State.is_in([RefundState::Approved, RefundState::Submitted, RefundState::Paid]))
        .exec_with_returning(tx.conn())
        .await?;
    Ok(rows.pop())
}

/// Marks a refund as paid that exactly this money left for; nothing when there is none that waits for it.
pub async fn mark_paid(
    tx: &Tx,
    id: RefundId,
    sent: crate::base::Money,
    processor_ref: &str,
    at: OffsetDateTime,
) -> Result<Option<refund::Model>> {
    let mut rows = refund::Entity::update_many()
        .col_expr(refund::Column::State, Expr::value(RefundState::Paid))
        .col_expr(refund::Column::ProcessorRef, Expr::value(Some(processor_ref.to_owned())))
        .col_expr(refund::Column::FailureText, Expr::value(Option::<String>::None))
        .col_expr(refund::Column::NextTryAt, Expr::value(Option::<Timestamp>::None))
        .col_expr(refund::Column::PaidAt, Expr::value(Some(Timestamp(at))))
        .filter(refund::Column::Id.eq(id))
        .filter(refund::Column::AmountMinor.eq(sent.minor))
        .filter(refund::Column::Currency.eq(sent.currency.code()))
        .filter(refund::Column::State.is_in([RefundState::Approved, RefundState::Submitted]))
        .exec_with_returning(tx.conn())
        .await?;
    Ok(rows.pop())
}

/// Orders of these of which somebody has asked for a refund that is not decided yet.
///
/// # Errors
/// Those of the database.
pub async fn orders_with_requests(conn: &impl ConnectionTrait, orders: &[OrderId]) -> Result<Vec<OrderId>> {
    Ok(refund::Entity::find()
        .select_only()
        .column(refund::Column::OrderId)
        .filter(refund::Column::OrderId.is_in(orders.iter().copied()))
        .filter(refund::Column::State.is_in(OPEN))
        .distinct()
        .into_tuple()
        .all(conn)
        .await?)
}
