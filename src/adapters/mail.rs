//! Mails: over SMTP, or as files in a folder where no server is configured.

use std::path::PathBuf;

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
};

use super::tls::TlsFault;
use crate::{
    config::Notify,
    error::{Error, Result},
    ports::mailer::{Mail, MailError, Mailer},
};

/// Longest wait for each answer of the server.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Writes the message that both adapters hand over.
///
/// Source: RFC 8058 (one-click unsubscription), RFC 3834 (automatic mails say so).
fn message(mail: &Mail, from: &Mailbox) -> Result<Message, MailError> {
    let refused = |error: &dyn std::fmt::Display| MailError::Refused(error.to_string());
    let to: Mailbox = mail.to.parse().map_err(|_| MailError::Refused("the address is none".to_owned()))?;
    let mut message = Message::builder()
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .from(from.clone())
        .to(to)
        .subject(mail.subject.replace(['\r', '\n'], " "))
        .header(ContentType::TEXT_PLAIN)
        .body(mail.text.clone())
        .map_err(|error| refused(&error))?;
    let headers = [
        ("List-Unsubscribe", format!("<{}>", mail.unsubscribe_url)),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()),
        ("Auto-Submitted", "auto-generated".to_owned()),
    ];
    for (name, value) in headers {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| refused(&error))?;
        message.headers_mut().insert_raw(HeaderValue::new(name, value));
    }
    Ok(message)
}

fn sender(config: &Notify) -> Result<Mailbox> {
    config.mail_from.parse().map_err(|error| Error::internal(format!("notify.mail_from: {error}")))
}

/// Hands mails to a server over SMTP.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Smtp {
    /// A connection as `notify.mail_smtp_url` says.
    ///
    /// # Errors
    /// When that is no address of a server.
    pub fn new(config: &Notify) -> Result<Self> {
        let url = config.mail_smtp_url.expose();
        // The error is not shown: it may hold the password.
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| Error::internal("notify.mail_smtp_url is no address of an SMTP server"))?;
        Ok(Self { transport: builder.timeout(Some(TIMEOUT)).build(), from: sender(config)? })
    }
}

#[async_trait]
impl Mailer for Smtp {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let message = message(&mail, &self.from)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            // The server's own words may repeat the reader's address.
            Err(error) if error.is_permanent() => {
                Err(MailError::Refused(error.status().map_or_else(String::new, |code| code.to_string())))
            }
            Err(error) => {
                let why = || TlsFault::of(&error).map_or("the server can't be reached", TlsFault::in_words).to_owned();
                Err(MailError::NotNow(error.status().map_or_else(why, |code| code.to_string())))
            }
        }
    }
}

/// Writes mails as `.eml` files into a folder, which programs for mail can open.
pub struct MailFolder {
    folder: PathBuf,
    from: Mailbox,
}

impl MailFolder {
    /// Mails into `folder`, which is made with the first one.
    ///
    /// # Errors
    /// When `notify.mail_from` is no address.
    pub fn new(folder: PathBuf, config: &Notify) -> Result<Self> {
        Ok(Self { folder, from: sender(config)? })
    }
}

#[async_trait]
impl Mailer for MailFolder {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let not_now = |error: std::io::Error| MailError::NotNow(error.kind().to_string());
        let formatted = message(&mail, &self.from)?.formatted();
        tokio::fs::create_dir_all(&self.folder).await.map_err(not_now)?;
        let (part, whole) =
            (self.folder.join(format!("{}.part", mail.id)), self.folder.join(format!("{}.eml", mail.id)));
        tokio::fs::write(&part, formatted).await.map_err(not_now)?;
        tokio::fs::rename(&part, &whole).await.map_err(not_now)
    }
}
