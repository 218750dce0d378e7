//! API keys: scoped, hashed, expiring, shown once.
//!
//! A key is of one organisation and of the member who made it: it never has a right that the member
//! has lost, and it ends with the membership.

mod grant_tokens;
mod http;
mod identify;
mod service;
mod store;

pub use grant_tokens::{issue_grant_token, revoke_grant_token};
pub use http::routes;
pub use identify::LiveKeys;
pub(super) use identify::{identify, identify_recipient};
pub use service::{NewApiKey, create_api_key};
pub use store::{KEY_PREFIX, find_of_grant as find_grant_token, hash};
