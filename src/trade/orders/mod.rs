//! Orders: from a quote to something paid and granted, or declined, cancelled, expired.

mod checkout;
mod freeze;
pub mod http;
mod later;
mod model;
pub(super) mod placing;
pub(super) mod pricing;
mod quote;
mod quote_http;
mod service;
pub(super) mod store;
pub mod views;

pub use checkout::{Checkout, QuotedLine};
pub use later::{Later, LaterReason};
pub use model::{OrderError, Step};
pub use quote::{Ask, Quote, quote};
pub use service::{PlaceOrder, Placed, approve, cancel, decline, expire_due, place};
pub use store::{OrderFacts, Parties, parties};
pub(super) use views::{OrderView, views_of};
