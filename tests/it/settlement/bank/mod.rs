//! The bank side: imports, rules, exceptions, the three-way report and closed months.

mod exceptions;
mod imports;
mod month;
mod month_faults;
pub mod records;
#[path = "../../../../crates/bank/tests/it/writers.rs"]
mod writers;
