//! Parts of fees that providers bear, and what they are taken from.

use std::collections::HashMap;

use entity::{
    fee_share,
    ids::{OrderId, PaymentId},
    order, order_line, payment, posting, processor_transaction,
    states::{FeeBearer, OrderState, PaymentState},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, LockType, OnConflict, Query},
};

use crate::{
    base::Currency,
    db::Tx,
    error::{Error, Result},
    ledger::Account,
    ports::payments::TransactionKind,
};

/// Completed and paid orders of which a provider bears the fee and whose fee is not booked, by id.
pub async fn unbooked(conn: &impl ConnectionTrait, after: Option<OrderId>, limit: u64) -> Result<Vec<OrderId>> {
    let booked = Query::select()
        .expr(Expr::val(1))
        .from(fee_share::Entity)
        .and_where(
            Expr::col((fee_share::Entity, fee_share::Column::OrderId))
                .equals((order_line::Entity, order_line::Column::OrderId)),
        )
        .to_owned();
    let mut query = order_line::Entity::find()
        .select_only()
        .column(order_line::Column::OrderId)
        .distinct()
        .join(
            sea_orm::JoinType::InnerJoin,
            order_line::Entity::belongs_to(order::Entity)
                .from(order_line::Column::OrderId)
                .to(order::Column::Id)
                .into(),
        )
        // As text, so that the partial index `idx_order_line_fee_bearer` is taken.
        .filter(Expr::cust(format!("fee_bearer = '{}'", FeeBearer::Provider)))
        .filter(order::Column::State.eq(OrderState::Completed))
        .filter(order::Column::TotalMinor.gt(0))
        .filter(Expr::exists(booked).not())
        .order_by_asc(order_line::Column::OrderId)
        .limit(limit);
    if let Some(after) = after {
        query = query.filter(order_line::Column::OrderId.gt(after));
    }
    Ok(query.into_tuple().all(conn).await?)
}

/// The processor's line for the payment of each of these orders, where it is known.
pub async fn charge_lines(
    conn: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, processor_transaction::Model>> {
    let paid: Vec<(PaymentId, OrderId)> = payment::Entity::find()
        .select_only()
        .columns([payment::Column::Id, payment::Column::OrderId])
        .filter(payment::Column::OrderId.is_in(orders.iter().copied()))
        .filter(payment::Column::State.eq(PaymentState::Succeeded))
        .into_tuple()
        .all(conn)
        .await?;
    let of: HashMap<String, OrderId> = paid.into_iter().map(|(payment, order)| (payment.to_string(), order)).collect();
    let lines = processor_transaction::Entity::find()
        .filter(processor_transaction::Column::OurRef.is_in(of.keys()))
        .filter(processor_transaction::Column::Kind.eq(TransactionKind::Charge.as_str()))
        .all(conn)
        .await?;
    let order =
        |line: &processor_transaction::Model| line.our_ref.as_ref().and_then(|payment| of.get(payment)).copied();
    Ok(lines.into_iter().filter_map(|line| Some((order(&line)?, line))).collect())
}

/// The lines of an order, in their order.
pub async fn order_lines(conn: &impl ConnectionTrait, id: OrderId) -> Result<Vec<order_line::Model>> {
    let query =
        order_line::Entity::find().filter(order_line::Column::OrderId.eq(id)).order_by_asc(order_line::Column::LineNo);
    Ok(query.all(conn).await?)
}

/// Locks an order, so that its hold can't end meanwhile.
pub async fn lock_order(tx: &Tx, id: OrderId) -> Result<order::Model> {
    let query = order::Entity::find_by_id(id).lock(LockType::NoKeyUpdate);
    query.one(tx.conn()).await?.ok_or_else(|| Error::internal(format!("{id} does not exist")))
}

/// Stores the parts; false when they were stored before.
pub async fn claim(tx: &Tx, parts: Vec<fee_share::Model>) -> Result<bool> {
    let rows = parts.into_iter().map(fee_share::Model::into_active_model);
    let written = fee_share::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(written > 0)
}

/// What the order has on an account, in minor units; credits positive.
pub async fn standing(tx: &Tx, order: OrderId, account: &Account, currency: Currency) -> Result<i64> {
    let sum: Option<i64> = posting::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(COALESCE(-SUM(amount_minor), 0) AS BIGINT)"))
        .filter(posting::Column::OrderId.eq(order))
        .filter(posting::Column::AccountId.eq(account.id(currency)))
        .into_tuple()
        .one(tx.conn())
        .await?;
    Ok(sum.unwrap_or(0))
}

/// The booked parts of these orders.
pub async fn of_orders(
    conn: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<HashMap<OrderId, Vec<fee_share::Model>>> {
    let mut of: HashMap<OrderId, Vec<fee_share::Model>> = HashMap::new();
    let rows = fee_share::Entity::find().filter(fee_share::Column::OrderId.is_in(orders.iter().copied()));
    for row in rows.all(conn).await? {
        of.entry(row.order_id).or_default().push(row);
    }
    Ok(of)
}
