//! Doing one task: an index, or the files of a slice, off the async threads, with a lease that is renewed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use entity::{slice_task, states::RenditionFormat};
use serde_json::json;
use torv_tables::{
    convert::{ConvertError, Options, TextFormat, Watch, from_parquet},
    slices::{Cut, build_index, cut},
};

use super::{
    model::{Slice, SliceFile},
    news, queue,
    store::{self, Attempt},
};
use crate::{
    catalog::renditions::{self, Rendition},
    error::{Error, Result},
    limits,
    state::AppState,
};

/// Where slices and indexes are kept, apart from originals and renditions.
const FOLDER: &str = "slices/";
/// The formats a slice is delivered in: Parquet first, the others are written from it.
const FORMATS: [(RenditionFormat, Option<TextFormat>); 4] = [
    (RenditionFormat::Parquet, None),
    (RenditionFormat::Csv, Some(TextFormat::Csv)),
    (RenditionFormat::Jsonl, Some(TextFormat::JsonLines)),
    (RenditionFormat::Geojson, Some(TextFormat::GeoJson)),
];
/// What the index is called among the files of an attempt.
const INDEX: &str = "index";

/// What there is to do, with everything it depends on.
enum Work {
    Index(String),
    Cut(Box<Slice>, Cut, bool),
}

/// Does a leased task and writes down what came of it.
///
/// # Errors
/// When a file can't be read or written, or the result not kept; another try may help.
pub(super) async fn make(app: &AppState, row: &slice_task::Model, attempt: Attempt) -> Result<()> {
    sweep_earlier(app, row, attempt).await?;
    let parquet = renditions::find_parquet(app.db.read(), row.file_id).await?;
    let parquet = parquet.ok_or_else(|| Error::internal(format!("the table of {} is gone", row.id)))?;
    let work = work_of(app, row, &parquet).await?;
    let expected = match &work {
        Work::Cut(slice, ..) => Some(slice.rows),
        Work::Index(_) => None,
    };
    let scratch = Scratch(app.files.scratch(&format!("{}-{}", row.id, attempt.number)));
    let copy = format!("{}-{}-source", row.id, attempt.number);
    let source = app.files.local_copy(&parquet.blob_key, parquet.size_bytes, &parquet.sha256, &copy).await?;
    let base = scratch.0.clone();
    let outcome = renditions::work_under_lease(
        app,
        move |watch| write(source.path(), &base, work, watch),
        |permille, until| {
            app.db.write(
                "trade.renew_slice",
                move |tx| async move { Ok((attempt.renew(&tx, permille, until).await?, tx)) },
            )
        },
    )
    .await;
    match outcome? {
        Ok((rows, _)) if expected.is_some_and(|expected| expected != rows) => {
            let reason = "The rows that were cut are not those that were counted. Its operator can tell why.";
            queue::fail(app, row, attempt, reason).await
        }
        Ok((rows, names)) => keep(app, row, attempt, &scratch, rows, names).await,
        Err(ConvertError::Unfit { reason }) => queue::fail(app, row, attempt, &reason).await,
        // Another process has taken it over, and writes down what comes of it.
        Err(ConvertError::Stopped) => Ok(()),
        Err(error @ ConvertError::Io(_)) => Err(Error::internal(error)),
    }
}

/// Removes what earlier attempts left whose processes were killed.
pub(super) async fn sweep_earlier(app: &AppState, row: &slice_task::Model, attempt: Attempt) -> Result<()> {
    for earlier in 1..attempt.number {
        for name in FORMATS.iter().map(|(format, _)| format.as_str()).chain([INDEX]) {
            app.files.sweep(&blob_key(row, earlier, name), &format!("{}-", row.id)).await?;
        }
    }
    Ok(())
}

