//! Rows of a CSV file with a header, bounded in length, with their place.

use std::io::BufRead;

use ::csv::{ByteRecord, ReaderBuilder};

use crate::{
    error::{BankFileError, Fault, FaultKind, Position, excerpt},
    input::Input,
};

/// How the file is cut into fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
}

/// Reads rows that all have as many fields as the first one.
pub(crate) struct Rows<R> {
    reader: ::csv::Reader<Input<R>>,
    row: ByteRecord,
    header: Vec<String>,
    /// Where the first row begins.
    start: Position,
    width: Option<usize>,
}

impl<R: BufRead> Rows<R> {
    pub(crate) fn new(input: Input<R>, cut: Cut, has_header: bool) -> Result<Self, BankFileError> {
        let start = input.position();
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(cut.delimiter)
            .quote(cut.quote.unwrap_or(b'"'))
            .quoting(cut.quote.is_some())
            .from_reader(input);
        let mut rows = Self { reader, row: ByteRecord::new(), header: Vec::new(), start, width: None };
        if has_header {
            if !rows.advance()? {
                let fault =
                    Fault::new(FaultKind::Missing, "the file has no header row", "Send the file with its header.");
                return Err(rows.fail(fault, ""));
            }
            rows.header = (0..rows.row.len())
                .map(|index| rows.field(index).map(|name| name.trim().to_owned()))
                .collect::<Result<_, _>>()?;
        }
        Ok(rows)
    }

    /// Column names; empty without a header.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    /// Index of the column, when its name is there exactly once.
    pub(crate) fn column(&self, name: &str) -> Result<Option<usize>, BankFileError> {
        let mut found = self.header.iter().enumerate().filter(|(_, column)| *column == name);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => {
                let problem = format!("the header names {} twice", excerpt(name));
                Err(self.fail(Fault::new(FaultKind::Invalid, problem, "Name every column once."), ""))
            }
            (first, _) => Ok(first.map(|(index, _)| index)),
        }
    }

    /// Goes to the next row; false at the end of the file.
    pub(crate) fn advance(&mut self) -> Result<bool, BankFileError> {
        self.reader.get_mut().start_token();
        let is_row = match self.reader.read_byte_record(&mut self.row) {
            Ok(is_row) => is_row,
            Err(error) => {
                let text = error.to_string();
                return Err(match error.into_kind() {
                    ::csv::ErrorKind::Io(error) => self.reader.get_mut().io_error(&error),
                    _ => self.fail(Fault::new(FaultKind::Syntax, text, "Send a CSV file."), ""),
                });
            }
        };
        if !is_row {
            return Ok(false);
        }
        self.check_row()?;
        Ok(true)
    }

    fn check_row(&mut self) -> Result<(), BankFileError> {
        if self.row.as_slice().iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\n')) {
            let fault = Fault::new(FaultKind::Encoding, "the row holds a control character", "Send a text file.");
            return Err(self.fail(fault, ""));
        }
        let width = *self.width.get_or_insert(self.row.len());
        // A delimiter at the end of each row, but not of the header, makes one empty field more.
        let surplus_is_empty = self.row.iter().skip(width).all(<[u8]>::is_empty);
        if self.row.len() < width || !surplus_is_empty {
            let problem = format!("the row has {} fields, but the first row has {width}", self.row.len());
            let advice = "Check delimiter and quotes, and that the file is complete.";
            return Err(self.fail(Fault::new(FaultKind::Syntax, problem, advice), ""));
        }
        Ok(())
    }

    /// A field of the row, without surrounding space.
    pub(crate) fn field(&self, index: usize) -> Result<&str, BankFileError> {
        let bytes = self.row.get(index).unwrap_or_default();
        std::str::from_utf8(bytes).map(str::trim).map_err(|_| {
            let fault =
                Fault::new(FaultKind::Encoding, "the field is not UTF-8", "Choose the character set of the file.");
            self.fail(fault, index.to_string())
        })
    }

    /// An error in this row.
    pub(crate) fn fail(&self, fault: Fault, column: impl AsRef<str>) -> BankFileError {
        let column = column.as_ref();
        let path = if column.is_empty() { String::new() } else { format!("column {column}") };
        fault.at(self.position(), path)
    }

    /// Where the row begins.
    pub(crate) fn position(&self) -> Position {
        let Some(place) = self.row.position() else { return self.start };
        // The csv crate counts from where it began, lines from 1.
        Position { line: self.start.line + place.line() - 1, byte: self.start.byte + place.byte() }
    }
}
