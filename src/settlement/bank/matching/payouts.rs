//! The processor's payouts to our bank accounts, taken from its own lines and reports.

use std::collections::HashMap;

use entity::{
    Timestamp, bank_payout, ids::PayoutId, payout, payout_report_line, processor_transaction, states::PayoutRecipient,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, OnConflict},
};

use super::super::imports;
use crate::{db::Tx, error::Result, state::AppState};

/// Payouts taken up in one transaction.
const PAYOUTS_PER_ROUND: u64 = 500;
/// Open payouts that reports are asked about.
const OPEN_PAYOUTS_MAX: u64 = 5_000;
/// References asked for in one statement.
const REFERENCES_PER_QUERY: usize = 500;

/// Takes up what the processor sent to our bank since the last time, what came back of it, and what its
/// reports say of the rest; returns how much was new.
///
/// # Errors
/// Those of the database.
pub async fn register_payouts(app: &AppState) -> Result<usize> {
    let (mut done, mut after) = (0, String::new());
    loop {
        let sent = sent(app.db.read(), &after).await?;
        let Some(last) = sent.last() else { break };
        after.clone_from(&last.id);
        done += sent.len();
        let ours = ours(app.db.read(), &sent).await?;
        app.db
            .write("settlement.register_bank_payouts", move |tx| {
                let rows: Vec<_> = sent.iter().map(|line| row(line, &ours)).collect();
                async move {
                    insert(&tx, rows).await?;
                    Ok(((), tx))
                }
            })
            .await?;
    }
    Ok(done + register_returns(app).await? + read_reports(app).await?)
}

/// The processor's lines of a kind that no payout here is made from. The condition is spelled out so that the
/// index of payout lines serves it.
async fn sent(conn: &impl ConnectionTrait, after: &str) -> Result<Vec<processor_transaction::Model>> {
    Ok(processor_transaction::Entity::find()
        .filter(Expr::cust("kind IN ('payout', 'payout_failure')"))
        .filter(processor_transaction::Column::Kind.eq("payout"))
        .filter(processor_transaction::Column::AmountMinor.lt(0))
        .filter(processor_transaction::Column::Id.gt(after))
        .filter(Expr::cust("NOT EXISTS (SELECT 1 FROM bank_payout WHERE bank_payout.id = processor_transaction.id)"))
        .order_by_asc(processor_transaction::Column::Id)
        .limit(PAYOUTS_PER_ROUND)
        .all(conn)
        .await?)
}

/// Our own payouts behind the lines, by the processor's reference.
async fn ours(
    conn: &impl ConnectionTrait,
    lines: &[processor_transaction::Model],
) -> Result<HashMap<String, PayoutId>> {
    let references = lines.iter().map(|line| line.source_ref.clone());
    Ok(payout::Entity::find()
        .filter(payout::Column::Recipient.eq(PayoutRecipient::Operator))
        .filter(payout::Column::ProcessorRef.is_in(references))
        .all(conn)
        .await?
        .into_iter()
        .filter_map(|row| Some((row.processor_ref?, row.id)))
        .collect())
}

fn row(line: &processor_transaction::Model, ours: &HashMap<String, PayoutId>) -> bank_payout::ActiveModel {
    let told = line.our_ref.as_deref().and_then(|text| text.parse().ok());
    bank_payout::ActiveModel {
        id: Set(line.id.clone()),
        payout_id: Set(told.or_else(|| ours.get(&line.source_ref).copied())),
        reference: Set(line.source_ref.clone()),
        trace_id: Set(None),
        currency: Set(line.currency.clone()),
        amount_minor: Set(line.amount_minor.saturating_neg()),
        sent_at: Set(line.created_at),
        expected_on: Set(None),
        settled_minor: Set(0),
        settled_at: Set(None),
        returned_at: Set(None),
        returned_by: Set(None),
    }
}

