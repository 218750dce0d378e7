//! Webhook endpoints: where an organisation wants to be told, of what, and signed with which secret.

mod http;
mod model;
mod service;
pub(super) mod store;

pub use http::routes;
pub(super) use service::{announce_disabled, secrets_of};
