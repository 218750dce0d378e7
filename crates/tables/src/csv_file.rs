//! Profiles of delimited text.

use std::{
    fs::File,
    io::{self, Read},
};

use csv::{ErrorKind, StringRecord};

use super::{
    CsvDialect, Format, Profile, ProfileError, ProfileLimits,
    dialect::{announced_delimiter, delimiter_byte, notation_of, quote_byte, sniff},
    rows::TakeRows,
    table::Table,
    text::{TextEncoding, TextReader},
    unparsable,
};

/// Text the dialect is guessed from.
const PROBE_BYTES: usize = 256 << 10;
/// How equal the rows of a file must be when nothing but its content says that it is a table.
const TABLE_AGREEMENT: f64 = 0.9;

/// Profiles a file as delimited text; `is_named_so` when its name says that it is.
pub(super) fn profile(
    file: &File,
    encoding: TextEncoding,
    is_named_so: bool,
    size_bytes: u64,
    limits: &ProfileLimits,
) -> Result<Profile, ProfileError> {
    let (table, dialect) =
        read(file, encoding, is_named_so, limits.max_row_bytes, |dialect| Table::new(limits, notation_of(dialect)))?;
    let mut profile = table.finish(Format::Csv, size_bytes);
    profile.csv = Some(dialect);
    Ok(profile)
}

/// Reads a file as delimited text into what `make` makes for its dialect.
pub(super) fn read<T: TakeRows>(
    file: &File,
    encoding: TextEncoding,
    is_named_so: bool,
    max_row_bytes: u64,
    make: impl FnOnce(CsvDialect) -> T,
) -> Result<(T, CsvDialect), ProfileError> {
    let (probe, is_whole) = read_probe(file, encoding)?;
    if probe.trim().is_empty() {
        return Err(unparsable("the file holds nothing but white space"));
    }
    let announced = announced_delimiter(&probe);
    let body = announced.map_or(probe.as_str(), |(_, skipped)| &probe[skipped..]);
    let mut sniffed = sniff(body, is_whole);
    if let Some((delimiter, _)) = announced {
        sniffed.dialect.delimiter = delimiter.into();
    } else if !is_named_so && (sniffed.width < 2 || sniffed.agreement < TABLE_AGREEMENT) {
        return Err(unparsable(
            "the file is text, but not rows of fields separated by comma, semicolon, tab, bar or blank, \
             and not JSON; if it is CSV, let its name end in .csv",
        ));
    }
    let dialect = sniffed.dialect;
    let mut source = TextReader::new(file, encoding, max_row_bytes)?;
    let allowance = source.allowance();
    if let Some((_, skipped)) = announced {
        io::copy(&mut source.by_ref().take(skipped as u64), &mut io::sink())?;
    }
    let reader = csv::ReaderBuilder::new()
        .delimiter(delimiter_byte(dialect))
        .quote(quote_byte(dialect))
        .flexible(true)
        .has_headers(false)
        .from_reader(source);
    let mut rows = Rows { reader, table: make(dialect), ragged: Ragged::default() };
    let outcome = rows.read(dialect.has_header, || allowance.renew());
    if allowance.is_exceeded() {
        return Err(rows.too_long(max_row_bytes));
    }
    outcome?;
    rows.ragged.judge(&mut rows.table)?;
    let mut table = rows.table;
    if allowance.replaced() > 0 {
        table.note_damaged(allowance.replaced(), encoding.encoding.name());
    }
    Ok((table, dialect))
}

pub(super) fn read_probe(file: &File, encoding: TextEncoding) -> Result<(String, bool), ProfileError> {
    let mut bytes = Vec::new();
    TextReader::new(file, encoding, u64::MAX)?.take(PROBE_BYTES as u64).read_to_end(&mut bytes)?;
    let is_whole = bytes.len() < PROBE_BYTES;
    if let Err(error) = std::str::from_utf8(&bytes) {
        bytes.truncate(error.valid_up_to());
    }
    Ok((String::from_utf8(bytes).unwrap_or_default(), is_whole))
}

/// Rows with more or fewer fields than the first.
#[derive(Default)]
struct Ragged {
    count: u64,
    rows: u64,
    /// The first one, as a sentence.
    first: String,
}

impl Ragged {
    fn judge(&self, table: &mut impl TakeRows) -> Result<(), ProfileError> {
        if self.count == 0 {
            return Ok(());
        }
        if self.count * 2 > self.rows {
            return Err(unparsable(format!(
                "{}, and {} of {} rows differ like this: are there lines above the header, or is a quotation mark left open?",
                self.first, self.count, self.rows
            )));
        }
        table.warn(format!(
            "{} rows have more or fewer fields than the first one: {}. Missing fields count as empty, further ones are left out",
            self.count, self.first
        ));
        Ok(())
    }
}

struct Rows<R, T> {
    reader: csv::Reader<R>,
    table: T,
    ragged: Ragged,
}

impl<R: Read, T: TakeRows> Rows<R, T> {
    /// Reads all rows, calling `row_done` after each.
    fn read(&mut self, has_header: bool, row_done: impl Fn()) -> Result<(), ProfileError> {
        let mut record = StringRecord::new();
        let mut width = 0;
        let mut is_first = true;
        loop {
            row_done();
            if !self.reader.read_record(&mut record).map_err(csv_error)? {
                return Ok(());
            }
            if is_first {
                width = record.len();
                is_first = false;
                if has_header {
                    self.table.add_header(&mut record.iter());
                    continue;
                }
                let names: Vec<String> = (1..=width).map(|at| format!("column_{at}")).collect();
                self.table.add_header(&mut names.iter().map(String::as_str));
            }
            if !self.table.begin_row() {
                return Ok(());
            }
            for (index, field) in record.iter().enumerate() {
                self.table.add_field(index, field);
            }
            self.table.end_row();
            self.note_width(&record, width, if has_header { "header" } else { "first row" });
        }
    }

    fn note_width(&mut self, record: &StringRecord, width: usize, measure: &str) {
        self.ragged.rows += 1;
        let fields = record.len();
        // A delimiter at the end of each row is a habit of some exporters, not a field.
        let is_padded = fields > width && record.iter().skip(width).all(str::is_empty);
        if fields == width || is_padded {
            return;
        }
        self.ragged.count += 1;
        if self.ragged.count == 1 {
            let line = record.position().map_or(0, csv::Position::line);
            self.ragged.first =
                format!("row {} (line {line}) has {fields} fields, the {measure} has {width}", self.table.rows());
        }
    }

    fn too_long(&self, max_row_bytes: u64) -> ProfileError {
        unparsable(format!(
            "row {} (from line {}) is longer than {} bytes: is a quotation mark left open?",
            self.table.rows() + 1,
            self.reader.position().line(),
            max_row_bytes
        ))
    }
}

pub(super) fn csv_error(error: csv::Error) -> ProfileError {
    let text = error.to_string();
    match error.into_kind() {
        ErrorKind::Io(error) => ProfileError::Io(error),
        _ => unparsable(format!("the rows can't be read: {text}")),
    }
}
