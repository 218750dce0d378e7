//! The sums of a three-way report, each from its own rows.

use entity::{
    Timestamp, bank_line, bank_match, bank_payout, order, processor_transaction,
    states::{BankLineState, MatchSubject, OrderState},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, RelationDef, Select,
    sea_query::{Expr, ExprTrait as _},
};

use super::super::Period;
use crate::{
    base::Currency,
    error::Result,
    settlement::{bank, rows},
};

/// How many rows, and what they sum to.
pub type Counted = (i64, i64);

const COUNT: &str = "CAST(COUNT(*) AS BIGINT)";

async fn counted<E: sea_orm::EntityTrait>(
    conn: &impl ConnectionTrait,
    query: Select<E>,
    sum: &'static str,
) -> Result<Counted> {
    let query = query.select_only().expr(Expr::cust(COUNT)).expr(Expr::cust(sum));
    Ok(query.into_tuple::<Counted>().one(conn).await?.unwrap_or_default())
}

/// Completed orders of a period that were paid at the processor.
pub async fn orders(conn: &impl ConnectionTrait, currency: Currency, period: Period) -> Result<Counted> {
    let query = order::Entity::find()
        .filter(order::Column::State.eq(OrderState::Completed))
        .filter(order::Column::TotalMinor.gt(0))
        .filter(rows::is_paid_at_processor())
        .filter(order::Column::Currency.eq(currency.code()))
        .filter(order::Column::ClosedAt.gte(period.from))
        .filter(order::Column::ClosedAt.lt(period.until));
    counted(conn, query, "CAST(COALESCE(SUM(total_minor), 0) AS BIGINT)").await
}

/// The processor's lines of these kinds in a period.
pub async fn lines(conn: &impl ConnectionTrait, currency: Currency, period: Period, kinds: &[&str]) -> Result<Counted> {
    let query = processor_transaction::Entity::find()
        .filter(processor_transaction::Column::Kind.is_in(kinds.iter().copied()))
        .filter(processor_transaction::Column::Currency.eq(currency.code()))
        .filter(processor_transaction::Column::CreatedAt.gte(period.from))
        .filter(processor_transaction::Column::CreatedAt.lt(period.until));
    counted(conn, query, "CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)").await
}

fn lines_of(currency: Currency, period: Period) -> Select<bank_line::Entity> {
    bank_line::Entity::find()
        .filter(bank_line::Column::Currency.eq(currency.code()))
        .filter(bank_line::Column::BookedOn.gte(period.from))
        .filter(bank_line::Column::BookedOn.lt(period.until))
        .filter(bank::imports_seen(Expr::col((bank_line::Entity, bank_line::Column::ImportId))))
}

/// Bank lines of a period.
pub async fn bank_lines(conn: &impl ConnectionTrait, currency: Currency, period: Period) -> Result<Counted> {
    counted(conn, lines_of(currency, period), "CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)").await
}

/// Bank lines of a period in one of these states.
pub async fn bank_lines_in(
    conn: &impl ConnectionTrait,
    currency: Currency,
    period: Period,
    states: [BankLineState; 2],
) -> Result<Counted> {
    let query = lines_of(currency, period).filter(bank_line::Column::State.is_in(states));
    counted(conn, query, "CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)").await
}

fn to_parts() -> RelationDef {
    bank_line::Entity::belongs_to(bank_match::Entity).from(bank_line::Column::Id).to(bank_match::Column::LineId).into()
}

/// What bank lines of a period were booked against.
pub async fn parts(conn: &impl ConnectionTrait, currency: Currency, period: Period) -> Result<i64> {
    let query = lines_of(currency, period).join(JoinType::InnerJoin, to_parts());
    Ok(counted(conn, query, "CAST(COALESCE(SUM(bank_match.amount_minor), 0) AS BIGINT)").await?.1)
}

/// What of it is in suspense.
pub async fn suspense(conn: &impl ConnectionTrait, currency: Currency, period: Period) -> Result<i64> {
    let query = lines_of(currency, period)
        .filter(bank_line::Column::State.eq(BankLineState::Suspense))
        .join(JoinType::InnerJoin, to_parts())
        .filter(Expr::col((bank_match::Entity, bank_match::Column::Subject)).eq(MatchSubject::Suspense.as_str()));
    Ok(counted(conn, query, "CAST(COALESCE(SUM(bank_match.amount_minor), 0) AS BIGINT)").await?.1)
}

/// Payouts that were sent before the end of a period, and not settled or given back before its beginning.
pub async fn payouts(
    conn: &impl ConnectionTrait,
    currency: Currency,
    period: Period,
) -> Result<Vec<bank_payout::Model>> {
    let arrived = bank_payout::Column::SettledAt.is_null().or(bank_payout::Column::SettledAt.gte(period.from));
    let stayed = bank_payout::Column::ReturnedAt.is_null().or(bank_payout::Column::ReturnedAt.gte(period.from));
    let either = Condition::all().add(arrived).add(stayed);
    let sent_in = bank_payout::Column::SentAt.gte(period.from);
    Ok(bank_payout::Entity::find()
        .filter(bank_payout::Column::Currency.eq(currency.code()))
        .filter(bank_payout::Column::SentAt.lt(period.until))
        .filter(Condition::any().add(either).add(sent_in))
        .order_by_asc(bank_payout::Column::SentAt)
        .all(conn)
        .await?)
}

/// Booking day and what it settles, of every part of these payouts.
pub async fn arrivals(conn: &impl ConnectionTrait, payouts: &[String]) -> Result<Vec<(String, Timestamp, i64)>> {
    let mut found = Vec::new();
    for chunk in payouts.chunks(1_000) {
        let rows: Vec<(Option<String>, Timestamp, i64)> = bank_match::Entity::find()
            .select_only()
            .column(bank_match::Column::BankPayoutId)
            .column(bank_line::Column::BookedOn)
            .column(bank_match::Column::SettledMinor)
            .join(
                JoinType::InnerJoin,
                bank_match::Entity::belongs_to(bank_line::Entity)
                    .from(bank_match::Column::LineId)
                    .to(bank_line::Column::Id)
                    .into(),
            )
            .filter(bank_match::Column::BankPayoutId.is_in(chunk))
            .into_tuple()
            .all(conn)
            .await?;
        found.extend(rows.into_iter().filter_map(|(id, day, minor)| Some((id?, day, minor))));
    }
    Ok(found)
}
