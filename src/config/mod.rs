//! Configuration: every default is the embedded mode, so no file is needed.
//!
//! Precedence: defaults < file < `TORV_SECTION__KEY` < `TORV_SECTION__KEY_FILE` (a secret read from
//! a file). Unknown keys refuse to start.

mod load;
mod notify;
mod secret;
mod sql;
mod storage;

use std::path::{Path, PathBuf};

use entity::states::{DisputeBearer, TaxMode};
pub use load::{ConfigError, Loaded, load};
pub use notify::Notify;
pub use secret::Secret;
use serde::{Deserialize, Serialize};
pub use sql::Sql;
pub use storage::{S3, Storage};

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
    /// Where files are kept.
    pub storage: Storage,
    /// SQL over what grants open.
    pub sql: Sql,
    /// Log-in and keys.
    pub auth: Auth,
    /// Revisions and their versions.
    pub catalog: Catalog,
    /// Orders and listings.
    pub trade: Trade,
    /// The payment processor.
    pub payments: Payments,
    /// Proof for outsiders.
    pub transparency: Transparency,
    /// Reconciliation with the bank.
    pub reconciliation: Reconciliation,
    /// Telling people and programs what happened.
    pub notify: Notify,
    /// Logs.
    pub log: Log,
}

/// Reconciliation with the bank.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reconciliation {
    /// What one person may book to settle an exception, in minor units; more needs a second person.
    pub approval_minor: i64,
    /// Bank days after which a payout that did not arrive is late.
    pub late_bank_days: i32,
    /// From which hour of the day on, in UTC, everything is verified once, 0 to 23; never without it.
    pub verify_hour_utc: Option<u8>,
}

impl Default for Reconciliation {
    fn default() -> Self {
        Self { approval_minor: 100_000, late_bank_days: 5, verify_hour_utc: Some(3) }
    }
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

/// Revisions and their versions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalog {
    /// Days after which a breaking revision reaches those who were granted an older major.
    pub breaking_notice_days: u32,
}

impl Default for Catalog {
    fn default() -> Self {
        Self { breaking_notice_days: 30 }
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
    /// Days after which an order that is paid by bank transfer expires.
    pub invoice_window_days: u32,
    /// Days after which an order that nobody approved expires.
    pub approval_window_days: u32,
    /// Days after a sale in which a buyer may ask for a refund.
    pub refund_window_days: u32,
    /// Business days (Monday to Friday, UTC) in which a provider answers a request for a refund.
    pub refund_answer_business_days: u32,
    /// Days after a provider's refusal in which the buyer may have the operator decide.
    pub refund_appeal_days: u32,
    /// An open dispute closes the door until it is decided.
    pub dispute_suspends_access: bool,
    /// Who bears lost disputes where no dated rule says otherwise: `operator`, `provider`, or `split`.
    pub dispute_bearer: DisputeBearer,
    /// Who supplies what is sold: `agent` (each provider), or `deemed_supplier` (the operator).
    pub tax_mode: TaxMode,
    /// The most that one write-off may give up, in minor units of its currency.
    pub write_off_minor_max: i64,
    /// Days after a declined charge of a subscription at which it is tried again, ascending; after the last it ends.
    pub dunning_days: Vec<u16>,
}

impl Default for Trade {
    fn default() -> Self {
        Self {
            review_listings: false,
            operator_bps: 2_000,
            hold_days: 7,
            payment_window_hours: 48,
            invoice_window_days: 30,
            approval_window_days: 14,
            refund_window_days: 30,
            refund_answer_business_days: 3,
            refund_appeal_days: 14,
            dispute_suspends_access: true,
            dispute_bearer: DisputeBearer::Split,
            tax_mode: TaxMode::Agent,
            write_off_minor_max: 100_000,
            dunning_days: vec![1, 3, 7],
        }
    }
}

/// Which payment processor, and how the sandbox behaves.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payments {
    /// `sandbox`, `stripe`, or `auto`: Stripe where a secret key is configured, the sandbox otherwise.
    pub adapter: String,
    /// Secrets that webhooks may be signed with, separated by commas while one replaces another.
    /// Empty means: derived from the master secret.
    pub webhook_secrets: Secret,
    /// Where buyers come back to after confirming a payment with their bank; empty means our own address.
    pub return_url: String,
    /// How the sandbox behaves.
    pub sandbox: Sandbox,
    /// The connection to Stripe.
    pub stripe: Stripe,
}

impl Default for Payments {
    fn default() -> Self {
        Self {
            adapter: "auto".to_owned(),
            webhook_secrets: Secret::default(),
            return_url: String::new(),
            sandbox: Sandbox::default(),
            stripe: Stripe::default(),
        }
    }
}

impl Payments {
    /// Whether payments go to Stripe.
    pub fn uses_stripe(&self) -> bool {
        self.adapter == "stripe" || self.adapter == "auto" && !self.stripe.secret_key.is_empty()
    }
}

/// The connection to Stripe.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stripe {
    /// `sk_…` or a restricted `rk_…`.
    pub secret_key: Secret,
    /// Where Stripe answers, with a slash at the end.
    pub api_base: String,
    /// Longest one attempt of a call may take.
    pub timeout_seconds: u64,
    /// In which country the account is that European buyers send bank transfers to: DE, ES, FR, IE or NL.
    pub bank_transfer_country: String,
}

