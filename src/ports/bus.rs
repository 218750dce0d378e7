//! The message bus that outbox events leave by.

use async_trait::async_trait;
use entity::{Timestamp, ids::EventId};
use serde::Serialize;

use crate::error::Result;

/// An event as subscribers get it, at least once and in order per topic.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// Position in the outbox; a replay starts from one.
    pub seq: i64,
    /// The event's own id, for subscribers that must not handle it twice.
    pub id: EventId,
    /// What it is about.
    pub topic: String,
    /// What happened.
    pub kind: String,
    /// The facts.
    pub payload: serde_json::Value,
    /// When it was written.
    pub created_at: Timestamp,
}

/// Takes events to whoever listens.
#[async_trait]
pub trait Bus: Send + Sync {
    /// Hands over one event; success means that it need not be sent again.
    ///
    /// # Errors
    /// When it was not taken; the relay tries again.
    async fn publish(&self, event: &Event) -> Result<()>;
}
