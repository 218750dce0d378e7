//! Orders: from a quote to something paid and granted, or declined, cancelled, expired.

pub mod http;
mod model;
mod service;
pub(super) mod store;

pub use model::{OrderError, Step};
pub use service::{PlaceOrder, Placed, Quote, approve, cancel, decline, expire_due, place, quote};
pub use store::OrderFacts;
