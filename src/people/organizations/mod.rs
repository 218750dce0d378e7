//! Organisations that provide, buy or operate.

mod http;
mod model;
mod service;
mod store;

pub use http::routes;
pub use service::{NewOrganization, create_operator, found_organization};
pub(super) use store::find_public as find;
pub(crate) use store::lock;
pub use store::{operators, provider_kinds};
