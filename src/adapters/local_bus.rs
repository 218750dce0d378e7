//! The in-process bus of the embedded mode.

use async_trait::async_trait;
use tokio::sync::broadcast;

use crate::{
    error::Result,
    ports::bus::{Bus, Event},
};

/// Events a slow listener may be behind before it misses some and has to replay.
const BACKLOG_MAX: usize = 1_024;

/// Hands events to whoever listens in this process.
pub struct LocalBus(broadcast::Sender<Event>);

impl LocalBus {
    /// A bus without listeners.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(BACKLOG_MAX))
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

impl Default for LocalBus {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, event: &Event) -> Result<()> {
        // Nobody listening is no failure.
        let _ = self.0.send(event.clone());
        Ok(())
    }
}
