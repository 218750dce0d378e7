//! Sends webhooks over HTTP, to the public internet alone.
//!
//! A name is resolved here, and the connection goes to an address that was looked at: what the name stands for a moment
//! later changes nothing. A redirect is an answer like any other, proxies of the environment are not asked, and of an
//! answer only its beginning is read.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::{
    Client, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    header::RETRY_AFTER,
    redirect,
};

use super::tls::TlsFault;
use crate::{
    base::address::is_public,
    config::Notify,
    error::{Error, Result},
    limits,
    ports::webhooks::{Answered, Message, WebhookFailure, WebhookSender},
};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next message.
const IDLE: Duration = Duration::from_secs(30);
/// Connections kept per receiver.
const IDLE_PER_HOST: usize = 2;
/// How receivers know us.
const USER_AGENT: &str = concat!("Torv-Webhooks/", env!("CARGO_PKG_VERSION"));

/// Networks that may be reached although they are not public; for tests and for a trusted network.
#[derive(Debug, Clone)]
struct Reach(Arc<Vec<IpNet>>);

impl Reach {
    fn includes(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

impl Resolve for Reach {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| NotReachable)?;
            let within: Vec<SocketAddr> = found.filter(|address| reach.includes(address.ip())).collect();
            if within.is_empty() {
                return Err(NotReachable.into());
            }
            Ok(Box::new(within.into_iter()) as Addrs)
        })
    }
}

/// The name is unknown, or stands for no address within reach: the two look the same from outside.
#[derive(Debug, thiserror::Error)]
#[error("the name stands for no address that webhooks are sent to")]
struct NotReachable;

/// The sender over HTTP.
pub struct HttpSender {
    client: Client,
    reach: Reach,
    allow_http: bool,
}

impl HttpSender {
    /// A sender with these settings.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(config: &Notify) -> Result<Self> {
        let reach = Reach(Arc::new(config.allowed_networks().map_err(Error::internal)?));
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .https_only(!config.webhook_allow_http)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(Duration::from_secs(config.webhook_timeout_seconds))
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .dns_resolver(reach.clone())
            .build()
            .map_err(Error::internal)?;
        Ok(Self { client, reach, allow_http: config.webhook_allow_http })
    }

    /// The address, unless its scheme or a literal IP address in it is refused. A literal is never resolved, so it is
    /// looked at here.
    fn checked(&self, text: &str) -> Result<Url, WebhookFailure> {
        let url = Url::parse(text).map_err(|_| WebhookFailure::Refused)?;
        let scheme_ok = url.scheme() == "https" || self.allow_http && url.scheme() == "http";
        let host_ok = match url.host() {
            Some(url::Host::Ipv4(address)) => self.reach.includes(address.into()),
            Some(url::Host::Ipv6(address)) => self.reach.includes(address.into()),
            Some(url::Host::Domain(_)) => true,
            None => false,
        };
        if scheme_ok && host_ok { Ok(url) } else { Err(WebhookFailure::Refused) }
    }
}

#[async_trait]
impl WebhookSender for HttpSender {
    async fn send(&self, message: Message) -> Result<Answered, WebhookFailure> {
        let url = self.checked(&message.url)?;
        let mut request = self.client.post(url).header("content-type", "application/json").body(message.body);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| why(&error))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let beginning = beginning(response).await?;
        Ok(Answered { status, retry_after, beginning })
    }
}

/// Reads as much of the body as is kept, and no more. A body that breaks off later is none of our business.
async fn beginning(mut response: reqwest::Response) -> Result<String, WebhookFailure> {
    let mut kept = Vec::new();
    while kept.len() < limits::WEBHOOK_ANSWER_BYTES_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => kept.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) if error.is_timeout() => return Err(WebhookFailure::Timeout),
            Err(_) => break,
        }
    }
    kept.truncate(limits::WEBHOOK_ANSWER_BYTES_MAX);
    let text = String::from_utf8_lossy(&kept);
    Ok(text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect())
}

fn why(error: &reqwest::Error) -> WebhookFailure {
    if error.is_timeout() {
        return WebhookFailure::Timeout;
    }
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<NotReachable>() {
            return WebhookFailure::Unresolved;
        }
        cause = inner.source();
    }
    match TlsFault::of(error) {
        Some(TlsFault::Untrusted) => WebhookFailure::UntrustedCertificate,
        Some(TlsFault::Expired) => WebhookFailure::ExpiredCertificate,
        Some(TlsFault::OtherName) => WebhookFailure::CertificateForAnotherName,
        Some(TlsFault::Handshake) => WebhookFailure::Tls,
        None => WebhookFailure::Connection,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(adjust: impl FnOnce(&mut Notify)) -> HttpSender {
        let mut config = Notify::default();
        adjust(&mut config);
        HttpSender::new(&config).expect("a client")
    }

    #[test]
    fn literal_addresses_are_looked_at_before_anything_is_sent() {
        let sender = sender(|_| {});
        for refused in [
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::a00:1]/",
            "http://example.org/",
            "ftp://example.org/",
            "not an address",
        ] {
            assert_eq!(sender.checked(refused).unwrap_err(), WebhookFailure::Refused, "{refused}");
        }
        assert!(sender.checked("https://example.org/hook").is_ok());
        assert!(sender.checked("https://8.8.8.8/hook").is_ok());
    }

    #[tokio::test]
    async fn a_name_that_stands_for_this_machine_is_not_sent_to() {
        let message = |url: &str| Message { url: url.to_owned(), headers: Vec::new(), body: Vec::new() };
        let refused = sender(|config| config.webhook_allow_http = true).send(message("http://localhost:9/")).await;
        assert_eq!(refused.unwrap_err(), WebhookFailure::Unresolved);
        let tried = sender(|config| {
            config.webhook_allow_http = true;
            config.webhook_allowed_networks = "127.0.0.0/8, ::1/128".to_owned();
        });
        assert_eq!(tried.send(message("http://localhost:9/")).await.unwrap_err(), WebhookFailure::Connection);
    }
}