async fn work_of(app: &AppState, row: &slice_task::Model, parquet: &Rendition) -> Result<Work> {
    let (Some(grant), Some(slice)) = (row.grant_id, &row.slice) else {
        return Ok(Work::Index(row.time_column.clone()));
    };
    let slice: Slice = serde_json::from_value(slice.clone())?;
    let licence = store::find_grant(app.db.read(), grant).await?.map(|grant| grant.licence_hash);
    let about = json!({
        "grant_id": grant, "licence_hash": licence, "exchange": app.config.public_url(), "slice": &slice,
    });
    let what = Cut {
        filter: slice.filter()?,
        time_column: slice.time_column.clone(),
        columns: slice.columns.clone(),
        notes: vec![("torv.slice".to_owned(), about.to_string())],
    };
    let kept = |name: &String| slice.columns.contains(name);
    let has_geometry = parquet.columns.iter().any(|column| column.is_geometry && kept(&column.name));
    Ok(Work::Cut(Box::new(slice), what, has_geometry))
}

/// Writes all files of a task beside `base`; returns the rows and what was written.
fn write(
    source: &Path,
    base: &Path,
    work: Work,
    watch: &Arc<Watch>,
) -> Result<(u64, Vec<Option<RenditionFormat>>), ConvertError> {
    let source = File::open(source)?;
    let options = Options { output_bytes_max: limits::RENDITION_BYTES_MAX, ..Options::default() };
    let (what, has_geometry) = match work {
        Work::Index(column) => {
            let column = Some(column.as_str()).filter(|column| !column.is_empty());
            let rows = build_index(&source, column, File::create(beside(base, None))?, watch)?;
            return Ok((rows, vec![None]));
        }
        Work::Cut(_, what, has_geometry) => (what, has_geometry),
    };
    let parquet = beside(base, Some(RenditionFormat::Parquet));
    let rows = cut(&source, &what, File::create(&parquet)?, &options, watch)?;
    let mut written = vec![Some(RenditionFormat::Parquet)];
    for (format, text) in FORMATS {
        let Some(text) = text.filter(|text| *text != TextFormat::GeoJson || has_geometry) else { continue };
        let out = File::create(beside(base, Some(format)))?;
        from_parquet(&File::open(&parquet)?, text, out, &options, watch)?;
        written.push(Some(format));
    }
    Ok((rows, written))
}

fn name_of(format: Option<RenditionFormat>) -> &'static str {
    format.map_or(INDEX, RenditionFormat::as_str)
}

fn beside(base: &Path, format: Option<RenditionFormat>) -> PathBuf {
    base.with_extension(name_of(format))
}

/// Stores the files and writes them down; removes them if the task was taken over.
async fn keep(
    app: &AppState,
    row: &slice_task::Model,
    attempt: Attempt,
    scratch: &Scratch,
    rows: u64,
    written: Vec<Option<RenditionFormat>>,
) -> Result<()> {
    let mut files = Vec::with_capacity(written.len());
    for format in written {
        let blob_key = blob_key(row, attempt.number, name_of(format));
        let stored = app.files.put_file(&blob_key, &beside(&scratch.0, format)).await?;
        files.push(SliceFile { format, blob_key, size_bytes: stored.size_bytes, sha256: stored.sha256 });
    }
    let (now, own) = (app.clock.now(), (row.clone(), files.clone()));
    let kept = app
        .db
        .write("trade.keep_slice", move |tx| {
            let (row, files) = own.clone();
            async move {
                let kept = attempt.keep(&tx, &files, rows, now).await?;
                if kept {
                    news::tell_ready(&tx, &row, now).await?;
                }
                Ok((kept, tx))
            }
        })
        .await?;
    if !kept {
        for file in files {
            app.files.delete(&file.blob_key).await?;
        }
    }
    Ok(())
}

/// Where the bytes of an attempt are kept: each has a key of its own, so that two never write to the same.
fn blob_key(row: &slice_task::Model, attempt: i32, name: &str) -> String {
    let id = row.id.to_string();
    let spread = id.get(id.len().saturating_sub(2)..).unwrap_or_default();
    format!("{FOLDER}{spread}/{id}-{attempt}.{name}")
}

/// Local files that are gone with their owner.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        for format in FORMATS.into_iter().map(|(format, _)| Some(format)).chain([None]) {
            let _ = std::fs::remove_file(beside(&self.0, format));
        }
    }
}
