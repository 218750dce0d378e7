//! Reversals, and the debts they are asked for.

use std::collections::HashMap;

use entity::{
    Timestamp,
    ids::{OrderId, OrgId, PayoutId, ReversalId},
    order, order_reduction, payout, payout_item, reversal,
    states::{PayoutRecipient, ReversalState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _},
};
use time::OffsetDateTime;

use super::model::Room;
use crate::{base::Money, db::Tx, error::Result};

/// Reversals that may still take money from the provider's account.
const IN_FLIGHT: [ReversalState; 2] = [ReversalState::Created, ReversalState::Submitted];

/// Debts that nobody has asked for yet, oldest first.
pub async fn debts_to_recover(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<order_reduction::Model>> {
    Ok(order_reduction::Entity::find()
        .filter(Expr::cust("debt_minor > 0 AND recovery_asked_at IS NULL"))
        .order_by_asc(order_reduction::Column::CreatedAt)
        .limit(limit)
        .all(conn)
        .await?)
}

/// The currency of an order.
pub async fn currency_of(conn: &impl ConnectionTrait, id: OrderId) -> Result<Option<String>> {
    let currency = order::Entity::find_by_id(id).select_only().column(order::Column::Currency);
    Ok(currency.into_tuple().one(conn).await?)
}

/// Claims a debt; false when somebody else did, or it was given up.
pub async fn claim_debt(tx: &Tx, debt: &order_reduction::Model, now: OffsetDateTime) -> Result<bool> {
    let updated = order_reduction::Entity::update_many()
        .col_expr(order_reduction::Column::RecoveryAskedAt, Expr::value(Some(Timestamp(now))))
        .filter(order_reduction::Column::SourceId.eq(debt.source_id))
        .filter(order_reduction::Column::LineNo.eq(debt.line_no))
        .filter(order_reduction::Column::RecoveryAskedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// What transfers carried of a provider's share of an order, oldest first, less what is or was taken back.
pub async fn rooms(tx: &Tx, order: OrderId, provider: OrgId) -> Result<Vec<Room>> {
    let to_payout =
        payout_item::Entity::belongs_to(payout::Entity).from(payout_item::Column::PayoutId).to(payout::Column::Id);
    let items: Vec<payout_item::Model> = payout_item::Entity::find()
        .join(JoinType::InnerJoin, to_payout.into())
        .filter(payout_item::Column::OrderId.eq(order))
        .filter(payout::Column::OrganizationId.eq(provider))
        .filter(payout::Column::Recipient.eq(PayoutRecipient::Provider))
        .order_by_asc(payout_item::Column::PayoutId)
        .all(tx.conn())
        .await?;
    let taken: Vec<reversal::Model> = reversal::Entity::find()
        .filter(reversal::Column::OrderId.eq(order))
        .filter(reversal::Column::State.ne(ReversalState::Refused))
        .all(tx.conn())
        .await?;
    let gone = |id: PayoutId| taken.iter().filter(|row| row.payout_id == id).map(|row| row.amount_minor).sum::<i64>();
    let room =
        |item: payout_item::Model| Room { payout: item.payout_id, minor: item.amount_minor - gone(item.payout_id) };
    Ok(items.into_iter().map(room).collect())
}

pub async fn insert(tx: &Tx, row: reversal::Model) -> Result<()> {
    reversal::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// What may still be taken back from a provider's account about each order: asked for or not, it can't
/// be set off against anything else.
pub async fn in_flight(conn: &impl ConnectionTrait, provider: OrgId, currency: &str) -> Result<HashMap<OrderId, i64>> {
    let mut of: HashMap<OrderId, i64> = HashMap::new();
    let asked: Vec<(OrderId, i64)> = reversal::Entity::find()
        .select_only()
        .columns([reversal::Column::OrderId, reversal::Column::AmountMinor])
        .filter(reversal::Column::OrganizationId.eq(provider))
        .filter(reversal::Column::Currency.eq(currency))
        .filter(reversal::Column::State.is_in(IN_FLIGHT))
        .into_tuple()
        .all(conn)
        .await?;
    let unasked: Vec<(OrderId, i64)> = order_reduction::Entity::find()
        .select_only()
        .columns([order_reduction::Column::OrderId, order_reduction::Column::DebtMinor])
        .filter(order_reduction::Column::ProviderId.eq(provider))
        .filter(Expr::cust("debt_minor > 0 AND recovery_asked_at IS NULL"))
        .into_tuple()
        .all(conn)
        .await?;
    for (order, minor) in asked.into_iter().chain(unasked) {
        *of.entry(order).or_default() += minor;
    }
    Ok(of)
}

/// Reversals in a state whose time has come, at most `limit`: those to be handed to the processor, and refused ones to
/// be asked for again.
pub async fn due(
    conn: &impl ConnectionTrait,
    state: ReversalState,
    now: OffsetDateTime,
    limit: u64,
) -> Result<Vec<ReversalId>> {
    Ok(reversal::Entity::find()
        .select_only()
        .column(reversal::Column::Id)
        .filter(reversal::Column::NextTryAt.is_not_null())
        .filter(reversal::Column::NextTryAt.lte(Timestamp(now)))
        .filter(reversal::Column::State.eq(state))
        .order_by_asc(reversal::Column::NextTryAt)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Takes a reversal under a lease; nothing when it is not due, or somebody else's.
pub async fn lease(
    tx: &Tx,
    id: ReversalId,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Option<reversal::Model>> {
    let mut rows = reversal::Entity::update_many()
        .col_expr(reversal::Column::NextTryAt, Expr::value(Some(Timestamp(until))))
        .filter(reversal::Column::Id.eq(id))
        .filter(reversal::Column::NextTryAt.lte(Timestamp(now)))
        .filter(reversal::Column::State.eq(ReversalState::Created))
        .exec_with_returning(tx.conn())
        .await?;
    Ok(rows.pop())
}

/// The transfer that a payout left as; nothing while it has not left.
pub async fn transfer_of(conn: &impl ConnectionTrait, id: PayoutId) -> Result<Option<String>> {
    Ok(payout::Entity::find_by_id(id).one(conn).await?.and_then(|row| row.processor_ref))
}

/// What came of asking the processor.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It took the reversal, under this reference.
    Taken(String),
    /// A definitive no that another attempt can change at that time.
    Refused(String, OffsetDateTime),
    /// A definitive no that only money in the provider's account can change; asked for again at that time if it is
    /// still owed then. Until then it can be set off.
    GivenUp(String, OffsetDateTime),
    /// No answer; the same attempt is made again at that time.
    Unknown(OffsetDateTime),
}

/// Writes down what came of an attempt, unless the reversal has moved on since.
pub async fn note_outcome(tx: &Tx, row: &reversal::Model, outcome: &Outcome) -> Result<()> {
    let update = reversal::Entity::update_many()
        .filter(reversal::Column::Id.eq(row.id))
        .filter(reversal::Column::Attempt.eq(row.attempt))
        .filter(reversal::Column::State.eq(ReversalState::Created));
    let text = |text: &str| Expr::value(Some(text.chars().take(400).collect::<String>()));
    let later = |at: &OffsetDateTime| Expr::value(Some(Timestamp(*at)));
    let never = || Expr::value(Option::<Timestamp>::None);
    let update = match outcome {
        Outcome::Taken(processor_ref) => update
            .col_expr(reversal::Column::State, Expr::value(ReversalState::Submitted))
            .col_expr(reversal::Column::ProcessorRef, Expr::value(Some(processor_ref.clone())))
            .col_expr(reversal::Column::NextTryAt, never()),
        Outcome::Refused(words, at) => update
            .col_expr(reversal::Column::Attempt, Expr::col(reversal::Column::Attempt).add(1))
            .col_expr(reversal::Column::FailureText, text(words))
            .col_expr(reversal::Column::NextTryAt, later(at)),
        Outcome::GivenUp(words, at) => update
            .col_expr(reversal::Column::State, Expr::value(ReversalState::Refused))
            .col_expr(reversal::Column::FailureText, text(words))
            .col_expr(reversal::Column::NextTryAt, later(at)),
        Outcome::Unknown(at) => update.col_expr(reversal::Column::NextTryAt, later(at)),
    };
    update.exec(tx.conn()).await?;
    Ok(())
}

/// Marks a reversal as done that exactly this money came back for.
pub async fn mark_done(
    tx: &Tx,
    id: ReversalId,
    came: Money,
    processor_ref: &str,
    at: OffsetDateTime,
) -> Result<Option<reversal::Model>> {
    let mut rows = reversal::Entity::update_many()
        .col_expr(reversal::Column::State, Expr::value(ReversalState::Done))
        .col_expr(reversal::Column::ProcessorRef, Expr::value(Some(processor_ref.to_owned())))
        .col_expr(reversal::Column::FailureText, Expr::value(Option::<String>::None))
        .col_expr(reversal::Column::NextTryAt, Expr::value(Option::<Timestamp>::None))
        .col_expr(reversal::Column::DoneAt, Expr::value(Some(Timestamp(at))))
        .filter(reversal::Column::Id.eq(id))
        .filter(reversal::Column::AmountMinor.eq(came.minor))
        .filter(reversal::Column::Currency.eq(came.currency.code()))
        .filter(reversal::Column::State.ne(ReversalState::Done))
        .exec_with_returning(tx.conn())
        .await?;
    Ok(rows.pop())
}

/// A reversal.
pub async fn find(conn: &impl ConnectionTrait, id: ReversalId) -> Result<Option<reversal::Model>> {
    Ok(reversal::Entity::find_by_id(id).one(conn).await?)
}

/// Makes a refused reversal one to be handed over now, over `minor`, with its next attempt; the caller holds the lock
/// on the currency.
pub async fn reopen(tx: &Tx, row: &reversal::Model, minor: i64, now: OffsetDateTime) -> Result<()> {
    reversal::Entity::update_many()
        .col_expr(reversal::Column::State, Expr::value(ReversalState::Created))
        .col_expr(reversal::Column::AmountMinor, Expr::value(minor))
        .col_expr(reversal::Column::Attempt, Expr::col(reversal::Column::Attempt).add(1))
        .col_expr(reversal::Column::NextTryAt, Expr::value(Some(Timestamp(now))))
        .filter(reversal::Column::Id.eq(row.id))
        .filter(reversal::Column::State.eq(ReversalState::Refused))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Puts the next look at a refused reversal off; for good without a time.
pub async fn postpone(tx: &Tx, id: ReversalId, until: Option<OffsetDateTime>) -> Result<()> {
    reversal::Entity::update_many()
        .col_expr(reversal::Column::NextTryAt, Expr::value(until.map(Timestamp)))
        .filter(reversal::Column::Id.eq(id))
        .filter(reversal::Column::State.eq(ReversalState::Refused))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Has refused reversals of whoever this payout went to looked at now: its account holds money again.
pub async fn hasten(tx: &Tx, id: PayoutId, now: OffsetDateTime) -> Result<()> {
    let Some(row) = payout::Entity::find_by_id(id).one(tx.conn()).await? else { return Ok(()) };
    reversal::Entity::update_many()
        .col_expr(reversal::Column::NextTryAt, Expr::value(Some(Timestamp(now))))
        .filter(reversal::Column::OrganizationId.eq(row.organization_id))
        .filter(reversal::Column::Currency.eq(row.currency))
        .filter(reversal::Column::State.eq(ReversalState::Refused))
        .filter(reversal::Column::NextTryAt.is_not_null())
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Which reversals to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Only of this provider.
    pub provider: Option<OrgId>,
    pub order: Option<OrderId>,
    pub state: Option<ReversalState>,
    pub before: Option<ReversalId>,
}

/// Reversals, the newest first.
pub async fn list(conn: &impl ConnectionTrait, wanted: Wanted, limit: u64) -> Result<Vec<reversal::Model>> {
    let condition = Condition::all()
        .add_option(wanted.provider.map(|org| reversal::Column::OrganizationId.eq(org)))
        .add_option(wanted.order.map(|order| reversal::Column::OrderId.eq(order)))
        .add_option(wanted.state.map(|state| reversal::Column::State.eq(state)))
        .add_option(wanted.before.map(|before| reversal::Column::Id.lt(before)));
    Ok(reversal::Entity::find().filter(condition).order_by_desc(reversal::Column::Id).limit(limit).all(conn).await?)
}

/// Reversals by their ids.
pub async fn find_all(conn: &impl ConnectionTrait, ids: &[ReversalId]) -> Result<Vec<reversal::Model>> {
    Ok(reversal::Entity::find().filter(reversal::Column::Id.is_in(ids.iter().copied())).all(conn).await?)
}
