//! The step that leads to a table from the one of the revision before: for who writes its changed rows as the tables
//! have them, and for who reads what it changed.

use std::{collections::HashMap, path::PathBuf};

use entity::{
    file,
    ids::{FileId, ListingId},
    row_changes,
    states::RowChangesState,
};
use time::OffsetDateTime;

use super::{
    diff::{self, Marks, Table},
    service::{table_of, work_dir},
    store,
};
use crate::{
    catalog::{
        profile::ProfileError,
        renditions::{self, ChangesFile},
    },
    delivery::LocalCopy,
    error::{Error, Result},
    state::AppState,
};

/// A step whose changes are known, and are not none.
#[derive(Debug)]
pub struct Step {
    key: Vec<String>,
    before: file::Model,
    after: file::Model,
}

/// Finds the step that leads to the file `after`; nothing when its rows did not change, or were not compared.
///
/// # Errors
/// Those of the database.
pub async fn find_step(app: &AppState, after: FileId) -> Result<Option<Step>> {
    let conn = app.db.read();
    let Some((row, after)) = store::find_of_file(conn, after).await? else { return Ok(None) };
    if row.state != RowChangesState::Ready || row.blob_key.is_none() {
        return Ok(None);
    }
    let newest = store::published(conn, row.listing_id, (0, row.number), 2).await?;
    let [_, (earlier, _)] = newest.as_slice() else { return Ok(None) };
    let before = store::find_file(conn, *earlier, &row.file_name).await?;
    let key = serde_json::from_value(row.columns)?;
    Ok(before.map(|before| Step { key, before, after }))
}

impl Step {
    /// The table before.
    pub fn before(&self) -> FileId {
        self.before.id
    }

    /// Brings both tables to this machine.
    ///
    /// # Errors
    /// Internal ones when a file can't be read.
    pub async fn open(self, app: &AppState) -> Result<OpenStep> {
        let lost = || Error::internal("a table that was compared can't be read as one any more");
        let before = table_of(app, self.before).await?.ok_or_else(lost)?;
        let after = table_of(app, self.after).await?.ok_or_else(lost)?;
        Ok(OpenStep { key: self.key, before, after, work_dir: work_dir(app) })
    }
}

/// A step with both tables at hand.
#[derive(Debug)]
pub struct OpenStep {
    key: Vec<String>,
    before: (Table, LocalCopy),
    after: (Table, LocalCopy),
    work_dir: PathBuf,
}

impl OpenStep {
    /// Compares the tables, on a thread that may block.
    ///
    /// # Errors
    /// As comparisons.
    pub fn changed_rows(&self) -> Result<ChangedRows, ProfileError> {
        diff::mark((&self.before.0, &self.after.0), &self.key, &self.work_dir).map(ChangedRows)
    }
}

/// Which rows changed how.
#[derive(Debug)]
pub struct ChangedRows(Marks);

impl ChangedRows {
    /// Rows of the tables before and now.
    pub fn rows(&self) -> (u64, u64) {
        (self.0.rows_before, self.0.rows_after)
    }

    /// `delete` or `update_preimage` of a row of the table before, by its number from 1 on.
    pub fn before(&self, row_no: u64) -> Option<&'static str> {
        self.0.before(row_no)
    }

    /// `insert` or `update_postimage` of a row of the table now.
    pub fn after(&self, row_no: u64) -> Option<&'static str> {
        self.0.after(row_no)
    }
}

/// What a revision changed in a table.
#[derive(Debug, Clone)]
pub struct ChangedBy {
    /// Its number.
    pub number: i32,
    /// When it was published.
    pub published_at: OffsetDateTime,
    /// The changed rows.
    pub rows: StepRows,
}

/// The changed rows of a step, as far as they are known.
#[derive(Debug, Clone)]
pub enum StepRows {
    /// There are none.
    None,
    /// A Parquet file, made or not.
    File(ChangesFile),
    /// They are being compared.
    Pending,
    /// They are not known, for this reason.
    Unknown(String),
}

/// True when the provider named the columns that tell the rows of a table apart.
///
/// # Errors
/// Those of the database.
pub async fn has_key(app: &AppState, listing: ListingId, name: &str) -> Result<bool> {
    Ok(store::find_key(app.db.read(), listing, name).await?.is_some())
}

/// What the revisions after `from` up to `to` changed in a table, each against the one before, oldest first. The caller
/// has looked whether that may be had, and that they are not too many.
///
/// # Errors
/// Those of the database.
pub async fn list_steps(
    app: &AppState,
    listing: ListingId,
    name: &str,
    (from, to): (i32, i32),
) -> Result<Vec<ChangedBy>> {
    let conn = app.db.read();
    let published = store::published_with_time(conn, listing, (from, to)).await?;
    let known = store::between(conn, listing, name, (from, to)).await?;
    let mut known: HashMap<i32, row_changes::Model> = known.into_iter().map(|row| (row.number, row)).collect();
    let changed = known.values().filter(|row| row.blob_key.is_some()).map(|row| row.revision_id).collect();
    let files: HashMap<_, FileId> = store::file_ids(conn, changed, name).await?.into_iter().collect();
    let mut made = renditions::find_changes(conn, files.values().copied().collect()).await?;
    let steps = published.into_iter().map(|(revision, number, published_at)| {
        let rows = match known.remove(&number) {
            None => StepRows::Unknown("it has no known way from the version before".to_owned()),
            Some(row) => match row.state {
                RowChangesState::Pending => StepRows::Pending,
                RowChangesState::Unavailable => StepRows::Unknown(row.reason.unwrap_or_default()),
                RowChangesState::Ready if row.blob_key.is_none() => StepRows::None,
                RowChangesState::Ready => {
                    files.get(&revision).and_then(|id| made.remove(id)).map_or(StepRows::Pending, StepRows::File)
                }
            },
        };
        ChangedBy { number, published_at, rows }
    });
    Ok(steps.collect())
}

/// Plans the Parquet files of changes that were known before there were any; returns how many.
///
/// # Errors
/// Those of the database.
pub async fn plan_missing_files(app: &AppState) -> Result<usize> {
    let mut planned = 0;
    loop {
        let files = store::find_without_file(app.db.read()).await?;
        if files.is_empty() {
            return Ok(planned);
        }
        planned += files.len();
        let now = app.clock.now();
        app.db
            .write("catalog.plan_changes", move |tx| {
                let files = files.clone();
                async move {
                    for file in files {
                        renditions::plan_changes(&tx, file, now).await?;
                    }
                    Ok(((), tx))
                }
            })
            .await?;
    }
}
