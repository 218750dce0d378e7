//! From a query to its result.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use entity::states::RenditionFormat;
use torv_sql::{Class, Failure, Limits, Outcome, Request, Table as RequestTable};

use super::{
    gate::{Gate, Share},
    names::{self, Named},
    views::{SqlFormat, SqlQueryIn},
    worker::{self, Ended, Folder, QUERY_FOLDER},
};
use crate::{
    auth::actor::Recipient,
    config::Sql,
    delivery::Delivered,
    error::{Check, Error, FieldError, Problem, Result},
    limits,
    state::AppState,
};

const MIB: u64 = 1024 * 1024;
/// Source: signal(7) of Linux, and the same of macOS.
const OUT_OF_CPU_TIME: i32 = 24;
const FILE_TOO_LARGE: i32 = 25;

/// Carries out SQL, few queries at a time.
#[derive(Debug)]
pub struct Queries {
    program: Option<PathBuf>,
    wanted: PathBuf,
    gate: Gate,
    next: AtomicU64,
}

/// A result that is whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) folder: Folder,
    pub(super) share: Share,
    pub(super) format: SqlFormat,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

impl Queries {
    /// Looks for the program of the configuration.
    pub fn open(config: &Sql) -> Self {
        let program = find_program(&config.worker);
        Self { program, wanted: config.worker.clone(), gate: Gate::new(config), next: AtomicU64::new(0) }
    }

    /// Says in the log whether SQL is offered.
    pub fn announce(&self) {
        match &self.program {
            Some(program) => tracing::info!("SQL is offered, by {}", program.display()),
            None => tracing::info!(
                "SQL is not offered here: there is no {}; install torv-sql beside torv, or set sql.worker",
                self.wanted.display()
            ),
        }
    }

    /// Whether there is a program that carries out queries.
    pub(super) fn is_offered(&self) -> bool {
        self.program.is_some()
    }

    fn program(&self) -> Result<&Path> {
        let missing = "SQL is not offered here: this exchange runs without torv-sql. Download the files, or read rows.";
        self.program.as_deref().ok_or_else(|| Error::new(Problem::NotOffered, missing))
    }

