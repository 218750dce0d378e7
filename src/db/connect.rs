//! Opening a database: SQLite as a WAL file, or PostgreSQL.

use std::time::Duration;

use migration::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, DbErr};
use secrecy::{ExposeSecret as _, SecretString};

use super::Db;
use crate::error::{Error, Result};

/// How long a SQLite connection waits for the writer's lock.
const SQLITE_BUSY_TIMEOUT_MS: u32 = 10_000;
/// How long a request waits for a connection of the pool.
const ACQUIRE_TIMEOUT_SECONDS: u64 = 10;
/// SQLite readers; the one writer comes on top.
const SQLITE_READERS_MAX: u32 = 8;
/// Pages that the writer keeps in memory: the indexes that it walks.
const SQLITE_WRITER_CACHE_KIB: u32 = 32 * 1024;
/// Pages that each reader keeps in memory; what is not there is still in the system's cache of the file.
const SQLITE_READER_CACHE_KIB: u32 = 4 * 1024;

/// Held while the schema changes, so that of processes that start together one changes it and the
/// others wait. Any number will do that no other program on the same database locks.
const MIGRATION_LOCK: i64 = 0x746f_7276;

/// What to do about a schema that is not the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// Bring it up to date.
    Migrate,
    /// Refuse to start, naming the command that helps.
    Require,
}

/// Opens the database at `url` (`sqlite://FILE` or `postgres://…`).
///
/// # Errors
/// When it can't be reached, or when `schema` is [`Schema::Require`] and migrations are pending or unknown.
pub async fn connect(url: &SecretString, connections_max: u32, schema: Schema) -> Result<Db> {
    let sqlite = url.expose_secret().starts_with("sqlite:");
    if schema == Schema::Migrate {
        migrate(url, Steps::UpAll).await?;
    }
    let read = open(url, if sqlite { SQLITE_READERS_MAX } else { connections_max }, SQLITE_READER_CACHE_KIB).await?;
    if schema == Schema::Require {
        require_newest(&read).await?;
    }
    let writer = if sqlite { Some(open(url, 1, SQLITE_WRITER_CACHE_KIB).await?) } else { None };
    Ok(Db::new(read, writer))
}

/// Which migrations to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// All that are pending.
    UpAll,
    /// Undo this many, the newest first.
    Down(u32),
    /// Undo all.
    DownAll,
}

/// Changes the schema, one process at a time.
///
/// # Errors
/// When the database can't be reached, or a migration fails; what it had done is undone then.
pub async fn migrate(url: &SecretString, steps: Steps) -> Result<()> {
    // The lock belongs to the connection, so there must be only one; it ends with it, whatever happens.
    let conn = open(url, 1, SQLITE_WRITER_CACHE_KIB).await?;
    if conn.get_database_backend() == DbBackend::Postgres {
        conn.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
    }
    match steps {
        Steps::UpAll => Migrator::up(&conn, None).await?,
        Steps::Down(count) => Migrator::down(&conn, Some(count)).await?,
        Steps::DownAll => Migrator::down(&conn, None).await?,
    }
    Ok(conn.close().await?)
}

/// A bare connection for tools and tests.
///
/// # Errors
/// When the database can't be reached.
pub async fn connect_lazy_migrator(url: &SecretString) -> Result<DatabaseConnection> {
    open(url, 1, SQLITE_WRITER_CACHE_KIB).await
}

async fn open(url: &SecretString, connections_max: u32, sqlite_cache_kib: u32) -> Result<DatabaseConnection> {
    let sqlite = url.expose_secret().starts_with("sqlite:");
    let url = match url.expose_secret() {
        url if sqlite && !url.contains('?') => format!("{url}?mode=rwc"),
        url => url.to_owned(),
    };
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections_max)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(ACQUIRE_TIMEOUT_SECONDS))
        .sqlx_logging(false)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |options| {
            options
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                .pragma("foreign_keys", "ON")
                .pragma("busy_timeout", SQLITE_BUSY_TIMEOUT_MS.to_string())
                .pragma("cache_size", format!("-{sqlite_cache_kib}"))
                .statement_cache_capacity(512)
        })
        .map_sqlx_postgres_opts(|options| options.statement_cache_capacity(512));
    let conn = Database::connect(options).await.map_err(|cause| unreachable_database(&cause))?;
    conn.ping().await.map_err(|cause| unreachable_database(&cause))?;
    if sqlite {
        conn.execute_unprepared("PRAGMA optimize").await?;
    }
    Ok(conn)
}

/// The driver's text can hold the address with its password, so only its kind is kept.
fn unreachable_database(cause: &DbErr) -> Error {
    let kind = match cause {
        DbErr::ConnectionAcquire(_) => "no connection could be had in time",
        DbErr::Conn(_) => "it could not be reached or refused the log-in",
        _ => "it answered with an error",
    };
    Error::internal(format!("the database can't be opened: {kind}; check database.url (TORV_DATABASE__URL)"))
}

async fn require_newest(conn: &DatabaseConnection) -> Result<()> {
    let pending = Migrator::get_pending_migrations(conn).await?;
    if pending.is_empty() {
        return Ok(());
    }
    Err(Error::internal(format!("{} migrations are pending; run `torv migrate` first", pending.len())))
}
