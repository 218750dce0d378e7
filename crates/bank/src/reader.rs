//! The one way in: a format, the bytes, and an iterator of records.

use std::io::BufRead;

use crate::{
    amount::ExponentOf,
    camt::CamtReader,
    delimited::{CsvReader, profile::CsvProfile},
    error::{BankFileError, Fault, FaultKind, Position},
    input::Input,
    limits::Limits,
    mt940::Mt940Reader,
    record::Record,
    reference::AccountId,
};

/// How the statement is written. [`crate::sniff`] tells the first two apart; a CSV file needs a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// ISO 20022 camt.053.001, versions .02 to .10.
    Camt053,
    /// SWIFT MT940.
    Mt940,
    /// A table with columns as the profile says.
    Csv(Box<CsvProfile>),
}

/// What the caller knows and the file may not say.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Minor digits of a currency; a currency it does not know is refused.
    pub exponent_of: ExponentOf,
    /// The account of a CSV file that has no column for it.
    pub account: Option<AccountId>,
    /// The bounds to keep.
    pub limits: Limits,
}

impl Settings {
    /// Settings without an account, with the default limits.
    pub fn new(exponent_of: ExponentOf) -> Self {
        Self { exponent_of, account: None, limits: Limits::default() }
    }
}

/// Yields the records of a statement file. After an error it yields nothing more.
///
/// Blocks on its input; call it from a thread that may block.
pub struct Reader<R> {
    parser: Parser<R>,
    rows: u64,
    rows_max: u64,
    is_done: bool,
}

enum Parser<R> {
    Camt(Box<CamtReader<R>>),
    Mt940(Box<Mt940Reader<R>>),
    Csv(Box<CsvReader<R>>),
}

impl<R: BufRead> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// The input can't be read, is in a character set not read here, or the CSV profile does not fit the file.
    pub fn new(format: Format, input: R, settings: &Settings) -> Result<Self, BankFileError> {
        let input = Input::new(input, settings.limits);
        let parser = match format {
            Format::Camt053 => Parser::Camt(Box::new(CamtReader::new(input, settings)?)),
            Format::Mt940 => Parser::Mt940(Box::new(Mt940Reader::new(input, settings)?)),
            Format::Csv(profile) => Parser::Csv(Box::new(CsvReader::new(*profile, input, settings)?)),
        };
        Ok(Self { parser, rows: 0, rows_max: settings.limits.rows, is_done: false })
    }

    /// How far the file was read: for progress, and to say where a line came from.
    pub fn read_position(&self) -> Position {
        match &self.parser {
            Parser::Camt(reader) => reader.position(),
            Parser::Mt940(reader) => reader.position(),
            Parser::Csv(reader) => reader.position(),
        }
    }

    fn next_record(&mut self) -> Result<Option<Record>, BankFileError> {
        let record = match &mut self.parser {
            Parser::Camt(reader) => reader.next_record(),
            Parser::Mt940(reader) => reader.next_record(),
            Parser::Csv(reader) => reader.next_record(),
        }?;
        if matches!(record, Some(Record::Line(_))) {
            self.rows += 1;
            check_rows(self.rows, self.rows_max).map_err(|fault| fault.at(self.read_position(), ""))?;
        }
        Ok(record)
    }
}

pub(crate) fn check_rows(rows: u64, rows_max: u64) -> Result<(), Fault> {
    if rows <= rows_max {
        return Ok(());
    }
    let problem = format!("the file has more than {rows_max} lines");
    Err(Fault::new(FaultKind::Limit, problem, "Split it into files of shorter periods."))
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Record, BankFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.next_record().transpose();
        self.is_done = !matches!(next, Some(Ok(_)));
        next
    }
}

impl<R: BufRead> std::iter::FusedIterator for Reader<R> {}
