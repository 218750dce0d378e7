//! Handing mails over.

use async_trait::async_trait;

/// A mail on its way out. `Debug` is not derived: it holds an address and a link that ends the mails.
#[derive(Clone)]
pub struct Mail {
    /// The same however often it is handed over: the part of `Message-ID` before the at sign.
    pub id: String,
    /// The reader's address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// Where a POST ends these mails.
    pub unsubscribe_url: String,
}

/// Why a mail was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// It will never be.
    #[error("refused for good: {0}")]
    Refused(String),
    /// It may be later.
    #[error("not taken: {0}")]
    NotNow(String),
}

/// Takes mails to their readers.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Hands a mail over; success means that it need not be handed over again.
    ///
    /// # Errors
    /// Why it was not taken, without the reader's address.
    async fn send(&self, mail: Mail) -> Result<(), MailError>;
}
