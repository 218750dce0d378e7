//! What every test stands on: an exchange of its own on a fresh database, with a clock that only the
//! test moves and no background work but what the test runs.

mod actors;
mod answer;
mod bucket;
mod catalogue;
mod database;
mod delivery;
mod listings;
pub mod process;
pub mod receiver;
mod records;
pub mod sales;
pub mod smtp;
pub mod sql;
mod tables;
pub mod tls;
mod trade;
mod webhooks;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub use actors::{LoggedIn, May, PASSWORD, TestOrg};
pub use answer::{Answer, Request};
use axum::Router;
pub use bucket::Bucket;
pub use catalogue::{listing_in, listing_with};
#[cfg(feature = "stripe")]
pub use database::Address;
pub use database::{Backend, Home};
pub use delivery::{Granted, blob_key};
use entity::{
    inbox, job, outbox,
    states::{InboxState, JobState},
};
pub use listings::Made;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};
pub use tables::{PARQUET, gauges, parquet, point};
use time::{Duration, OffsetDateTime, macros::datetime};
use torv::{AppState, adapters::sandbox::Sandbox, base::Clock, bootstrap, config::Config};
pub use trade::{ForSale, approved, charge_of, free, one_off, subscription};
pub use webhooks::{Delivery, Dice, event_id, sign};

/// With it, tests that fail a path step by step leave none out.
const EVERY_STEP_VARIABLE: &str = "TORV_TEST_EVERY_STEP";

/// `everyday`, or 1 where every step is asked for.
pub fn stride(everyday: usize) -> usize {
    if std::env::var_os(EVERY_STEP_VARIABLE).is_some() { 1 } else { everyday }
}

/// Declares tests that run on SQLite and on PostgreSQL; `app` is the test's own [`TestApp`].
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, clippy::allow_attributes, reason = "not every test uses what its file imports")]
            use super::*;

            async fn test($app: &$crate::support::TestApp) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$meta])*
            async fn sqlite() {
                $crate::support::run($crate::support::Backend::Sqlite, async |app| test(app).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$meta])*
            async fn postgres() {
                $crate::support::run($crate::support::Backend::Postgres, async |app| test(app).await).await;
            }
        }
    )+};
}
pub(crate) use on_both;

/// As [`on_both`], and a third time on SQLite with the files in a bucket that buyers read through the exchange.
macro_rules! on_every_store {
    ($($(#[$meta:meta])* async fn $name:ident($app:ident) $body:block)+) => {
        mod on_bucket {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$meta])*
            async fn $name() {
                $crate::support::run_on_bucket(false, async |$app: &$crate::support::TestApp, _| {
                    $body
                    $app.check_what_is_left().await;
                })
                .await;
            })+
        }
        $crate::support::on_both! { $($(#[$meta])* async fn $name($app) $body)+ }
    };
}
pub(crate) use on_every_store;

/// The sandbox of an exchange that has it as its processor.
pub struct SandboxHandle(Option<Arc<Sandbox>>);

impl std::ops::Deref for SandboxHandle {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        self.0.as_deref().expect("the sandbox is the processor here")
    }
}

/// An exchange under test.
pub struct TestApp {
    pub app: AppState,
    pub sandbox: SandboxHandle,
    pub clock: Clock,
    pub router: Router,
    pub backend: Backend,
    /// Kept so that the database and the files live as long as the test.
    pub home: Arc<database::Home>,
    /// Whether the test means to leave work behind that failed for good.
    expects_failures: AtomicBool,
}

/// Runs a test on a fresh exchange, then checks what every test must leave behind.
pub async fn run(backend: Backend, test: impl AsyncFnOnce(&TestApp)) {
    let Some(home) = database::Home::fresh(backend).await else { return };
    let app = TestApp::start(home, |_| {}).await;
    test(&app).await;
    app.check_what_is_left().await;
}

/// Runs a test on an exchange whose files are in a bucket, which hands them out itself where `redirects` says so.
pub async fn run_on_bucket(redirects: bool, test: impl AsyncFnOnce(&TestApp, &Bucket)) {
    let bucket = Bucket::start().await;
    let home = database::Home::fresh(Backend::Sqlite).await.expect("SQLite is always there");
    let app = TestApp::start(home, |config| {
        bucket.keep_files_of(config);
        config.storage.s3.redirect_downloads = redirects;
    })
    .await;
    test(&app, &bucket).await;
}

impl TestApp {
    /// Starts an exchange in `home`, with the configuration changed by `adjust`.
    pub async fn start(home: database::Home, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::start_at(home, datetime!(2026-11-21 10:00:00 UTC), adjust).await
    }

    /// As [`TestApp::start`], at another time.
    pub async fn start_at(home: database::Home, at: OffsetDateTime, adjust: impl FnOnce(&mut Config)) -> Self {
        let clock = Clock::manual(at);
        let mut config = home.config();
        adjust(&mut config);
        Self::build(Arc::new(home), config, clock).await
    }

    /// Starts an exchange in a home in which another one was before, at this time.
    #[cfg(feature = "stripe")]
    pub async fn resume(home: database::Home, clock: Clock, adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = home.config();
        adjust(&mut config);
        Self::build(Arc::new(home), config, clock).await
    }

    async fn build(home: Arc<database::Home>, config: Config, clock: Clock) -> Self {
        let built = bootstrap::build(config, clock.clone()).await.expect("the exchange starts");
        let router = torv::router::router(built.app.clone());
        Self {
            app: built.app,
            sandbox: SandboxHandle(built.sandbox),
            clock,
            router,
            backend: home.backend,
            home,
            expects_failures: AtomicBool::new(false),
        }
    }

    /// Another process on the same database, with the same clock.
    pub async fn sibling(&self) -> Self {
        Self::build(self.home.clone(), self.home.config(), self.clock.clone()).await
    }

    /// A GET without credentials.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path).send().await
    }

    /// A request to be filled in.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.router.clone(), method, path)
    }

    /// Moves the clock; nothing else in the exchange does.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// Runs background work until nothing is due.
    pub async fn run_jobs(&self) {
        torv::jobs::run_until_quiet(&self.app).await.expect("background work comes to an end");
    }

    /// Says that this test makes jobs or webhooks fail for good; without it, none may be left.
    pub fn expect_failures(&self) {
        self.expects_failures.store(true, Ordering::Relaxed);
    }

    /// What every test must leave behind, whatever it did: no work that is due, none that failed for
    /// good, every webhook handled, and a ledger that holds what it promises.
    pub async fn check_what_is_left(&self) {
        self.app.recorder.flush().await;
        self.run_jobs().await;
        self.assert_ledger_is_clean("at the end of the test").await;
        if self.expects_failures.load(Ordering::Relaxed) {
            return;
        }
        let conn = self.app.db.read();
        let told = outbox::Entity::find().all(conn).await.expect("the outbox is readable");
        let untold: Vec<_> = told.iter().filter(|event| torv::notify::kinds::find(&event.kind).is_none()).collect();
        assert!(untold.iter().all(|event| event.kind.starts_with("test.")), "nobody is told of {untold:?}");
        assert!(told.iter().all(|event| event.fanned_out_at.is_some()), "somebody is not told yet");
        let dead = job::Entity::find().filter(job::Column::State.eq(JobState::Dead)).all(conn).await;
        assert_eq!(dead.expect("jobs are readable"), [], "no job failed for good");
        let unhandled = inbox::Entity::find().filter(inbox::Column::State.ne(InboxState::Processed)).all(conn).await;
        assert_eq!(unhandled.expect("the inbox is readable"), [], "every webhook was handled");
    }
}
