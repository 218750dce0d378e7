//! What is charged again and again: renewing offers, metered offers, prices in parts.
//!
//! Invariants: every period, metered month and part is an ordinary order, paid on the ordinary path ([`super::payments`])
//! and placed once: its number is a key in the database · a period begins where the one before ends, and so does its
//! grant · nothing is charged that the buyer did not agree to: a changed offer needs a new word · all a process
//! knows is in the rows, so any other goes on where it died.

mod begin;
mod change;
mod dunning;
mod follow_up;
pub mod http;
mod model;
mod month;
mod opening;
mod parts;
mod service;
mod store;
mod sweep;
mod views;

pub(in crate::trade) use begin::on_completed;
pub use model::Wish;
pub(in crate::trade) use opening::require_method;
pub(in crate::trade) use store::{charged_on, had_trial, is_kept};
pub use sweep::advance_due;
