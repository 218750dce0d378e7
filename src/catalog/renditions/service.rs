//! Planning renditions, finding finished ones, and making what is due.

use std::collections::HashMap;

use entity::{
    ids::FileId,
    rendition,
    states::{RenditionFormat, RenditionState},
};
use sea_orm::ConnectionTrait;
use time::{Duration, OffsetDateTime};

use super::{
    make,
    model::Rendition,
    store::{self, Attempt},
};
use crate::{db::Tx, error::Result, limits, state::AppState};

/// Files planned in one transaction.
const PLANNED_AT_ONCE: u64 = 100;
/// The wait before the second try; it doubles with each further one.
const BACKOFF_SECONDS: i64 = 30;

/// Plans all renditions of files, given with their formats, in the transaction that publishes them.
///
/// # Errors
/// Those of the database.
pub(in crate::catalog) async fn plan(tx: &Tx, files: &[(FileId, String)], now: OffsetDateTime) -> Result<()> {
    store::insert(tx, files, now).await
}

/// Plans the renditions of files that were published before there were any; returns how many files.
///
/// # Errors
/// Those of the database.
pub async fn plan_missing(app: &AppState) -> Result<usize> {
    let mut planned = 0;
    loop {
        let files = store::find_unplanned(app.db.read(), PLANNED_AT_ONCE).await?;
        if files.is_empty() {
            return Ok(planned);
        }
        planned += files.len();
        let now = app.clock.now();
        app.db
            .write("catalog.plan_renditions", move |tx| {
                let files = files.clone();
                async move {
                    store::insert(&tx, &files, now).await?;
                    Ok(((), tx))
                }
            })
            .await?;
    }
}

/// The Parquet file of a file: with types that every reader has, texts as they were where types change them, and
/// geometry as WKB in WGS 84. The caller has looked whether the file may be had.
///
/// Nothing until it is made, and for files that hold no table.
///
/// # Errors
/// Those of the database.
pub async fn find_parquet(conn: &impl ConnectionTrait, file_id: FileId) -> Result<Option<Rendition>> {
    find_made(conn, file_id, RenditionFormat::Parquet).await
}

/// A finished rendition of a file. The caller has looked whether the file may be had.
///
/// # Errors
/// Those of the database.
pub async fn find_made(
    conn: &impl ConnectionTrait,
    file_id: FileId,
    format: RenditionFormat,
) -> Result<Option<Rendition>> {
    let rows = store::find_made(conn, &[file_id], Some(format)).await?;
    rows.into_iter().next().map(Rendition::of).transpose()
}

/// All finished renditions of some files, in one query, those of a file in the order of formats.
///
/// # Errors
/// Those of the database.
pub async fn list_made(conn: &impl ConnectionTrait, ids: &[FileId]) -> Result<HashMap<FileId, Vec<Rendition>>> {
    let mut made: HashMap<FileId, Vec<Rendition>> = HashMap::new();
    if ids.is_empty() {
        return Ok(made);
    }
    for row in store::find_made(conn, ids, None).await? {
        made.entry(row.file_id).or_default().push(Rendition::of(row)?);
    }
    made.values_mut().for_each(|renditions| renditions.sort_by_key(|rendition| rendition.format));
    Ok(made)
}

/// Makes one rendition that is due, if there is one; returns how many.
///
/// # Errors
/// Those of the database. A failure to make it is noted in its row.
pub async fn make_due(app: &AppState) -> Result<usize> {
    let Some((row, attempt)) = lease(app).await? else { return Ok(0) };
    if row.state == RenditionState::Making && row.attempts >= limits::RENDITION_ATTEMPTS_MAX {
        tracing::error!(rendition = %row.id, file = %row.file_id,
            "a rendition as {} is given up: each process that made it died", row.format);
        make::sweep_earlier(app, &row, attempt).await?;
        put_off(app, &row, attempt).await?;
        return Ok(1);
    }
    if let Err(error) = make::make(app, &row, attempt).await {
        let cause = error.cause.as_ref().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
        tracing::warn!(rendition = %row.id, file = %row.file_id, format = %row.format, attempt = attempt.number,
            "a rendition as {} failed: {cause}", row.format);
        put_off(app, &row, attempt).await?;
    }
    Ok(1)
}

/// Takes the next rendition that is due under a lease.
async fn lease(app: &AppState) -> Result<Option<(rendition::Model, Attempt)>> {
    let now = app.clock.now();
    let due = store::find_due(app.db.read(), now).await?;
    if due.is_empty() {
        return Ok(None);
    }
    let until = now + Duration::seconds(limits::RENDITION_LEASE_SECONDS);
    app.db
        .write("catalog.lease_rendition", move |tx| {
            let due = due.clone();
            async move {
                for row in due {
                    if store::lease(&tx, &row, now, until).await? {
                        let attempt = Attempt { id: row.id, number: row.attempts + 1 };
                        return Ok((Some((row, attempt)), tx));
                    }
                }
                Ok((None, tx))
            }
        })
        .await
}

/// Tries again later, or gives up after too many tries.
async fn put_off(app: &AppState, row: &rendition::Model, attempt: Attempt) -> Result<()> {
    let (file_id, format) = (row.file_id, row.format);
    let run_at = app.clock.now() + Duration::seconds(BACKOFF_SECONDS << attempt.number.clamp(0, 8));
    app.db
        .write("catalog.put_off_rendition", move |tx| async move {
            if attempt.number < limits::RENDITION_ATTEMPTS_MAX {
                attempt.retry(&tx, run_at).await?;
            } else {
                let reason = "The exchange failed to make it several times. Its operator can tell why.";
                end(&tx, attempt, (file_id, format), RenditionState::Failed, reason.to_owned()).await?;
            }
            Ok(((), tx))
        })
        .await
}

/// Ends a rendition without a file; with Parquet also those that would have been made from it.
pub(super) async fn end(
    tx: &Tx,
    attempt: Attempt,
    (file_id, format): (FileId, RenditionFormat),
    state: RenditionState,
    reason: String,
) -> Result<()> {
    let ended = attempt.end(tx, state, reason.clone()).await?;
    if ended && format == RenditionFormat::Parquet {
        store::end_waiting(tx, file_id, RenditionFormat::ALL, state, &reason).await?;
    }
    Ok(())
}
