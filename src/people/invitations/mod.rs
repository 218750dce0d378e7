//! Invitations to join an organisation. The token is shown once, to the owner who hands it on; only
//! the account with the invited mail address can use it.

mod http;
mod service;
mod store;

pub use http::routes;
