//! What an import is asked for, and rows as they are stored.

use std::path::PathBuf;

use entity::{
    Timestamp, bank_line, bank_statement,
    ids::{BankLineId, BankStatementId},
    payout_report_line,
    states::BankLineState,
};
use sea_orm::ActiveValue::Set;
use serde::{Deserialize, Serialize};
use time::Date;
use torv_bank::{BankFileError, BankLine, EndOfStatement, FaultKind, PayoutReportLine};

use super::super::{accounts::CsvLayout, days};
use crate::error::Error;

/// Longest reference kept; more is cut.
const REFERENCE_CHARS_MAX: usize = 120;
/// Longest text of a payment kept; more is cut.
const REMITTANCE_CHARS_MAX: usize = 500;
/// Longest name of the other side kept; more is cut.
const PARTY_CHARS_MAX: usize = 140;
/// Longest account number of the other side kept; more is cut.
const PARTY_ACCOUNT_CHARS_MAX: usize = 60;
/// Longest code of a transaction or category kept; more is cut.
const CODE_CHARS_MAX: usize = 60;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum FormatName {
    /// ISO 20022 camt.053.
    Camt053,
    /// SWIFT MT940.
    Mt940,
    /// A table, read by the account's profile.
    Csv,
    /// The processor's itemized report on its payouts.
    PayoutReport,
}

impl FormatName {
    /// The word that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Camt053 => "camt053",
            Self::Mt940 => "mt940",
            Self::Csv => "csv",
            Self::PayoutReport => "payout_report",
        }
    }
}

/// A file to bring in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// SHA-256 of it, 64 hexadecimal digits.
    pub sha256: String,
    /// How it is written; told by its first bytes when nothing is said.
    pub format: Option<FormatName>,
    /// The account of a table, by its short name; other formats name it themselves.
    pub account: Option<String>,
    /// A built-in layout instead of the account's own.
    pub layout: Option<CsvLayout>,
}

fn cut(text: &str, chars_max: usize) -> String {
    // PostgreSQL keeps no text with a NUL in it.
    text.chars().filter(|c| *c != '\0').take(chars_max).collect()
}

fn cut_option(text: Option<&String>, chars_max: usize) -> Option<String> {
    text.map(|text| cut(text, chars_max)).filter(|text| !text.is_empty())
}

/// The id of a line: the same for the same line in every file, so that it is also the unique key.
pub fn line_id(account: &str, key: &str) -> BankLineId {
    BankLineId::derived(&format!("{account}:{key}"))
}

/// A line of `account`, as it is stored.
pub fn line_row(import: BankStatementId, account: &str, line: &BankLine) -> bank_line::ActiveModel {
    let reference = |text: Option<&String>| cut_option(text, REFERENCE_CHARS_MAX);
    let (party, detail) = (&line.party, line.details.first().map(|detail| &detail.party));
    let end_to_end_id = party.end_to_end_id.as_ref().or(detail.and_then(|party| party.end_to_end_id.as_ref()));
    let remittance = party.remittance.as_ref().or(detail.and_then(|party| party.remittance.as_ref()));
    let creditor = party.creditor_reference.as_ref().map(|reference| cut(reference.as_str(), REFERENCE_CHARS_MAX));
    bank_line::ActiveModel {
        id: Set(line_id(account, line.key.as_str())),
        import_id: Set(import),
        account: Set(account.to_owned()),
        key: Set(line.key.as_str().to_owned()),
        currency: Set(line.currency.code().to_owned()),
        booked_on: Set(days::stored(line.booking_date)),
        value_on: Set(line.value_date.map(days::stored)),
        amount_minor: Set(line.amount_minor),
        is_reversal: Set(line.is_reversal),
        bank_reference: Set(reference(line.bank_reference.as_ref())),
        end_to_end_id: Set(reference(end_to_end_id)),
        creditor_reference: Set(creditor),
        transaction_code: Set(cut_option(line.transaction_code.as_ref(), CODE_CHARS_MAX)),
        counterparty_name: Set(cut_option(party.counterparty_name.as_ref(), PARTY_CHARS_MAX)),
        counterparty_account: Set(cut_option(party.counterparty_account.as_ref(), PARTY_ACCOUNT_CHARS_MAX)),
        remittance: Set(cut_option(remittance, REMITTANCE_CHARS_MAX)),
        state: Set(BankLineState::Imported),
    }
}

/// The days that the lines of a statement span; the same in every format, unlike what its head says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    /// The first booking day.
    pub first: Option<Date>,
    /// The last booking day.
    pub last: Option<Date>,
}

impl Span {
    /// Takes in another day.
    pub fn add(&mut self, day: Date) {
        self.first = Some(self.first.map_or(day, |first| first.min(day)));
        self.last = Some(self.last.map_or(day, |last| last.max(day)));
    }
}

/// A statement, as it is stored.
pub fn statement_row(
    import: BankStatementId,
    seq: i32,
    account: &str,
    span: Span,
    end: &EndOfStatement,
) -> bank_statement::ActiveModel {
    let opening = end.opening.and_then(|balance| balance.date);
    let closing = end.closing.and_then(|balance| balance.date);
    bank_statement::ActiveModel {
        import_id: Set(import),
        seq: Set(seq),
        account: Set(account.to_owned()),
        statement_id: Set(cut_option(end.statement_id.as_ref(), REFERENCE_CHARS_MAX)),
        from_on: Set(span.first.or(opening).map(days::stored)),
        until_on: Set(span.last.or(closing).map(days::stored)),
        opening_minor: Set(end.opening.map(|balance| balance.minor)),
        closing_minor: Set(end.closing.map(|balance| balance.minor).or(end.computed_closing_minor)),
        line_count: Set(i64::try_from(end.line_count).unwrap_or(i64::MAX)),
    }
}

/// A line of a payout report, as it is stored.
pub fn report_row(import: BankStatementId, line: &PayoutReportLine) -> payout_report_line::ActiveModel {
    let reference = |text: Option<&String>| cut_option(text, REFERENCE_CHARS_MAX);
    payout_report_line::ActiveModel {
        id: Set(cut(&line.balance_transaction_id, REFERENCE_CHARS_MAX)),
        import_id: Set(import),
        payout_ref: Set(reference(line.payout_id.as_ref())),
        expected_on: Set(line.effective_at.map(days::stored)),
        trace_id: Set(reference(line.trace_id.as_ref())),
        currency: Set(line.currency.code().to_owned()),
        gross_minor: Set(line.gross_minor),
        fee_minor: Set(line.fee_minor),
        net_minor: Set(line.net_minor),
        category: Set(cut(&line.reporting_category, CODE_CHARS_MAX)),
        source_id: Set(reference(line.source_id.as_ref())),
        created_at: Set(line.created.map(|at| Timestamp(at.assume_utc()))),
    }
}

/// A fault of a file, for whoever sent it: where it is, what is wrong, what to change.
pub fn refused(fault: BankFileError) -> Error {
    if fault.kind == FaultKind::Io {
        return Error::internal(fault);
    }
    Error::invalid("body", format!("Nothing was imported. At {fault}")).because(fault)
}
