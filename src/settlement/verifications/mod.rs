//! Verification by night: what `torv verify` checks, run once a day by one of the processes, and kept.

mod http;
mod model;
mod service;
mod store;

pub use http::routes;
pub use service::{VERIFY_JOB, queue_nightly, run};
