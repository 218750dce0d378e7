//! Stripe's report `payout_reconciliation.itemized.5`: which transactions a payout holds.
//!
//! Source: Stripe, "Payout reconciliation report type". The report gives amounts in major units as decimals, the API in
//! minor units; here everything is in minor units.

use std::io::BufRead;

use time::{Date, PrimitiveDateTime, Time};

use crate::{
    amount::{Currency, ExponentOf},
    date::{iso_date, small},
    delimited::{
        number::NumberStyle,
        rows::{Cut, Rows},
    },
    error::{BankFileError, Fault, FaultKind, Position, excerpt},
    input::Input,
    reader::{Settings, check_rows},
};

/// Columns without which a row says nothing; the request for the report has to name them.
pub(crate) const REQUIRED_COLUMNS: [&str; 7] =
    ["automatic_payout_id", "balance_transaction_id", "currency", "gross", "fee", "net", "reporting_category"];

/// One balance transaction of a payout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayoutReportLine {
    /// `po_…`; `None` when the transaction is not in an automatic payout.
    pub payout_id: Option<String>,
    /// The day the payout is expected at the bank.
    pub effective_at: Option<Date>,
    /// `txn_…`, unique.
    pub balance_transaction_id: String,
    /// When it happened; in UTC, or in the time zone of the report when it has no `_utc` column.
    pub created: Option<PrimitiveDateTime>,
    /// The day the money may be paid out.
    pub available_on: Option<Date>,
    /// Settlement currency.
    pub currency: Currency,
    /// Minor units, before the fee.
    pub gross_minor: i64,
    /// Minor units; positive reduces the balance.
    pub fee_minor: i64,
    /// Minor units: always gross less fee.
    pub net_minor: i64,
    /// Such as `charge`, `refund`, `dispute`, `transfer`, `payout`; the list is open.
    pub reporting_category: String,
    /// The object it comes from: `ch_…`, `re_…`, `tr_…`.
    pub source_id: Option<String>,
    /// The charge it is about.
    pub charge_id: Option<String>,
    /// The payment it is about.
    pub payment_intent_id: Option<String>,
    /// The connected account of a transfer.
    pub connected_account_id: Option<String>,
    /// The bank's reference of the payout.
    pub trace_id: Option<String>,
    /// Whether the bank gives a reference: `supported`, `pending`, `unsupported`.
    pub trace_id_status: Option<String>,
    /// Our own id, from the metadata of the payment, transfer or refund, in this order.
    pub our_reference: Option<String>,
    /// Free text of the transaction.
    pub description: Option<String>,
}

/// Yields the lines of a report. After an error it yields nothing more.
pub struct PayoutReader<R> {
    rows: Rows<R>,
    exponent_of: ExponentOf,
    columns: Columns,
    rows_read: u64,
    rows_max: u64,
    is_done: bool,
}

struct Columns {
    payout_id: usize,
    balance_transaction_id: usize,
    currency: usize,
    gross: usize,
    fee: usize,
    net: usize,
    reporting_category: usize,
    effective_at: Option<usize>,
    created: Option<usize>,
    available_on: Option<usize>,
    source_id: Option<usize>,
    charge_id: Option<usize>,
    payment_intent_id: Option<usize>,
    connected_account_id: Option<usize>,
    trace_id: Option<usize>,
    trace_id_status: Option<usize>,
    our_reference: Vec<usize>,
    description: Option<usize>,
}

impl<R: BufRead> PayoutReader<R> {
    /// Begins to read. `metadata_key` is the key under which our own id was put into the metadata of Stripe's objects;
    /// the report holds it only when its columns were asked for. Other columns are ignored.
    ///
    /// # Errors
    /// The input can't be read, or required columns are missing; all of them are named.
    pub fn new(input: R, metadata_key: &str, settings: &Settings) -> Result<Self, BankFileError> {
        let mut input = Input::new(input, settings.limits);
        input.skip_bom()?;
        let rows = Rows::new(input, Cut { delimiter: b',', quote: Some(b'"') }, true)?;
        let missing: Vec<&str> =
            REQUIRED_COLUMNS.into_iter().filter(|name| !rows.header().iter().any(|column| column == name)).collect();
        if !missing.is_empty() {
            let problem = format!("the report lacks {}", missing.join(", "));
            let advice = "Run payout_reconciliation.itemized.5 again with these columns.";
            return Err(rows.fail(Fault::new(FaultKind::Missing, problem, advice), ""));
        }
        let columns = Columns::find(&rows, metadata_key)?;
        Ok(Self {
            rows,
            exponent_of: settings.exponent_of,
            columns,
            rows_read: 0,
            rows_max: settings.limits.rows,
            is_done: false,
        })
    }

    /// How far the file was read.
    pub fn read_position(&self) -> Position {
        self.rows.position()
    }

