//! Paid orders whose hold runs.

use std::collections::HashMap;

use entity::{
    Timestamp, dispute,
    ids::OrderId,
    order, order_line, refund,
    states::{DisputeState, OrderState, RefundState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, Query, SelectStatement},
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result};

/// Orders whose last hold is over by `now`, longest over first.
///
/// The filter repeats the condition of the partial index `idx_orders_held` word for word, so that the
/// database reads only orders whose hold runs.
pub async fn due(conn: &impl ConnectionTrait, now: OffsetDateTime, limit: u64) -> Result<Vec<OrderId>> {
    let held_longer = Query::select()
        .expr(Expr::val(1))
        .from(order_line::Entity)
        .and_where(
            Expr::col((order_line::Entity, order_line::Column::OrderId)).equals((order::Entity, order::Column::Id)),
        )
        .and_where(Expr::cust("orders.closed_at + order_line.hold_days * 86400000000").gt(now_micros(now)))
        .to_owned();
    Ok(order::Entity::find()
        .select_only()
        .column(order::Column::Id)
        .filter(Expr::cust("hold_ended_at IS NULL AND state = 'completed' AND total_minor > 0"))
        .filter(order::Column::ClosedAt.lte(Timestamp(now)))
        .filter(Expr::exists(held_longer).not())
        .filter(Expr::exists(asked_back()).not())
        .filter(Expr::exists(disputed()).not())
        .order_by_asc(order::Column::ClosedAt)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// A request for a refund that nobody has decided.
fn asked_back() -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(refund::Entity)
        .and_where(Expr::col((refund::Entity, refund::Column::OrderId)).equals((order::Entity, order::Column::Id)))
        .and_where(
            Expr::col((refund::Entity, refund::Column::State))
                .is_in([RefundState::Requested, RefundState::Escalated].map(RefundState::as_str)),
        )
        .to_owned()
}

/// A dispute that no bank has decided.
fn disputed() -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(dispute::Entity)
        .and_where(Expr::col((dispute::Entity, dispute::Column::OrderId)).equals((order::Entity, order::Column::Id)))
        .and_where(
            Expr::col((dispute::Entity, dispute::Column::State))
                .is_in([DisputeState::NeedsResponse, DisputeState::UnderReview].map(DisputeState::as_str)),
        )
        .to_owned()
}

fn now_micros(now: OffsetDateTime) -> i64 {
    Timestamp(now).micros()
}

/// The lines of these orders.
pub async fn lines_of(
    conn: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Vec<order_line::Model>>> {
    let mut of: HashMap<OrderId, Vec<order_line::Model>> = HashMap::new();
    let rows = order_line::Entity::find()
        .filter(order_line::Column::OrderId.is_in(orders.iter().copied()))
        .order_by_asc(order_line::Column::OrderId)
        .order_by_asc(order_line::Column::LineNo)
        .all(conn)
        .await?;
    for row in rows {
        of.entry(row.order_id).or_default().push(row);
    }
    Ok(of)
}

/// Marks holds as ended; returns the orders that were still held: they are the caller's to book.
///
/// The orders are locked first, and looked at again after that: a request or a dispute that came in
/// between holds the share.
pub async fn claim(tx: &Tx, orders: &[OrderId], now: OffsetDateTime) -> Result<Vec<order::Model>> {
    order::Entity::find()
        .filter(order::Column::Id.is_in(orders.iter().copied()))
        .order_by_asc(order::Column::Id)
        .lock_exclusive()
        .all(tx.conn())
        .await?;
    Ok(order::Entity::update_many()
        .col_expr(order::Column::HoldEndedAt, Expr::value(Some(Timestamp(now))))
        .filter(order::Column::Id.is_in(orders.iter().copied()))
        .filter(order::Column::State.eq(OrderState::Completed))
        .filter(order::Column::HoldEndedAt.is_null())
        .filter(Expr::exists(asked_back()).not())
        .filter(Expr::exists(disputed()).not())
        .exec_with_returning(tx.conn())
        .await?)
}