    /// A name for a folder, that no other query of any process has.
    fn folder_name(&self) -> String {
        format!("{QUERY_FOLDER}{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// A name without a folder is looked for beside this program.
fn find_program(wanted: &Path) -> Option<PathBuf> {
    let path = match (wanted.components().count(), std::env::current_exe()) {
        (1, Ok(own)) => own.parent()?.join(wanted),
        _ => wanted.to_owned(),
    };
    path.is_file().then(|| path.canonicalize().ok())?
}

/// Carries out a query over what `recipient` may read, and counts it.
///
/// # Errors
/// `Invalid` and the problems of SQL for what is wrong with it; `NotOffered`; `TooMany` and `Unavailable`; `Conflict`
/// when the budget or the units of a metered grant are used up; those of grants that are not open.
pub(super) async fn run(
    app: &AppState,
    recipient: &Recipient,
    input: &SqlQueryIn,
    format: SqlFormat,
    request_id: String,
) -> Result<Answer> {
    let named = names::of_query(app, recipient, &input.sql, &input.tables).await?;
    let mut check = Check::new();
    check.text(&input.sql, limits::SQL_CHARS_MAX, "/sql");
    check.done()?;
    let queries = &app.sql;
    let program = queries.program()?;
    let share = queries.gate.share(recipient.org_id())?;
    let turn = queries.gate.turn().await?;
    let mut folder = Folder::make(&app.files, &queries.folder_name())?;
    let mut request = Request {
        tables: Vec::with_capacity(named.len()),
        sql: input.sql.clone(),
        format: format.into(),
        limits: limits_of(&app.config.sql),
    };
    require_room(app, &named)?;
    for one in &named {
        let file = folder.put(&app.files, &one.table).await?;
        request.tables.push(RequestTable { names: one.names.clone(), files: vec![file] });
    }
    let started = std::time::Instant::now();
    let (ended, folder) = worker::run(program, &request, folder).await?;
    drop(turn);
    metrics::histogram!("sql_query_seconds").record(started.elapsed().as_secs_f64());
    let (rows, read) = outcome(ended, &app.config.sql)?;
    let bytes = folder.result_bytes().map_err(Error::internal)?;
    let read: Vec<&Named> = read.iter().filter_map(|at| named.get(*at)).collect();
    count(app, &read, (rows, bytes), &request_id).await?;
    Ok(Answer { folder, share, format, rows, bytes })
}

fn limits_of(config: &Sql) -> Limits {
    Limits {
        memory_bytes: config.memory_mib * MIB,
        spill_bytes: config.spill_mib * MIB,
        rows_max: config.rows_max,
        result_bytes_max: config.result_mib * MIB,
        time_ms: config.time_seconds * 1_000,
        cpu_seconds: config.time_seconds.saturating_mul(u64::try_from(config.threads).unwrap_or(1)).saturating_add(1),
        threads: config.threads,
        open_files: limits::SQL_OPEN_FILES_MAX,
    }
}

/// What lies in a bucket is copied for the query, so it has to fit.
fn require_room(app: &AppState, named: &[Named]) -> Result<()> {
    if app.config.storage.kind != "s3" {
        return Ok(());
    }
    let bytes: i64 = named.iter().map(|one| one.table.file.size_bytes).sum();
    let most = app.config.sql.spill_mib.saturating_mul(MIB);
    if u64::try_from(bytes).unwrap_or(0) <= most {
        return Ok(());
    }
    let detail = format!(
        "The tables that this query can mean have {bytes} bytes, and at most {most} are fetched for one. Name fewer in \
         `tables`."
    );
    Err(of_sql(Problem::SqlOutOfMemory, detail))
}

fn of_sql(problem: Problem, detail: String) -> Error {
    let fields = vec![FieldError { pointer: "/sql".to_owned(), detail: detail.clone() }];
    Error { fields, ..Error::new(problem, detail) }
}

/// Rows, and the tables that were read.
fn outcome(ended: Ended, config: &Sql) -> Result<(u64, Vec<usize>)> {
    let too_slow = || {
        let seconds = config.time_seconds;
        of_sql(Problem::SqlTooSlow, format!("The query takes longer than {seconds} s. Read fewer rows or columns."))
    };
    match ended {
        Ended::Said(Outcome::Done { rows, tables, .. }) => Ok((rows, tables)),
        Ended::Said(Outcome::Refused(failure)) => Err(refused(failure)),
        Ended::Late | Ended::Killed(OUT_OF_CPU_TIME) => Err(too_slow()),
        Ended::Killed(FILE_TOO_LARGE) => {
            let detail =
                "The query writes a file that is larger than its limit. Filter before you join, sort or group.";
            Err(of_sql(Problem::SqlOutOfMemory, detail.to_owned()))
        }
        Ended::Killed(signal) => {
            tracing::warn!(signal, "the process of a query was ended by signal {signal}");
            let detail = format!(
                "The process of this query was ended by the system (signal {signal}), most often because it ran out of \
                 memory. Filter before you join, sort or group, and nest less deeply."
            );
            Err(of_sql(Problem::SqlStopped, detail))
        }
        Ended::Mute(status) => Err(Error::internal(format!("torv-sql ended without a word: {status}"))),
    }
}

fn refused(failure: Failure) -> Error {
    let Failure { class, message, cause } = failure;
    let problem = match class {
        Class::Syntax => Problem::SqlSyntax,
        Class::UnknownTable => Problem::SqlUnknownTable,
        Class::UnknownColumn => Problem::SqlUnknownColumn,
        Class::NotAQuery => Problem::SqlNotAQuery,
        Class::Failed => Problem::SqlFailed,
        Class::EngineFault => {
            tracing::warn!(cause, "the engine of SQL failed on a query: {cause}");
            Problem::SqlFailed
        }
        Class::OutOfMemory => Problem::SqlOutOfMemory,
        Class::TooSlow => Problem::SqlTooSlow,
        Class::TooLarge => Problem::SqlTooLarge,
        Class::Internal => return Error::internal(format!("torv-sql: {message} {cause}")),
    };
    let refused = of_sql(problem, message);
    if cause.is_empty() { refused } else { refused.because(cause) }
}

/// Counts the result once on each grant that it was read under, where that is metered, and notes it as a delivery of
/// each table. Nothing is counted unless all of them let it through.
async fn count(app: &AppState, read: &[&Named], (rows, bytes): (u64, u64), request_id: &str) -> Result<()> {
    let (at, mut seen, mut notes) = (app.clock.now(), BTreeSet::new(), Vec::with_capacity(read.len()));
    for one in read {
        let grant = &one.share.grant;
        let is_first = seen.insert(grant.id);
        let metered = match grant.meter_id.filter(|_| is_first) {
            Some(meter) => Some(app.meters.admit(&app.db, meter, bytes, at).await?),
            None => None,
        };
        notes.push(Delivered {
            grant_id: grant.id,
            file_id: one.table.file.id,
            format: Some(RenditionFormat::Parquet),
            organization_id: grant.organization_id,
            at,
            status: 200,
            bytes_sent: if is_first { bytes } else { 0 },
            range: Some(format!("rows={rows}")),
            request_id: request_id.to_owned(),
            metered,
        });
    }
    for note in notes {
        app.recorder.record(note);
    }
    Ok(())
}
