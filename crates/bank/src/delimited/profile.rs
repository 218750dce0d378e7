//! How a bank lays out its CSV file.

use serde::{Deserialize, Serialize};

use super::{date_format::DateFormat, rows::Cut};
use crate::error::{Fault, FaultKind};

/// A column by its name in the header, or by its place from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum CsvColumn {
    /// Place from 0.
    Index(usize),
    /// Name in the header, exactly as written.
    Name(String),
}

impl From<&str> for CsvColumn {
    fn from(name: &str) -> Self {
        Self::Name(name.to_owned())
    }
}

/// Character set of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextEncoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    Utf8,
    /// Windows-1252, which holds ISO-8859-1.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

/// What a positive amount means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignConvention {
    /// Money received is positive.
    #[default]
    CreditPositive,
    /// Money paid is positive.
    DebitPositive,
}

/// Where the columns are. Either `amount`, or `debit` and `credit`, is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvColumns {
    /// Day of the booking.
    pub booking_date: CsvColumn,
    /// Day from which it counts for interest.
    #[serde(default)]
    pub value_date: Option<CsvColumn>,
    /// Signed amount, or unsigned with `direction`.
    #[serde(default)]
    pub amount: Option<CsvColumn>,
    /// Money paid, without a sign or always negative; empty or zero on other rows.
    #[serde(default)]
    pub debit: Option<CsvColumn>,
    /// Money received, without a sign; empty or zero on other rows.
    #[serde(default)]
    pub credit: Option<CsvColumn>,
    /// Says which way the money went: see [`CsvProfile::debit_marks`].
    #[serde(default)]
    pub direction: Option<CsvColumn>,
    /// Currency of the row; otherwise [`CsvProfile::currency`].
    #[serde(default)]
    pub currency: Option<CsvColumn>,
    /// Account of the row; otherwise [`crate::Settings::account`].
    #[serde(default)]
    pub account: Option<CsvColumn>,
    /// Texts of the payment, joined with a space.
    #[serde(default)]
    pub text: Vec<CsvColumn>,
    /// The bank's own reference.
    #[serde(default)]
    pub reference: Option<CsvColumn>,
    /// End-to-end id.
    #[serde(default)]
    pub end_to_end_id: Option<CsvColumn>,
    /// Direct debit mandate.
    #[serde(default)]
    pub mandate_id: Option<CsvColumn>,
    /// Structured creditor reference.
    #[serde(default)]
    pub creditor_reference: Option<CsvColumn>,
    /// Name of the other side.
    #[serde(default)]
    pub counterparty_name: Option<CsvColumn>,
    /// Account of the other side.
    #[serde(default)]
    pub counterparty_account: Option<CsvColumn>,
    /// Balance after the row; checked from row to row.
    #[serde(default)]
    pub balance: Option<CsvColumn>,
    /// Says whether the row is pending: see [`CsvProfile::pending_marks`].
    #[serde(default)]
    pub status: Option<CsvColumn>,
}

/// The layout of a bank's CSV file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvProfile {
    /// Name shown to people.
    pub name: String,
    /// Between fields: one ASCII character.
    pub delimiter: char,
    /// Around fields; `None` when quotes are ordinary characters.
    #[serde(default = "double_quote")]
    pub quote: Option<char>,
    /// Character set.
    #[serde(default)]
    pub encoding: TextEncoding,
    /// Lines before the header.
    #[serde(default)]
    pub skip_lines: u16,
    /// Whether a header row names the columns; without one they are given by place.
    #[serde(default = "yes")]
    pub has_header: bool,
    /// Where the columns are.
    pub columns: CsvColumns,
    /// Such as `DD.MM.YYYY`, `MM/DD/YY` or `D-M-YYYY`: see the parts year, month, day in any order.
    pub date_format: String,
    /// Between whole and fraction: a point or a comma.
    pub decimal_separator: char,
    /// Between groups of three digits.
    #[serde(default)]
    pub thousands_separator: Option<char>,
    /// What a positive amount means.
    #[serde(default)]
    pub sign: SignConvention,
    /// Currency of every row, when there is no column for it.
    #[serde(default)]
    pub currency: Option<String>,
    /// Values of `direction` that mean money paid.
    #[serde(default)]
    pub debit_marks: Vec<String>,
    /// Values of `direction` that mean money received; any other value is refused.
    #[serde(default)]
    pub credit_marks: Vec<String>,
    /// Values of `status` that mean pending; every other value means booked.
    #[serde(default)]
    pub pending_marks: Vec<String>,
}

