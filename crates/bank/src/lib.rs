//! Reads bank statements and processor payout reports as a stream, in bounded memory.
//!
//! ```text
//! bytes -> Input (charset, place, bounds) -> camt | mt940 | delimited -> OpenStatement (totals, keys, balances) -> Record
//!                                         -> payout -> PayoutReportLine
//! ```
//!
//! A file is trusted only as a whole: lines are yielded while it is read, and a fault or a wrong balance may still
//! follow. Callers write the lines in one transaction and roll it back on the first error.
//!
//! ```
//! use torv_bank::{BankFileError, Format, Reader, Record, Settings};
//!
//! let file = ":20:S1\n:25:4711\n:28C:1/1\n:60F:C260130EUR10,00\n:61:260131C2,50NTRFORD-7//B1\n:62F:C260131EUR12,50\n-";
//! let settings = Settings::new(|code| (code == "EUR").then_some(2));
//! for record in Reader::new(Format::Mt940, file.as_bytes(), &settings)? {
//!     match record? {
//!         Record::Statement(head) => assert_eq!(head.account.as_str(), "4711"),
//!         Record::Line(line) => assert_eq!((line.amount_minor, line.key.as_str().len()), (250, 34)),
//!         Record::EndOfStatement(end) => assert_eq!(end.computed_closing_minor, Some(1250)),
//!     }
//! }
//! # Ok::<(), BankFileError>(())
//! ```
//!
//! No zip archives, no statements in other messages than camt.053 and MT940, no conversion of currencies.

#![warn(missing_docs)]

mod amount;
mod camt;
mod date;
mod delimited;
mod error;
mod input;
pub mod limits;
mod mt940;
mod payout;
mod reader;
mod record;
mod reference;
mod sniff;
mod statement;

pub use amount::{Currency, ExponentOf};
pub use delimited::profile::{CsvColumn, CsvColumns, CsvProfile, SignConvention, TextEncoding};
pub use error::{BankFileError, FaultKind, Position};
pub use payout::{PayoutReader, PayoutReportLine};
pub use reader::{Format, Reader, Settings};
pub use record::{
    Balance, BalanceCheck, BankLine, EndOfStatement, LineDetail, LineKey, LineStatus, PaymentParty, Record,
    StatementHead,
};
pub use reference::{AccountId, CreditorReference, iban};
pub use sniff::{FileKind, sniff};
