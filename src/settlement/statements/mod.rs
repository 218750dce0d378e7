//! What a provider is owed, and how that came about over a period.
//!
//! A statement is drawn from the ledger alone, by time of booking, so that a period that is over never
//! changes. It re-adds: each closing balance is the opening one plus the changes of its lines.

mod csv;
mod http;
mod letter;
mod model;
mod service;
mod store;

pub use http::routes;
