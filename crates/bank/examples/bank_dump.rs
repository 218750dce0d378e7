//! Prints the lines of a statement as JSON, one a row: for other programs to compare with.
//!
//! ```text
//! cargo run -p torv-bank --example bank_dump -- statement.xml
//! ```

use std::{
    error::Error,
    fs::File,
    io::{BufRead, BufReader, Write},
};

use serde_json::json;
use torv_bank::{FileKind, Format, Reader, Record, Settings, sniff};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: bank_dump FILE")?;
    let mut input = BufReader::new(File::open(path)?);
    let format = match sniff(input.fill_buf()?) {
        Some(FileKind::Camt053) => Format::Camt053,
        Some(FileKind::Mt940) => Format::Mt940,
        _ => return Err("the file is neither camt.053 nor MT940".into()),
    };
    let exponent_of = |code: &str| match code {
        "JPY" => Some(0),
        "EUR" | "DKK" | "USD" => Some(2),
        _ => None,
    };
    let mut out = std::io::stdout().lock();
    for record in Reader::new(format, input, &Settings::new(exponent_of))? {
        let Record::Line(line) = record? else { continue };
        let line = json!({
            "account": line.account.as_str(),
            "currency": line.currency.code(),
            "exponent": line.currency.exponent(),
            "booking_date": line.booking_date.to_string(),
            "value_date": line.value_date.map(|date| date.to_string()),
            "amount_minor": line.amount_minor,
            "is_reversal": line.is_reversal,
            "bank_reference": line.bank_reference,
            "end_to_end_id": line.party.end_to_end_id,
            "remittance": line.party.remittance,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
