//! Which addresses are taken, and what messages are signed with.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::{Host, Url};

use crate::{
    auth::secrets::random_bytes,
    base::address::is_public,
    config::Notify,
    error::{Check, Error, Result},
    limits,
};

/// What every secret starts with when it is shown.
///
/// Source: Standard Webhooks 1.0, "Signature scheme" (24 to 64 random bytes, base64 after the prefix).
const SECRET_PREFIX: &str = "whsec_";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// What messages to one endpoint are signed with. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

impl SigningSecret {
    /// A fresh one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self> {
        Ok(Self(random_bytes::<SECRET_BYTES>()?.to_vec()))
    }

    /// The bytes as they are kept, once sealed.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// A secret as it was kept.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// As its owner is shown it, once.
    pub fn shown(&self) -> String {
        format!("{SECRET_PREFIX}{}", STANDARD.encode(&self.0))
    }

    /// The signature of a message: `v1,` and the base64 of HMAC-SHA256 over id, time and body.
    ///
    /// Source: Standard Webhooks 1.0, "Signature scheme".
    pub fn sign(&self, message_id: &str, unix_seconds: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{message_id}.{unix_seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

/// Checks an address that messages are to be sent to. Names are looked up when something is sent, each time.
///
/// # Errors
/// `Invalid` at `/url`, with what to change.
pub(super) fn check_url(text: &str, config: &Notify) -> Result<()> {
    let refuse = |detail: &str| Err(Error::invalid("/url", detail));
    let Ok(url) = Url::parse(text) else {
        return refuse("Give a whole address, as in https://example.org/hooks/torv.");
    };
    if text.len() > limits::URL_CHARS_MAX || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse("Give an address of at most 2000 characters, without white space.");
    }
    if url.scheme() != "https" && !(config.webhook_allow_http && url.scheme() == "http") {
        return refuse("Give an https address.");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return refuse("Leave user name, password and fragment out: messages are signed instead.");
    }
    let networks = config.allowed_networks().map_err(Error::internal)?;
    let port = url.port_or_known_default().unwrap_or_default();
    if networks.is_empty() && !config.webhook_ports.contains(&port) {
        let ports: Vec<String> = config.webhook_ports.iter().map(u16::to_string).collect();
        return refuse(&format!("Use one of these ports: {}.", ports.join(", ")));
    }
    let within = |address| is_public(address) || networks.iter().any(|network| network.contains(&address));
    let good = match url.host() {
        Some(Host::Ipv4(address)) => within(address.into()),
        Some(Host::Ipv6(address)) => within(address.into()),
        Some(Host::Domain(name)) => !networks.is_empty() || !is_local_name(name),
        None => false,
    };
    if good { Ok(()) } else { refuse("Give an address of the public internet.") }
}

/// Names that never stand for a public address.
///
/// Source: RFC 6761 (`localhost`), RFC 6762 (`local`), RFC 9476 (`alt`), ICANN's reservation of `internal`.
fn is_local_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    !name.contains('.') || [".localhost", ".local", ".internal", ".alt"].iter().any(|end| name.ends_with(end))
}

/// Checks which kinds and listings are wanted.
pub(super) fn check_filter(check: &mut Check, kinds: &[String], listings: usize) {
    for (place, kind) in kinds.iter().enumerate() {
        let known = crate::notify::kinds::find(kind).is_some();
        check.require(known, format!("/kinds/{place}"), "Use a kind that GET /api/v1/notices/kinds lists.");
    }
    let mut once = kinds.to_vec();
    once.sort_unstable();
    once.dedup();
    check.require(once.len() == kinds.len(), "/kinds", "Name each kind once.");
    let advice = format!("Name at most {} listings, or none for all.", limits::WEBHOOK_LISTINGS_MAX);
    check.require(listings <= limits::WEBHOOK_LISTINGS_MAX, "/listing_ids", advice);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: the test vector that the Standard Webhooks libraries share.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = SigningSecret::from_bytes(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(secret.shown(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_taken() {
        let config = Notify::default();
        for good in
            ["https://example.org/hook", "https://example.org:8443/?a=b", "https://8.8.8.8/", "https://例え.jp/"]
        {
            let url = Url::parse(good).unwrap();
            assert!(check_url(url.as_str(), &config).is_ok(), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "http://example.org/",
            "ftp://example.org/",
            "https://example.org:22/",
            "https://user@example.org/",
            "https://user:pass@example.org/",
            "https://example.org/#part",
            "https://127.0.0.1/",
            "https://0x7f000001/",
            "https://017700000001/",
            "https://127.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://10.0.0.8/",
            "https://192.168.1.1/",
            "https://169.254.169.254/",
            "https://100.64.0.1/",
            "https://224.0.0.1/",
            "https://[fe80::1]/",
            "https://[fd00::1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://metadata.google.internal/",
            "https://printer.local/",
            "https://intranet/",
            "file:///etc/passwd",
        ] {
            assert!(check_url(bad, &config).is_err(), "{bad}");
        }
        let trusting = Notify {
            webhook_allow_http: true,
            webhook_allowed_networks: "10.1.0.0/16".to_owned(),
            ..Notify::default()
        };
        assert!(check_url("http://10.1.2.3:9000/", &trusting).is_ok());
        assert!(check_url("http://10.2.2.3:9000/", &trusting).is_err());
    }
}