impl Default for Stripe {
    fn default() -> Self {
        Self {
            secret_key: Secret::default(),
            api_base: "https://api.stripe.com/".to_owned(),
            timeout_seconds: 20,
            bank_transfer_country: "DE".to_owned(),
        }
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
    /// The smallest charge it takes, in minor units.
    pub charge_min_minor: i64,
    /// Seconds until the funds of a charge are available.
    pub settle_seconds: u32,
    /// Every webhook is sent this many times.
    pub webhook_copies: u32,
    /// Webhooks due at once are sent in a shuffled order.
    pub webhook_shuffle: bool,
    /// Seconds between an event and its webhook.
    pub webhook_delay_seconds: u32,
    /// Every charge is a multiple of so many minor units.
    pub charge_step_minor: i64,
    /// A share moves out of the charge it comes from, so a payout carries one order.
    pub transfers_per_charge: bool,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self {
            fee_bps: 150,
            fee_fixed_minor: 0,
            charge_min_minor: 1,
            settle_seconds: 172_800,
            webhook_copies: 2,
            webhook_shuffle: true,
            webhook_delay_seconds: 0,
            charge_step_minor: 1,
            transfers_per_charge: false,
        }
    }
}

/// Proof for outsiders.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transparency {
    /// Shortest time between two signed tree heads of a day: a receipt is ready that long after the sale.
    pub head_seconds: u32,
}

impl Default for Transparency {
    fn default() -> Self {
        Self { head_seconds: 60 }
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

    /// Where buyers come back to after confirming a payment with their bank.
    pub fn return_url(&self) -> String {
        let configured = &self.payments.return_url;
        if configured.is_empty() { format!("{}/", self.public_url()) } else { configured.clone() }
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
        require(self.catalog.breaking_notice_days <= 365, "catalog.breaking_notice_days: at most 365");
        require(self.trade.operator_bps <= 10_000, "trade.operator_bps: at most 10000 (the whole price)");
        require(self.trade.hold_days <= 365, "trade.hold_days: at most 365");
        require(
            (1..=30).contains(&self.trade.refund_answer_business_days),
            "trade.refund_answer_business_days: 1 to 30",
        );
        require(self.trade.refund_window_days <= 365, "trade.refund_window_days: at most 365");
        require(self.trade.refund_appeal_days <= 365, "trade.refund_appeal_days: at most 365");
        require(self.trade.write_off_minor_max >= 0, "trade.write_off_minor_max: not negative");
        require(self.trade.payment_window_hours >= 1, "trade.payment_window_hours: at least 1");
        require((1..=365).contains(&self.trade.invoice_window_days), "trade.invoice_window_days: 1 to 365");
        require(
            self.reconciliation.verify_hour_utc.is_none_or(|hour| hour <= 23),
            "reconciliation.verify_hour_utc: 0 to 23",
        );
        let adapters = ["auto", "sandbox", "stripe"];
        require(adapters.contains(&self.payments.adapter.as_str()), "payments.adapter: auto, sandbox or stripe");
        if self.payments.uses_stripe() {
            let stripe = &self.payments.stripe;
            require(
                cfg!(feature = "stripe"),
                "payments.adapter: this build has no Stripe; build with --features stripe",
            );
            require(!stripe.secret_key.is_empty(), "payments.stripe.secret_key: needed for Stripe");
            require(!self.payments.webhook_secrets.is_empty(), "payments.webhook_secrets: needed for Stripe (whsec_…)");
            require((1..=25).contains(&stripe.timeout_seconds), "payments.stripe.timeout_seconds: 1 to 25");
            let base = &stripe.api_base;
            require(
                base.ends_with('/') && (base.starts_with("https://") || base.starts_with("http://127.0.0.1:")),
                "payments.stripe.api_base: an https address with a slash at the end",
            );
        }
        let dunning = &self.trade.dunning_days;
        let ascending = dunning.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
        require(
            ascending && dunning.iter().all(|day| (1..=27).contains(day)),
            "trade.dunning_days: days from 1 to 27, ascending, so that a month's dunning ends before the next",
        );
        require(self.payments.sandbox.fee_bps <= 10_000, "payments.sandbox.fee_bps: at most 10000");
        require((1..=10).contains(&self.payments.sandbox.webhook_copies), "payments.sandbox.webhook_copies: 1 to 10");
        require(self.transparency.head_seconds <= 86_400, "transparency.head_seconds: at most 86400 (a day)");
        require(self.auth.access_token_seconds >= 60, "auth.access_token_seconds: at least 60");
        require((30..=86_400).contains(&self.auth.download_link_seconds), "auth.download_link_seconds: 30 to 86400");
        require(
            self.auth.master_secret.is_empty() || self.auth.master_secret.expose().len() >= 32,
            "auth.master_secret: at least 32 characters",
        );
        require(matches!(self.log.format.as_str(), "text" | "json"), "log.format: \"text\" or \"json\"");
        for problem in self.notify.problems() {
            require(false, problem);
        }
        let url = self.database.url.expose();
        let known =
            url.is_empty() || ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| url.starts_with(scheme));
        require(known, "database.url: starts with sqlite: or postgres:");
        require(self.database.connections_max >= 2, "database.connections_max: at least 2");
        problems.extend([self.storage.problems(), self.sql.problems()].concat());
        problems
    }
}
