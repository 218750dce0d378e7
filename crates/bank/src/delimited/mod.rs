//! CSV files of banks, read with a profile that says where the columns are.

mod date_format;
mod examples;
pub(crate) mod number;
pub(crate) mod profile;
pub(crate) mod rows;
mod running;

use std::io::BufRead;

use number::NumberStyle;
use profile::{CheckedProfile, CsvColumn, CsvProfile, SignConvention, TextEncoding};
use rows::Rows;
use running::RunningBalance;

use crate::{
    amount::{Currency, ExponentOf},
    error::{BankFileError, Fault, FaultKind, Position, excerpt},
    input::Input,
    reader::Settings,
    record::{LineStatus, PaymentParty, Record, StatementHead},
    reference::{AccountId, CreditorReference},
    statement::{LineDraft, LineKeys, OpenStatement},
};

/// Reads one table. Rows of another account or currency begin another statement.
pub(crate) struct CsvReader<R> {
    rows: Rows<R>,
    profile: CheckedProfile,
    columns: Places,
    exponent_of: ExponentOf,
    account: Option<AccountId>,
    keys: LineKeys,
    statement: Option<(OpenStatement, RunningBalance)>,
    ready: Vec<Record>,
    is_finished: bool,
}

/// A column with the name messages call it by.
#[derive(Debug, Clone)]
struct Place {
    index: usize,
    name: String,
}

/// The profile's columns, found in the header.
#[derive(Debug)]
struct Places {
    booking_date: Place,
    value_date: Option<Place>,
    amount: Option<Place>,
    debit: Option<Place>,
    credit: Option<Place>,
    direction: Option<Place>,
    currency: Option<Place>,
    account: Option<Place>,
    text: Vec<Place>,
    reference: Option<Place>,
    end_to_end_id: Option<Place>,
    mandate_id: Option<Place>,
    creditor_reference: Option<Place>,
    counterparty_name: Option<Place>,
    counterparty_account: Option<Place>,
    balance: Option<Place>,
    status: Option<Place>,
}

impl<R: BufRead> CsvReader<R> {
    pub(crate) fn new(profile: CsvProfile, mut input: Input<R>, settings: &Settings) -> Result<Self, BankFileError> {
        let nowhere = |fault: Fault| fault.at(Position { line: 1, byte: 0 }, "");
        let profile = profile.checked().map_err(nowhere)?;
        match profile.profile.encoding {
            TextEncoding::Utf8 => input.skip_bom()?,
            TextEncoding::Windows1252 => input.transcode_from(encoding_rs::WINDOWS_1252),
        }
        let mut line = Vec::new();
        for _ in 0..profile.profile.skip_lines {
            input.read_line(&mut line)?;
        }
        let rows = Rows::new(input, profile.cut, profile.profile.has_header)?;
        let columns = Places::find(&profile.profile, &rows)?;
        if columns.account.is_none() && settings.account.is_none() {
            let problem = "the account is not known";
            let advice = "Name a column for it in the profile, or choose the account for this import.";
            return Err(rows.fail(Fault::new(FaultKind::Missing, problem, advice), ""));
        }
        Ok(Self {
            rows,
            profile,
            columns,
            exponent_of: settings.exponent_of,
            account: settings.account.clone(),
            keys: LineKeys::default(),
            statement: None,
            ready: Vec::new(),
            is_finished: false,
        })
    }

    pub(crate) fn position(&self) -> Position {
        self.rows.position()
    }

    pub(crate) fn next_record(&mut self) -> Result<Option<Record>, BankFileError> {
        if let Some(record) = self.ready.pop() {
            return Ok(Some(record));
        }
        if self.is_finished {
            return Ok(None);
        }
        if !self.rows.advance()? {
            self.is_finished = true;
            return self.end_statement();
        }
        let (account, currency) = (self.account()?, self.currency()?);
        let (draft, balance) = self.draft(currency)?;
        let is_same = self
            .statement
            .as_ref()
            .is_some_and(|(open, _)| open.head.account == account && open.head.currency == currency);
        let mut records = Vec::new();
        if !is_same {
            records.extend(self.end_statement()?);
            let head = head(account, currency);
            records.push(Record::Statement(head.clone()));
            self.statement = Some((OpenStatement::new(head), RunningBalance::default()));
        }
        records.push(self.add(draft, balance, currency)?);
        records.reverse();
        let first = records.pop();
        self.ready = records;
        Ok(first)
    }

