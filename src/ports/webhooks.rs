//! Sending webhooks to addresses that strangers chose.

use async_trait::async_trait;
pub use entity::states::WebhookFailure;

/// A signed message on its way out.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to.
    pub url: String,
    /// Headers besides those of the transport.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// What a receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// The `Retry-After` header, as it came.
    pub retry_after: Option<String>,
    /// The beginning of the body.
    pub beginning: String,
}

/// Takes messages to receivers, and to nobody whom a stranger must not reach.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Sends `message` once; whatever is answered is an answer, a redirect too.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn send(&self, message: Message) -> Result<Answered, WebhookFailure>;
}
