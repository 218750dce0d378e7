//! A statement as CSV, page by page, with running balances.
//!
//! Source: RFC 4180; amounts are decimal text in major units.

use entity::{Timestamp, ids::EntryId};

use super::{
    model::{Owed, StatementLine},
    service::{self, Wanted},
};
use crate::{
    base::{Currency, Money},
    error::{Error, Result},
    state::AppState,
};

const COLUMNS: [&str; 16] = [
    "currency",
    "at",
    "kind",
    "order_id",
    "payout_id",
    "gross",
    "operator_share",
    "own_share",
    "pending_change",
    "payable_change",
    "held_change",
    "debt_change",
    "pending_balance",
    "payable_balance",
    "held_balance",
    "debt_balance",
];

/// A statement being written.
pub struct Writing {
    wanted: Wanted,
    /// Currencies still to be written; nothing before the head.
    left: Option<std::vec::IntoIter<Currency>>,
    /// The currency being written: where to go on, and what is owed there.
    present: Option<(Currency, EntryId, Owed)>,
}

impl Writing {
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, left: None, present: None }
    }

    /// The next piece of text; nothing at the end.
    pub async fn next(&mut self, app: &AppState) -> Result<Option<String>> {
        let Some(left) = &mut self.left else {
            self.left = Some(service::currencies(app, self.wanted.organization).await?.into_iter());
            return Ok(Some(format!("{}\r\n", COLUMNS.join(","))));
        };
        let Some((currency, from, owed)) = self.present else {
            let Some(currency) = left.next() else { return Ok(None) };
            let begin = service::begin(self.wanted);
            let owed = service::owed_before(app, self.wanted.organization, currency, begin).await?;
            self.present = Some((currency, begin, owed));
            return Ok(Some(balance(currency, self.wanted.from, "opening", owed)?));
        };
        let page = service::lines(app, self.wanted, currency, from).await?;
        let (mut text, mut owed) = (String::new(), owed);
        for line in &page.lines {
            owed = owed.plus(line.change)?;
            text.push_str(&written(currency, line, owed)?);
        }
        self.present = page.next.map(|next| (currency, next, owed));
        if self.present.is_none() {
            text.push_str(&balance(currency, self.wanted.until, "closing", owed)?);
        }
        Ok(Some(text))
    }
}

fn major(currency: Currency, minor: i64) -> String {
    Money::new(minor, currency).major_text()
}

fn instant(at: Timestamp) -> Result<String> {
    at.0.format(&time::format_description::well_known::Rfc3339).map_err(Error::internal)
}

fn balance(currency: Currency, at: Timestamp, kind: &str, owed: Owed) -> Result<String> {
    let parts = [owed.pending_minor, owed.payable_minor, owed.held_minor, owed.debt_minor];
    let parts = parts.map(|minor| major(currency, minor)).join(",");
    Ok(format!("{currency},{},{kind},,,,,,,,,,{parts}\r\n", instant(at)?))
}

/// One line; no field of it can hold a comma or a quote, so none is quoted.
fn written(currency: Currency, line: &StatementLine, owed: Owed) -> Result<String> {
    let part = |minor: Option<i64>| minor.map(|minor| major(currency, minor)).unwrap_or_default();
    let fields = [
        currency.to_string(),
        instant(line.at)?,
        line.kind.to_string(),
        line.order_id.map(|id| id.to_string()).unwrap_or_default(),
        line.payout_id.map(|id| id.to_string()).unwrap_or_default(),
        part(line.gross_minor),
        part(line.operator_minor),
        part(line.provider_minor),
        major(currency, line.change.pending_minor),
        major(currency, line.change.payable_minor),
        major(currency, line.change.held_minor),
        major(currency, line.change.debt_minor),
        major(currency, owed.pending_minor),
        major(currency, owed.payable_minor),
        major(currency, owed.held_minor),
        major(currency, owed.debt_minor),
    ];
    Ok(fields.join(",") + "\r\n")
}
