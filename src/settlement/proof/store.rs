//! Leaves, nodes, heads and keys in the database.

use entity::{
    Timestamp,
    ids::{OrderId, OrgId},
    order, order_line, proof_head, proof_key, proof_leaf, proof_node, proof_progress,
    states::{OrderState, ProofKind},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, LockType, OnConflict, Query},
};
use torv_receipt::merkle::Node;

use super::model::Orders;
use crate::{
    db::Tx,
    error::{Error, Result},
};

/// The one row of `proof_progress`.
const PROGRESS_ID: i32 = 1;
/// Rows of one insert; both databases limit the parameters of a statement.
const ROWS_PER_INSERT: usize = 500;

/// How far the ledger has been read.
pub async fn progress(conn: &impl ConnectionTrait) -> Result<proof_progress::Model> {
    proof_progress::Entity::find_by_id(PROGRESS_ID).one(conn).await?.ok_or_else(lost)
}

/// The same, locked until the transaction ends: one process appends at a time (SQLite has one writer anyway).
pub async fn lock_progress(tx: &Tx) -> Result<proof_progress::Model> {
    let query = proof_progress::Entity::find_by_id(PROGRESS_ID).lock(LockType::NoKeyUpdate);
    query.one(tx.conn()).await?.ok_or_else(lost)
}

fn lost() -> Error {
    Error::internal("the row of proof_progress is missing")
}

/// Writes down how far the ledger has been read.
pub async fn save_progress(tx: &Tx, to: proof_progress::Model) -> Result<()> {
    let row = proof_progress::ActiveModel {
        size: Set(to.size),
        seal_number: Set(to.seal_number),
        free_closed_at: Set(to.free_closed_at),
        ..Default::default()
    };
    let update = proof_progress::Entity::update_many().set(row).filter(proof_progress::Column::Id.eq(PROGRESS_ID));
    update.exec(tx.conn()).await?;
    Ok(())
}

/// Free orders that were completed from `since` on and have no leaf, oldest first.
///
/// The filter repeats the condition of the partial index `idx_orders_free` word for word.
pub async fn free_orders(conn: &impl ConnectionTrait, since: Timestamp, limit: u64) -> Result<Vec<order::Model>> {
    let leaf = Query::select()
        .expr(Expr::val(1))
        .from(proof_leaf::Entity)
        .and_where(
            Expr::col((proof_leaf::Entity, proof_leaf::Column::OrderId)).equals((order::Entity, order::Column::Id)),
        )
        .and_where(Expr::col((proof_leaf::Entity, proof_leaf::Column::Kind)).eq(ProofKind::Sale.as_str()))
        .to_owned();
    Ok(order::Entity::find()
        .filter(Expr::cust("state = 'completed' AND total_minor = 0"))
        .filter(order::Column::ClosedAt.gte(since))
        .filter(Expr::exists(leaf).not())
        .order_by_asc(order::Column::ClosedAt)
        .order_by_asc(order::Column::Id)
        .limit(limit)
        .all(conn)
        .await?)
}

/// Completed orders with their lines.
pub async fn orders(conn: &impl ConnectionTrait, ids: &[OrderId]) -> Result<Orders> {
    let mut of = Orders::new();
    for chunk in ids.chunks(ROWS_PER_INSERT) {
        let rows = order::Entity::find()
            .filter(order::Column::Id.is_in(chunk.iter().copied()))
            .filter(order::Column::State.eq(OrderState::Completed))
            .all(conn)
            .await?;
        of.extend(rows.into_iter().map(|row| (row.id, (row, Vec::new()))));
        let lines = order_line::Entity::find()
            .filter(order_line::Column::OrderId.is_in(chunk.iter().copied()))
            .order_by_asc(order_line::Column::LineNo)
            .all(conn)
            .await?;
        for line in lines {
            if let Some((_, lines)) = of.get_mut(&line.order_id) {
                lines.push(line);
            }
        }
    }
    Ok(of)
}

