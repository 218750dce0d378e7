//! Documents, their series, and what waits for its documents, in the database.

use entity::{
    Timestamp, dispute, document, document_series, documented_order, documented_reduction,
    ids::{DocumentId, OrderId, OrgId},
    order, order_reduction, payment, refund,
    states::{DisputeState, DocumentKind, OrderState, RefundState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _, LockType, OnConflict, Query},
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    db::Tx,
    error::{Error, Result},
};

/// The number that the next document of a series gets; other transactions wait for this one's end, so that a number
/// taken and rolled back is given to the next.
pub async fn take_number(tx: &Tx, issuer: OrgId, kind: DocumentKind, year: i32) -> Result<i64> {
    let first =
        document_series::ActiveModel { issuer_id: Set(issuer), kind: Set(kind), year: Set(year), next_number: Set(1) };
    document_series::Entity::insert(first)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    let row = document_series::Entity::find_by_id((issuer, kind, year)).lock(LockType::Update).one(tx.conn()).await?;
    let row = row.ok_or_else(|| Error::internal("a series that was just made"))?;
    document_series::Entity::update_many()
        .col_expr(document_series::Column::NextNumber, Expr::col(document_series::Column::NextNumber).add(1))
        .filter(document_series::Column::IssuerId.eq(issuer))
        .filter(document_series::Column::Kind.eq(kind))
        .filter(document_series::Column::Year.eq(year))
        .exec(tx.conn())
        .await?;
    Ok(row.next_number)
}

