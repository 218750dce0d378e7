//! Making one rendition: the original in, another file out, off the async threads, with a lease that is renewed.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use entity::{
    file, rendition,
    states::{RenditionFormat, RenditionState},
};
use torv_tables::convert::{ConvertError, Crs, Options, Table, TextFormat, Watch, Zone, from_parquet, to_parquet};

use super::{
    changes,
    heartbeat::work_under_lease,
    model::NO_GEOMETRY,
    service,
    store::{self, Attempt, Made},
};
use crate::{
    delivery::Stored,
    error::{Error, Result},
    limits,
    state::AppState,
};

/// What came of an attempt.
enum Outcome {
    /// The table as Parquet, to be put under a key.
    Parquet(Box<Table>),
    /// A text of so many rows, to be put under a key.
    Text(u64),
}

/// Makes a leased rendition and writes down what came of it.
///
/// # Errors
/// When a file can't be read or written, or the result not kept; another try may help.
pub(super) async fn make(app: &AppState, row: &rendition::Model, attempt: Attempt) -> Result<()> {
    let unknown = || Error::internal(format!("the file of the rendition {} is gone", row.id));
    let original = store::find_file(app.db.read(), row.file_id).await?.ok_or_else(unknown)?;
    let key = blob_key(row, attempt.number);
    sweep_earlier(app, row, attempt).await?;
    let scratch = Scratch::new(app, &key);
    if row.format == RenditionFormat::Changes {
        return changes::make(app, row, attempt, (&key, &scratch.0)).await;
    }
    let copy = format!("{}-source", scratch.name());
    let source = match row.format {
        RenditionFormat::Parquet => {
            let size_bytes = original.size_bytes.unsigned_abs();
            app.files.local_copy(&original.blob_key, size_bytes, &original.sha256, &copy).await?
        }
        _ => {
            let parquet = service::find_parquet(app.db.read(), row.file_id).await?.ok_or_else(unknown)?;
            app.files.local_copy(&parquet.blob_key, parquet.size_bytes, &parquet.sha256, &copy).await?
        }
    };
    let (what, format, out) = (original.clone(), row.format, scratch.0.clone());
    let outcome = work_under_lease(
        app,
        move |watch| convert(source.path(), &what, format, &out, watch),
        |permille, until| {
            app.db.write("catalog.renew_rendition", move |tx| async move {
                Ok((attempt.renew(&tx, permille, until).await?, tx))
            })
        },
    )
    .await;
    match outcome? {
        Ok(Outcome::Parquet(table)) => keep_parquet(app, row, attempt, &original, &scratch.0, &key, *table).await,
        Ok(Outcome::Text(rows)) => {
            let stored = app.files.put_file(&key, &scratch.0).await?;
            let made = Made { blob_key: key.clone(), stored, rows, columns: None, crs: None };
            keep(app, attempt, made, Vec::new(), None).await
        }
        Err(ConvertError::Unfit { reason }) => refuse(app, row, attempt, &reason).await,
        // Another process has taken it over, and writes down what comes of it.
        Err(ConvertError::Stopped) => Ok(()),
        Err(error @ ConvertError::Io(_)) => Err(Error::internal(error)),
    }
}