    fn add(&mut self, draft: LineDraft, balance: Option<i64>, currency: Currency) -> Result<Record, BankFileError> {
        let Some((statement, running)) = &mut self.statement else {
            return Err(self
                .rows
                .fail(Fault::new(FaultKind::Missing, "no statement is open", "Send the file again."), ""));
        };
        // A pending row changes no booked balance.
        if let (Some(balance), LineStatus::Booked) = (balance, draft.status) {
            let name = self.columns.balance.as_ref().map_or("", |place| &place.name);
            running.add(draft.amount_minor, balance, currency).map_err(|fault| self.rows.fail(fault, name))?;
        }
        let line = statement.add(draft, &mut self.keys).map_err(|fault| self.rows.fail(fault, ""))?;
        Ok(Record::Line(Box::new(line)))
    }

    fn end_statement(&mut self) -> Result<Option<Record>, BankFileError> {
        let Some((mut statement, running)) = self.statement.take() else { return Ok(None) };
        let mut closing = None;
        if let Some((first, last)) = running.ends() {
            statement.head.opening = Some(first);
            closing = Some(last);
        }
        let end = statement.end(closing, false).map_err(|fault| self.rows.fail(fault, ""))?;
        Ok(Some(Record::EndOfStatement(end)))
    }

    /// A field of the row; `None` when the column is not mapped or the field is empty.
    fn text(&self, place: Option<&Place>) -> Result<Option<&str>, BankFileError> {
        let Some(place) = place else { return Ok(None) };
        Ok(Some(self.rows.field(place.index)?).filter(|text| !text.is_empty()))
    }

    fn string(&self, place: Option<&Place>) -> Result<Option<String>, BankFileError> {
        Ok(self.text(place)?.map(str::to_owned))
    }

    fn account(&self) -> Result<AccountId, BankFileError> {
        let column = self.columns.account.as_ref();
        if let Some(text) = self.text(column)? {
            return Ok(AccountId::parse(text));
        }
        let name = column.map_or("", |place| &place.name);
        let lacks = || Fault::new(FaultKind::Missing, "the account is empty", "Name the account on every row.");
        self.account.clone().ok_or_else(|| self.rows.fail(lacks(), name))
    }

    fn currency(&self) -> Result<Currency, BankFileError> {
        let column = self.columns.currency.as_ref();
        let name = column.map_or("", |place| &place.name);
        let code = self.text(column)?.or(self.profile.profile.currency.as_deref());
        let lacks = || Fault::new(FaultKind::Missing, "the currency is empty", "Name the currency on every row.");
        let code = code.ok_or_else(|| self.rows.fail(lacks(), name))?;
        Currency::parse(code, self.exponent_of).map_err(|fault| self.rows.fail(fault, name))
    }

    fn amount(&self, place: &Place, text: &str, currency: Currency) -> Result<i64, BankFileError> {
        let CsvProfile { decimal_separator: decimal, thousands_separator: thousands, .. } = self.profile.profile;
        let style = NumberStyle { decimal, thousands };
        style.read(text, currency).map_err(|fault| self.rows.fail(fault, &place.name))
    }

    fn date(&self, place: Option<&Place>) -> Result<Option<time::Date>, BankFileError> {
        let (Some(place), Some(text)) = (place, self.text(place)?) else { return Ok(None) };
        self.profile.date_format.read(text).map(Some).map_err(|fault| self.rows.fail(fault, &place.name))
    }

    /// The row as a line, with the balance after it.
    fn draft(&self, currency: Currency) -> Result<(LineDraft, Option<i64>), BankFileError> {
        let columns = &self.columns;
        let booking_date = self.date(Some(&columns.booking_date))?.ok_or_else(|| {
            let fault = Fault::new(FaultKind::Missing, "the booking date is empty", "Give every row its date.");
            self.rows.fail(fault, &columns.booking_date.name)
        })?;
        let balance = match (columns.balance.as_ref(), self.text(columns.balance.as_ref())?) {
            (Some(place), Some(text)) => Some(self.amount(place, text, currency)?),
            _ => None,
        };
        let is_pending = self
            .text(columns.status.as_ref())?
            .is_some_and(|status| self.profile.profile.pending_marks.iter().any(|mark| mark == status));
        let draft = LineDraft {
            bank_reference: self.string(columns.reference.as_ref())?,
            booking_date,
            value_date: self.date(columns.value_date.as_ref())?,
            amount_minor: self.signed_amount(currency)?,
            status: if is_pending { LineStatus::Pending } else { LineStatus::Booked },
            is_reversal: false,
            party: self.party()?,
            transaction_code: None,
            details: Vec::new(),
        };
        Ok((draft, balance))
    }

    fn party(&self) -> Result<PaymentParty, BankFileError> {
        let columns = &self.columns;
        let mut texts = Vec::new();
        for place in &columns.text {
            texts.extend(self.text(Some(place))?);
        }
        let remittance = (!texts.is_empty()).then(|| texts.join(" "));
        let structured = self.text(columns.creditor_reference.as_ref())?.and_then(CreditorReference::from_field);
        Ok(PaymentParty {
            counterparty_name: self.string(columns.counterparty_name.as_ref())?,
            counterparty_account: self.string(columns.counterparty_account.as_ref())?,
            end_to_end_id: self.string(columns.end_to_end_id.as_ref())?,
            mandate_id: self.string(columns.mandate_id.as_ref())?,
            creditor_reference: structured.or_else(|| CreditorReference::from_text(remittance.as_deref()?)),
            remittance,
        })
    }

