//! What providers owe: shares that were paid out, had to be given back, and could not be taken back.
//!
//! A debt ages from when it was made, is set off against what the provider earns before each payout,
//! and is given up only when a second person of the operator agrees.

mod http;
pub(super) mod netting;
mod service;
mod store;

pub use http::routes;
pub use service::{ask_write_off, decide_write_off};
