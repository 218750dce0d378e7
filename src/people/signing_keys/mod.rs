//! The keys that sign access tokens: made when first needed, replaced when they have signed long
//! enough, kept until the last token they signed has expired. So nobody is logged out by a change.

mod http;
mod service;
mod store;

pub use http::routes;
pub use service::issue_access_token;
pub(super) use service::verify_access_token;
