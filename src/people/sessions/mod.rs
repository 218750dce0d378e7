//! Log-ins: a session, the refresh tokens that descend from it, and who an access token speaks for.
//!
//! A refresh token is used once. When one comes a second time, somebody has a copy, and nobody can
//! tell who: the whole session ends. There is no grace for a client that refreshes twice at the same
//! moment; it must take turns with itself.

mod attempts;
mod http;
mod identify;
mod service;
mod store;

pub(super) use attempts::{count as count_attempt, forget as forget_attempts};
pub use http::routes;
pub(super) use identify::{account, actor, visitor};
pub(super) use service::sweep;
pub use service::{Granted, log_in};
pub(super) use store::end_all_but;
