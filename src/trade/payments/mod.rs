//! Paying an order: one call to the processor, and whatever it takes to learn how it went.
//!
//! The answer to the call, a webhook and the janitor all end in [`settle`]; whichever comes first
//! does the work, the others find it done.

mod by_bank;
pub(super) mod captured;
pub mod http;
pub(super) mod outside;
mod service;
mod settlement;
pub(super) mod store;

pub use by_bank::{BANK, ForTransfer, charge_that_paid, for_transfer, lock_for_transfer, stop_at_processor};
pub use service::{FOLLOW_PAYOUTS_JOB, Means, handle_inbox, heal, pay, start_payment, void_abandoned};
pub(super) use service::{attempt, capture, release, repeat, stop_waiting};
pub(super) use settlement::complete;
pub use settlement::{Inbox, settle};
pub use store::that_paid;
