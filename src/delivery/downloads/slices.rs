//! What a grant of a slice opens: the files that were cut out for it, and nothing else.

use std::sync::Arc;

use entity::states::RenditionState;
use time::OffsetDateTime;

use super::{
    link::Link,
    model::{FileFacts, GrantTerms},
    service::{FilesWanted, LinkedFile, expiry},
    store,
};
use crate::{
    base::page::Page,
    catalog::renditions::{Rendition, media_type, name_in},
    error::{Error, Problem, Result},
    state::AppState,
    trade::slices::{self, CutSlice, SliceFile},
};

/// The slice of a grant, once its files are made.
async fn made(app: &AppState, grant: &GrantTerms) -> Result<CutSlice> {
    let cut = slices::find_cut(app.db.read(), grant.id).await?;
    let cut = cut.ok_or_else(|| Error::internal(format!("{} is of a slice that nobody cuts", grant.id)))?;
    match cut.state {
        RenditionState::Made => Ok(cut),
        RenditionState::Pending | RenditionState::Making => {
            let percent = cut.progress_permille / 10;
            Err(Error::conflict(format!(
                "The slice is being prepared ({percent} %). List its files again in a moment."
            )))
        }
        RenditionState::Failed | RenditionState::NotApplicable => {
            let why = cut.error.unwrap_or_default();
            Err(Error::conflict(format!("The slice could not be made. {why} Ask for a refund of its order.")))
        }
    }
}

/// What a file of a slice is called: `levels.csv` becomes `levels_slice.parquet`.
fn named(name: &str) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "csv"));
    format!("{stem}_slice.{extension}")
}

fn rendition(cut: &CutSlice, file: &SliceFile) -> Option<Rendition> {
    Some(Rendition {
        file_id: cut.slice.file_id,
        format: file.format?,
        blob_key: file.blob_key.clone(),
        size_bytes: file.size_bytes,
        sha256: file.sha256.clone(),
        rows: cut.slice.rows,
        columns: Vec::new(),
        crs: None,
        made_at: cut.made_at?,
    })
}

/// The one file of a slice, as Parquet, with its other formats beside it.
///
/// # Errors
/// `Conflict` while it is being cut out, and when it can't be.
pub(super) async fn list(
    app: &AppState,
    grant: &GrantTerms,
    wanted: &FilesWanted,
    now: OffsetDateTime,
) -> Result<Page<LinkedFile>> {
    let cut = made(app, grant).await?;
    let none = Page { items: Vec::new(), next_cursor: None };
    let other = wanted.revision_number.is_some_and(|number| number != cut.slice.revision_number);
    if other || wanted.after.is_some() {
        return Ok(none);
    }
    let missing = || Error::internal(format!("the file of the slice of {} is gone", grant.id));
    let mut file = store::find_file(app.db.read(), cut.slice.file_id).await?.ok_or_else(missing)?;
    let name = named(&file.name);
    let (expires_at, base) = (expiry(grant, now, app.config.auth.download_link_seconds), app.config.public_url());
    let mut made = cut.files.iter().filter_map(|file| rendition(&cut, file)).map(|rendition| {
        let (grant_id, file_id, format) = (grant.id, rendition.file_id, Some(rendition.format));
        let link = Link { grant_id, file_id, format, expires_at, is_counted: false };
        let url = format!("{base}{}", link.path(&app.secrets, &name_in(rendition.format, &name)));
        (rendition, url)
    });
    let (parquet, url) = made.next().ok_or_else(missing)?;
    let renditions = made.collect();
    file.name = name_in(parquet.format, &name);
    file.media_type = media_type(parquet.format).to_owned();
    file.format = parquet.format.as_str().to_owned();
    file.size_bytes = i64::try_from(parquet.size_bytes).map_err(Error::internal)?;
    (file.sha256, file.blob_key) = (parquet.sha256, parquet.blob_key);
    Ok(Page { items: vec![LinkedFile { file, url, expires_at, renditions }], next_cursor: None })
}

/// What a link under a grant of a slice downloads.
///
/// # Errors
/// `Gone` for a link to anything but a file of that slice, the original among it; `Conflict` before it is made.
pub(super) async fn facts(app: &AppState, grant: &GrantTerms, link: &Link) -> Result<Arc<FileFacts>> {
    let gone = || Error::new(Problem::Gone, "The grant of this link is of a slice, and covers nothing else.");
    let cut = made(app, grant).await?;
    let format = link.format.filter(|_| link.file_id == cut.slice.file_id).ok_or_else(gone)?;
    let file = cut.files.iter().find(|file| file.format == Some(format)).ok_or_else(gone)?;
    let rendition = rendition(&cut, file).ok_or_else(gone)?;
    let mut row = store::find_file(app.db.read(), cut.slice.file_id).await?.ok_or_else(gone)?;
    row.name = named(&row.name);
    Ok(Arc::new(row.facts_in(rendition)))
}
