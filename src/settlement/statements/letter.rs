//! A statement as a letter: one currency, every movement of what is owed.

use torv_documents::{
    model::Period,
    pdf::{self, Language},
    statement::{Movement, Statement, StatementParts},
};

use super::{
    model::{CurrencyStatement, Owed, StatementLine},
    service::{self, Wanted},
};
use crate::{
    base::{Currency, MoneyError},
    error::{Error, Result},
    people::tax_profiles,
    settlement::documents::currency_of,
    state::AppState,
};

/// The statement of one currency as PDF. What is owed is one balance here, pending or payable, so an end of a hold
/// changes nothing and is left out.
///
/// # Errors
/// `Invalid` for several currencies and none named, or too many lines; `Conflict` before there is an operator.
pub async fn as_pdf(app: &AppState, wanted: Wanted, asked: Option<Currency>, language: Language) -> Result<Vec<u8>> {
    let view = service::statement(app, wanted).await?;
    let mut parts = view.currencies.into_iter().filter(|part| asked.is_none_or(|asked| asked == part.currency));
    let part = match (parts.next(), parts.next()) {
        (Some(part), None) => part,
        (Some(_), Some(_)) => return Err(Error::invalid("currency", "Name one currency: there are several.")),
        (None, _) => return Err(Error::invalid("currency", "There is no statement in this currency.")),
    };
    let statement = statement(app, wanted, part).await?;
    let rendering = tokio::task::spawn_blocking(move || pdf::render_statement(&statement, language));
    rendering.await.map_err(Error::internal)?.map_err(Error::internal)
}

async fn statement(app: &AppState, wanted: Wanted, part: CurrencyStatement) -> Result<Statement> {
    let (conn, now) = (app.db.read(), app.clock.now());
    let operator = tax_profiles::operator_id(conn).await?;
    let operator = operator.ok_or_else(|| Error::conflict("The exchange has no operator yet."))?;
    let known = tax_profiles::known_at(conn, &[operator, wanted.organization], now).await?;
    let party = |org| known.get(&org).ok_or_else(|| Error::not_found("organisation"))?.profile.party();
    let mut lines = Vec::new();
    for line in &part.lines {
        lines.extend(movement(line)?);
    }
    // Without a beginning the first movement is it; the last day of a period that ends at midnight is the day before.
    let last = (wanted.until.0 - time::Duration::microseconds(1)).date();
    let begin =
        if wanted.from.micros() == 0 { lines.first().map_or(last, |line| line.date) } else { wanted.from.0.date() };
    let parts = StatementParts {
        number: format!("{}-{}-{last}", wanted.organization, part.currency.code()),
        issue_date: now.date(),
        period: Period { from: begin, to: last },
        operator: party(operator)?,
        provider: party(wanted.organization)?,
        currency: currency_of(part.currency)?,
        opening_minor: owed(part.opening)?,
        lines,
        closing_minor: owed(part.closing)?,
    };
    Statement::new(parts).map_err(Error::internal)
}

fn owed(of: Owed) -> Result<i64, MoneyError> {
    of.pending_minor.checked_add(of.payable_minor).ok_or(MoneyError::Overflow)
}

fn movement(line: &StatementLine) -> Result<Option<Movement>, MoneyError> {
    let amount_minor = owed(line.change)?;
    if amount_minor == 0 {
        return Ok(None);
    }
    let reference = line.order_id.map(|id| id.to_string()).or_else(|| line.payout_id.map(|payout| payout.to_string()));
    let description = line.kind.as_str().replace('_', " ");
    Ok(Some(Movement { date: line.at.0.date(), description, reference, amount_minor }))
}
