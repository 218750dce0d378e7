//! Providers' accounts at the processor: what it demands before shares can move there.

mod heal;
mod http;
mod service;
mod store;

pub use heal::{ask_about_stale, refusal, require_active};
pub use http::routes;
pub use service::{asked, note_status, opened};
