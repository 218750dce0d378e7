//! Statements that don't begin with what the one before them ended with.

use entity::{Timestamp, bank_line, bank_statement, states::ExceptionClass};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::Expr,
};

use super::NewException;
use crate::{
    base::Money,
    error::Result,
    settlement::{
        bank::{accounts, days::day_of, imports},
        currency,
    },
};

/// Statements of an account that are looked at, the newest ones.
const STATEMENTS_MAX: u64 = 400;

/// Gaps between the statements of every account.
///
/// # Errors
/// Those of the database.
pub async fn gaps(conn: &impl ConnectionTrait) -> Result<Vec<NewException>> {
    let mut found = Vec::new();
    for account in accounts::all(conn).await? {
        let currency = currency(&account.currency)?;
        let statements = statements_of(conn, &account.name).await?;
        for (place, row) in statements.iter().enumerate().skip(1) {
            let before = &statements[..place];
            let (Some(opening), Some(from_on)) = (row.opening_minor, row.from_on) else { continue };
            if follows(before, opening) || sums_to(conn, &statements[0], from_on, opening).await? {
                continue;
            }
            let ended = before.iter().rev().find_map(|row| row.closing_minor).unwrap_or(0);
            let off = Money::new(opening, currency).checked_sub(Money::new(ended, currency))?;
            let sentence = format!(
                "{} begins on {} with {}, and the statement before ended with {}. A statement is missing.",
                account.name,
                day_of(from_on),
                Money::new(opening, currency),
                Money::new(ended, currency)
            );
            let subject = format!("{}:{}:{opening}", account.name, day_of(from_on));
            let new = NewException::new(ExceptionClass::StatementGap, subject, off, sentence);
            found.push(NewException { account: Some(account.name.clone()), occurred_at: Some(from_on.0), ..new });
        }
    }
    Ok(found)
}

/// The statements of an account with an opening balance, the oldest first.
async fn statements_of(conn: &impl ConnectionTrait, account: &str) -> Result<Vec<bank_statement::Model>> {
    let mut rows = bank_statement::Entity::find()
        .filter(bank_statement::Column::Account.eq(account))
        .filter(bank_statement::Column::OpeningMinor.is_not_null())
        .filter(bank_statement::Column::FromOn.is_not_null())
        .filter(imports::seen(Expr::col(bank_statement::Column::ImportId)))
        .order_by_desc(bank_statement::Column::FromOn)
        .order_by_desc(bank_statement::Column::ImportId)
        .order_by_desc(bank_statement::Column::Seq)
        .limit(STATEMENTS_MAX)
        .all(conn)
        .await?;
    rows.reverse();
    Ok(rows)
}

/// True when the latest statement before ended with this balance, or is the same statement again.
fn follows(before: &[bank_statement::Model], opening: i64) -> bool {
    let latest = before.iter().filter_map(|row| row.until_on).max();
    before
        .iter()
        .any(|row| row.until_on == latest && (row.closing_minor == Some(opening) || row.opening_minor == Some(opening)))
}

/// True when the first statement's opening balance and all lines since sum to this balance: statements that
/// overlap follow each other this way.
async fn sums_to(
    conn: &impl ConnectionTrait,
    first: &bank_statement::Model,
    from_on: Timestamp,
    opening: i64,
) -> Result<bool> {
    let (Some(start), Some(begun)) = (first.opening_minor, first.from_on) else { return Ok(false) };
    let sum: Option<i64> = bank_line::Entity::find()
        .select_only()
        .expr(Expr::cust("CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)"))
        .filter(bank_line::Column::Account.eq(&first.account))
        .filter(bank_line::Column::BookedOn.gte(begun))
        .filter(bank_line::Column::BookedOn.lt(from_on))
        .filter(imports::seen(Expr::col(bank_line::Column::ImportId)))
        .into_tuple()
        .one(conn)
        .await?;
    Ok(start.checked_add(sum.unwrap_or(0)) == Some(opening))
}
