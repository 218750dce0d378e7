//! Payments without a door, and doors without a payment.

use entity::{
    grant,
    ids::{GrantId, OrderId},
    order, payment,
    states::{OrderState, PaymentState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, Query},
};

use super::{
    after_sale,
    model::{About, DifferenceClass, Findings},
    service::{PAGE_ROWS, Period},
};
use crate::{base::Money, error::Result, settlement::currency};

pub async fn check(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    check_payments(conn, period, findings).await?;
    check_grants(conn, period, findings).await
}

/// Payments that succeeded while their order did not.
async fn check_payments(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    let of_order =
        payment::Entity::belongs_to(order::Entity).from(payment::Column::OrderId).to(order::Column::Id).into();
    let mut after = None;
    let stray = payment::Entity::find()
        .join(JoinType::InnerJoin, of_order)
        .filter(payment::Column::State.eq(PaymentState::Succeeded))
        .filter(payment::Column::SettledAt.gte(period.from))
        .filter(payment::Column::SettledAt.lt(period.until))
        .filter(order::Column::State.ne(OrderState::Completed))
        .order_by_asc(payment::Column::Id)
        .limit(PAGE_ROWS);
    loop {
        let mut query = stray.clone();
        if let Some(after) = after {
            query = query.filter(payment::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        let given_back = after_sale::given_back(conn, page.iter().map(|row| row.order_id)).await?;
        for row in page.into_iter().filter(|row| !given_back.contains(&row.id)) {
            let about = About { payment_id: Some(row.id), ..About::order(row.order_id) };
            let paid = Money::new(row.amount_minor, currency(&row.currency)?);
            let sentence = "The payment succeeded, and its order was not completed.";
            findings.differ(DifferenceClass::PaymentWithoutGrant, about, paid, sentence);
        }
    }
}

/// Grants of orders that are not completed, or that cost something nobody paid.
async fn check_grants(conn: &impl ConnectionTrait, period: Period, findings: &mut Findings) -> Result<()> {
    let paid = Query::select()
        .expr(Expr::val(1))
        .from(payment::Entity)
        .and_where(
            Expr::col((payment::Entity, payment::Column::OrderId)).equals((grant::Entity, grant::Column::OrderId)),
        )
        .and_where(Expr::col((payment::Entity, payment::Column::State)).eq(PaymentState::Succeeded.as_str()))
        .to_owned();
    let unpaid = Condition::all().add(order::Column::TotalMinor.gt(0)).add(Expr::exists(paid).not());
    let of_order = grant::Entity::belongs_to(order::Entity).from(grant::Column::OrderId).to(order::Column::Id).into();
    let mut after = None;
    let stray = grant::Entity::find()
        .select_only()
        .columns([grant::Column::Id, grant::Column::OrderId])
        .columns([order::Column::TotalMinor, order::Column::Currency])
        .join(JoinType::InnerJoin, of_order)
        .filter(grant::Column::StartsAt.gte(period.from))
        .filter(grant::Column::StartsAt.lt(period.until))
        .filter(Condition::any().add(order::Column::State.ne(OrderState::Completed)).add(unpaid))
        .order_by_asc(grant::Column::Id)
        .limit(PAGE_ROWS);
    loop {
        let mut query = stray.clone();
        if let Some(after) = after {
            query = query.filter(grant::Column::Id.gt(after));
        }
        let page: Vec<(GrantId, OrderId, i64, String)> = query.into_tuple().all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.0);
        for (id, order, total_minor, code) in page {
            let about = About { grant_id: Some(id), ..About::order(order) };
            let sentence = "The grant opens a door that no completed and paid order is behind.";
            let price = Money::new(total_minor, currency(&code)?);
            findings.differ(DifferenceClass::GrantWithoutPayment, about, price, sentence);
        }
    }
}
