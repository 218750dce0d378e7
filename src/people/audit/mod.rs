//! The audit log: who did what to which resource. Append-only, also in the database.

mod http;
mod store;

pub use http::routes;
pub use store::{Author, Event, record, record_all};
