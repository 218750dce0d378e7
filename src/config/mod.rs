//! Configuration: every default is the embedded mode, so no file is needed.
//!
//! Precedence: defaults < file < `TORV_SECTION__KEY` < `TORV_SECTION__KEY_FILE` (a secret read from
//! a file). Unknown keys refuse to start.

mod load;
mod secret;

use std::path::{Path, PathBuf};

pub use load::{ConfigError, Loaded, load};
pub use secret::Secret;
use serde::{Deserialize, Serialize};

/// Everything that can be set.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where files and the embedded database live. Set by `--data-dir` or `TORV_DATA_DIR`.
    #[serde(skip)]
    pub data_dir: PathBuf,
    /// The HTTP server.
    pub server: Server,
    /// The database.
    pub database: Database,
    /// Log-in and keys.
    pub auth: Auth,
    /// Orders and listings.
    pub trade: Trade,
    /// The payment processor.
    pub payments: Payments,
    /// Logs.
    pub log: Log,
}

/// The HTTP server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on.
    pub listen: String,
    /// What clients reach us under, without a slash at the end; empty means `http://` and `listen`.
    pub public_url: String,
    /// Longest a request may take, apart from uploads and downloads.
    pub request_timeout_seconds: u64,
    /// How long requests in flight may finish after a stop was asked for.
    pub shutdown_grace_seconds: u64,
    /// Requests worked on at the same time; more are answered 503.
    pub concurrent_requests_max: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            request_timeout_seconds: 30,
            shutdown_grace_seconds: 30,
            concurrent_requests_max: 4_096,
        }
    }
}

/// The database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// `postgres://…` or `sqlite://FILE`; empty means `torv.sqlite` in the data directory.
    pub url: Secret,
    /// Connections of the PostgreSQL pool.
    pub connections_max: u32,
    /// Bring the schema up to date at start; off, `torv migrate` must have been run.
    pub migrate_on_start: bool,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: Secret::default(), connections_max: 32, migrate_on_start: true }
    }
}

/// Log-in and keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Seals signing keys and signs links. Empty means: made once, in `secret.key` of the data
    /// directory. Replicas must share it.
    pub master_secret: Secret,
    /// Life of an access token.
    pub access_token_seconds: u32,
    /// Life of a refresh token that is not used.
    pub refresh_token_days: u32,
    /// A signing key signs this long; it verifies for one access token's life longer.
    pub signing_key_days: u32,
    /// Life of a signed download link.
    pub download_link_seconds: u32,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            master_secret: Secret::default(),
            access_token_seconds: 900,
            refresh_token_days: 30,
            signing_key_days: 90,
            download_link_seconds: 600,
        }
    }
}

/// Orders and listings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trade {
    /// The operator looks at a listing before it is published.
    pub review_listings: bool,
    /// The operator's share where no dated rule says otherwise, in basis points.
    pub operator_bps: u32,
    /// Days after a sale before the provider's share becomes payable.
    pub hold_days: u32,
    /// Hours after which an order that is not paid expires.
    pub payment_window_hours: u32,
    /// Days after which an order that nobody approved expires.
    pub approval_window_days: u32,
}

impl Default for Trade {
    fn default() -> Self {
        Self {
            review_listings: false,
            operator_bps: 2_000,
            hold_days: 7,
            payment_window_hours: 48,
            approval_window_days: 14,
        }
    }
}

/// Which payment processor, and how the sandbox behaves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payments {
    /// `sandbox` is the only adapter so far.
    pub adapter: String,
    /// Secrets that webhooks may be signed with, separated by commas while one replaces another.
    /// Empty means: derived from the master secret.
    pub webhook_secrets: Secret,
    /// How the sandbox behaves.
    pub sandbox: Sandbox,
}

impl Default for Payments {
    fn default() -> Self {
        Self { adapter: "sandbox".to_owned(), webhook_secrets: Secret::default(), sandbox: Sandbox::default() }
    }
}

