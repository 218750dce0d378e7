//! Reversals: a share that was paid out and that the provider owes since is taken back from its account
//! at the processor, to the minor unit.
//!
//! A reversal that is refused moves nothing: the share stays a debt, ages, and is set off against what
//! the provider earns next ([`super::receivables`]).

mod model;
mod service;
mod store;
mod submit;

pub use service::ask_for_debts;
pub use submit::submit_reversals;

pub(super) use service::{behind, settle_line};
pub(super) use store::in_flight;
