//! Exceptions: what orders, processor and bank disagree about, until a person has settled it.
//!
//! Invariants: a class has one exception per subject, however often it is found; one that is not found any
//! more closes itself; what a person closed stays closed; money moves only by an entry of its own, between
//! named accounts, and above a limit only when a second person agrees.

pub mod detect;
mod http;
mod model;
mod resolve;
mod service;
mod store;
mod views;

pub use detect::{detect_due, detect_now};
pub use http::routes;
pub use model::{NewException, Severity, account_of, severity_of};
pub(in crate::settlement) use store::{lines_explained, raise, sums};
