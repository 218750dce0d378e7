//! Paying an order: one call to the processor, and whatever it takes to learn how it went.
//!
//! The answer to the call, a webhook and the janitor all end in [`settle`]; whichever comes first
//! does the work, the others find it done.

mod by_bank;
pub(super) mod captured;
mod heal;
pub mod http;
mod messages;
pub(super) mod outside;
mod service;
mod settlement;
pub(super) mod store;

pub use by_bank::{BANK, ForTransfer, charge_that_paid, for_transfer, lock_for_transfer, stop_at_processor};
pub(super) use heal::{capture, release, stop_waiting};
pub use heal::{heal, void_abandoned};
pub use messages::{FOLLOW_PAYOUTS_JOB, handle_inbox};
pub use service::{Means, pay, start_payment};
pub(super) use service::{attempt, repeat};
pub(super) use settlement::complete;
pub use settlement::{Inbox, settle};
pub use store::that_paid;
