//! Organisations that provide, buy or operate.

mod http;
mod model;
mod service;
mod store;

pub use http::routes;
pub use service::{NewOrganization, create_operator, found_organization};
pub use store::provider_kinds;
pub(super) use store::{find_public as find, lock};
