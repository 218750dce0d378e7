//! Disputes in the database, and the records that speak for a sale.

use std::collections::HashSet;

use entity::{
    Timestamp, delivery, dispute, dispute_cost, grant,
    ids::{DisputeId, GrantId, ListingId, OrderId, OrgId},
    listing, order_line, order_reduction, processor_transaction,
    states::DisputeState,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, Query},
};
use time::OffsetDateTime;

use super::model::OPEN;
use crate::{db::Tx, error::Result};

pub async fn insert(tx: &Tx, row: dispute::Model) -> Result<()> {
    dispute::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Writes a dispute as it is now; the caller holds the lock on its order.
pub async fn replace(tx: &Tx, row: dispute::Model) -> Result<()> {
    let id = row.id;
    dispute::Entity::update_many()
        .set(row.into_active_model().reset_all())
        .filter(dispute::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

pub async fn find(conn: &impl ConnectionTrait, id: DisputeId) -> Result<Option<dispute::Model>> {
    Ok(dispute::Entity::find_by_id(id).one(conn).await?)
}

/// A dispute by the processor's own name for it.
pub async fn by_ref(
    conn: &impl ConnectionTrait,
    processor: &str,
    processor_ref: &str,
) -> Result<Option<dispute::Model>> {
    Ok(dispute::Entity::find()
        .filter(dispute::Column::Processor.eq(processor))
        .filter(dispute::Column::ProcessorRef.eq(processor_ref))
        .one(conn)
        .await?)
}

/// True while a bank decides about the order's payment.
///
/// # Errors
/// Those of the database.
pub async fn is_open(conn: &impl ConnectionTrait, order: OrderId) -> Result<bool> {
    Ok(!orders_in_dispute(conn, &[order]).await?.is_empty())
}

/// Which of these orders a bank decides about.
///
/// # Errors
/// Those of the database.
pub async fn orders_in_dispute(conn: &impl ConnectionTrait, orders: &[OrderId]) -> Result<HashSet<OrderId>> {
    Ok(dispute::Entity::find()
        .select_only()
        .column(dispute::Column::OrderId)
        .filter(dispute::Column::OrderId.is_in(orders.iter().copied()))
        .filter(dispute::Column::State.is_in(OPEN))
        .into_tuple::<OrderId>()
        .all(conn)
        .await?
        .into_iter()
        .collect())
}

/// All disputes about an order, the first first.
pub async fn all_of(tx: &Tx, order: OrderId) -> Result<Vec<dispute::Model>> {
    let query = dispute::Entity::find().filter(dispute::Column::OrderId.eq(order)).order_by_asc(dispute::Column::Id);
    Ok(query.all(tx.conn()).await?)
}

/// Writes down what providers bear beyond their parts.
pub async fn insert_costs(tx: &Tx, costs: Vec<dispute_cost::Model>) -> Result<()> {
    let rows = costs.into_iter().map(dispute_cost::Model::into_active_model);
    dispute_cost::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Lost disputes whose fee a provider owes, by id.
pub async fn fees_due(
    conn: &impl ConnectionTrait,
    after: Option<DisputeId>,
    limit: u64,
) -> Result<Vec<dispute::Model>> {
    let mut query = dispute::Entity::find()
        .filter(dispute::Column::FeeDueAt.is_not_null())
        .order_by_asc(dispute::Column::Id)
        .limit(limit);
    if let Some(after) = after {
        query = query.filter(dispute::Column::Id.gt(after));
    }
    Ok(query.all(conn).await?)
}

/// Claims the fee of a dispute; false when somebody booked it.
pub async fn claim_fee(tx: &Tx, id: DisputeId) -> Result<bool> {
    let updated = dispute::Entity::update_many()
        .col_expr(dispute::Column::FeeDueAt, Expr::value(Option::<Timestamp>::None))
        .filter(dispute::Column::Id.eq(id))
        .filter(dispute::Column::FeeDueAt.is_not_null())
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// The processor's line that took the money of a dispute, once it is imported.
pub async fn line_of(
    conn: &impl ConnectionTrait,
    row: &dispute::Model,
) -> Result<Option<processor_transaction::Model>> {
    Ok(processor_transaction::Entity::find()
        .filter(processor_transaction::Column::SourceRef.eq(row.processor_ref.as_str()))
        // As text, so that the partial index `idx_processor_dispute_lines` is taken.
        .filter(Expr::cust("kind = 'dispute'"))
        .order_by_asc(processor_transaction::Column::Id)
        .one(conn)
        .await?)
}

/// The lines of orders, for who bears a dispute about them.
pub async fn lines_of(conn: &impl ConnectionTrait, orders: Vec<OrderId>) -> Result<Vec<order_line::Model>> {
    let query = order_line::Entity::find().filter(order_line::Column::OrderId.is_in(orders));
    Ok(query.order_by_asc(order_line::Column::LineNo).all(conn).await?)
}

/// What a dispute takes that was not won.
pub async fn reductions_of(conn: &impl ConnectionTrait, id: DisputeId) -> Result<Vec<order_reduction::Model>> {
    Ok(order_reduction::Entity::find()
        .filter(order_reduction::Column::SourceId.eq(id.0))
        .filter(order_reduction::Column::UndoneAt.is_null())
        .order_by_asc(order_reduction::Column::LineNo)
        .all(conn)
        .await?)
}

/// Open disputes that the processor is to be asked about; the earliest opening, if there are any.
pub async fn earliest_to_poll(conn: &impl ConnectionTrait, now: OffsetDateTime) -> Result<Option<Timestamp>> {
    Ok(dispute::Entity::find()
        .select_only()
        .column(dispute::Column::OpenedAt)
        .filter(dispute::Column::NextPollAt.is_not_null())
        .filter(dispute::Column::NextPollAt.lte(Timestamp(now)))
        .order_by_asc(dispute::Column::OpenedAt)
        .limit(1)
        .into_tuple()
        .one(conn)
        .await?)
}

/// The earliest line of a dispute that nobody has told of: its webhook was lost.
pub async fn earliest_untold(conn: &impl ConnectionTrait, since: OffsetDateTime) -> Result<Option<Timestamp>> {
    let told = Query::select()
        .expr(Expr::val(1))
        .from(dispute::Entity)
        .and_where(
            Expr::col((dispute::Entity, dispute::Column::ProcessorRef))
                .equals((processor_transaction::Entity, processor_transaction::Column::SourceRef)),
        )
        .to_owned();
    Ok(processor_transaction::Entity::find()
        .select_only()
        .column(processor_transaction::Column::CreatedAt)
        .filter(Expr::cust("kind = 'dispute'"))
        .filter(processor_transaction::Column::CreatedAt.gte(Timestamp(since)))
        .filter(Expr::exists(told).not())
        .order_by_asc(processor_transaction::Column::CreatedAt)
        .limit(1)
        .into_tuple()
        .one(conn)
        .await?)
}

/// Puts the next question about these off.
pub async fn polled(tx: &Tx, now: OffsetDateTime, next: OffsetDateTime) -> Result<()> {
    dispute::Entity::update_many()
        .col_expr(dispute::Column::NextPollAt, Expr::value(Some(Timestamp(next))))
        .filter(dispute::Column::NextPollAt.is_not_null())
        .filter(dispute::Column::NextPollAt.lte(Timestamp(now)))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Which disputes to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Only of orders that this organisation sold something of.
    pub provider: Option<OrgId>,
    pub state: Option<DisputeState>,
    pub before: Option<DisputeId>,
}

pub async fn list(conn: &impl ConnectionTrait, wanted: Wanted, limit: usize) -> Result<Vec<dispute::Model>> {
    let mut query =
        dispute::Entity::find().order_by_desc(dispute::Column::Id).limit(u64::try_from(limit).unwrap_or(u64::MAX));
    if let Some(provider) = wanted.provider {
        let sold = Query::select()
            .column(order_line::Column::OrderId)
            .from(order_line::Entity)
            .and_where(Expr::col(order_line::Column::ProviderId).eq(provider.0))
            .to_owned();
        query = query.filter(dispute::Column::OrderId.in_subquery(sold));
    }
    if let Some(state) = wanted.state {
        query = query.filter(dispute::Column::State.eq(state));
    }
    if let Some(before) = wanted.before {
        query = query.filter(dispute::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}

/// The grants of an order.
pub async fn grants_of(conn: &impl ConnectionTrait, order: OrderId) -> Result<Vec<grant::Model>> {
    Ok(grant::Entity::find().filter(grant::Column::OrderId.eq(order)).all(conn).await?)
}

/// Listings by their ids.
pub async fn listings(conn: &impl ConnectionTrait, ids: Vec<ListingId>) -> Result<Vec<listing::Model>> {
    Ok(listing::Entity::find().filter(listing::Column::Id.is_in(ids)).all(conn).await?)
}

/// What was delivered under these grants: the latest deliveries, and how many there are.
pub async fn deliveries(
    conn: &impl ConnectionTrait,
    grants: Vec<GrantId>,
    limit: u64,
) -> Result<(Vec<delivery::Model>, u64)> {
    let query = delivery::Entity::find().filter(delivery::Column::GrantId.is_in(grants));
    let count = query.clone().count(conn).await?;
    let rows = query.order_by_desc(delivery::Column::Id).limit(limit).all(conn).await?;
    Ok((rows, count))
}
