//! Bringing a file in, and removing what a broken import left.

use std::{collections::HashMap, sync::Arc};

use entity::{
    bank_import, bank_statement,
    ids::BankStatementId,
    payout_report_line,
    states::{BankImportKind, ExceptionClass},
};
use serde_json::json;
use time::Duration;
use tokio::sync::mpsc;

use super::{
    FormatName, Plan, Request,
    read::{self, Checked, Piece},
    store::{self, NewImport},
};
use crate::{
    auth::Actor,
    base::Money,
    db::{Tx, bulk::Rows},
    error::{Error, Result},
    people::audit::{self, Author},
    settlement::{
        bank::accounts,
        currency,
        exceptions::{self, NewException},
    },
    state::AppState,
};

/// How long an import may be silent before it is taken to be dead.
const LEASE_SECONDS: i64 = 60;
/// Batches that are read ahead of the one being written.
const BATCHES_AHEAD: usize = 2;

/// Most statements of one file.
const STATEMENTS_MAX: usize = 20_000;
/// Most rows that one report may have twice.
const ROWS_TWICE_MAX: usize = 1_000;

/// What is kept until the whole file is there.
#[derive(Debug, Default)]
struct Written {
    statements: Vec<bank_statement::ActiveModel>,
    twice: Vec<NewException>,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The file is being checked; bytes read so far.
    Checking(u64),
    /// Rows are being written: how many of how many.
    Writing(u64, u64),
}

/// Tells how far an import is.
pub type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

/// Brings a file in, whole or not at all; importing it again changes nothing.
///
/// # Errors
/// `Invalid`, naming place and advice, for a file that does not hold, is of an unknown account, or in another
/// currency; `Conflict` while another import brings in lines of the same account; those of the database.
pub async fn import_file(
    app: &AppState,
    actor: Option<&Actor>,
    request: Request,
    tell: Tell,
) -> Result<bank_import::Model> {
    remove_abandoned(app).await?;
    let rows = accounts::all(app.db.read()).await?;
    let (asked, told) = (request.clone(), tell.clone());
    let (plan, checked) = blocking(move || {
        let plan = Plan::new(&asked, &rows)?;
        let checked = read::check(&asked.path, &plan, &|bytes| told(Progress::Checking(bytes)))?;
        Ok((plan, checked))
    })
    .await?;
    let id = begin(app, actor, &request, &plan, checked.clone()).await?;
    let written = write(app, id, request, plan, &checked, &tell).await;
    let finished = match written {
        Ok(written) => finish(app, actor, id, written, &checked).await,
        Err(error) => Err(error),
    };
    if let Err(error) = finished {
        give_up(app, id).await;
        return Err(error);
    }
    store::find(app.db.read(), id).await?.ok_or_else(|| Error::not_found("bank statement"))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)?
}

async fn begin(
    app: &AppState,
    actor: Option<&Actor>,
    request: &Request,
    plan: &Plan,
    checked: Checked,
) -> Result<BankStatementId> {
    let now = app.clock.now();
    let id = BankStatementId::at(now);
    let is_report = plan.format == FormatName::PayoutReport;
    let new = NewImport {
        id,
        kind: if is_report { BankImportKind::PayoutReport } else { BankImportKind::Statement },
        format: plan.format.as_str(),
        request: request.clone(),
        checked,
        by: actor.and_then(|actor| actor.account_id),
    };
    let until = now + Duration::seconds(LEASE_SECONDS);
    app.db
        .write("settlement.begin_bank_import", move |tx| {
            let new = new.clone();
            async move {
                store::begin(&tx, &new, now, until).await?;
                Ok(((), tx))
            }
        })
        .await?;
    Ok(id)
}

/// Writes all rows under the import, batch by batch, while the next ones are read.
async fn write(
    app: &AppState,
    id: BankStatementId,
    request: Request,
    plan: Plan,
    checked: &Checked,
    tell: &Tell,
) -> Result<Written> {
    let (sender, mut pieces) = mpsc::channel(BATCHES_AHEAD);
    let backend = app.db.backend();
    let reading = tokio::task::spawn_blocking(move || read::hand_on(&request.path, &plan, id, backend, &sender));
    let (mut written, mut rows) = (Written::default(), 0_u64);
    while let Some(piece) = pieces.recv().await {
        rows += match piece {
            Piece::Statement(statement) => {
                written.statements.push(statement);
                0
            }
            Piece::Lines(lines, count) => write_lines(app, id, lines, count).await?,
            Piece::Report(lines) => write_report(app, id, lines, &mut written.twice).await?,
        };
        if written.statements.len() > STATEMENTS_MAX || written.twice.len() > ROWS_TWICE_MAX {
            let advice =
                format!("It holds more than {STATEMENTS_MAX} statements, or more than {ROWS_TWICE_MAX} rows twice.");
            return Err(Error::invalid("body", format!("{advice} Nothing was imported. Split the file.")));
        }
        tell(Progress::Writing(rows, checked.lines));
    }
    reading.await.map_err(Error::internal)??;
    if rows != checked.lines {
        let text = format!("{} rows were counted and {rows} were read: the file changed meanwhile", checked.lines);
        return Err(Error::internal(text));
    }
    Ok(written)
}

