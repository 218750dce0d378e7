//! Downloads of what a grant covers: links, HTTP ranges, and what was delivered when.
//!
//! A link is signed and short-lived, and holds no account's secret. It is not enough by itself: every
//! request asks the database whether the grant still opens the door.

mod answer;
mod changes;
pub mod changes_http;
mod conditions;
pub mod http;
pub(in crate::delivery) mod link;
mod live_grants;
pub(in crate::delivery) mod model;
mod names;
pub(in crate::delivery) mod service;
mod slices;
pub(in crate::delivery) mod store;
mod views;

pub(in crate::delivery) use names::content_disposition;
pub use service::Downloads;
