//! Webhooks on their way: in order per endpoint and listing, again and again for days, and then a dead letter.

mod courier;
mod http;
mod model;
mod replay;
mod send;
mod service;
mod store;

pub use courier::{Courier, deliver_due};
pub use http::routes;
pub use replay::{REPLAY_JOB, replay_some};
pub use service::forget_old;
pub(super) use service::{Told, queue};
