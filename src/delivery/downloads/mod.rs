//! Downloads of what a grant covers: links, HTTP ranges, and what was delivered when.
//!
//! A link is signed and short-lived, and holds no account's secret. It is not enough by itself: every
//! request asks the database whether the grant still opens the door.

mod answer;
mod conditions;
pub mod http;
mod link;
mod live_grants;
mod model;
mod names;
mod service;
mod store;
mod views;

pub use service::Downloads;
