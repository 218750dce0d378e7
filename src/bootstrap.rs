//! The composition root: configuration in, a working application out. The only file that names adapters.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    adapters::{
        local_bus::LocalBus,
        mail::{MailFolder, Smtp},
        s3,
        sandbox::{Courier, Sandbox},
        webhook_sender::HttpSender,
    },
    auth::{Passwords, Secrets, Tokens},
    base::{Clock, pace::Pace},
    config::{Config, Secret},
    db::{self, Db, Schema},
    delivery::{Files, Recorder, Remote, downloads::Downloads, sql::Queries, tables::Tables},
    error::{Error, Result},
    jobs,
    ledger::KnownAccounts,
    notify::LiveNotices,
    people::api_keys::LiveKeys,
    ports::{mailer::Mailer, payments::Payments},
    settlement::payouts::KeptBack,
    state::{AppState, Parts},
    terms,
    trade::{Counter, slices::Counting, usage::Meters},
};

/// The sandbox processor as it is seen from outside of the exchange.
pub type SandboxHandle = Arc<Sandbox>;

/// An application, with the handle to the sandbox where that is the processor.
pub struct Built {
    /// The application.
    pub app: AppState,
    /// The sandbox processor, where it is the processor.
    pub sandbox: Option<SandboxHandle>,
}

/// Opens everything the configuration names.
///
/// # Errors
/// When the data directory, the database or the master secret can't be used.
pub async fn build(config: Config, clock: Clock) -> Result<Built> {
    std::fs::create_dir_all(&config.data_dir)
        .map_err(|error| Error::internal(format!("{}: {error}", config.data_dir.display())))?;
    let schema = if config.database.migrate_on_start { Schema::Migrate } else { Schema::Require };
    let db = db::connect(&config.database_url(), config.database.connections_max, schema).await?;
    terms::licences::seed(&db, &clock).await?;
    let secrets = Secrets::open(&config.auth.master_secret, &config.data_dir)?;
    let webhook_secrets = webhook_secrets(&config, &secrets);
    let (payments, sandbox) = processor(&config, &db, &clock, webhook_secrets)?;
    let files = open_files(&config).await?;
    let bus = Arc::new(LocalBus::new());
    let mailer = mailer(&config)?;
    let webhooks = Arc::new(HttpSender::new(&config.notify)?);
    let tokens = Tokens::new(config.token_issuer());
    let app = AppState::new(Parts {
        live_keys: LiveKeys::start(db.clone(), clock.clone()),
        counter: Counter::start(&db, &clock),
        downloads: Downloads::start(db.clone()),
        tables: Tables::default(),
        slices: Counting::default(),
        sql: Queries::open(&config.sql),
        meters: Meters::default(),
        recorder: Recorder::start(db.clone()),
        config,
        clock,
        db,
        files,
        secrets,
        passwords: Passwords::default(),
        tokens,
        ledger_accounts: KnownAccounts::default(),
        kept_back: KeptBack::default(),
        payouts_asked: Pace::default(),
        accounts_asked: Pace::default(),
        payments,
        bus,
        live_notices: LiveNotices::default(),
        mailer,
        webhooks,
    });
    Ok(Built { app, sandbox })
}

/// The store of files the configuration names.
async fn open_files(config: &Config) -> Result<Files> {
    let scratch = config.data_dir.join("scratch");
    if config.storage.kind != "s3" {
        let files = Files::open(&config.data_dir.join("files"), &scratch)?;
        return Ok(files.sent_by_web_server(&config.storage.accel_prefix));
    }
    let settings = &config.storage.s3;
    let bucket = s3::open(settings)?;
    let link = std::time::Duration::from_secs(settings.link_seconds.into());
    let remote = Remote { signer: bucket.clone(), link, redirects: settings.redirect_downloads };
    let files = Files::remote(bucket, remote, &scratch)?;
    files.check().await?;
    Ok(files)
}

/// Mails go to the server that the configuration names, else into a folder of the data directory.
fn mailer(config: &Config) -> Result<Arc<dyn Mailer>> {
    if config.notify.mail_smtp_url.is_empty() {
        return Ok(Arc::new(MailFolder::new(config.data_dir.join("mail"), &config.notify)?));
    }
    Ok(Arc::new(Smtp::new(&config.notify)?))
}

/// A payment processor, and the handle to the sandbox where it is that.
type Processor = (Arc<dyn Payments>, Option<Arc<Sandbox>>);

/// The payment processor the configuration names, and the handle to the sandbox where it is that.
fn processor(config: &Config, db: &Db, clock: &Clock, secrets: Vec<Secret>) -> Result<Processor> {
    if config.payments.uses_stripe() {
        return Ok((stripe(config, clock, &secrets)?, None));
    }
    let sandbox = Arc::new(Sandbox::new(db.clone(), clock.clone(), config.payments.sandbox.clone(), secrets));
    Ok((sandbox.clone(), Some(sandbox)))
}

#[cfg(feature = "stripe")]
fn stripe(config: &Config, clock: &Clock, secrets: &[Secret]) -> Result<Arc<dyn Payments>> {
    let stripe = crate::adapters::stripe::Stripe::new(config.payments.stripe.clone(), secrets, clock.clone())?;
    Ok(Arc::new(stripe))
}

#[cfg(not(feature = "stripe"))]
fn stripe(_: &Config, _: &Clock, _: &[Secret]) -> Result<Arc<dyn Payments>> {
    Err(Error::internal("this build has no Stripe; build with --features stripe"))
}

fn webhook_secrets(config: &Config, secrets: &Secrets) -> Vec<Secret> {
    let configured = config.payments.webhook_secrets.expose();
    if configured.is_empty() {
        return vec![Secret::from(secrets.default_webhook_secret())];
    }
    configured.split(',').map(|secret| Secret::from(secret.trim())).collect()
}

/// Starts what runs beside the requests: jobs, and the sandbox's courier towards `base_url`.
///
/// # Errors
/// When no HTTP client can be made.
pub fn start_background(built: &Built, base_url: &str, stop: &CancellationToken, tasks: &TaskTracker) -> Result<()> {
    jobs::start(built.app.clone(), stop.clone(), tasks);
    if let Some(sandbox) = &built.sandbox {
        let address = format!("{base_url}/api/v1/webhooks/sandbox");
        Courier::new(sandbox.clone(), address)?.start(stop.clone(), tasks);
    }
    Ok(())
}
