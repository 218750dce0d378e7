//! What every test needs.

use torv_bank::{
    AccountId, BankFileError, BankLine, CsvProfile, EndOfStatement, Format, PayoutReader, PayoutReportLine, Reader,
    Record, Settings, StatementHead,
};

pub const CAMT_02: &[u8] = include_bytes!("../data/statement.camt053.001.02.xml");
pub const CAMT_08: &[u8] = include_bytes!("../data/statement.camt053.001.08.xml");
pub const MT940: &[u8] = include_bytes!("../data/statement.mt940");
pub const DANISH: &[u8] = include_bytes!("../data/danish.csv");
pub const DANISH_PENDING: &[u8] = include_bytes!("../data/danish_pending.csv");
pub const GERMAN: &[u8] = include_bytes!("../data/german.csv");
pub const US: &[u8] = include_bytes!("../data/us.csv");
pub const PAYOUTS: &[u8] = include_bytes!("../data/payout_reconciliation.csv");

/// The account of the first statement in the files.
pub const IBAN: &str = "DE88990000010000004711";

pub fn exponent_of(code: &str) -> Option<u8> {
    match code {
        "JPY" => Some(0),
        "KWD" => Some(3),
        "EUR" | "DKK" | "USD" => Some(2),
        _ => None,
    }
}

pub fn settings() -> Settings {
    Settings { account: Some(AccountId::parse(IBAN)), ..Settings::new(exponent_of) }
}

pub fn csv(profile: CsvProfile) -> Format {
    Format::Csv(Box::new(profile))
}

/// Every statement format with a file of it.
pub fn samples() -> Vec<(Format, &'static [u8])> {
    vec![
        (Format::Camt053, CAMT_02),
        (Format::Camt053, CAMT_08),
        (Format::Mt940, MT940),
        (csv(CsvProfile::danish_example()), DANISH),
        (csv(CsvProfile::german_example()), GERMAN),
        (csv(CsvProfile::us_example()), US),
    ]
}

/// The records before the end or the first error, and the error.
pub fn read_until_error(format: Format, input: &[u8]) -> (Vec<Record>, Option<BankFileError>) {
    let mut records = Vec::new();
    let reader = match Reader::new(format, input, &settings()) {
        Ok(reader) => reader,
        Err(error) => return (records, Some(error)),
    };
    for record in reader {
        match record {
            Ok(record) => records.push(record),
            Err(error) => return (records, Some(error)),
        }
    }
    (records, None)
}

pub fn read(format: Format, input: &[u8]) -> Vec<Record> {
    let (records, error) = read_until_error(format, input);
    assert_eq!(error.map(|error| error.to_string()), None);
    records
}

pub fn refusal(format: Format, input: &[u8]) -> BankFileError {
    read_until_error(format, input).1.expect("the file is refused")
}

pub fn lines(records: &[Record]) -> Vec<BankLine> {
    let line = |record: &Record| match record {
        Record::Line(line) => Some(line.as_ref().clone()),
        _ => None,
    };
    records.iter().filter_map(line).collect()
}

pub fn heads(records: &[Record]) -> Vec<StatementHead> {
    let head = |record: &Record| match record {
        Record::Statement(head) => Some(head.clone()),
        _ => None,
    };
    records.iter().filter_map(head).collect()
}

pub fn ends(records: &[Record]) -> Vec<EndOfStatement> {
    let end = |record: &Record| match record {
        Record::EndOfStatement(end) => Some(end.clone()),
        _ => None,
    };
    records.iter().filter_map(end).collect()
}

pub fn read_payouts(input: &[u8]) -> Result<Vec<PayoutReportLine>, BankFileError> {
    PayoutReader::new(input, "order_id", &settings())?.collect()
}

/// The file with one piece of text changed.
pub fn with(input: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = input.windows(from.len()).position(|window| window == from.as_bytes()).expect("the text is in the file");
    [&input[..at], to.as_bytes(), &input[at + from.len()..]].concat()
}
