//! Who belongs to an organisation, in which role. There is always an owner.

mod http;
mod service;
mod store;

pub use http::routes;
pub use service::act_as;
pub(super) use store::{count, count_owned, find, insert};