    fn next_line(&mut self) -> Result<Option<PayoutReportLine>, BankFileError> {
        if !self.rows.advance()? {
            return Ok(None);
        }
        self.rows_read += 1;
        check_rows(self.rows_read, self.rows_max).map_err(|fault| self.rows.fail(fault, ""))?;
        let columns = &self.columns;
        let currency = Currency::parse(self.rows.field(columns.currency)?, self.exponent_of)
            .map_err(|fault| self.rows.fail(fault, "currency"))?;
        let gross_minor = self.amount(columns.gross, "gross", currency)?;
        let fee_minor = self.amount(columns.fee, "fee", currency)?;
        let net_minor = self.amount(columns.net, "net", currency)?;
        if i128::from(gross_minor) - i128::from(fee_minor) != i128::from(net_minor) {
            let show = |minor: i64| currency.show(minor.into());
            let problem =
                format!("gross {} less fee {} is not net {}", show(gross_minor), show(fee_minor), show(net_minor));
            let advice = "Download the report again; nothing of it can be used.";
            return Err(self.rows.fail(Fault::new(FaultKind::Total, problem, advice), "net"));
        }
        let mut our_reference = None;
        for index in &columns.our_reference {
            our_reference = our_reference.or(self.optional(Some(*index))?);
        }
        Ok(Some(PayoutReportLine {
            payout_id: self.optional(Some(columns.payout_id))?,
            effective_at: self.date(columns.effective_at, "automatic_payout_effective_at")?,
            balance_transaction_id: self.required(columns.balance_transaction_id, "balance_transaction_id")?,
            created: self.date_time(columns.created, "created")?,
            available_on: self.date(columns.available_on, "available_on")?,
            currency,
            gross_minor,
            fee_minor,
            net_minor,
            reporting_category: self.required(columns.reporting_category, "reporting_category")?,
            source_id: self.optional(columns.source_id)?,
            charge_id: self.optional(columns.charge_id)?,
            payment_intent_id: self.optional(columns.payment_intent_id)?,
            connected_account_id: self.optional(columns.connected_account_id)?,
            trace_id: self.optional(columns.trace_id)?,
            trace_id_status: self.optional(columns.trace_id_status)?,
            our_reference,
            description: self.optional(columns.description)?,
        }))
    }

    fn amount(&self, index: usize, name: &str, currency: Currency) -> Result<i64, BankFileError> {
        let style = NumberStyle { decimal: '.', thousands: None };
        style.read(self.rows.field(index)?, currency).map_err(|fault| self.rows.fail(fault, name))
    }

    fn optional(&self, index: Option<usize>) -> Result<Option<String>, BankFileError> {
        let Some(index) = index else { return Ok(None) };
        Ok(Some(self.rows.field(index)?).filter(|text| !text.is_empty()).map(str::to_owned))
    }

    fn required(&self, index: usize, name: &str) -> Result<String, BankFileError> {
        self.optional(Some(index))?.ok_or_else(|| {
            let fault = Fault::new(FaultKind::Missing, format!("{name} is empty"), "Download the report again.");
            self.rows.fail(fault, name)
        })
    }

    fn date(&self, index: Option<usize>, name: &str) -> Result<Option<Date>, BankFileError> {
        let text = self.optional(index)?;
        text.map(|text| iso_date(&text)).transpose().map_err(|fault| self.rows.fail(fault, name))
    }

    fn date_time(&self, index: Option<usize>, name: &str) -> Result<Option<PrimitiveDateTime>, BankFileError> {
        let text = self.optional(index)?;
        text.map(|text| date_time(&text)).transpose().map_err(|fault| self.rows.fail(fault, name))
    }
}

impl Columns {
    fn find<R: BufRead>(rows: &Rows<R>, metadata_key: &str) -> Result<Self, BankFileError> {
        let required = |name: &str| {
            let lacks =
                || Fault::new(FaultKind::Missing, format!("{name} is missing"), "Run the report with this column.");
            rows.column(name)?.ok_or_else(|| rows.fail(lacks(), ""))
        };
        // The plain column is in the time zone of the report's request.
        let in_utc = |name: &str| Ok(rows.column(&format!("{name}_utc"))?.or(rows.column(name)?));
        let mut our_reference = Vec::new();
        for object in ["payment", "transfer", "refund"] {
            our_reference.extend(rows.column(&format!("{object}_metadata[{metadata_key}]"))?);
        }
        Ok(Self {
            payout_id: required("automatic_payout_id")?,
            balance_transaction_id: required("balance_transaction_id")?,
            currency: required("currency")?,
            gross: required("gross")?,
            fee: required("fee")?,
            net: required("net")?,
            reporting_category: required("reporting_category")?,
            effective_at: in_utc("automatic_payout_effective_at")?,
            created: in_utc("created")?,
            available_on: in_utc("available_on")?,
            source_id: rows.column("source_id")?,
            charge_id: rows.column("charge_id")?,
            payment_intent_id: rows.column("payment_intent_id")?,
            connected_account_id: rows.column("connected_account_id")?,
            trace_id: rows.column("trace_id")?,
            trace_id_status: rows.column("trace_id_status")?,
            our_reference,
            description: rows.column("description")?,
        })
    }
}

/// Reads `2026-01-31 23:59:59`; a date alone is its midnight.
fn date_time(text: &str) -> Result<PrimitiveDateTime, Fault> {
    let date = iso_date(text)?;
    let malformed = || {
        let problem = format!("{} is not a time", excerpt(text));
        Fault::new(FaultKind::Invalid, problem, "Write a time as YYYY-MM-DD hh:mm:ss.")
    };
    let Some(clock) = text.get(11..) else { return Ok(PrimitiveDateTime::new(date, Time::MIDNIGHT)) };
    let digits = clock.as_bytes();
    let part = |at: usize| digits.get(at..at + 2).and_then(small).ok_or_else(malformed);
    let is_shaped = digits.get(2) == Some(&b':') && digits.get(5) == Some(&b':') && digits.len() == 8;
    if !is_shaped {
        return Err(malformed());
    }
    let time = Time::from_hms(part(0)?, part(3)?, part(6)?).map_err(|_| malformed())?;
    Ok(PrimitiveDateTime::new(date, time))
}

impl<R: BufRead> Iterator for PayoutReader<R> {
    type Item = Result<PayoutReportLine, BankFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.next_line().transpose();
        self.is_done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<R: BufRead> std::iter::FusedIterator for PayoutReader<R> {}
