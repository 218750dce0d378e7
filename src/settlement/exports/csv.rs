//! One line per posting.
//!
//! Source: RFC 4180; amounts are decimal text in major units, with the minor units beside them.

use crate::{
    base::Money,
    error::{Error, Result},
    ledger::StoredEntry,
    settlement::currency,
};

const COLUMNS: [&str; 13] = [
    "entry_id",
    "seq",
    "posted_at",
    "effective_at",
    "kind",
    "source",
    "account",
    "class",
    "order_id",
    "amount",
    "amount_minor",
    "currency",
    "memo",
];

pub(super) fn head() -> String {
    format!("{}\r\n", COLUMNS.join(","))
}

pub(super) fn entry(text: &mut String, lines: &[StoredEntry]) -> Result<()> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    for line in lines {
        let instant = |at: entity::Timestamp| {
            at.0.format(&time::format_description::well_known::Rfc3339).map_err(Error::internal)
        };
        let amount = Money::new(line.amount_minor, currency(&line.currency)?);
        let record = [
            line.entry_id.to_string(),
            line.seq.to_string(),
            instant(line.posted_at)?,
            instant(line.effective_at)?,
            line.kind.to_string(),
            line.source.clone(),
            line.code.clone(),
            line.class.to_string(),
            line.order_id.map(|id| id.to_string()).unwrap_or_default(),
            amount.major_text(),
            line.amount_minor.to_string(),
            line.currency.clone(),
            line.memo.clone().unwrap_or_default(),
        ];
        writer.write_record(record).map_err(Error::internal)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::internal(error.to_string()))?;
    text.push_str(&String::from_utf8(bytes).map_err(Error::internal)?);
    Ok(())
}
