//! Payouts that did not arrive, or came back.

use std::collections::HashSet;

use entity::{
    bank_account,
    bank_payout::{self, Column},
    bank_statement,
    states::ExceptionClass,
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, ExprTrait as _, Func},
};
use time::Date;

use super::{NewException, store};
use crate::{
    base::Money,
    error::Result,
    settlement::{
        bank::days::{add_bank_days, day_of, stored},
        currency, payouts,
        reconciliation::Period,
    },
    state::AppState,
};

/// Payouts without an operator that are told of at once.
const LINES_MAX: u64 = 1_000;
/// Payouts looked at in one go.
const PAGE_ROWS: u64 = 1_000;

/// Payouts of a period that are late, and those that the bank gave back and nobody sent again.
///
/// Only currencies with a bank account that has statements are looked at: without them nothing can arrive.
///
/// # Errors
/// Those of the database.
pub async fn late_and_failed(app: &AppState, period: Period) -> Result<Vec<NewException>> {
    let conn = app.db.read();
    let currencies = currencies_with_statements(conn).await?;
    let known = store::open_of_payouts(conn).await?;
    let today = app.clock.now().date();
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = unsettled(conn, period, today, &after).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after.clone_from(&last.id);
        for row in &page {
            if row.returned_at.is_some() {
                found.extend(failed(conn, row).await?);
                continue;
            }
            let expected_on = day_of(row.expected_on.unwrap_or(row.sent_at));
            let last = add_bank_days(expected_on, app.config.reconciliation.late_bank_days);
            if today > last && currencies.contains(&row.currency) && !known.contains(&row.id) {
                let open = Money::new(row.amount_minor.saturating_sub(row.settled_minor), currency(&row.currency)?);
                let sentence = format!("{open} of {} should have arrived by {last}.", row.reference);
                found.push(about(row, ExceptionClass::LatePayout, open, sentence, row.sent_at));
            }
        }
    }
}

/// Payouts of a period that came back, or did not arrive and were to before today, by their ids.
async fn unsettled(
    conn: &impl ConnectionTrait,
    period: Period,
    today: Date,
    after: &str,
) -> Result<Vec<bank_payout::Model>> {
    let expected = Func::coalesce([Expr::col(Column::ExpectedOn), Expr::col(Column::SentAt)]);
    let is_due = Condition::all().add(Column::SettledAt.is_null()).add(Expr::expr(expected).lt(stored(today)));
    Ok(bank_payout::Entity::find()
        .filter(Column::SentAt.gte(period.from))
        .filter(Column::SentAt.lt(period.until))
        .filter(Condition::any().add(is_due).add(Column::ReturnedAt.is_not_null()))
        .filter(Column::Id.gt(after))
        .order_by_asc(Column::Id)
        .limit(PAGE_ROWS)
        .all(conn)
        .await?)
}

/// Payouts of a period that the processor made by itself while no organisation operated the exchange: they have no row
/// until one does.
///
/// # Errors
/// Those of the database.
pub async fn without_operator(app: &AppState, period: Period) -> Result<Vec<NewException>> {
    let lines = payouts::automatic_without_row(app.db.read(), Some((period.from, period.until)), LINES_MAX).await?;
    let found = lines.into_iter().map(|line| {
        let amount = Money::new(line.amount_minor, currency(&line.currency)?).checked_neg()?;
        let sentence = format!(
            "The processor paid {amount} out ({}), and no organisation operates the exchange: create one, and it gets \
             the payout.",
            line.source_ref
        );
        Ok(NewException {
            bank_payout_id: None,
            transaction_id: Some(line.id.clone()),
            occurred_at: Some(line.created_at.0),
            ..NewException::new(ExceptionClass::PayoutWithoutOperator, line.id, amount, sentence)
        })
    });
    found.collect()
}

fn about(
    row: &bank_payout::Model,
    class: ExceptionClass,
    off: Money,
    sentence: String,
    at: entity::Timestamp,
) -> NewException {
    NewException {
        payout_id: row.payout_id,
        bank_payout_id: Some(row.id.clone()),
        transaction_id: Some(row.id.clone()),
        occurred_at: Some(at.0),
        ..NewException::new(class, row.id.clone(), off, sentence)
    }
}

async fn failed(conn: &impl ConnectionTrait, row: &bank_payout::Model) -> Result<Option<NewException>> {
    if let Some(id) = row.payout_id {
        let again = bank_payout::Entity::find()
            .filter(bank_payout::Column::PayoutId.eq(id))
            .filter(bank_payout::Column::SentAt.gt(row.sent_at))
            .one(conn)
            .await?;
        if again.is_some() {
            return Ok(None);
        }
    }
    let amount = Money::new(row.amount_minor, currency(&row.currency)?);
    let sentence = format!("The bank gave {amount} of {} back to the processor.", row.reference);
    Ok(Some(about(row, ExceptionClass::FailedPayout, amount, sentence, row.sent_at)))
}

async fn currencies_with_statements(conn: &impl ConnectionTrait) -> Result<HashSet<String>> {
    let with_statements =
        bank_statement::Entity::find().select_only().column(bank_statement::Column::Account).into_query();
    let codes: Vec<String> = bank_account::Entity::find()
        .select_only()
        .column(bank_account::Column::Currency)
        .filter(bank_account::Column::Name.in_subquery(with_statements))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(codes.into_iter().collect())
}