fn double_quote() -> Option<char> {
    Some('"')
}

fn yes() -> bool {
    true
}

/// A profile that can be used.
#[derive(Debug)]
pub(crate) struct CheckedProfile {
    pub(crate) profile: CsvProfile,
    pub(crate) cut: Cut,
    pub(crate) date_format: DateFormat,
}

impl CsvProfile {
    /// Refuses a profile that contradicts itself, before any file is read with it.
    ///
    /// # Errors
    /// A sentence that says which setting to change.
    pub fn check(&self) -> Result<(), String> {
        self.clone().checked().map(drop).map_err(|fault| format!("{}. {}", fault.problem, fault.advice))
    }

    pub(crate) fn checked(self) -> Result<CheckedProfile, Fault> {
        let delimiter = ascii(self.delimiter, "delimiter")?;
        let quote = self.quote.map(|quote| ascii(quote, "quote")).transpose()?;
        if quote == Some(delimiter) {
            return Err(refuse("delimiter and quote are the same", "Choose two characters."));
        }
        if !matches!(self.decimal_separator, '.' | ',') {
            return Err(refuse("decimal_separator is neither a point nor a comma", "Write \".\" or \",\"."));
        }
        let is_number_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '(' | ')');
        if self.thousands_separator.is_some_and(|c| c == self.decimal_separator || is_number_part(c)) {
            return Err(refuse(
                "thousands_separator is part of a number",
                "Choose another character, or leave it out.",
            ));
        }
        let columns = &self.columns;
        let signed = (columns.amount.is_some(), columns.debit.is_some(), columns.credit.is_some());
        if !matches!(signed, (true, false, false) | (false, true, true)) {
            return Err(refuse("the amount has no clear column", "Name amount, or both debit and credit."));
        }
        let has_marks = !self.debit_marks.is_empty() && !self.credit_marks.is_empty();
        if columns.direction.is_some() && !(has_marks && columns.amount.is_some()) {
            let advice = "Name the column amount, debit_marks and credit_marks with it.";
            return Err(refuse("direction alone does not give the sign", advice));
        }
        if columns.status.is_some() && self.pending_marks.is_empty() {
            return Err(refuse("status has no pending_marks", "List the values that mean pending."));
        }
        if columns.currency.is_none() && self.currency.is_none() {
            return Err(refuse("the currency is not known", "Name a column for it, or set currency."));
        }
        if !self.has_header && columns.all().any(|column| matches!(column, CsvColumn::Name(_))) {
            return Err(refuse("columns have names, but the file has no header", "Give their places from 0."));
        }
        let date_format = DateFormat::parse(&self.date_format)?;
        Ok(CheckedProfile { cut: Cut { delimiter, quote }, date_format, profile: self })
    }
}

impl CsvColumns {
    fn all(&self) -> impl Iterator<Item = &CsvColumn> {
        let optional = [
            &self.value_date,
            &self.amount,
            &self.debit,
            &self.credit,
            &self.direction,
            &self.currency,
            &self.account,
            &self.reference,
            &self.end_to_end_id,
            &self.mandate_id,
            &self.creditor_reference,
            &self.counterparty_name,
            &self.counterparty_account,
            &self.balance,
            &self.status,
        ];
        std::iter::once(&self.booking_date).chain(optional.into_iter().flatten()).chain(&self.text)
    }
}

fn ascii(character: char, setting: &str) -> Result<u8, Fault> {
    u8::try_from(character)
        .ok()
        .filter(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b'\n' | b'\r'))
        .ok_or_else(|| {
            refuse(
                format!("{setting} is {character:?}"),
                "Choose one ASCII character that is no letter, digit or line break.",
            )
        })
}

fn refuse(problem: impl Into<String>, advice: &str) -> Fault {
    Fault::new(FaultKind::Profile, problem, advice)
}
