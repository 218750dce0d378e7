//! SQL over what grants open, without downloading it.
//!
//! Each query is a process of its own (`crates/sql`), which is given the files of its tables and nothing else: no
//! database, no secret, no network. `names` says which tables a query can read · `gate` how many queries there are at
//! once · `worker` starts and ends their processes · `service` puts them together, and counts what was read.

mod gate;
mod http;
mod names;
mod service;
mod views;
mod worker;

pub use http::{query_routes, routes};
pub use service::Queries;
pub(in crate::delivery) use worker::QUERY_FOLDER;
