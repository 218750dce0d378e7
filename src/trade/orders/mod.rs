//! Orders: from a quote to something paid and granted, or declined, cancelled, expired.

pub mod http;
mod model;
pub(super) mod placing;
pub(super) mod pricing;
mod service;
pub(super) mod store;
pub mod views;

pub use model::{OrderError, Step};
pub use service::{PlaceOrder, Placed, Quote, approve, cancel, decline, expire_due, place, quote};
pub use store::OrderFacts;
pub(super) use views::{OrderView, views_of};
