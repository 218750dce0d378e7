//! Grants: who may use what, until when, under which terms. Made by orders, never by hand.

pub mod http;
mod service;
mod store;

pub(super) use service::end_of_order;
pub use service::end_terms;
pub(super) use store::{from_order, insert_all, is_open, reinstate, reword_end};
