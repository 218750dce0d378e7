//! Telling people and programs what happened.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Secret;

/// Telling people and programs what happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notify {
    /// Webhooks may go to `http://` addresses: for trying things out, never on the open internet.
    pub webhook_allow_http: bool,
    /// Networks in CIDR notation, separated by commas, that webhooks may go to although they are not public, at any
    /// port. Empty means the public internet alone.
    pub webhook_allowed_networks: String,
    /// Ports that webhooks go to, unless networks are allowed.
    pub webhook_ports: Vec<u16>,
    /// Longest one attempt may take, answer included.
    pub webhook_timeout_seconds: u64,
    /// Waits before the second, third, … attempt; after the last one a delivery is dead. Each is lengthened by up to a
    /// tenth, so that many don't come back at once.
    pub webhook_retry_seconds: Vec<u32>,
    /// Days of failing after which an endpoint is switched off.
    pub webhook_disable_after_days: u32,
    /// How long a replaced secret still signs.
    pub webhook_secret_overlap_hours: u32,
    /// Where mails are handed over: `smtps://user:password@host`, or `smtp://host:587?tls=required`. Empty means: they are
    /// written into the folder `mail` of the data directory.
    pub mail_smtp_url: Secret,
    /// Who mails come from.
    pub mail_from: String,
}

impl Default for Notify {
    fn default() -> Self {
        Self {
            webhook_allow_http: false,
            webhook_allowed_networks: String::new(),
            webhook_ports: vec![443, 8_443],
            webhook_timeout_seconds: 15,
            webhook_retry_seconds: vec![5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400],
            webhook_disable_after_days: 5,
            webhook_secret_overlap_hours: 24,
            mail_smtp_url: Secret::default(),
            mail_from: "Torv <torv@localhost>".to_owned(),
        }
    }
}

impl Notify {
    /// The networks that webhooks may go to besides the public internet.
    ///
    /// # Errors
    /// For what is no network in CIDR notation.
    pub fn allowed_networks(&self) -> Result<Vec<IpNet>, ipnet::AddrParseError> {
        let parts = self.webhook_allowed_networks.split(',').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::parse).collect()
    }

    /// What can't be right, as sentences with the key in front.
    pub(super) fn problems(&self) -> Vec<&'static str> {
        let retries = &self.webhook_retry_seconds;
        let rules = [
            (
                self.allowed_networks().is_ok(),
                "notify.webhook_allowed_networks: networks as in 10.1.0.0/16, separated by commas",
            ),
            (!self.webhook_ports.is_empty(), "notify.webhook_ports: at least one port"),
            ((1..=30).contains(&self.webhook_timeout_seconds), "notify.webhook_timeout_seconds: 1 to 30"),
            (
                (1..=20).contains(&retries.len()) && retries.iter().all(|seconds| (1..=172_800).contains(seconds)),
                "notify.webhook_retry_seconds: 1 to 20 waits of 1 to 172800 seconds (two days)",
            ),
            (self.mail_from.contains('@'), "notify.mail_from: a mail address"),
            ((1..=30).contains(&self.webhook_disable_after_days), "notify.webhook_disable_after_days: 1 to 30"),
            (self.webhook_secret_overlap_hours <= 168, "notify.webhook_secret_overlap_hours: at most 168 (a week)"),
        ];
        rules.into_iter().filter(|(good, _)| !good).map(|(_, problem)| problem).collect()
    }
}
