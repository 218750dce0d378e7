//! The bank side: imports, rules, exceptions, the three-way report and closed months.

mod cli;
mod exceptions;
mod imports;
mod month;
mod month_faults;
pub mod records;
mod transfers;
#[path = "../../../../crates/bank/tests/it/writers.rs"]
mod writers;

/// A statement of the test's account with one line, after an opening balance.
pub fn statement_of(opening_minor: i64, day: time::Date, amount_minor: i64, reference: &str, text: &str) -> Vec<u8> {
    let line = records::bank_line(day, amount_minor, reference, None, text);
    records::statement(records::Written::Camt08, opening_minor, &[line])
}
