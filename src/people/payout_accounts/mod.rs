//! Providers' accounts at the processor: what it demands before shares can move there.

mod http;
mod service;
mod store;

pub use http::routes;
pub use service::{asked, note_status, opened};
