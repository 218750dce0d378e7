//! Group commit for a database with one writer.
//!
//! SQLite syncs the disk once per commit, so sixteen orders in one commit are four times as fast as
//! sixteen commits. Writes queue here; one task takes all that wait, runs each in its own savepoint,
//! commits once, and only then tells every caller. A body that fails rolls back its savepoint alone.
//! Since the task owns the work, a write that has begun finishes even if its client hangs up.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt as _, future::BoxFuture};
use sea_orm::{DatabaseConnection, TransactionTrait};
use tokio::sync::{mpsc, oneshot};

use super::{Faults, Tx, tx};
use crate::error::{Error, Result};

/// Writes that may wait in the queue before callers have to wait to enter it.
const QUEUE_MAX: usize = 4_096;
/// Writes that share one commit at most, so that the first of them need not wait long.
const GROUP_MAX: usize = 128;

/// Tells one caller how the commit went.
type Tell = Box<dyn FnOnce(Result<(), String>) + Send>;
/// One caller's work inside a savepoint.
type Unit = Box<dyn FnOnce(Tx) -> BoxFuture<'static, Tell> + Send>;

/// The queue in front of the one writer.
pub(super) struct GroupCommit {
    queue: mpsc::Sender<Unit>,
    faults: Faults,
}

impl GroupCommit {
    pub(super) fn start(writer: DatabaseConnection, faults: Faults) -> Self {
        let (queue, units) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(serve(writer, units));
        Self { queue, faults }
    }

    pub(super) async fn run<T, F, Fut>(&self, name: &'static str, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(Tx) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(T, Tx)>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let faults = self.faults.clone();
        let unit: Unit = Box::new(move |savepoint| {
            async move {
                let outcome = in_savepoint(savepoint, name, &body, &faults).await;
                let tell: Tell = Box::new(move |commit| {
                    // The caller may be gone; the work is done all the same.
                    let _ = reply.send(outcome.and_then(|value| match commit {
                        Ok(()) => Ok(value),
                        Err(cause) => Err(Error::unavailable("The change was not saved. Try again.", 1).because(cause)),
                    }));
                });
                tell
            }
            .boxed()
        });
        let stopped = || Error::unavailable("The exchange is shutting down. Try again.", 5);
        self.queue.send(unit).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

async fn in_savepoint<T, F, Fut>(savepoint: Tx, name: &str, body: &F, faults: &Faults) -> Result<T>
where
    F: Fn(Tx) -> Fut,
    Fut: Future<Output = Result<(T, Tx)>>,
{
    let caught = AssertUnwindSafe(body(savepoint)).catch_unwind().await;
    let (value, savepoint) = caught.map_err(|_| Error::internal(format!("{name} panicked")))??;
    faults.step(|| format!("{name}: before commit"))?;
    savepoint.commit().await?;
    Ok(value)
}

async fn serve(writer: DatabaseConnection, mut units: mpsc::Receiver<Unit>) {
    while let Some(first) = units.recv().await {
        let mut told = Vec::new();
        let committed = group(&writer, first, &mut units, &mut told).await;
        if let Err(cause) = &committed {
            tracing::error!(error = %cause, writes = told.len(), "a group of writes was not committed: {cause}");
        }
        metrics::histogram!("db_group_commit_writes").record(f64::from(u32::try_from(told.len()).unwrap_or(u32::MAX)));
        for tell in told {
            tell(committed.as_ref().map_err(ToString::to_string).copied());
        }
    }
}

/// Runs the first unit and all that wait behind it in one transaction.
async fn group(
    writer: &DatabaseConnection,
    first: Unit,
    units: &mut mpsc::Receiver<Unit>,
    told: &mut Vec<Tell>,
) -> Result<()> {
    let outer = match tx::begin(writer).await {
        Ok(outer) => outer,
        Err(error) => {
            // Dropping the unit drops its reply channel: the caller hears that it may try again.
            drop(first);
            return Err(error);
        }
    };
    let mut next = Some(first);
    while let Some(unit) = next {
        let savepoint = outer.savepoint().await?;
        told.push(unit(savepoint).await);
        next = if told.len() < GROUP_MAX { units.try_recv().ok() } else { None };
    }
    outer.commit().await
}

impl Tx {
    #[expect(clippy::disallowed_methods, reason = "a savepoint inside an IMMEDIATE transaction, not a transaction")]
    async fn savepoint(&self) -> Result<Self> {
        Ok(Self::new(self.inner().begin().await?))
    }
}
