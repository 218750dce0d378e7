//! Attempts to pay, in the database.

use entity::{
    Timestamp,
    ids::{OrderId, PaymentId},
    order, payment, refund,
    states::{OrderState, PaymentState, RefundOrigin},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{CaseStatement, Expr, ExprTrait as _, Query},
};
use time::OffsetDateTime;

use crate::{
    db::Tx,
    error::{Error, Result},
    ports::payments::{Charge, ChargeState},
};

/// States in which an attempt may still take the buyer's money.
pub(in crate::trade) const IN_FLIGHT: [PaymentState; 3] =
    [PaymentState::Created, PaymentState::ActionRequired, PaymentState::Processing];

pub(in crate::trade) async fn insert(tx: &Tx, payment: payment::Model) -> Result<()> {
    payment::Entity::insert(payment.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Writes several attempts in one statement.
pub(in crate::trade) async fn insert_all(tx: &Tx, payments: Vec<payment::Model>) -> Result<()> {
    if payments.is_empty() {
        return Ok(());
    }
    let rows = payments.into_iter().map(IntoActiveModel::into_active_model);
    payment::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

pub(in crate::trade) async fn find(conn: &impl ConnectionTrait, id: PaymentId) -> Result<Option<payment::Model>> {
    Ok(payment::Entity::find_by_id(id).one(conn).await?)
}

/// All attempts of these orders, the newest of each first.
pub(in crate::trade) async fn of_orders(
    conn: &impl ConnectionTrait,
    orders: &[OrderId],
) -> Result<Vec<payment::Model>> {
    Ok(payment::Entity::find()
        .filter(payment::Column::OrderId.is_in(orders.iter().copied()))
        .order_by_desc(payment::Column::Attempt)
        .all(conn)
        .await?)
}

/// The attempt that paid a completed order; one whose money came when the order was closed already went
/// back by itself, and does not count.
///
/// # Errors
/// Those of the database.
pub async fn that_paid(conn: &impl ConnectionTrait, order: OrderId) -> Result<Option<payment::Model>> {
    let given_back = Query::select()
        .column(refund::Column::PaymentId)
        .from(refund::Entity)
        .and_where(Expr::col(refund::Column::Origin).eq(RefundOrigin::ClosedOrder.as_str()))
        .and_where(Expr::col(refund::Column::OrderId).eq(order.0))
        .to_owned();
    Ok(payment::Entity::find()
        .filter(payment::Column::OrderId.eq(order))
        .filter(payment::Column::State.eq(PaymentState::Succeeded))
        .filter(payment::Column::Id.not_in_subquery(given_back))
        .order_by_asc(payment::Column::Attempt)
        .one(conn)
        .await?)
}

/// The attempt that the processor knows by this reference.
pub(in crate::trade) async fn by_charge(
    conn: &impl ConnectionTrait,
    processor: &str,
    charge_ref: &str,
) -> Result<Option<payment::Model>> {
    Ok(payment::Entity::find()
        .filter(payment::Column::Processor.eq(processor))
        .filter(payment::Column::ProcessorRef.eq(charge_ref))
        .one(conn)
        .await?)
}

/// Brings an attempt to where the charge stands; false when it was there or beyond already.
pub(super) async fn follow(tx: &Tx, id: PaymentId, charge: &Charge, now: OffsetDateTime) -> Result<bool> {
    use PaymentState::{ActionRequired, Authorised, Created, Failed, Processing, Succeeded};
    // A failure can be overtaken by a success (the processor changed its mind), never the other way.
    let (to, from): (PaymentState, &[PaymentState]) = match &charge.state {
        ChargeState::Captured => (Succeeded, &[Created, ActionRequired, Authorised, Processing, Failed]),
        ChargeState::Authorised => (Authorised, &[Created, ActionRequired, Processing]),
        ChargeState::Processing => (Processing, &[Created, ActionRequired]),
        ChargeState::ActionRequired(_) => (ActionRequired, &[Created, Processing]),
        ChargeState::Failed { .. } | ChargeState::Voided => {
            (Failed, &[Created, ActionRequired, Authorised, Processing])
        }
    };
    let action = match &charge.state {
        ChargeState::ActionRequired(action) => Some(serde_json::to_value(action).map_err(Error::internal)?),
        _ => None,
    };
    let (code, text) = match &charge.state {
        ChargeState::Failed { code, text } => (Some(shortened(code, 64)), Some(shortened(text, 400))),
        ChargeState::Voided => (Some("voided".to_owned()), Some("The authorisation was given back.".to_owned())),
        _ => (None, None),
    };
    let settled = matches!(to, Succeeded | Failed).then_some(Timestamp(now));
    let updated = payment::Entity::update_many()
        .col_expr(payment::Column::State, Expr::value(to))
        .col_expr(payment::Column::ProcessorRef, Expr::value(Some(charge.processor_ref.clone())))
        .col_expr(payment::Column::FailureCode, Expr::value(code))
        .col_expr(payment::Column::FailureText, Expr::value(text))
        .col_expr(payment::Column::SettledAt, Expr::value(settled))
        .col_expr(payment::Column::Action, Expr::value(action))
        .filter(payment::Column::Id.eq(id))
        .filter(payment::Column::State.is_in(from.iter().copied()))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Brings several attempts to [`PaymentState::Succeeded`] in one statement; false when one was there
/// already, and then the transaction has to be given up.
pub(super) async fn follow_taken(tx: &Tx, charges: &[&Charge], now: OffsetDateTime) -> Result<bool> {
    use PaymentState::{ActionRequired, Authorised, Created, Failed, Processing, Succeeded};
    let reference = charges.iter().fold(CaseStatement::new(), |cases, charge| {
        cases.case(Expr::col(payment::Column::Id).eq(charge.payment_id.0), Expr::value(charge.processor_ref.as_str()))
    });
    let updated = payment::Entity::update_many()
        .col_expr(payment::Column::State, Expr::value(Succeeded))
        .col_expr(payment::Column::ProcessorRef, reference.into())
        .col_expr(payment::Column::FailureCode, Expr::value(None::<String>))
        .col_expr(payment::Column::FailureText, Expr::value(None::<String>))
        .col_expr(payment::Column::SettledAt, Expr::value(Some(Timestamp(now))))
        .filter(payment::Column::Id.is_in(charges.iter().map(|charge| charge.payment_id)))
        .filter(payment::Column::State.is_in([Created, ActionRequired, Authorised, Processing, Failed]))
        .exec(tx.conn())
        .await?;
    Ok(usize::try_from(updated.rows_affected).is_ok_and(|rows| rows == charges.len()))
}

/// As much of a processor's words as there is room for.
fn shortened(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// Gives an attempt up that made no charge, with the reason as code and sentence.
pub(in crate::trade) async fn give_up(
    tx: &Tx,
    id: PaymentId,
    code: &str,
    text: &str,
    now: OffsetDateTime,
) -> Result<()> {
    payment::Entity::update_many()
        .col_expr(payment::Column::State, Expr::value(PaymentState::Failed))
        .col_expr(payment::Column::FailureCode, Expr::value(Some(code)))
        .col_expr(payment::Column::FailureText, Expr::value(Some(shortened(text, 400))))
        .col_expr(payment::Column::SettledAt, Expr::value(Some(Timestamp(now))))
        .filter(payment::Column::Id.eq(id))
        .filter(payment::Column::State.eq(PaymentState::Created))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Attempts in flight since before `until`, oldest first, from the one `after` on.
pub(super) async fn stuck(
    conn: &impl ConnectionTrait,
    until: OffsetDateTime,
    after: Option<(Timestamp, PaymentId)>,
    limit: u64,
) -> Result<Vec<payment::Model>> {
    use payment::Column::{CreatedAt, Id};
    let beyond = after.map_or_else(Condition::all, |(at, id)| {
        Condition::any().add(CreatedAt.gt(at)).add(Condition::all().add(CreatedAt.eq(at)).add(Id.gt(id)))
    });
    Ok(payment::Entity::find()
        .filter(payment::Column::State.is_in(IN_FLIGHT))
        .filter(CreatedAt.lte(Timestamp(until)))
        .filter(beyond)
        .order_by_asc(CreatedAt)
        .order_by_asc(Id)
        .limit(limit)
        .all(conn)
        .await?)
}

/// Payments that wait for their buyer although the time of the order is over.
pub(super) async fn never_acted_on(
    conn: &impl ConnectionTrait,
    now: OffsetDateTime,
    limit: u64,
) -> Result<Vec<payment::Model>> {
    let over = Query::select()
        .column(order::Column::Id)
        .from(order::Entity)
        .and_where(Expr::col(order::Column::ExpiresAt).lte(Timestamp(now).micros()))
        .to_owned();
    Ok(payment::Entity::find()
        .filter(payment::Column::State.eq(PaymentState::ActionRequired))
        .filter(payment::Column::OrderId.in_subquery(over))
        .limit(limit)
        .all(conn)
        .await?)
}

/// Authorisations whose order wants them no more (to be voided) or wants them now (to be captured).
pub(super) async fn authorised(
    conn: &impl ConnectionTrait,
    orders_in: &[OrderState],
    limit: u64,
) -> Result<Vec<payment::Model>> {
    let orders = Query::select()
        .column(order::Column::Id)
        .from(order::Entity)
        .and_where(Expr::col(order::Column::State).is_in(orders_in.iter().map(|state| state.as_str())))
        .to_owned();
    Ok(payment::Entity::find()
        .filter(payment::Column::State.eq(PaymentState::Authorised))
        .filter(payment::Column::OrderId.in_subquery(orders))
        .limit(limit)
        .all(conn)
        .await?)
}
