//! A provider's statement: what it had, what moved, what it has. It re-adds, or it is refused.

use serde::{Deserialize, Serialize};
use time::Date;

use crate::{
    Currency,
    model::{DocumentError, MAX_NUMBER_CHARS, MAX_REFERENCE_CHARS, MAX_TEXT_CHARS, Party, Period, Text},
};

/// Most movements of one statement.
pub const MAX_MOVEMENTS: usize = 50_000;

/// One movement; positive amounts are in the provider's favour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    pub date: Date,
    pub description: String,
    /// Order, transfer or document it comes from.
    pub reference: Option<String>,
    pub amount_minor: i64,
}

/// What the caller states; [`Statement::new`] adds it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementParts {
    pub number: String,
    pub issue_date: Date,
    pub period: Period,
    pub operator: Party,
    pub provider: Party,
    pub currency: Currency,
    pub opening_minor: i64,
    /// In the order of their dates.
    pub lines: Vec<Movement>,
    pub closing_minor: i64,
}

/// A statement whose lines lead from the opening to the closing balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StatementParts", into = "StatementParts")]
pub struct Statement(StatementParts);

/// A statement that does not re-add, or is out of order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error(
        "opening {opening_minor} and lines {sum_minor} make {computed_minor} minor units, the closing balance is {closing_minor}"
    )]
    Closing { opening_minor: i64, sum_minor: i128, computed_minor: i128, closing_minor: i64 },
    #[error("line {line} is dated {date}, outside of the period or before the line above it")]
    Order { line: usize, date: Date },
    #[error("the period begins on {from} and ends before, on {to}")]
    Period { from: Date, to: Date },
    #[error("a statement has at most {MAX_MOVEMENTS} lines, this one {0}: shorten the period")]
    LineCount(usize),
    #[error(transparent)]
    Text(#[from] DocumentError),
    #[error("the balance after line {line} does not fit 64 bits")]
    Overflow { line: usize },
    #[error("the CSV could not be written")]
    Csv,
}

impl Statement {
    /// Checks order and sums.
    ///
    /// # Errors
    /// [`StatementError`]
    pub fn new(parts: StatementParts) -> Result<Self, StatementError> {
        let Period { from, to } = parts.period;
        if to < from {
            return Err(StatementError::Period { from, to });
        }
        if parts.lines.len() > MAX_MOVEMENTS {
            return Err(StatementError::LineCount(parts.lines.len()));
        }
        texts(&parts).into_iter().try_for_each(Text::check)?;
        let (mut balance, mut last) = (i128::from(parts.opening_minor), from);
        for (index, line) in parts.lines.iter().enumerate() {
            if line.date < last || line.date > to {
                return Err(StatementError::Order { line: index + 1, date: line.date });
            }
            last = line.date;
            balance += i128::from(line.amount_minor);
            i64::try_from(balance).map_err(|_| StatementError::Overflow { line: index + 1 })?;
        }
        if balance != i128::from(parts.closing_minor) {
            return Err(StatementError::Closing {
                opening_minor: parts.opening_minor,
                sum_minor: balance - i128::from(parts.opening_minor),
                computed_minor: balance,
                closing_minor: parts.closing_minor,
            });
        }
        Ok(Self(parts))
    }

    #[must_use]
    pub fn parts(&self) -> &StatementParts {
        &self.0
    }

    /// The balance after each line, in minor units.
    pub fn balances(&self) -> impl Iterator<Item = i64> {
        // The constructor has seen that no balance leaves 64 bits.
        self.0.lines.iter().scan(self.0.opening_minor, |balance, line| {
            *balance = balance.saturating_add(line.amount_minor);
            Some(*balance)
        })
    }

    /// The lines as CSV with a header row and plain decimals; first the opening, last the closing balance.
    ///
    /// # Errors
    /// [`StatementError::Csv`]
    pub fn to_csv(&self) -> Result<Vec<u8>, StatementError> {
        let parts = &self.0;
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut write = |record: [&str; 6]| writer.write_record(record).map_err(|_| StatementError::Csv);
        let plain = |amount_minor: i64| parts.currency.plain(amount_minor);
        let code = parts.currency.code();
        write(["date", "description", "reference", "currency", "amount", "balance"])?;
        write([&parts.period.from.to_string(), "opening balance", "", code, "", &plain(parts.opening_minor)])?;
        for (line, balance) in parts.lines.iter().zip(self.balances()) {
            let reference = line.reference.as_deref().unwrap_or("");
            let (amount, balance) = (plain(line.amount_minor), plain(balance));
            write([&line.date.to_string(), &line.description, reference, code, &amount, &balance])?;
        }
        write([&parts.period.to.to_string(), "closing balance", "", code, "", &plain(parts.closing_minor)])?;
        writer.into_inner().map_err(|_| StatementError::Csv)
    }
}

fn texts(parts: &StatementParts) -> Vec<Text<'_>> {
    let mut texts = vec![Text::required("number", &parts.number, MAX_NUMBER_CHARS)];
    texts.extend(parts.operator.texts("operator"));
    texts.extend(parts.provider.texts("provider"));
    for (index, line) in parts.lines.iter().enumerate() {
        let number = index + 1;
        texts.push(Text::required(format!("line {number} description"), &line.description, MAX_TEXT_CHARS));
        let reference = line.reference.as_deref();
        texts.extend(
            reference.map(|text| Text::optional(format!("line {number} reference"), text, MAX_REFERENCE_CHARS)),
        );
    }
    texts
}

impl TryFrom<StatementParts> for Statement {
    type Error = StatementError;
    fn try_from(parts: StatementParts) -> Result<Self, StatementError> {
        Self::new(parts)
    }
}

impl From<Statement> for StatementParts {
    fn from(statement: Statement) -> Self {
        statement.0
    }
}
