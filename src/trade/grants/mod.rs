//! Grants: who may use what, until when, under which terms. Made by orders, never by hand.

pub mod http;
mod service;
mod store;

pub use service::end_terms;
pub(super) use service::{Door, set_door};
pub(super) use store::{from_order, insert_all, is_open};
