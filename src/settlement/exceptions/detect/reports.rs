//! The processor's reports against its own lines.

use std::collections::HashMap;

use entity::{bank_payout, payout_report_line, processor_transaction, states::ExceptionClass};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _},
};
use time::{Duration, OffsetDateTime};

use super::{NewException, YOUNG_MINUTES};
use crate::{
    base::Money,
    error::Result,
    settlement::{bank::imports, currency, reconciliation::Period},
};

/// Rows looked at in one go.
const PAGE_ROWS: u64 = 1_000;
/// Payouts whose parts are summed in one statement.
const PAYOUTS_PER_QUERY: u64 = 200;
/// Days before a payout in which its parts happened.
const PARTS_DAYS: i64 = 35;

/// Compares each line of the reports of a period with the processor's own.
///
/// # Errors
/// Those of the database.
pub async fn compare_lines(
    conn: &impl ConnectionTrait,
    period: Period,
    now: OffsetDateTime,
) -> Result<Vec<NewException>> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let in_period = payout_report_line::Column::CreatedAt.between(period.from, period.until);
        let undated = payout_report_line::Column::CreatedAt.is_null();
        let mut query = payout_report_line::Entity::find()
            .filter(Condition::any().add(in_period).add(undated))
            .filter(imports::seen(Expr::col(payout_report_line::Column::ImportId)))
            .order_by_asc(payout_report_line::Column::Id)
            .limit(PAGE_ROWS);
        if let Some(after) = &after {
            query = query.filter(payout_report_line::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id.clone());
        let ids = page.iter().map(|row| row.id.clone());
        let api = processor_transaction::Entity::find().filter(processor_transaction::Column::Id.is_in(ids)).all(conn);
        let api: HashMap<String, processor_transaction::Model> =
            api.await?.into_iter().map(|row| (row.id.clone(), row)).collect();
        for row in &page {
            found.extend(compare_line(row, api.get(&row.id), now)?);
        }
    }
}

fn compare_line(
    row: &payout_report_line::Model,
    api: Option<&processor_transaction::Model>,
    now: OffsetDateTime,
) -> Result<Option<NewException>> {
    let told = currency(&row.currency)?;
    let gross = Money::new(row.gross_minor, told);
    let about = |class, off, sentence| {
        let new = NewException::new(class, row.id.clone(), off, sentence);
        let (transaction_id, occurred_at) = (Some(row.id.clone()), row.created_at.map(|at| at.0));
        Some(NewException { transaction_id, occurred_at, ..new })
    };
    let Some(api) = api else {
        if row.created_at.is_some_and(|at| now - at.0 < Duration::minutes(YOUNG_MINUTES)) {
            return Ok(None);
        }
        let sentence = format!("The report has {} of {gross}, and the processor's own list does not.", row.category);
        return Ok(about(ExceptionClass::MissingInApi, gross, sentence));
    };
    if row.currency != api.currency {
        let sentence = format!(
            "The report tells {gross}, the processor's own list {} (minor units) {}.",
            api.amount_minor, api.currency
        );
        return Ok(about(ExceptionClass::CurrencyMismatch, gross, sentence));
    }
    if row.gross_minor != api.amount_minor {
        let listed = Money::new(api.amount_minor, told);
        let sentence = format!("The report tells {gross}, the processor's own list {listed}.");
        return Ok(about(ExceptionClass::ReportDiffers, gross.checked_sub(listed)?, sentence));
    }
    if row.fee_minor != api.fee_minor {
        let (fee, listed) = (Money::new(row.fee_minor, told), Money::new(api.fee_minor, told));
        let sentence = format!("The report tells a fee of {fee}, the processor's own list {listed}.");
        return Ok(about(ExceptionClass::FeeMismatch, fee.checked_sub(listed)?, sentence));
    }
    Ok(None)
}

/// The sum of the parts of a payout.
#[derive(Debug, FromQueryResult)]
struct PartsOf {
    payout_ref: String,
    net_minor: i64,
}

/// Compares each payout of a period that a report explains with the sum of its parts.
///
/// # Errors
/// Those of the database.
pub async fn compare_payouts(conn: &impl ConnectionTrait, period: Period) -> Result<Vec<NewException>> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let page = reported_payouts(conn, period, &after).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after.clone_from(&last.id);
        let parts = parts_of(conn, &page).await?;
        for row in &page {
            let Some(net_minor) = parts.get(&row.reference) else { continue };
            if *net_minor != row.amount_minor {
                found.push(total_differs(conn, row, *net_minor).await?);
            }
        }
    }
}

