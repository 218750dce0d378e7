//! Carries the sandbox's webhooks to the exchange over HTTP, as a real processor would.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{SIGNATURE_HEADER, Sandbox, SignedWebhook};
use crate::error::{Error, Result};

/// How often the courier looks for what is due.
const TICK: Duration = Duration::from_millis(200);
/// How long a delivery may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends webhooks to one address.
pub struct Courier {
    sandbox: Arc<Sandbox>,
    client: reqwest::Client,
    address: String,
}

impl Courier {
    /// A courier that delivers to `address`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(sandbox: Arc<Sandbox>, address: String) -> Result<Self> {
        let client = reqwest::Client::builder().timeout(TIMEOUT).build().map_err(Error::internal)?;
        Ok(Self { sandbox, client, address })
    }

    /// Delivers until `stop`.
    pub fn start(self, stop: CancellationToken, tasks: &TaskTracker) {
        tasks.spawn(async move {
            loop {
                if let Err(error) = self.round().await {
                    tracing::warn!(error = %error, "the sandbox's courier failed and will try again: {error}");
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = pause() => {}
                }
            }
        });
    }

    async fn round(&self) -> Result<()> {
        self.sandbox.tick().await?;
        for webhook in self.sandbox.due_webhooks().await? {
            let taken = self.deliver(&webhook).await;
            self.sandbox.settle_webhook(&webhook, taken).await?;
        }
        Ok(())
    }

    async fn deliver(&self, webhook: &SignedWebhook) -> bool {
        let request = self
            .client
            .post(&self.address)
            .header("content-type", "application/json")
            .header(SIGNATURE_HEADER, &webhook.signature)
            .body(webhook.body.clone());
        request.send().await.is_ok_and(|response| response.status().is_success())
    }
}

#[expect(clippy::disallowed_methods, reason = "between two looks there is nothing else to wait for")]
async fn pause() {
    tokio::time::sleep(TICK).await;
}
