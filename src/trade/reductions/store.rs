//! Reductions in the database.

use std::collections::HashMap;

use entity::{
    Timestamp,
    ids::{LedgerAccountId, OrderId},
    order_reduction,
    states::{DisputeBearer, ReductionKind},
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _, QueryOrder as _,
    sea_query::Expr,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Parts, Taken};
use crate::{db::Tx, error::Result, ledger, trade::orders::OrderFacts};

/// What active reductions have taken of each line of the order, in the order of its lines.
pub async fn active(conn: &impl ConnectionTrait, facts: &OrderFacts) -> Result<Vec<Parts>> {
    let rows = order_reduction::Entity::find()
        .filter(order_reduction::Column::OrderId.eq(facts.order.id))
        .filter(order_reduction::Column::UndoneAt.is_null())
        .all(conn)
        .await?;
    let of = |line: &entity::order_line::Model| {
        let mut parts = Parts {
            line_no: line.line_no,
            provider: line.provider_id,
            provider_minor: 0,
            operator_minor: 0,
            tax_minor: 0,
        };
        for row in rows.iter().filter(|row| row.line_no == line.line_no) {
            parts.provider_minor += row.provider_minor;
            parts.operator_minor += row.operator_minor;
            parts.tax_minor += row.tax_minor;
        }
        parts
    };
    Ok(facts.lines().map(of).collect())
}

/// What one refund or dispute took, line by line; nothing before it is booked.
pub async fn of_source(conn: &impl ConnectionTrait, source_id: Uuid) -> Result<Vec<Parts>> {
    let rows = order_reduction::Entity::find()
        .filter(order_reduction::Column::SourceId.eq(source_id))
        .order_by_asc(order_reduction::Column::LineNo)
        .all(conn)
        .await?;
    let part = |row: order_reduction::Model| Parts {
        line_no: row.line_no,
        provider: row.provider_id,
        provider_minor: row.provider_minor,
        operator_minor: row.operator_minor,
        tax_minor: row.tax_minor,
    };
    Ok(rows.into_iter().map(part).collect())
}

/// The sums of everything booked about an order, by account.
pub async fn order_account_sums(conn: &impl ConnectionTrait, order: OrderId) -> Result<HashMap<LedgerAccountId, i64>> {
    ledger::order_sums(conn, order).await
}

/// Stores what a refund or a dispute takes.
pub async fn insert(
    tx: &Tx,
    source_id: Uuid,
    kind: ReductionKind,
    order_id: OrderId,
    taken: &[Taken],
    now: OffsetDateTime,
) -> Result<()> {
    let rows = taken.iter().map(|taken| {
        let row = order_reduction::Model {
            source_id,
            line_no: taken.part.line_no,
            kind,
            order_id,
            provider_id: taken.part.provider,
            provider_minor: taken.part.provider_minor,
            operator_minor: taken.part.operator_minor,
            tax_minor: taken.part.tax_minor,
            debt_minor: taken.debt_minor,
            undone_debt_minor: 0,
            recovery_asked_at: None,
            created_at: Timestamp(now),
            undone_at: None,
            bearer: None,
        };
        row.into_active_model()
    });
    order_reduction::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// The rows of a reduction that was undone.
pub type Undone = Vec<order_reduction::Model>;

/// Says who bears these lines of a lost dispute. Where it is the operator, the provider keeps its part, and debts are
/// given up that nothing was asked for yet.
pub async fn bear(
    tx: &Tx,
    source_id: Uuid,
    line_nos: &[i32],
    bearer: DisputeBearer,
    now: OffsetDateTime,
) -> Result<Vec<order_reduction::Model>> {
    if bearer == DisputeBearer::Operator {
        give_up_debts(tx, source_id, Some(line_nos), now).await?;
    }
    Ok(order_reduction::Entity::update_many()
        .col_expr(order_reduction::Column::Bearer, Expr::value(Some(bearer)))
        .filter(order_reduction::Column::SourceId.eq(source_id))
        .filter(order_reduction::Column::LineNo.is_in(line_nos.iter().copied()))
        .filter(order_reduction::Column::UndoneAt.is_null())
        .exec_with_returning(tx.conn())
        .await?)
}

/// Gives up what nothing was asked for yet, of some lines or of all.
async fn give_up_debts(tx: &Tx, source_id: Uuid, line_nos: Option<&[i32]>, now: OffsetDateTime) -> Result<()> {
    let mut update = order_reduction::Entity::update_many()
        .col_expr(order_reduction::Column::UndoneDebtMinor, Expr::col(order_reduction::Column::DebtMinor))
        .col_expr(order_reduction::Column::RecoveryAskedAt, Expr::value(Some(Timestamp(now))))
        .filter(order_reduction::Column::SourceId.eq(source_id))
        .filter(order_reduction::Column::UndoneAt.is_null())
        .filter(order_reduction::Column::RecoveryAskedAt.is_null());
    if let Some(line_nos) = line_nos {
        update = update.filter(order_reduction::Column::LineNo.is_in(line_nos.iter().copied()));
    }
    update.exec(tx.conn()).await?;
    Ok(())
}

/// Undoes a reduction and gives up debts that nothing was asked for yet; nothing when it was undone before.
///
/// A debt that the provider's account was asked for stays: whether the money came back is not known
/// here, so the share becomes payable again and the next payout sets the two off.
pub async fn undo(tx: &Tx, source_id: Uuid, now: OffsetDateTime) -> Result<Undone> {
    give_up_debts(tx, source_id, None, now).await?;
    let undone = order_reduction::Entity::update_many()
        .col_expr(order_reduction::Column::UndoneAt, Expr::value(Some(Timestamp(now))))
        .filter(order_reduction::Column::SourceId.eq(source_id))
        .filter(order_reduction::Column::UndoneAt.is_null())
        .exec(tx.conn())
        .await?
        .rows_affected;
    if undone == 0 {
        return Ok(Vec::new());
    }
    Ok(order_reduction::Entity::find()
        .filter(order_reduction::Column::SourceId.eq(source_id))
        .order_by_asc(order_reduction::Column::LineNo)
        .all(tx.conn())
        .await?)
}
