//! Disputes: a buyer's bank takes a payment back until it has decided whose the money is.
//!
//! Events arrive unordered, twice or never: [`follow`] brings a dispute forward and never back, whoever
//! tells of it (a webhook, the answer to a call, polling). A provider's share is held while the dispute
//! is open; money itself is booked only from the processor's lines.

mod booking;
mod evidence;
mod fees;
pub mod http;
mod model;
mod service;
mod store;

pub use evidence::{accept, give_statement, submit};
pub use fees::book_fees;
pub use model::{fee_event, loss_of, spread};
pub use service::{follow, poll};
pub use store::{is_open, orders_in_dispute};

pub(in crate::trade) use model::{OPEN, loss, suspension};
pub(in crate::trade) use store::all_of;
