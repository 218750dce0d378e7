//! From events of the outbox to notices.

mod model;
mod service;
mod store;

pub use service::fan_out;