async fn write_lines(app: &AppState, id: BankStatementId, lines: Rows, count: u64) -> Result<u64> {
    let until = app.clock.now() + Duration::seconds(LEASE_SECONDS);
    app.db
        .write("settlement.stage_bank_lines", move |tx| {
            let lines = lines.clone();
            async move {
                let new = store::insert_lines(&tx, lines).await?;
                store::extend(&tx, id, new, count.saturating_sub(new), until).await?;
                Ok(((), tx))
            }
        })
        .await?;
    Ok(count)
}

/// As [`write_lines`]; rows that are in the report twice are noted in `twice`.
async fn write_report(
    app: &AppState,
    id: BankStatementId,
    lines: Vec<payout_report_line::ActiveModel>,
    twice: &mut Vec<NewException>,
) -> Result<u64> {
    let (count, until) = (lines.len() as u64, app.clock.now() + Duration::seconds(LEASE_SECONDS));
    let found = app
        .db
        .write("settlement.stage_payout_report", move |tx| {
            let lines = lines.clone();
            async move {
                let twice = repeated(&tx, id, &lines).await?;
                let new = store::insert_report(&tx, lines).await?;
                store::extend(&tx, id, new, count.saturating_sub(new), until).await?;
                Ok((twice, tx))
            }
        })
        .await?;
    twice.extend(found);
    Ok(count)
}

/// Rows whose line the same file, or another file for another payout, had before.
async fn repeated(
    tx: &Tx,
    id: BankStatementId,
    lines: &[payout_report_line::ActiveModel],
) -> Result<Vec<NewException>> {
    let ids: Vec<String> = lines.iter().map(|line| line.id.as_ref().clone()).collect();
    let stored = store::report_rows(tx.conn(), &ids).await?;
    let mut before: HashMap<String, (BankStatementId, Option<String>)> =
        stored.into_iter().map(|row| (row.id, (row.import_id, row.payout_ref))).collect();
    let mut twice = Vec::new();
    for line in lines {
        let (line_id, payout) = (line.id.as_ref().clone(), line.payout_ref.as_ref().clone());
        let Some((import, first)) = before.get(&line_id) else {
            before.insert(line_id, (id, payout));
            continue;
        };
        if *import == id || *first != payout {
            let money = Money::new(*line.net_minor.as_ref(), currency(line.currency.as_ref())?);
            let sentence =
                format!("The report has the line twice, in {} and in {}.", word(first.as_ref()), word(payout.as_ref()));
            let new = NewException::new(ExceptionClass::DuplicateReportLine, line_id.clone(), money, sentence);
            let occurred_at = (*line.created_at.as_ref()).map(|at| at.0);
            twice.push(NewException { transaction_id: Some(line_id), occurred_at, ..new });
        }
    }
    Ok(twice)
}

fn word(payout: Option<&String>) -> &str {
    payout.map_or("no payout", String::as_str)
}

async fn finish(
    app: &AppState,
    actor: Option<&Actor>,
    id: BankStatementId,
    written: Written,
    checked: &Checked,
) -> Result<()> {
    let author = actor.map_or_else(Author::command_line, Author::from);
    let now = app.clock.now();
    let detail = json!({"accounts": checked.accounts, "lines": checked.lines});
    app.db
        .write("settlement.finish_bank_import", move |tx| {
            let (author, detail) = (author.clone(), detail.clone());
            let (statements, twice) = (written.statements.clone(), written.twice.clone());
            async move {
                store::finish(&tx, id, statements, now).await?;
                exceptions::raise(&tx, twice, now).await?;
                audit::record(&tx, author, "bank_statement.import", id, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Removes what an import of ours wrote; what fails here is done by the sweep.
async fn give_up(app: &AppState, id: BankStatementId) {
    let given_up = app
        .db
        .write(
            "settlement.abandon_bank_import",
            move |tx| async move { Ok((store::abandon(&tx, id, None).await?, tx)) },
        )
        .await;
    let removed = match given_up {
        Ok(()) => remove(app, id).await,
        Err(error) => Err(error),
    };
    if let Err(error) = removed {
        tracing::warn!(import = %id, "what the import {id} wrote is removed later: {error}");
    }
}

async fn remove(app: &AppState, id: BankStatementId) -> Result<()> {
    loop {
        let name = "settlement.remove_bank_import";
        if app.db.write(name, move |tx| async move { Ok((store::remove_some(&tx, id).await?, tx)) }).await? {
            return Ok(());
        }
    }
}

/// Removes what imports left whose process is gone; returns how many imports.
///
/// # Errors
/// Those of the database.
pub async fn remove_abandoned(app: &AppState) -> Result<usize> {
    let now = app.clock.now();
    let broken = store::broken(app.db.read(), now).await?;
    let count = broken.len();
    for id in broken {
        let name = "settlement.abandon_bank_import";
        app.db.write(name, move |tx| async move { Ok((store::abandon(&tx, id, Some(now)).await?, tx)) }).await?;
        remove(app, id).await?;
    }
    Ok(count)
}