/// Appends leaves and nodes.
pub async fn insert(tx: &Tx, leaves: Vec<proof_leaf::Model>, nodes: Vec<proof_node::Model>) -> Result<()> {
    for chunk in leaves.chunks(ROWS_PER_INSERT) {
        let rows = chunk.iter().cloned().map(proof_leaf::Model::into_active_model);
        proof_leaf::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    }
    for chunk in nodes.chunks(ROWS_PER_INSERT) {
        let rows = chunk.iter().cloned().map(proof_node::Model::into_active_model);
        proof_node::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// The nodes at these places; at most a few for each level of the tree.
pub async fn nodes(conn: &impl ConnectionTrait, wanted: &[Node]) -> Result<Vec<proof_node::Model>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut places = Condition::any();
    for node in wanted {
        let (level, position) = place(*node)?;
        let here = Condition::all().add(proof_node::Column::Level.eq(level));
        places = places.add(here.add(proof_node::Column::Position.eq(position)));
    }
    Ok(proof_node::Entity::find().filter(places).all(conn).await?)
}

/// A node's place as it is stored.
pub fn place(node: Node) -> Result<(i32, i64)> {
    Ok((i32::try_from(node.level).map_err(Error::internal)?, i64::try_from(node.index).map_err(Error::internal)?))
}

/// The leaves of an order, the sale first.
pub async fn leaves_of(conn: &impl ConnectionTrait, id: OrderId) -> Result<Vec<proof_leaf::Model>> {
    let query = proof_leaf::Entity::find()
        .filter(proof_leaf::Column::OrderId.eq(id))
        .order_by_asc(proof_leaf::Column::Position);
    Ok(query.all(conn).await?)
}

/// Leaves from a position on, in order.
pub async fn leaves_from(conn: &impl ConnectionTrait, position: i64, limit: u64) -> Result<Vec<proof_leaf::Model>> {
    let query = proof_leaf::Entity::find()
        .filter(proof_leaf::Column::Position.gte(position))
        .order_by_asc(proof_leaf::Column::Position)
        .limit(limit);
    Ok(query.all(conn).await?)
}

/// The newest head.
pub async fn newest_head(conn: &impl ConnectionTrait) -> Result<Option<proof_head::Model>> {
    Ok(proof_head::Entity::find().order_by_desc(proof_head::Column::Number).one(conn).await?)
}

/// The first head that covers the leaf at `position`.
pub async fn head_over(conn: &impl ConnectionTrait, position: i64) -> Result<Option<proof_head::Model>> {
    let query = proof_head::Entity::find()
        .filter(proof_head::Column::Size.gt(position))
        .order_by_asc(proof_head::Column::Size)
        .order_by_asc(proof_head::Column::Number);
    Ok(query.one(conn).await?)
}

/// The last head of a day.
pub async fn head_of_day(conn: &impl ConnectionTrait, day: &str) -> Result<Option<proof_head::Model>> {
    let query =
        proof_head::Entity::find().filter(proof_head::Column::Day.eq(day)).order_by_desc(proof_head::Column::Number);
    Ok(query.one(conn).await?)
}

/// The last head of each day, newest first.
pub async fn daily_heads(
    conn: &impl ConnectionTrait,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<proof_head::Model>> {
    let last = Query::select()
        .expr(Expr::cust("MAX(number)"))
        .from(proof_head::Entity)
        .group_by_col(proof_head::Column::Day)
        .to_owned();
    let mut query = proof_head::Entity::find()
        .filter(proof_head::Column::Number.in_subquery(last))
        .order_by_desc(proof_head::Column::Number)
        .limit(u64::try_from(limit).unwrap_or(u64::MAX));
    if let Some(before) = before {
        query = query.filter(proof_head::Column::Number.lt(before));
    }
    Ok(query.all(conn).await?)
}

/// Heads after a number, in order.
pub async fn heads_after(conn: &impl ConnectionTrait, number: i64, limit: u64) -> Result<Vec<proof_head::Model>> {
    let query = proof_head::Entity::find()
        .filter(proof_head::Column::Number.gt(number))
        .order_by_asc(proof_head::Column::Number)
        .limit(limit);
    Ok(query.all(conn).await?)
}

/// Stores a signed head.
pub async fn insert_head(tx: &Tx, row: proof_head::Model) -> Result<()> {
    proof_head::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// All keys there have ever been, newest first: one each year.
pub async fn keys(conn: &impl ConnectionTrait) -> Result<Vec<proof_key::Model>> {
    Ok(proof_key::Entity::find().order_by_desc(proof_key::Column::Number).all(conn).await?)
}

/// Adds a key, unless another process has just added one under the same number.
pub async fn insert_key(tx: &Tx, row: proof_key::Model) -> Result<()> {
    proof_key::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(proof_key::Column::Number).do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(())
}

/// True when the organisation bought, or sells something of, the order.
pub async fn is_party(conn: &impl ConnectionTrait, id: OrderId, org: OrgId) -> Result<bool> {
    let bought = order::Entity::find_by_id(id).filter(order::Column::BuyerId.eq(org)).one(conn).await?;
    if bought.is_some() {
        return Ok(true);
    }
    let sold = order_line::Entity::find()
        .filter(order_line::Column::OrderId.eq(id))
        .filter(order_line::Column::ProviderId.eq(org));
    Ok(sold.one(conn).await?.is_some())
}