    fn signed_amount(&self, currency: Currency) -> Result<i64, BankFileError> {
        let Some(place) = &self.columns.amount else { return self.debit_or_credit(currency) };
        let Some(text) = self.text(Some(place))? else {
            let fault = Fault::new(FaultKind::Missing, "the amount is empty", "Give every row its amount.");
            return Err(self.rows.fail(fault, &place.name));
        };
        let minor = self.amount(place, text, currency)?;
        let minor = match &self.columns.direction {
            Some(direction) => self.directed(direction, minor)?,
            None => minor,
        };
        Ok(match self.profile.profile.sign {
            SignConvention::CreditPositive => minor,
            SignConvention::DebitPositive => -minor,
        })
    }

    fn directed(&self, place: &Place, minor: i64) -> Result<i64, BankFileError> {
        let mark = self.text(Some(place))?.unwrap_or_default();
        let is_one_of = |marks: &[String]| marks.iter().any(|known| known == mark);
        if is_one_of(&self.profile.profile.debit_marks) {
            return Ok(-minor);
        }
        if is_one_of(&self.profile.profile.credit_marks) {
            return Ok(minor);
        }
        let problem = format!("{} is neither in debit_marks nor in credit_marks", excerpt(mark));
        let fault = Fault::new(FaultKind::Invalid, problem, "Add it to the profile.");
        Err(self.rows.fail(fault, &place.name))
    }

    /// Some banks print the debit column with a minus; it says no more than the column does.
    fn debit_or_credit(&self, currency: Currency) -> Result<i64, BankFileError> {
        let read = |place: &Option<Place>| match (place, self.text(place.as_ref())?) {
            (Some(place), Some(text)) => self.amount(place, text, currency),
            _ => Ok(0),
        };
        let (debit, credit) = (read(&self.columns.debit)?, read(&self.columns.credit)?);
        let fail = |problem: &str, advice: &str| {
            let name = self.columns.credit.as_ref().map_or("", |place| &place.name);
            Err(self.rows.fail(Fault::new(FaultKind::Amount, problem, advice), name))
        };
        match (debit, credit) {
            (0, 0) => fail("the row has neither debit nor credit", "Give every row one amount."),
            (0, credit) if credit > 0 => Ok(credit),
            (0, _) => fail("the credit is negative", "Check which columns are debit and credit in the profile."),
            (debit, 0) => Ok(-debit.abs()),
            _ => fail("the row has both debit and credit", "Give every row one amount."),
        }
    }
}

fn head(account: AccountId, currency: Currency) -> StatementHead {
    StatementHead {
        account,
        bic: None,
        currency,
        statement_id: None,
        sequence: None,
        from: None,
        to: None,
        opening: None,
        closing: None,
    }
}

impl Places {
    fn find<R: BufRead>(profile: &CsvProfile, rows: &Rows<R>) -> Result<Self, BankFileError> {
        let place = |column: &CsvColumn| match column {
            CsvColumn::Index(index) => Ok(Place { index: *index, name: index.to_string() }),
            CsvColumn::Name(name) => {
                let index = rows.column(name)?.ok_or_else(|| {
                    let problem = format!("the header has no column {}", excerpt(name));
                    let advice = "Choose the profile of this bank, or correct its column names.";
                    rows.fail(Fault::new(FaultKind::Missing, problem, advice), name)
                })?;
                Ok(Place { index, name: name.clone() })
            }
        };
        let optional = |column: &Option<CsvColumn>| column.as_ref().map(place).transpose();
        let columns = &profile.columns;
        Ok(Self {
            booking_date: place(&columns.booking_date)?,
            value_date: optional(&columns.value_date)?,
            amount: optional(&columns.amount)?,
            debit: optional(&columns.debit)?,
            credit: optional(&columns.credit)?,
            direction: optional(&columns.direction)?,
            currency: optional(&columns.currency)?,
            account: optional(&columns.account)?,
            text: columns.text.iter().map(place).collect::<Result<_, _>>()?,
            reference: optional(&columns.reference)?,
            end_to_end_id: optional(&columns.end_to_end_id)?,
            mandate_id: optional(&columns.mandate_id)?,
            creditor_reference: optional(&columns.creditor_reference)?,
            counterparty_name: optional(&columns.counterparty_name)?,
            counterparty_account: optional(&columns.counterparty_account)?,
            balance: optional(&columns.balance)?,
            status: optional(&columns.status)?,
        })
    }
}