/// Payouts of a period that reports have parts of, by their ids: there can be a million that none has.
async fn reported_payouts(conn: &impl ConnectionTrait, period: Period, after: &str) -> Result<Vec<bank_payout::Model>> {
    let reported = payout_report_line::Entity::find()
        .select_only()
        .column(payout_report_line::Column::Id)
        .filter(
            Expr::col((payout_report_line::Entity, payout_report_line::Column::PayoutRef))
                .equals((bank_payout::Entity, bank_payout::Column::Reference)),
        )
        .into_query();
    Ok(bank_payout::Entity::find()
        .filter(bank_payout::Column::SentAt.gte(period.from))
        .filter(bank_payout::Column::SentAt.lt(period.until))
        .filter(bank_payout::Column::Id.gt(after))
        .filter(Expr::exists(reported))
        .order_by_asc(bank_payout::Column::Id)
        .limit(PAYOUTS_PER_QUERY)
        .all(conn)
        .await?)
}

/// What the processor's own lines sum to that the reports count to each payout.
async fn parts_of(conn: &impl ConnectionTrait, payouts: &[bank_payout::Model]) -> Result<HashMap<String, i64>> {
    let same_line = payout_report_line::Entity::belongs_to(processor_transaction::Entity)
        .from(payout_report_line::Column::Id)
        .to(processor_transaction::Column::Id)
        .into();
    let rows = payout_report_line::Entity::find()
        .select_only()
        .column(payout_report_line::Column::PayoutRef)
        .column_as(Expr::cust("CAST(SUM(processor_transaction.net_minor) AS BIGINT)"), "net_minor")
        .join(JoinType::InnerJoin, same_line)
        .filter(payout_report_line::Column::PayoutRef.is_in(payouts.iter().map(|row| row.reference.clone())))
        .filter(payout_report_line::Column::Category.ne("payout"))
        .filter(imports::seen(Expr::col((payout_report_line::Entity, payout_report_line::Column::ImportId))))
        .group_by(payout_report_line::Column::PayoutRef)
        .into_model::<PartsOf>()
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.payout_ref, row.net_minor)).collect())
}

/// Names the one line that the report lacks, if there is one, and otherwise the payout.
async fn total_differs(conn: &impl ConnectionTrait, row: &bank_payout::Model, net_minor: i64) -> Result<NewException> {
    let currency = currency(&row.currency)?;
    let off = Money::new(row.amount_minor, currency).checked_sub(Money::new(net_minor, currency))?;
    let reported = payout_report_line::Entity::find().select_only().column(payout_report_line::Column::Id).into_query();
    let missing: Vec<String> = processor_transaction::Entity::find()
        .select_only()
        .column(processor_transaction::Column::Id)
        .filter(processor_transaction::Column::Currency.eq(&row.currency))
        .filter(processor_transaction::Column::NetMinor.eq(off.minor))
        .filter(processor_transaction::Column::Kind.ne("payout"))
        .filter(processor_transaction::Column::CreatedAt.lte(row.sent_at))
        .filter(
            processor_transaction::Column::CreatedAt.gte(entity::Timestamp(row.sent_at.0 - Duration::days(PARTS_DAYS))),
        )
        .filter(processor_transaction::Column::Id.not_in_subquery(reported))
        .limit(2)
        .into_tuple()
        .all(conn)
        .await?;
    let about = |new: NewException| NewException {
        payout_id: row.payout_id,
        bank_payout_id: Some(row.id.clone()),
        occurred_at: Some(row.sent_at.0),
        ..new
    };
    if let [line] = missing.as_slice() {
        let sentence = format!("The report of {} lacks the processor's line of net {off}.", row.reference);
        let new = NewException::new(ExceptionClass::MissingInReport, line.clone(), off, sentence);
        return Ok(about(NewException { transaction_id: Some(line.clone()), ..new }));
    }
    let sentence = format!("{} differs by {off} from the sum of its lines.", row.reference);
    Ok(about(NewException::new(ExceptionClass::PayoutTotalDiffers, row.id.clone(), off, sentence)))
}
