//! What every handler and job is given: configuration, clock, database, files and the outside.

use std::{ops::Deref, sync::Arc};

use crate::{
    auth::{Passwords, Secrets, Tokens},
    base::{Clock, pace::Pace},
    config::Config,
    db::Db,
    delivery::{Files, Recorder, downloads::Downloads, sql::Queries, tables::Tables},
    ledger::KnownAccounts,
    notify::LiveNotices,
    people::api_keys::LiveKeys,
    ports::{bus::Bus, mailer::Mailer, payments::Payments, webhooks::WebhookSender},
    settlement::payouts::KeptBack,
    trade::{Counter, slices::Counting, usage::Meters},
};

/// The application; cloning shares it.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// The parts, as [`crate::bootstrap`] puts them together.
pub struct Parts {
    /// The configuration in force.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// The files of all revisions.
    pub files: Files,
    /// Who acts with which API key, at this moment.
    pub live_keys: LiveKeys,
    /// Where purchases queue.
    pub counter: Counter,
    /// Who may download what, at this moment.
    pub downloads: Downloads,
    /// Reads tables, few at a time.
    pub tables: Tables,
    /// Counts rows for quotes of slices, few at a time.
    pub slices: Counting,
    /// Carries out SQL, few queries at a time.
    pub sql: Queries,
    /// How much of what is metered is being sent.
    pub meters: Meters,
    /// Writes down what was delivered.
    pub recorder: Recorder,
    /// Keys derived from the master secret.
    pub secrets: Secrets,
    /// Hashes and verifies passwords.
    pub passwords: Passwords,
    /// Signs and verifies access tokens.
    pub tokens: Tokens,
    /// Ledger accounts known to exist.
    pub ledger_accounts: KnownAccounts,
    /// What the processor was last told to keep back.
    pub kept_back: KeptBack,
    /// When the processor was last asked about its payouts.
    pub payouts_asked: Pace,
    /// When the processor was last asked about providers' accounts.
    pub accounts_asked: Pace,
    /// The payment processor.
    pub payments: Arc<dyn Payments>,
    /// Where outbox events go.
    pub bus: Arc<dyn Bus>,
    /// Who follows the log of notices at this process.
    pub live_notices: LiveNotices,
    /// Takes mails to their readers.
    pub mailer: Arc<dyn Mailer>,
    /// Takes webhooks to strangers.
    pub webhooks: Arc<dyn WebhookSender>,
}

impl AppState {
    /// Shares `parts`.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}