/// Ends a rendition that can't be, and says why.
pub(super) async fn refuse(app: &AppState, row: &rendition::Model, attempt: Attempt, reason: &str) -> Result<()> {
    let (file_id, format) = (row.file_id, row.format);
    let reason: String = reason.replace('\0', "\u{FFFD}").chars().take(limits::NOTE_CHARS_MAX).collect();
    app.db
        .write("catalog.end_rendition", move |tx| {
            let reason = reason.clone();
            async move {
                service::end(&tx, attempt, (file_id, format), RenditionState::Failed, reason).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Removes what earlier attempts left whose processes were killed.
pub(super) async fn sweep_earlier(app: &AppState, row: &rendition::Model, attempt: Attempt) -> Result<()> {
    for earlier in 1..attempt.number {
        app.files.sweep(&blob_key(row, earlier), &format!("{}-", row.id)).await?;
    }
    Ok(())
}

fn convert(
    source: &Path,
    original: &file::Model,
    format: RenditionFormat,
    out: &Path,
    watch: &Arc<Watch>,
) -> Result<Outcome, ConvertError> {
    let source = File::open(source)?;
    let out = File::create(out)?;
    let options = Options {
        output_bytes_max: limits::RENDITION_BYTES_MAX,
        crs: original.crs.as_deref().and_then(Crs::of_name),
        zone: original.time_zone.as_deref().and_then(Zone::of_name),
        ..Options::default()
    };
    let text = match format {
        RenditionFormat::Parquet | RenditionFormat::Geoparquet | RenditionFormat::Changes => {
            return to_parquet(&source, &original.name, out, &options, watch).map(Box::new).map(Outcome::Parquet);
        }
        RenditionFormat::Csv => TextFormat::Csv,
        RenditionFormat::Jsonl => TextFormat::JsonLines,
        RenditionFormat::Geojson => TextFormat::GeoJson,
    };
    from_parquet(&source, text, out, &options, watch).map(Outcome::Text)
}

/// Keeps a Parquet file, and decides which other renditions there will be.
async fn keep_parquet(
    app: &AppState,
    row: &rendition::Model,
    attempt: Attempt,
    original: &file::Model,
    scratch: &Path,
    key: &str,
    table: Table,
) -> Result<()> {
    let as_original = Stored { size_bytes: original.size_bytes.unsigned_abs(), sha256: original.sha256.clone() };
    let (blob_key, stored) = if table.is_original {
        (original.blob_key.clone(), as_original.clone())
    } else {
        (key.to_owned(), app.files.put_file(key, scratch).await?)
    };
    let columns = Some(serde_json::to_value(&table.columns)?);
    let made = Made { blob_key, stored, rows: table.rows, columns, crs: table.crs.clone() };
    let mut also = Vec::new();
    if let Some(format) = table.original_is {
        let crs = table.crs.clone().filter(|_| format == TextFormat::GeoJson);
        let (blob_key, stored) = (original.blob_key.clone(), as_original);
        also.push((rendition_format(format), Made { blob_key, stored, rows: table.rows, columns: None, crs }));
    }
    let no_geometry = match &table.crs {
        Some(_) => {
            also.push((RenditionFormat::Geoparquet, made.clone()));
            None
        }
        None => Some((row.file_id, table.no_geometry.unwrap_or_else(|| NO_GEOMETRY.to_owned()))),
    };
    let also = also.into_iter().map(|(format, made)| (row.file_id, format, made)).collect();
    keep(app, attempt, made, also, no_geometry).await
}

fn rendition_format(format: TextFormat) -> RenditionFormat {
    match format {
        TextFormat::Csv => RenditionFormat::Csv,
        TextFormat::JsonLines => RenditionFormat::Jsonl,
        TextFormat::GeoJson => RenditionFormat::Geojson,
    }
}

/// Writes a finished rendition down, with those that come of it at once; removes its file if it was taken over.
pub(super) async fn keep(
    app: &AppState,
    attempt: Attempt,
    made: Made,
    also: Vec<(entity::ids::FileId, RenditionFormat, Made)>,
    no_geometry: Option<(entity::ids::FileId, String)>,
) -> Result<()> {
    let now = app.clock.now();
    let (key, is_copy) = (made.blob_key.clone(), made.blob_key.starts_with(FOLDER));
    let kept = app
        .db
        .write("catalog.keep_rendition", move |tx| {
            let (made, also, no_geometry) = (made.clone(), also.clone(), no_geometry.clone());
            async move {
                let kept = attempt.keep(&tx, made, now).await?;
                if kept {
                    for (file_id, format, made) in also {
                        store::keep_waiting(&tx, file_id, format, made, now).await?;
                    }
                    if let Some((file_id, reason)) = no_geometry {
                        let formats = [RenditionFormat::Geojson, RenditionFormat::Geoparquet];
                        store::end_waiting(&tx, file_id, &formats, RenditionState::NotApplicable, &reason).await?;
                    }
                }
                Ok((kept, tx))
            }
        })
        .await?;
    if !kept && is_copy {
        app.files.delete(&key).await?;
    }
    Ok(())
}

/// Where renditions are kept, apart from originals.
const FOLDER: &str = "renditions/";

/// Where the bytes of an attempt are kept: each has a key of its own, so that two never write to the same.
fn blob_key(row: &rendition::Model, attempt: i32) -> String {
    let name = row.id.to_string();
    let spread = name.get(name.len().saturating_sub(2)..).unwrap_or_default();
    format!("{FOLDER}{spread}/{name}-{attempt}")
}

/// A local file that is gone with its owner.
struct Scratch(PathBuf);

impl Scratch {
    fn new(app: &AppState, key: &str) -> Self {
        Self(app.files.scratch(key.rsplit('/').next().unwrap_or(key)))
    }

    fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
