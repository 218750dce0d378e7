//! Reversals: a share that was paid out and that the provider owes since is taken back from its account
//! at the processor, to the minor unit.
//!
//! A reversal that is refused moves nothing: the share stays a debt, ages, and is set off against what
//! the provider earns next ([`super::receivables`]). Until it is, the reversal is asked for again: after a wait that
//! doubles, when the provider is paid, or when the operator says so. Asking again begins with what is still owed, under
//! the lock that setting off takes too, so no debt is paid both ways.

pub mod http;
mod model;
mod retry;
mod service;
mod store;
mod submit;

pub use retry::retry;
pub use service::ask_for_debts;
pub use submit::submit_reversals;

pub(super) use service::{behind, settle_line};
pub(super) use store::in_flight;
