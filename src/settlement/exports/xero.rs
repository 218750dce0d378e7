//! Manual journals in the columns that Xero imports, which other finance programs read as well.
//!
//! A journal is the lines that share narration and date. Amounts are decimal text in major units, debits
//! positive. Currency and order are tracking categories, since a manual journal has no field for them; tax is
//! an account of its own here, so no line is taxed again.
//!
//! Source: central.xero.com, "Import manual journals".

use crate::{
    base::Money,
    error::{Error, Result},
    ledger::StoredEntry,
    settlement::currency,
};

const COLUMNS: [&str; 10] = [
    "*Narration",
    "*Date",
    "Description",
    "*AccountCode",
    "*TaxRate",
    "*Amount",
    "TrackingName1",
    "TrackingOption1",
    "TrackingName2",
    "TrackingOption2",
];
/// The rate of a line that bears no tax.
const TAX_RATE: &str = "Tax Exempt";

pub(super) fn head() -> String {
    format!("{}\r\n", COLUMNS.join(","))
}

pub(super) fn entry(text: &mut String, lines: &[StoredEntry]) -> Result<()> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        let currency = currency(&line.currency)?;
        let order = line.order_id.map(|id| id.to_string());
        let record = [
            format!("{} {}", line.kind, line.source),
            line.posted_at.0.date().to_string(),
            line.memo.clone().unwrap_or_default(),
            line.code.clone(),
            TAX_RATE.to_owned(),
            Money::new(line.amount_minor, currency).major_text(),
            "Currency".to_owned(),
            currency.to_string(),
            order.as_ref().map(|_| "Order".to_owned()).unwrap_or_default(),
            order.unwrap_or_default(),
        ];
        writer.write_record(record.map(inert)).map_err(Error::internal)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::internal(error.to_string()))?;
    text.push_str(&String::from_utf8(bytes).map_err(Error::internal)?);
    Ok(())
}

/// Text that no spreadsheet runs as a formula; an amount keeps its sign.
fn inert(cell: String) -> String {
    let is_amount = cell.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_amount;
    if is_formula { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text_and_an_amount_stays_one() {
        assert_eq!(inert("=1+1".to_owned()), "'=1+1");
        assert_eq!(inert("-20.00".to_owned()), "-20.00");
        assert_eq!(inert("-a".to_owned()), "'-a");
        assert_eq!(inert("sale order:1".to_owned()), "sale order:1");
    }
}
