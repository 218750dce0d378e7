//! Grants: who may use what, until when, under which terms. Made by orders, never by hand; revoked only with a reason.

pub mod http;
mod model;
mod service;
mod store;

pub use service::end_terms;
pub(super) use service::{Door, set_door};
pub use store::holders;
pub(super) use store::{from_order, insert_all, is_open};
