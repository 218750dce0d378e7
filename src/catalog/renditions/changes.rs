//! What changed in a table since the revision before, as Parquet.
//!
//! Which rows changed is found out from the originals, as for the sets of changes; how they look, is taken from the two
//! Parquet files: so a changed row has the types, texts and shapes that it has in its table.

use std::{collections::HashMap, fs::File, path::Path, sync::Arc};

use entity::{
    ids::{FileId, ListingId},
    rendition,
    states::{RenditionFormat, RenditionState},
};
use sea_orm::ConnectionTrait;
use time::{Duration, OffsetDateTime};
use torv_tables::{
    changes::{Changes, Side, write_changes},
    convert::{ConvertError, Options, Watch},
};

use super::{
    heartbeat::work_under_lease,
    make::{keep, refuse},
    model::{NO_PARQUET, Rendition},
    service,
    store::{self, Attempt, Made},
};
use crate::{
    catalog::revisions::rows::{self, OpenStep},
    db::Tx,
    error::{Error, Result},
    limits,
    state::AppState,
};

/// The wait before another look for the Parquet file of the table before.
const WAIT_SECONDS: i64 = 30;

/// The Parquet file of what changed in a table.
#[derive(Debug, Clone)]
pub enum ChangesFile {
    /// It can be delivered.
    Made(Box<Rendition>),
    /// It is waited for.
    Waits,
    /// There will be none, for this reason.
    Failed(String),
}

/// Plans the file of what changed in a table, in the transaction that writes down that its rows were compared.
///
/// # Errors
/// Those of the database.
pub(in crate::catalog) async fn plan_changes(tx: &Tx, file: FileId, now: OffsetDateTime) -> Result<()> {
    store::insert_changes(tx, file, now).await
}

/// Deletes what was made under the key of a table, in the transaction that changes the key; returns the keys of the
/// blobs, to be removed behind it.
///
/// # Errors
/// Those of the database.
pub(in crate::catalog) async fn forget_changes(tx: &Tx, listing: ListingId, name: &str) -> Result<Vec<String>> {
    store::delete_changes(tx, listing, name).await
}

/// What changed in some tables, as Parquet, as far as it was planned. The caller has looked whether it may be had.
///
/// # Errors
/// Those of the database.
pub async fn find_changes(conn: &impl ConnectionTrait, files: Vec<FileId>) -> Result<HashMap<FileId, ChangesFile>> {
    let mut found = HashMap::new();
    for row in store::find_changes(conn, files).await? {
        let (id, state) = (row.file_id, row.state);
        let file = match state {
            RenditionState::Made => ChangesFile::Made(Box::new(Rendition::of(row)?)),
            RenditionState::Pending | RenditionState::Making => ChangesFile::Waits,
            RenditionState::Failed | RenditionState::NotApplicable => {
                ChangesFile::Failed(row.error.unwrap_or_default())
            }
        };
        found.insert(id, file);
    }
    Ok(found)
}

/// Makes the file of what changed in a leased row's table, and writes down what came of it.
///
/// # Errors
/// When a file can't be read or written, or the result not kept; another try may help.
pub(super) async fn make(
    app: &AppState,
    row: &rendition::Model,
    attempt: Attempt,
    (key, out): (&str, &Path),
) -> Result<()> {
    let Some(step) = rows::find_step(app, row.file_id).await? else {
        return refuse(app, row, attempt, "Its rows are not compared any more.").await;
    };
    let (conn, earlier) = (app.db.read(), step.before());
    match store::find_state(conn, earlier, RenditionFormat::Parquet).await? {
        Some(RenditionState::Made) => {}
        Some(RenditionState::Failed | RenditionState::NotApplicable) => {
            return refuse(app, row, attempt, NO_PARQUET).await;
        }
        None | Some(RenditionState::Pending | RenditionState::Making) => return wait(app, attempt).await,
    }
    let unknown = || Error::internal(format!("a table of the rendition {} is gone", row.id));
    let copy = async |file: FileId| {
        let parquet = service::find_parquet(conn, file).await?.ok_or_else(unknown)?;
        let name = format!("{}-{}-{file}", row.id, attempt.number);
        app.files.local_copy(&parquet.blob_key, parquet.size_bytes, &parquet.sha256, &name).await
    };
    let (before, after) = (copy(earlier).await?, copy(row.file_id).await?);
    let (step, path) = (step.open(app).await?, out.to_owned());
    let outcome = work_under_lease(
        app,
        move |watch| write(&step, (before.path(), after.path()), &path, watch),
        |permille, until| {
            app.db.write("catalog.renew_rendition", move |tx| async move {
                Ok((attempt.renew(&tx, permille, until).await?, tx))
            })
        },
    )
    .await;
    match outcome? {
        Ok(changes) => {
            let stored = app.files.put_file(key, out).await?;
            let columns = Some(serde_json::to_value(&changes.columns)?);
            let made = Made { blob_key: key.to_owned(), stored, rows: changes.rows, columns, crs: None };
            keep(app, attempt, made, Vec::new(), None).await
        }
        Err(ConvertError::Unfit { reason }) => refuse(app, row, attempt, &reason).await,
        // Another process has taken it over, and writes down what comes of it.
        Err(ConvertError::Stopped) => Ok(()),
        Err(error @ ConvertError::Io(_)) => Err(Error::internal(error)),
    }
}

/// Gives it back until the table before is there; such an attempt is no failed one.
async fn wait(app: &AppState, attempt: Attempt) -> Result<()> {
    let run_at = app.clock.now() + Duration::seconds(WAIT_SECONDS);
    app.db
        .write("catalog.put_off_rendition", move |tx| async move {
            attempt.retry(&tx, run_at).await?;
            Ok(((), tx))
        })
        .await
}

fn write(
    step: &OpenStep,
    (before, after): (&Path, &Path),
    out: &Path,
    watch: &Arc<Watch>,
) -> Result<Changes, ConvertError> {
    let (before, after, out) = (File::open(before)?, File::open(after)?, File::create(out)?);
    let changed = step.changed_rows()?;
    let (rows_before, rows_after) = changed.rows();
    let before = Side { parquet: &before, rows: rows_before, change_of: &|row_no| changed.before(row_no) };
    let after = Side { parquet: &after, rows: rows_after, change_of: &|row_no| changed.after(row_no) };
    let options = Options { output_bytes_max: limits::RENDITION_BYTES_MAX, ..Options::default() };
    write_changes(&before, &after, &out, &options, watch)
}
