//! Reconciliation: our orders and payouts, the processor's lines and balances, and the ledger must tell
//! the same story; every difference is found, named and given its amount.
//!
//! What is only late (a charge whose line has not been imported) is told apart as timing. Rows are read
//! page by page; findings beyond a limit are counted, not kept.

mod after_sale;
mod balances;
mod closings;
mod documents;
mod http;
mod lines;
mod model;
mod orders;
mod payouts;
mod service;
mod store;
mod three_way;

pub use closings::closing_routes;
pub use http::routes;
pub use model::{Difference, DifferenceClass, Report, TimingClass};
pub use service::{Period, reconcile, run};
pub use three_way::{ThreeWay, three_way, three_way_routes};
