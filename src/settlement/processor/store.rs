//! Stored lines of the processor.

use std::collections::{HashMap, HashSet};

use entity::{
    Timestamp, dispute,
    ids::{OrderId, PaymentId, RefundId},
    payment, processor_transaction, refund,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use time::OffsetDateTime;

use super::model;
use crate::{db::Tx, error::Result, ports::payments::Transaction};

/// Longest reference kept; more is cut.
const REF_CHARS_MAX: usize = 120;
/// Longest of our own references kept; ours are shorter.
const OUR_REF_CHARS_MAX: usize = 80;

/// When the newest line of a processor happened.
pub async fn newest_import(conn: &impl ConnectionTrait, processor: &str) -> Result<Option<OffsetDateTime>> {
    let newest: Option<Timestamp> = processor_transaction::Entity::find()
        .select_only()
        .column(processor_transaction::Column::CreatedAt)
        .filter(processor_transaction::Column::Processor.eq(processor))
        .order_by_desc(processor_transaction::Column::CreatedAt)
        .limit(1)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(newest.map(|at| at.0))
}

/// Which of these lines are stored already.
pub async fn known(conn: &impl ConnectionTrait, ids: &[String]) -> Result<HashSet<String>> {
    Ok(processor_transaction::Entity::find()
        .select_only()
        .column(processor_transaction::Column::Id)
        .filter(processor_transaction::Column::Id.is_in(ids))
        .into_tuple::<String>()
        .all(conn)
        .await?
        .into_iter()
        .collect())
}

/// The orders these payments pay.
pub async fn orders_of(conn: &impl ConnectionTrait, payments: &[PaymentId]) -> Result<HashMap<PaymentId, OrderId>> {
    Ok(payment::Entity::find()
        .select_only()
        .columns([payment::Column::Id, payment::Column::OrderId])
        .filter(payment::Column::Id.is_in(payments.iter().copied()))
        .into_tuple::<(PaymentId, OrderId)>()
        .all(conn)
        .await?
        .into_iter()
        .collect())
}

/// The orders these refunds are of.
pub async fn orders_of_refunds(
    conn: &impl ConnectionTrait,
    refunds: &[RefundId],
) -> Result<HashMap<RefundId, OrderId>> {
    Ok(refund::Entity::find()
        .select_only()
        .columns([refund::Column::Id, refund::Column::OrderId])
        .filter(refund::Column::Id.is_in(refunds.iter().copied()))
        .into_tuple::<(RefundId, OrderId)>()
        .all(conn)
        .await?
        .into_iter()
        .collect())
}

/// The orders these disputes are about, by the processor's names for them.
pub async fn orders_of_disputes(
    conn: &impl ConnectionTrait,
    processor: &str,
    references: &[String],
) -> Result<HashMap<String, OrderId>> {
    Ok(dispute::Entity::find()
        .select_only()
        .columns([dispute::Column::ProcessorRef, dispute::Column::OrderId])
        .filter(dispute::Column::Processor.eq(processor))
        .filter(dispute::Column::ProcessorRef.is_in(references))
        .into_tuple::<(String, OrderId)>()
        .all(conn)
        .await?
        .into_iter()
        .collect())
}

/// Stores lines; returns the ids of those that were not there: they are the caller's to book.
pub async fn claim(tx: &Tx, processor: &str, lines: &[Transaction], now: OffsetDateTime) -> Result<HashSet<String>> {
    let cut = |text: &str, chars_max: usize| text.chars().take(chars_max).collect::<String>();
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines {
        rows.push(processor_transaction::ActiveModel {
            id: Set(line.id.clone()),
            processor: Set(processor.to_owned()),
            kind: Set(model::word(&line.kind)),
            amount_minor: Set(line.amount.minor),
            fee_minor: Set(line.fee_minor),
            net_minor: Set(model::net(line)?.minor),
            currency: Set(line.amount.currency.code().to_owned()),
            source_ref: Set(cut(&line.source_ref, REF_CHARS_MAX)),
            our_ref: Set(line.our_ref.as_deref().map(|text| cut(text, OUR_REF_CHARS_MAX))),
            created_at: Set(Timestamp(line.created_at)),
            available_at: Set(Timestamp(line.available_at)),
            imported_at: Set(Timestamp(now)),
            available_booked_at: Set(if model::waits(line) { None } else { Some(Timestamp(now)) }),
        });
    }
    // In one order in every process, so that two importers wait for each other instead of deadlocking.
    rows.sort_by(|a, b| a.id.as_ref().cmp(b.id.as_ref()));
    Ok(processor_transaction::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_with_returning(tx.conn())
        .await?
        .into_iter()
        .map(|row| row.id)
        .collect())
}

/// Lines whose net can be spent by now and is not booked so, at most `limit`.
pub async fn due_funds(
    conn: &impl ConnectionTrait,
    now: OffsetDateTime,
    limit: u64,
) -> Result<Vec<processor_transaction::Model>> {
    Ok(processor_transaction::Entity::find()
        .filter(processor_transaction::Column::AvailableBookedAt.is_null())
        .filter(processor_transaction::Column::AvailableAt.lte(Timestamp(now)))
        .order_by_asc(processor_transaction::Column::AvailableAt)
        .limit(limit)
        .all(conn)
        .await?)
}

/// Marks funds as booked; returns those that were still waiting: they are the caller's to book.
pub async fn claim_funds(tx: &Tx, ids: &[String], now: OffsetDateTime) -> Result<Vec<processor_transaction::Model>> {
    Ok(processor_transaction::Entity::update_many()
        .col_expr(processor_transaction::Column::AvailableBookedAt, Expr::value(Some(Timestamp(now))))
        .filter(processor_transaction::Column::Id.is_in(ids))
        .filter(processor_transaction::Column::AvailableBookedAt.is_null())
        .exec_with_returning(tx.conn())
        .await?)
}