/// How the sandbox processor behaves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sandbox {
    /// Its share of a charge, in basis points.
    pub fee_bps: u32,
    /// Its fixed fee per charge, in minor units of the charge's currency.
    pub fee_fixed_minor: i64,
    /// Seconds until the funds of a charge are available.
    pub settle_seconds: u32,
    /// Every webhook is sent this many times.
    pub webhook_copies: u32,
    /// Webhooks due at once are sent in a shuffled order.
    pub webhook_shuffle: bool,
    /// Seconds between an event and its webhook.
    pub webhook_delay_seconds: u32,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            fee_bps: 150,
            fee_fixed_minor: 0,
            settle_seconds: 172_800,
            webhook_copies: 2,
            webhook_shuffle: true,
            webhook_delay_seconds: 0,
        }
    }
}

/// Logs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` for people, `json` for machines.
    pub format: String,
    /// A tracing filter, `info` or `torv=debug,info`.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "text".to_owned(), filter: "info,sqlx=warn,sea_orm_migration=warn".to_owned() }
    }
}

impl Config {
    /// The embedded mode in `data_dir`.
    pub fn embedded(data_dir: &Path) -> Self {
        Self { data_dir: data_dir.to_owned(), ..Self::default() }
    }

    /// The database's address, with the embedded default filled in.
    pub fn database_url(&self) -> secrecy::SecretString {
        if self.database.url.is_empty() {
            format!("sqlite://{}", self.data_dir.join("torv.sqlite").display()).into()
        } else {
            self.database.url.expose().to_owned().into()
        }
    }

    /// What clients reach us under, without a slash at the end.
    pub fn public_url(&self) -> String {
        if self.server.public_url.is_empty() {
            format!("http://{}", self.server.listen)
        } else {
            self.server.public_url.trim_end_matches('/').to_owned()
        }
    }

    /// The `iss` of access tokens: the public address where one is set, so that replicas that
    /// listen on different ports accept each other's tokens where none is.
    pub fn token_issuer(&self) -> String {
        if self.server.public_url.is_empty() { "torv".to_owned() } else { self.public_url() }
    }

    /// What can't be right, as sentences with the key in front.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut require = |good: bool, text: &str| {
            if !good {
                problems.push(text.to_owned());
            }
        };
        require(
            (1..=3_600).contains(&self.server.request_timeout_seconds),
            "server.request_timeout_seconds: 1 to 3600",
        );
        require(self.server.concurrent_requests_max >= 1, "server.concurrent_requests_max: at least 1");
        require(self.trade.operator_bps <= 10_000, "trade.operator_bps: at most 10000 (the whole price)");
        require(self.trade.hold_days <= 365, "trade.hold_days: at most 365");
        require(self.trade.payment_window_hours >= 1, "trade.payment_window_hours: at least 1");
        require(self.payments.adapter == "sandbox", "payments.adapter: only \"sandbox\" exists so far");
        require(self.payments.sandbox.fee_bps <= 10_000, "payments.sandbox.fee_bps: at most 10000");
        require((1..=10).contains(&self.payments.sandbox.webhook_copies), "payments.sandbox.webhook_copies: 1 to 10");
        require(self.auth.access_token_seconds >= 60, "auth.access_token_seconds: at least 60");
        require((30..=86_400).contains(&self.auth.download_link_seconds), "auth.download_link_seconds: 30 to 86400");
        require(
            self.auth.master_secret.is_empty() || self.auth.master_secret.expose().len() >= 32,
            "auth.master_secret: at least 32 characters",
        );
        require(matches!(self.log.format.as_str(), "text" | "json"), "log.format: \"text\" or \"json\"");
        let url = self.database.url.expose();
        let known =
            url.is_empty() || ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme));
        require(known, "database.url: starts with sqlite: or postgres:");
        require(self.database.connections_max >= 2, "database.connections_max: at least 2");
        problems
    }
}
