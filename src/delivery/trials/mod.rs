//! Trials: questions about the real rows before paying, answered with noise that hides single rows, and signed.
//!
//! What may be asked, and how answers are made, is the crate `torv-trial`. Here is what an exchange adds: the owner's
//! policy, the budgets of one organisation and of all together, the table the questions are about, a secret for the
//! noise, and the report. A report, the questions it took from the budgets and the idempotency key are one
//! transaction, in which the policy's row is locked: the last question is answered once. What was computed for a
//! request that loses is thrown away.
//!
//! Keys that are sent to be matched stay in memory until the answer is made. What is kept of them is in digests under
//! a secret of the exchange.

mod batch;
mod http;
mod model;
mod policy;
mod report;
mod service;
mod store;
mod views;

pub use http::routes;
