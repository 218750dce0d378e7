//! People who log in.

mod http;
mod model;
mod service;
pub(super) mod store;

pub use http::routes;
pub(super) use model::{check_email, normalize_email};
pub use service::{NewAccount, register};
pub(super) use service::{insert, prepare};
