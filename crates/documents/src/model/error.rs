//! Why a draft is no document.

use time::Date;

use super::{MAX_ALLOWANCES, MAX_LINES, MAX_ROUNDING_MINOR, MAX_TAX_ROWS};
use crate::tax::VatIdError;

/// A draft that contradicts itself or lacks something. Line numbers count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    #[error("a document has 1 to {MAX_LINES} lines, this one {0}")]
    LineCount(usize),
    #[error("{field} is empty")]
    Empty { field: String },
    #[error("{field} is longer than {limit_chars} characters")]
    TooLong { field: String, limit_chars: usize },
    #[error("a document has at most {MAX_ALLOWANCES} discounts and charges, this one {0}")]
    AllowanceCount(usize),
    #[error("a document has at most {MAX_TAX_ROWS} tax categories and rates, this one {0}: use several documents")]
    TaxRowCount(usize),
    #[error("{field} has a control character: only line breaks are allowed")]
    ControlCharacter { field: String },
    #[error("{party}: {source}")]
    VatId { party: &'static str, source: VatIdError },
    #[error("the {party} needs a VAT id or tax number: lines of category {category} are not allowed without")]
    MissingVatId { party: &'static str, category: &'static str },
    #[error("{field}: the unit {unit:?} is not a code of UN/ECE recommendation 20")]
    Unit { field: String, unit: String },
    #[error("line {line}: the net is {stated_minor} minor units, quantity times price {computed_minor}")]
    LineNet { line: usize, stated_minor: i64, computed_minor: i64 },
    #[error("line {line}: the unit price is negative; make the quantity negative instead")]
    NegativePrice { line: usize },
    #[error("allowance {allowance}: the amount is negative; make it a charge instead")]
    NegativeAllowance { allowance: usize },
    #[error("{field}: category {category} has the rate 0, not {rate_bps} basis points")]
    Rate { field: String, category: &'static str, rate_bps: u32 },
    #[error("{field}: a rate of {rate_bps} basis points is no standard rate")]
    StandardRate { field: String, rate_bps: u32 },
    #[error("{field}: category {category} needs the reason why no tax is charged")]
    MissingReason { field: String, category: &'static str },
    #[error("lines of category {category} give different reasons for not charging tax: use one document for each")]
    DifferentReasons { category: &'static str },
    #[error("category O cannot share a document with other categories: use two documents")]
    OutOfScopeMixed,
    #[error("the {field} begins on {from} and ends before, on {to}")]
    Dates { field: &'static str, from: Date, to: Date },
    #[error("{due_minor} minor units are due, so the document needs a due date")]
    MissingDueDate { due_minor: i64 },
    #[error("a rounding of {rounding_minor} minor units is none: at most {MAX_ROUNDING_MINOR} either way")]
    Rounding { rounding_minor: i64 },
    #[error("a credit note needs the number and date of the invoice it takes back")]
    MissingPreceding,
    #[error("the gross total is {gross_minor} minor units: write a credit note instead of a negative invoice")]
    NegativeTotal { gross_minor: i64 },
    #[error("{prepaid_minor} minor units are prepaid, which is not between 0 and the gross total {gross_minor}")]
    Prepaid { prepaid_minor: i64, gross_minor: i64 },
    #[error("{0:?} is not an IBAN: its length or check digits are wrong")]
    Iban(String),
    #[error("the card's last digits are {0:?}: give the last four to six, never more")]
    CardDigits(String),
    #[error("the tax amount in {0} needs another currency than the document's")]
    AccountingCurrency(String),
    #[error("{what} does not fit 64 bits")]
    Overflow { what: &'static str },
    #[error("the stated tax rows are not those of the lines")]
    TaxTotals,
    #[error("the stated {what} is {stated_minor} minor units, computed {computed_minor}")]
    Totals { what: &'static str, stated_minor: i64, computed_minor: i64 },
}
