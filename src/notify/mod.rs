//! Telling people and programs what happened: one log of notices per organisation, and what carries it outside.
//!
//! The outbox says what happened, once and in the transaction of what it tells about; [`fan_out`] turns it into one notice
//! for each organisation that it concerns, and into one webhook delivery for each endpoint that wants it. A wing of its own
//! and not a part of `federation`, because in-app lists, streams, mails and webhooks read the same log with the same rights.
//!
//! Invariants: a notice never changes · cursors ascend in the order of commits and have no gap, so whoever has read up to
//! one has missed nothing before it · a notice and its deliveries are one transaction · deliveries about one listing reach
//! an endpoint in order, one at a time · no network call happens inside a transaction.

mod deliveries;
mod endpoints;
mod fan_out;
pub mod kinds;
mod mail;
mod notices;

pub use deliveries::{Courier, REPLAY_JOB, deliver_due, forget_old, replay_some};
pub use fan_out::fan_out;
pub use mail::{post_due, queue_digests, queue_immediate};
pub use notices::{LiveNotices, stream_routes};

use crate::state::AppState;

/// The operations of notices and webhook endpoints.
pub fn routes() -> utoipa_axum::router::OpenApiRouter<AppState> {
    notices::routes().merge(endpoints::routes()).merge(deliveries::routes()).merge(mail::routes())
}