async fn insert(tx: &Tx, rows: Vec<bank_payout::ActiveModel>) -> Result<()> {
    let insert = bank_payout::Entity::insert_many(rows).on_conflict(OnConflict::new().do_nothing().to_owned());
    insert.exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Names the payout of ours behind what the processor sent under a reference, where that was not known before.
///
/// # Errors
/// Those of the database.
pub async fn name_payout(tx: &Tx, reference: &str, payout: PayoutId) -> Result<()> {
    bank_payout::Entity::update_many()
        .col_expr(bank_payout::Column::PayoutId, Expr::value(Some(payout)))
        .filter(bank_payout::Column::Reference.eq(reference))
        .filter(bank_payout::Column::PayoutId.is_null())
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Marks payouts that the bank gave back; returns how many.
async fn register_returns(app: &AppState) -> Result<usize> {
    let lines = processor_transaction::Entity::find()
        .filter(Expr::cust("kind IN ('payout', 'payout_failure')"))
        .filter(processor_transaction::Column::Kind.eq("payout_failure"))
        .filter(Expr::cust(
            "NOT EXISTS (SELECT 1 FROM bank_payout WHERE bank_payout.returned_by = processor_transaction.id)",
        ))
        .order_by_asc(processor_transaction::Column::Id)
        .limit(PAYOUTS_PER_ROUND)
        .all(app.db.read())
        .await?;
    let mut marked = 0;
    for line in lines {
        marked += app
            .db
            .write("settlement.note_returned_payout", move |tx| {
                let line = line.clone();
                async move { Ok((mark_returned(&tx, &line).await?, tx)) }
            })
            .await?;
    }
    Ok(marked)
}

/// Marks the one payout that a line took back: of the same reference or of our own, and of the same amount.
async fn mark_returned(tx: &Tx, line: &processor_transaction::Model) -> Result<usize> {
    let mut named = Condition::any().add(bank_payout::Column::Reference.eq(&line.source_ref));
    if let Some(id) = line.our_ref.as_deref().and_then(|text| text.parse::<PayoutId>().ok()) {
        named = named.add(bank_payout::Column::PayoutId.eq(id));
    }
    let found: Option<String> = bank_payout::Entity::find()
        .select_only()
        .column(bank_payout::Column::Id)
        .filter(named)
        .filter(bank_payout::Column::AmountMinor.eq(line.amount_minor))
        .filter(bank_payout::Column::ReturnedAt.is_null())
        .order_by_asc(bank_payout::Column::SentAt)
        .limit(1)
        .into_tuple()
        .one(tx.conn())
        .await?;
    let Some(id) = found else { return Ok(0) };
    let updated = bank_payout::Entity::update_many()
        .col_expr(bank_payout::Column::ReturnedAt, Expr::value(Some(line.created_at)))
        .col_expr(bank_payout::Column::ReturnedBy, Expr::value(Some(line.id.clone())))
        .filter(bank_payout::Column::Id.eq(id))
        .filter(bank_payout::Column::ReturnedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(usize::from(updated.rows_affected == 1))
}

/// Takes trace id and day of arrival of open payouts from what the processor said of them and from its reports;
/// returns how many learned something.
async fn read_reports(app: &AppState) -> Result<usize> {
    let unknown =
        Condition::any().add(bank_payout::Column::TraceId.is_null()).add(bank_payout::Column::ExpectedOn.is_null());
    let open: Vec<(String, String, Option<String>, Option<Timestamp>)> = bank_payout::Entity::find()
        .select_only()
        .columns([bank_payout::Column::Id, bank_payout::Column::Reference])
        .columns([bank_payout::Column::TraceId, bank_payout::Column::ExpectedOn])
        .filter(Expr::cust("settled_at IS NULL AND returned_at IS NULL"))
        .filter(unknown)
        .order_by_desc(bank_payout::Column::SentAt)
        .limit(OPEN_PAYOUTS_MAX)
        .into_tuple()
        .all(app.db.read())
        .await?;
    let mut learned = Vec::new();
    for chunk in open.chunks(REFERENCES_PER_QUERY) {
        let told = told(app.db.read(), chunk.iter().map(|(_, reference, ..)| reference.clone()).collect()).await?;
        for (id, reference, trace_id, expected_on) in chunk {
            let Some((trace, day)) = told.get(reference) else { continue };
            if (trace.is_some() && trace_id.is_none()) || (day.is_some() && expected_on.is_none()) {
                learned.push((id.clone(), trace.clone(), *day));
            }
        }
    }
    let count = learned.len();
    for chunk in learned.chunks(REFERENCES_PER_QUERY) {
        let chunk = chunk.to_vec();
        app.db
            .write("settlement.note_trace_ids", move |tx| {
                let chunk = chunk.clone();
                async move {
                    for (id, trace_id, expected_on) in chunk {
                        note_told(&tx, id, trace_id, expected_on).await?;
                    }
                    Ok(((), tx))
                }
            })
            .await?;
    }
    Ok(count)
}

/// Trace id and day of arrival, by the processor's reference of the payout.
type Told = HashMap<String, (Option<String>, Option<Timestamp>)>;

async fn told(conn: &impl ConnectionTrait, references: Vec<String>) -> Result<Told> {
    let mut told = said(conn, references.clone()).await?;
    let rows: Vec<(Option<String>, Option<String>, Option<Timestamp>)> = payout_report_line::Entity::find()
        .select_only()
        .column(payout_report_line::Column::PayoutRef)
        .expr(Expr::cust("MAX(trace_id)"))
        .expr(Expr::cust("MAX(expected_on)"))
        .filter(payout_report_line::Column::PayoutRef.is_in(references))
        .filter(imports::seen(Expr::col(payout_report_line::Column::ImportId)))
        .group_by(payout_report_line::Column::PayoutRef)
        .into_tuple()
        .all(conn)
        .await?;
    for (reference, trace, day) in rows {
        let Some(reference) = reference else { continue };
        let known = told.entry(reference).or_default();
        known.0 = trace.or(known.0.take());
        known.1 = day.or(known.1);
    }
    Ok(told)
}

/// What the processor said of payouts that it makes by itself.
async fn said(conn: &impl ConnectionTrait, references: Vec<String>) -> Result<Told> {
    let rows: Vec<(Option<String>, Option<String>, Option<Timestamp>)> = payout::Entity::find()
        .select_only()
        .columns([payout::Column::ProcessorRef, payout::Column::TraceRef, payout::Column::ArrivalAt])
        .filter(payout::Column::Recipient.eq(PayoutRecipient::Operator))
        .filter(payout::Column::ProcessorRef.is_in(references))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(rows.into_iter().filter_map(|(reference, trace, day)| Some((reference?, (trace, day)))).collect())
}

async fn note_told(tx: &Tx, id: String, trace_id: Option<String>, expected_on: Option<Timestamp>) -> Result<()> {
    let mut update = bank_payout::Entity::update_many().filter(bank_payout::Column::Id.eq(id));
    if trace_id.is_some() {
        update = update.col_expr(bank_payout::Column::TraceId, Expr::value(trace_id));
    }
    if expected_on.is_some() {
        update = update.col_expr(bank_payout::Column::ExpectedOn, Expr::value(expected_on));
    }
    update.exec(tx.conn()).await?;
    Ok(())
}
