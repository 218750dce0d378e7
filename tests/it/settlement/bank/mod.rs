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