pub async fn insert(tx: &Tx, row: document::Model) -> Result<()> {
    document::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Paid orders without documents, the first closed first, from the one `after` on.
///
/// The filter repeats the condition of the partial index `idx_orders_undocumented` word for word.
pub async fn orders_due(
    conn: &impl ConnectionTrait,
    after: Option<(Timestamp, OrderId)>,
    limit: u64,
) -> Result<Vec<(Timestamp, OrderId)>> {
    use documented_order::Column::{ClosedAt, Id};
    let beyond = after.map_or_else(Condition::all, |(at, id)| {
        Condition::any().add(ClosedAt.gt(at)).add(Condition::all().add(ClosedAt.eq(at)).add(Id.gt(id)))
    });
    Ok(documented_order::Entity::find()
        .select_only()
        .columns([ClosedAt, Id])
        .filter(Expr::cust("documents_issued_at IS NULL AND state = 'completed' AND total_minor > 0"))
        .filter(ClosedAt.is_not_null())
        .filter(beyond)
        .order_by_asc(ClosedAt)
        .order_by_asc(Id)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Marks an order as documented; false when it was.
pub async fn claim_order(tx: &Tx, id: OrderId, now: OffsetDateTime) -> Result<bool> {
    let done = documented_order::Entity::update_many()
        .col_expr(documented_order::Column::DocumentsIssuedAt, Expr::value(Some(Timestamp(now))))
        .filter(documented_order::Column::Id.eq(id))
        .filter(documented_order::Column::DocumentsIssuedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(done.rows_affected == 1)
}

/// Refunds that were paid and disputes that were lost, without credit notes, whose order has its invoices; in the order
/// of their decision.
pub async fn reductions_due(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<(Uuid, OrderId)>> {
    use documented_reduction::Column::{CreatedAt, DocumentsIssuedAt, OrderId as Order, SourceId, UndoneAt};
    let refunded = refund::Entity::find()
        .select_only()
        .column(refund::Column::Id)
        .filter(refund::Column::State.eq(RefundState::Paid))
        .into_query();
    let lost = dispute::Entity::find()
        .select_only()
        .column(dispute::Column::Id)
        .filter(dispute::Column::State.eq(DisputeState::Lost))
        .into_query();
    let invoiced = documented_order::Entity::find()
        .select_only()
        .column(documented_order::Column::Id)
        .filter(documented_order::Column::DocumentsIssuedAt.is_not_null())
        .into_query();
    let rows: Vec<(Uuid, OrderId, Timestamp)> = documented_reduction::Entity::find()
        .select_only()
        .columns([SourceId, Order])
        .expr(Expr::col(CreatedAt).min())
        .filter(DocumentsIssuedAt.is_null())
        .filter(UndoneAt.is_null())
        .filter(Condition::any().add(SourceId.in_subquery(refunded)).add(SourceId.in_subquery(lost)))
        .filter(Order.in_subquery(invoiced))
        .group_by(SourceId)
        .group_by(Order)
        .order_by_asc(Expr::col(CreatedAt).min())
        .order_by_asc(SourceId)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|(source, order, _)| (source, order)).collect())
}

/// What a reduction takes of each line.
pub async fn parts_of(conn: &impl ConnectionTrait, source: Uuid) -> Result<Vec<order_reduction::Model>> {
    Ok(order_reduction::Entity::find()
        .filter(order_reduction::Column::SourceId.eq(source))
        .order_by_asc(order_reduction::Column::LineNo)
        .all(conn)
        .await?)
}

/// Refunds that were undone after their credit notes were issued, and whose correction was not.
pub async fn corrections_due(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<(Uuid, OrderId)>> {
    use documented_reduction::Column::{OrderId as Order, SourceId};
    Ok(documented_reduction::Entity::find()
        .select_only()
        .columns([SourceId, Order])
        // Word for word the condition of the partial index `idx_order_reduction_uncorrected`.
        .filter(Expr::cust(
            "documents_issued_at IS NOT NULL AND undone_at IS NOT NULL AND correction_issued_at IS NULL",
        ))
        .group_by(SourceId)
        .group_by(Order)
        .order_by_asc(SourceId)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Marks an undone reduction as corrected; false when it was.
///
/// # Errors
/// As [`claim_reduction`].
pub async fn claim_correction(tx: &Tx, source: Uuid, order: OrderId, seen: usize, now: OffsetDateTime) -> Result<bool> {
    require_seen(tx, order, seen).await?;
    let done = documented_reduction::Entity::update_many()
        .col_expr(documented_reduction::Column::CorrectionIssuedAt, Expr::value(Some(Timestamp(now))))
        .filter(documented_reduction::Column::SourceId.eq(source))
        .filter(documented_reduction::Column::DocumentsIssuedAt.is_not_null())
        .filter(documented_reduction::Column::UndoneAt.is_not_null())
        .filter(documented_reduction::Column::CorrectionIssuedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(done.rows_affected > 0)
}

/// Credit notes and corrections of one order are issued one after the other.
async fn require_seen(tx: &Tx, order: OrderId, seen: usize) -> Result<()> {
    order::Entity::find_by_id(order).lock(LockType::NoKeyUpdate).one(tx.conn()).await?;
    if of_order(tx.conn(), order).await?.len() != seen {
        return Err(Error::conflict("Another document of this order was issued in between."));
    }
    Ok(())
}

/// Marks a reduction as documented; false when it was, or was undone.
///
/// # Errors
/// `Conflict` when the order has other documents than the `seen` ones that the credit notes were planned from.
pub async fn claim_reduction(tx: &Tx, source: Uuid, order: OrderId, seen: usize, now: OffsetDateTime) -> Result<bool> {
    require_seen(tx, order, seen).await?;
    let done = documented_reduction::Entity::update_many()
        .col_expr(documented_reduction::Column::DocumentsIssuedAt, Expr::value(Some(Timestamp(now))))
        .filter(documented_reduction::Column::SourceId.eq(source))
        .filter(documented_reduction::Column::DocumentsIssuedAt.is_null())
        .filter(documented_reduction::Column::UndoneAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(done.rows_affected > 0)
}

/// Orders that wait to be paid by purchase order or bank transfer and have no pro forma.
pub async fn pro_formas_due(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<OrderId>> {
    let instructed = payment::Entity::find()
        .select_only()
        .column(payment::Column::OrderId)
        .filter(payment::Column::Action.is_not_null())
        .into_query();
    let issued = Query::select()
        .column(document::Column::OrderId)
        .from(document::Entity)
        .and_where(document::Column::Kind.eq(DocumentKind::ProForma))
        .to_owned();
    Ok(order::Entity::find()
        .select_only()
        .column(order::Column::Id)
        .filter(order::Column::State.eq(OrderState::AwaitingPayment))
        .filter(
            Condition::any()
                .add(order::Column::PurchaseOrder.is_not_null())
                .add(order::Column::Id.in_subquery(instructed)),
        )
        .filter(order::Column::Id.not_in_subquery(issued))
        .order_by_asc(order::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Takes the order's row, so that one process alone writes its pro formas; false when they are there or too late.
pub async fn claim_pro_forma(tx: &Tx, id: OrderId) -> Result<bool> {
    let order = order::Entity::find_by_id(id).lock(LockType::NoKeyUpdate).one(tx.conn()).await?;
    if order.is_none_or(|order| order.state != OrderState::AwaitingPayment) {
        return Ok(false);
    }
    let issued = of_order(tx.conn(), id).await?;
    Ok(!issued.iter().any(|row| row.kind == DocumentKind::ProForma))
}

/// All documents of an order, oldest first.
pub async fn of_order(conn: &impl ConnectionTrait, id: OrderId) -> Result<Vec<document::Model>> {
    Ok(document::Entity::find()
        .filter(document::Column::OrderId.eq(id))
        .order_by_asc(document::Column::Id)
        .all(conn)
        .await?)
}

/// Which documents to list.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Documents this organisation is a party of; all without it, which is for the operator.
    pub party: Option<OrgId>,
    pub order: Option<OrderId>,
    pub kind: Option<DocumentKind>,
    pub before: Option<DocumentId>,
}

impl Wanted {
    fn condition(self) -> Condition {
        let party = self
            .party
            .map(|org| Condition::any().add(document::Column::SellerId.eq(org)).add(document::Column::BuyerId.eq(org)));
        Condition::all()
            .add_option(party)
            .add_option(self.order.map(|order| document::Column::OrderId.eq(order)))
            .add_option(self.kind.map(|kind| document::Column::Kind.eq(kind)))
            .add_option(self.before.map(|before| document::Column::Id.lt(before)))
    }
}

/// Documents, the newest first.
pub async fn list(conn: &impl ConnectionTrait, wanted: Wanted, limit: u64) -> Result<Vec<document::Model>> {
    Ok(document::Entity::find()
        .filter(wanted.condition())
        .order_by_desc(document::Column::Id)
        .limit(limit)
        .all(conn)
        .await?)
}

/// One document, as far as `wanted` lets it be seen.
pub async fn find(conn: &impl ConnectionTrait, id: DocumentId, wanted: Wanted) -> Result<document::Model> {
    let found = document::Entity::find_by_id(id).filter(wanted.condition()).one(conn).await?;
    found.ok_or_else(|| Error::not_found("document"))
}
