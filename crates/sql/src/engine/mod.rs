//! The engine: `DataFusion` with nothing in it but the tables of one request.
//!
//! `confine` bounds the process · `session` is the engine with the tables · `failure` what its errors mean to a reader ·
//! `values` and `sink` write the result.

mod confine;
mod failure;
mod session;
mod sink;
mod values;

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

pub use confine::{Confined, confine};
use datafusion::dataframe::DataFrame;
use futures::StreamExt as _;

use self::{session::Session, sink::Sink};
use crate::{Class, Failure, Outcome, Request};

/// Threads for reading files, beside those that work on the query.
const READING_THREADS: usize = 4;
/// Stack of a thread: deep expressions are walked on it.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Carries out a query in `folder`, and writes its result to `out`. The time of the request is kept whatever the query
/// does; its threads may go on when this has returned, so the process is to end.
pub fn run(request: Request, folder: PathBuf, out: impl Write + Send + 'static) -> Outcome {
    let internal = |cause: String| Outcome::Refused(failure::internal(cause));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(request.limits.threads.max(1))
        .max_blocking_threads(READING_THREADS)
        .thread_stack_size(STACK_BYTES)
        .enable_time()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return internal(error.to_string()),
    };
    let time = Duration::from_millis(request.limits.time_ms);
    // In a task of its own: a query that never waits would keep the clock from being looked at.
    let query = runtime.spawn(async move { answer(&request, &folder, out).await });
    let ended = runtime.block_on(async { tokio::time::timeout(time, query).await });
    runtime.shutdown_background();
    match ended {
        Err(_) => Outcome::Refused(failure::too_slow(time)),
        Ok(Err(panicked)) => Outcome::Refused(failure::engine_fault(panicked.to_string())),
        Ok(Ok(Err(failure))) => Outcome::Refused(failure),
        Ok(Ok(Ok(outcome))) => outcome,
    }
}

async fn answer(request: &Request, folder: &Path, out: impl Write) -> Result<Outcome, Failure> {
    let told = |error| failure::of(&error, folder, &request.limits);
    // What can't be opened was handed over wrong.
    let session = Session::open(request, folder).await.map_err(|error| failure::internal(error.strip_backtrace()))?;
    let plan = session.plan(&request.sql, &told).await?;
    let tables = session.tables_of(&plan).map_err(told)?;
    let frame = DataFrame::new(session.state(), plan);
    let mut batches = frame.execute_stream().await.map_err(told)?;
    let mut sink = Sink::new(request.format, &batches.schema(), &request.limits, out)?;
    while let Some(batch) = batches.next().await {
        sink.write(&batch.map_err(told)?)?;
    }
    let (rows, bytes) = sink.finish()?;
    Ok(Outcome::Done { rows, bytes, tables })
}

fn refused(class: Class, message: impl Into<String>) -> Failure {
    Failure { class, message: message.into(), cause: String::new() }
}
