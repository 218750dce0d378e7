//! The processor's own balance lines, brought into the books.
//!
//! Cash is booked only from these lines, obligations only from our own decisions; clearing accounts
//! join the two. A line is stored and booked in one transaction, once, whoever imports it.

pub(in crate::settlement) mod model;
mod service;
mod store;

pub use service::{book_available_funds, import_transactions};
