//! Mails about notices, for members who asked for them.
//!
//! Nobody is mailed who did not ask: the exchange does not know whether an address is really its member's.

mod http;
mod model;
mod post;
mod queue;
mod store;

pub use http::routes;
pub use post::post_due;
pub use queue::{queue_digests, queue_immediate};
