//! The one write transaction, and the one that reads.

use std::{sync::Arc, time::Instant};

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, IsolationLevel,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use super::{Faults, group_commit::GroupCommit};
use crate::error::{Error, Problem, Result};

/// How often a transaction is tried when the database asks for another try.
const WRITE_ATTEMPTS_MAX: u32 = 5;

/// A handle to the database; cloning shares the pools.
#[derive(Clone)]
pub struct Db(Arc<Pools>);

struct Pools {
    read: DatabaseConnection,
    /// Set on SQLite, which has one writer: writes queue there and share commits.
    group: Option<GroupCommit>,
    faults: Faults,
}

/// An open write transaction. It is passed by value and returned to be committed; dropping it rolls back.
pub struct Tx(DatabaseTransaction);

impl Tx {
    pub(super) fn new(inner: DatabaseTransaction) -> Self {
        Self(inner)
    }

    pub(super) async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }

    pub(super) fn inner(&self) -> &DatabaseTransaction {
        &self.0
    }

    /// What stores run their statements on.
    pub fn conn(&self) -> &impl ConnectionTrait {
        &self.0
    }
}

/// A view of all rows as they were at one moment, whatever is written meanwhile. Dropping it ends it.
pub struct Snapshot(DatabaseTransaction);

impl Snapshot {
    /// What stores read from.
    pub fn conn(&self) -> &impl ConnectionTrait {
        &self.0
    }
}

impl Db {
    pub(super) fn new(read: DatabaseConnection, writer: Option<DatabaseConnection>) -> Self {
        let faults = Faults::default();
        let group = writer.map(|writer| GroupCommit::start(writer, faults.clone()));
        Self(Arc::new(Pools { read, group, faults }))
    }

    /// A connection for reads outside of a transaction.
    pub fn read(&self) -> &DatabaseConnection {
        &self.0.read
    }

    /// All rows as they are now, for a reading that compares many of them with each other.
    ///
    /// It holds one connection, and keeps the database from clearing away what later writes replace (SQLite's
    /// write-ahead log grows, PostgreSQL's vacuum waits): take it for minutes, never for a request's length times many.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let options = match self.backend() {
            // A deferred transaction on a WAL file sees what was committed when it first reads.
            DbBackend::Sqlite => TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
                ..TransactionOptions::default()
            },
            _ => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
        };
        Ok(Snapshot(self.0.read.begin_with_options(options).await?))
    }

    /// Which database this is, for the few statements that differ.
    pub fn backend(&self) -> DbBackend {
        self.0.read.get_database_backend()
    }

    /// The switchboard for failing on purpose.
    pub fn faults(&self) -> &Faults {
        &self.0.faults
    }

    /// Runs `body` in a transaction and commits what it returns.
    ///
    /// `body` takes the transaction by value and gives it back with its result, so a forgotten
    /// commit does not compile and an early `?` rolls back. It may run several times (the database
    /// asked for another try), so it must have no effect but through the transaction: no network
    /// inside. On SQLite several bodies share one commit, each in a savepoint of its own.
    ///
    /// `name` is a verb phrase (`"trade.place_order"`); it labels the metrics `db_write_seconds`
    /// and `db_write_retries_total`.
    ///
    /// # Errors
    /// Those of `body`, and [`Problem::Unavailable`] when the database stays busy.
    pub async fn write<T, F, Fut>(&self, name: &'static str, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(T, Tx)>> + Send + 'static,
    {
        self.0.faults.step(|| format!("{name}: before begin"))?;
        let started = Instant::now();
        let outcome = match &self.0.group {
            Some(group) => group.run(name, body).await,
            None => self.write_with_retries(name, body).await,
        };
        metrics::histogram!("db_write_seconds", "tx" => name).record(started.elapsed().as_secs_f64());
        let value = outcome?;
        self.0.faults.step(|| format!("{name}: after commit"))?;
        Ok(value)
    }

    async fn write_with_retries<T, F, Fut>(&self, name: &'static str, body: F) -> Result<T>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<(T, Tx)>>,
    {
        let mut attempt = 1;
        loop {
            match self.write_once(name, &body).await {
                Err(error) if error.problem == Problem::Unavailable && attempt < WRITE_ATTEMPTS_MAX => {
                    metrics::counter!("db_write_retries_total", "tx" => name).increment(1);
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn write_once<T, F, Fut>(&self, name: &'static str, body: &F) -> Result<T>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<(T, Tx)>>,
    {
        let tx = begin(&self.0.read).await?;
        let (value, tx) = body(tx).await?;
        self.0.faults.step(|| format!("{name}: before commit"))?;
        tx.commit().await?;
        Ok(value)
    }
}

/// Begins a transaction that may write: IMMEDIATE on SQLite, so that it can't fail half-way for a lock.
pub(super) async fn begin(conn: &DatabaseConnection) -> Result<Tx, Error> {
    let options = TransactionOptions {
        access_mode: Some(AccessMode::ReadWrite),
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let options = match conn.get_database_backend() {
        DbBackend::Sqlite => TransactionOptions { access_mode: None, ..options },
        // READ WRITE is PostgreSQL's default; naming it would cost a round trip.
        _ => TransactionOptions::default(),
    };
    Ok(Tx::new(conn.begin_with_options(options).await?))
}
