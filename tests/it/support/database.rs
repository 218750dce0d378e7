//! A fresh database per test: a copy of a migrated SQLite file, or of a migrated PostgreSQL template.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;
use torv::{config::Config, db};

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backend {
    Sqlite,
    Postgres,
}

/// Names the PostgreSQL server to test on; without it, the local one is tried.
const POSTGRES_VARIABLE: &str = "TORV_TEST_POSTGRES";
const POSTGRES_DEFAULT: &str = "postgres://postgres@127.0.0.1:5432";

static NEXT: AtomicU32 = AtomicU32::new(0);
/// A migrated file, kept in memory: on the disk one would be left behind by every process that runs tests.
static SQLITE_TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
static POSTGRES_TEMPLATE: OnceCell<Option<String>> = OnceCell::const_new();

/// Where one test's exchange lives.
pub struct Home {
    pub backend: Backend,
    address: Address,
    /// Removed at the end; nothing in a home that another process made.
    dir: Option<tempfile::TempDir>,
}

/// Where a home is, so that another process can go on in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Address {
    dir: PathBuf,
    /// The server and the database on it.
    postgres: Option<(String, String)>,
}

impl Home {
    /// A fresh home; nothing if the server is not there, which is loud at home and an error in CI.
    pub async fn fresh(backend: Backend) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let postgres = match backend {
            Backend::Sqlite => {
                let template = SQLITE_TEMPLATE.get_or_init(sqlite_template).await;
                std::fs::write(dir.path().join("torv.sqlite"), template).expect("the template is copied");
                None
            }
            Backend::Postgres => {
                let template = POSTGRES_TEMPLATE.get_or_init(postgres_template).await.clone()?;
                Some((server(), copy_of(&server(), &template).await))
            }
        };
        Some(Self { backend, address: Address { dir: dir.path().to_owned(), postgres }, dir: Some(dir) })
    }

    /// The home of another process, which is left as it is at the end.
    #[cfg(feature = "stripe")]
    pub fn at(address: Address) -> Self {
        let backend = if address.postgres.is_some() { Backend::Postgres } else { Backend::Sqlite };
        Self { backend, address, dir: None }
    }

    /// Where this home is.
    #[cfg(feature = "stripe")]
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// A home with the same database and files. Whoever is still connected to this one is thrown out.
    #[cfg(feature = "stripe")]
    pub async fn copy(&self) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        copy_files(self.path(), dir.path()).expect("files are copied");
        let postgres = match &self.address.postgres {
            None => None,
            Some((server, template)) => Some((server.clone(), copy_of(server, template).await)),
        };
        Self { backend: self.backend, address: Address { dir: dir.path().to_owned(), postgres }, dir: Some(dir) }
    }

    /// A home whose database has no schema yet; nothing if the server is not there, as in [`Home::fresh`].
    pub async fn empty(backend: Backend) -> Option<Self> {
        let home = Self::fresh(backend).await?;
        match &home.address.postgres {
            None => std::fs::remove_file(home.path().join("torv.sqlite")).expect("the copy is removed"),
            Some((server, name)) => {
                let conn = connect(server, name).await.expect("the fresh database");
                conn.execute_unprepared("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await.expect("drops");
                conn.close().await.expect("closes");
            }
        }
        Some(home)
    }

    /// A look at the database past every exchange that runs on it.
    pub async fn connect(&self) -> DatabaseConnection {
        db::connect_lazy_migrator(&self.config().database_url()).await.expect("the database is there")
    }

    /// The embedded configuration, pointed at this home, with weak but quick settings where allowed.
    pub fn config(&self) -> Config {
        let mut config = Config::embedded(self.path());
        // Each connection learns every statement anew.
        config.database.connections_max = 5;
        config.transparency.head_seconds = 0;
        // Receivers of webhooks are on this machine.
        config.notify.webhook_allow_http = true;
        config.notify.webhook_allowed_networks = "127.0.0.1/32".to_owned();
        config.sql.worker = super::sql::worker();
        // Tests verify when they choose; `verifications.rs` tests the night.
        config.reconciliation.verify_hour_utc = None;
        if let Some((server, name)) = &self.address.postgres {
            config.database.url = format!("{server}/{name}").as_str().into();
        }
        config
    }

    pub fn path(&self) -> &Path {
        &self.address.dir
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let (Some(_), Some((server, name))) = (&self.dir, self.address.postgres.take()) else { return };
        // Dropping needs the async runtime, and a test's own may be ending: use one of its own.
        let drop_it = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                if let Ok(admin) = connect(&server, "postgres").await {
                    let _ = admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
                }
            });
        });
        let _ = drop_it.join();
    }
}

/// A new database that is a copy of another one on the same server; returns its name.
async fn copy_of(server: &str, template: &str) -> String {
    let name = format!("torv_test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = connect(server, "postgres").await.expect("the server was there a moment ago");
    let throw_out = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'");
    admin.execute_unprepared(&throw_out).await.expect("connections are ended");
    let create = format!("CREATE DATABASE {name} TEMPLATE {template}");
    admin.execute_unprepared(&create).await.expect("the template is copied");
    name
}

/// Copies a folder. SQLite's index of its log is left out: it makes a new one.
#[cfg(feature = "stripe")]
fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_files(&entry.path(), &target)?;
        } else if entry.path().extension().is_none_or(|extension| extension != "sqlite-shm") {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn server() -> String {
    std::env::var(POSTGRES_VARIABLE).unwrap_or_else(|_| POSTGRES_DEFAULT.to_owned())
}

async fn connect(server: &str, database: &str) -> Result<DatabaseConnection, sea_orm::DbErr> {
    let mut options = sea_orm::ConnectOptions::new(format!("{server}/{database}"));
    options.max_connections(1).sqlx_logging(false).connect_timeout(std::time::Duration::from_secs(5));
    Database::connect(options).await
}

async fn sqlite_template() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("template.sqlite");
    let url = format!("sqlite://{}", path.display()).into();
    let conn = db::connect_lazy_migrator(&url).await.expect("a SQLite file");
    migrate(&conn).await;
    conn.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.expect("a checkpoint");
    conn.close().await.expect("closes");
    std::fs::read(path).expect("the template is read")
}

async fn postgres_template() -> Option<String> {
    let server = server();
    let admin = match connect(&server, "postgres").await {
        Ok(admin) => admin,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "CI needs PostgreSQL at {server} ({POSTGRES_VARIABLE}): {error}");
            eprintln!(
                "\n!!! SKIPPED: no PostgreSQL at {server}; set {POSTGRES_VARIABLE}. Its half of the tests did NOT run.\n"
            );
            return None;
        }
    };
    let name = format!("torv_template_{}", std::process::id());
    admin.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await.expect("drops");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("the tester may create databases");
    let conn = connect(&server, &name).await.expect("the fresh database");
    migrate(&conn).await;
    conn.close().await.expect("closes");
    Some(name)
}

async fn migrate(conn: &DatabaseConnection) {
    use migration::MigratorTrait as _;
    migration::Migrator::up(conn, None).await.expect("the migrations run");
}
