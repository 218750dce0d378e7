//! Settlement: the processor's lines, holds, payouts, statements, reconciliation, exports, verification.

mod bank;
mod economics;
pub mod exports;
mod fee_shares;
mod feed;
mod payouts;
mod proof;
mod random;
mod receipt_cli;
mod reconciliation;
mod statements;
mod verify;
mod year;
