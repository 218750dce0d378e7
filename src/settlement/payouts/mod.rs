//! Payouts: what is due leaves the exchange.
//!
//! A run decides in one transaction who gets what and books it; the processor is asked outside of it,
//! under a lease and with an idempotency key that changes only after a definitive refusal. A payout is
//! paid when the processor's own line says so.

mod automatic;
mod http;
mod keep_back;
mod model;
mod service;
mod store;
mod submit;

pub use automatic::{follow, follow_payouts};
pub use http::routes;
pub use keep_back::{KeptBack, keep_back, owed_to_others};
pub use model::{Recipients, RunInput};
pub use service::{Run, Skipped, retry, run_payouts};
pub use submit::submit_payouts;

pub(super) use automatic::note_line;
pub(super) use service::settle_line;
pub(super) use store::automatic_without_row;
