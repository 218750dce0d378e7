//! Settlement: the processor's lines, holds, payouts, statements, reconciliation, exports, verification.

pub mod bank;
mod economics;
pub mod exports;
mod fee_shares;
mod feed;
mod payouts;
mod proof;
mod receipt_cli;
mod reconciliation;
mod statements;
mod verifications;
mod verify;
mod year;

pub use bank::statement_of;
