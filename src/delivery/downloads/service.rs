//! Admitting a download, opening its bytes, and the links that lead there.

use std::{ops::Range, sync::Arc};

use entity::{
    ids::{FileId, GrantId, MeterId, OrgId},
    states::RenditionFormat,
};
use quick_cache::sync::Cache;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    answer::Content,
    link::Link,
    live_grants::LiveGrants,
    model::{FileFacts, GrantTerms},
    slices,
    store::{self, FileCursor, FileRow},
};
use crate::{
    base::page::Page,
    catalog::renditions::{self, Rendition, name_in},
    db::Db,
    delivery::OtherSender,
    error::{Error, Problem, Result},
    limits,
    state::AppState,
    trade::usage::Reservation,
};

/// What downloads ask many times a second: facts that never change, kept; grants, never kept.
#[derive(Debug)]
pub struct Downloads {
    files: Cache<(FileId, Option<RenditionFormat>), Arc<FileFacts>>,
    grants: LiveGrants,
    /// Places to put row changes together.
    composing: Semaphore,
}

impl Downloads {
    /// Starts asking `db`.
    pub fn start(db: Db) -> Self {
        Self {
            files: Cache::new(limits::FILE_FACTS_MAX),
            grants: LiveGrants::start(db),
            composing: Semaphore::new(limits::ROW_CHANGES_AT_ONCE),
        }
    }

    /// Waits for a place to put row changes together; it is free again when the permit is dropped.
    pub(super) async fn place_to_compose(&self) -> Result<SemaphorePermit<'_>> {
        self.composing.acquire().await.map_err(Error::internal)
    }

    async fn find_file(&self, db: &Db, id: FileId, format: Option<RenditionFormat>) -> Result<Arc<FileFacts>> {
        if let Some(facts) = self.files.get(&(id, format)) {
            return Ok(facts);
        }
        let unknown = || Error::not_found("file");
        let row = store::find_file(db.read(), id).await?.ok_or_else(unknown)?;
        let facts = match format {
            None => row.facts(),
            Some(format) => {
                let rendition = renditions::find_made(db.read(), id, format).await?.ok_or_else(unknown)?;
                row.facts_in(rendition)
            }
        };
        let facts = Arc::new(facts);
        // A version that is still to come would change what is known here, and changes go with the key they were made by.
        let is_kept = format != Some(RenditionFormat::Changes);
        if is_kept && (facts.release.major.is_some() || !facts.release.gives_notice) {
            self.files.insert((id, format), facts.clone());
        }
        Ok(facts)
    }
}

/// A download that may go ahead.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) grant_id: GrantId,
    pub(super) organization_id: OrgId,
    pub(super) file: Arc<FileFacts>,
    pub(super) at: OffsetDateTime,
    meter_id: Option<MeterId>,
}

impl Admitted {
    /// A download of `file`, or of what changed in it, under a grant that covers it.
    pub(super) fn new(grant: &GrantTerms, file: impl Into<Arc<FileFacts>>, at: OffsetDateTime) -> Self {
        Self {
            grant_id: grant.id,
            organization_id: grant.organization_id,
            file: file.into(),
            at,
            meter_id: grant.meter_id,
        }
    }
}

/// Lets a signed link through, if its grant still covers the file at this moment.
///
/// # Errors
/// `NotFound` for a forged link, `Gone` for an expired one or an ended grant, `Forbidden` for a revoked one.
pub(super) async fn admit(app: &AppState, token: &str) -> Result<Admitted> {
    let at = app.clock.now();
    let link = Link::read(token, &app.secrets, at)?;
    let found = app.downloads.grants.find(link.grant_id).await?;
    let grant = found.ok_or_else(|| Error::not_found("grant"))?;
    grant.require_active(at)?;
    if grant.slice_of.is_some() {
        let file = slices::facts(app, &grant, &link).await?;
        return Ok(Admitted { meter_id: None, ..Admitted::new(&grant, file, at) });
    }
    let file = app.downloads.find_file(&app.db, link.file_id, link.format).await?;
    if !grant.covers(&file, at) {
        return Err(Error::new(Problem::Gone, "The grant of this link no longer covers this file."));
    }
    let meter_id = grant.meter_id.filter(|_| !link.is_counted);
    Ok(Admitted { meter_id, ..Admitted::new(&grant, file, at) })
}

/// Sets the units of a download of `bytes` aside, where its grant is metered.
///
/// # Errors
/// `Conflict` when the budget or the units are used up.
pub(super) async fn reserve(app: &AppState, admitted: &Admitted, bytes: u64) -> Result<Option<Arc<Reservation>>> {
    match admitted.meter_id {
        Some(meter) => app.meters.admit(&app.db, meter, bytes, admitted.at).await.map(Some),
        None => Ok(None),
    }
}

/// Opens a range of a file: small files from memory, large ones piece by piece.
///
/// # Errors
/// Internal ones when the stored file is missing or was changed.
pub(super) async fn open(app: &AppState, file: &FileFacts, range: Range<u64>) -> Result<Content> {
    if file.size_bytes > limits::SMALL_FILE_BYTES_MAX {
        return app.files.read(&file.blob_key, file.size_bytes, &file.sha256, range).await.map(Content::Stored);
    }
    let whole = app.files.read_small(&file.blob_key, file.size_bytes, &file.sha256).await?;
    let at = |byte| usize::try_from(byte).unwrap_or(usize::MAX).min(whole.len());
    Ok(Content::Memory(whole.slice(at(range.start)..at(range.end))))
}

/// Who sends a file instead of the exchange, where downloads are handed out so.
///
/// # Errors
/// Internal ones of signing.
pub(super) async fn other_sender(app: &AppState, file: &FileFacts) -> Result<Option<OtherSender>> {
    app.files.other_sender(&file.blob_key, &file.headers.content_type, &file.headers.content_disposition).await
}

/// A file with a link to it.
#[derive(Debug)]
pub(super) struct LinkedFile {
    pub(super) file: FileRow,
    pub(super) url: String,
    pub(super) expires_at: OffsetDateTime,
    /// Its renditions, each with a link.
    pub(super) renditions: Vec<(Rendition, String)>,
}

/// What to list of a grant's files.
#[derive(Debug)]
pub(super) struct FilesWanted {
    pub(super) revision_number: Option<i32>,
    pub(super) after: Option<FileCursor>,
    pub(super) limit: usize,
}

/// The files that a grant of `holder` covers, each with a fresh link.
///
/// # Errors
/// `NotFound` for a grant of somebody else; those of [`GrantTerms::require_active`].
pub(super) async fn list_linked_files(
    app: &AppState,
    holder: OrgId,
    grant_id: GrantId,
    wanted: FilesWanted,
) -> Result<Page<LinkedFile>> {
    let (now, conn) = (app.clock.now(), app.db.read());
    let grant = store::find_grant(conn, holder, grant_id).await?.ok_or_else(|| Error::not_found("grant"))?;
    grant.require_active(now)?;
    if grant.slice_of.is_some() {
        return slices::list(app, &grant, &wanted, now).await;
    }
    let rows = store::list_files(conn, &grant, now, (wanted.revision_number, wanted.after), wanted.limit).await?;
    let page = Page::from_rows(rows, wanted.limit, |row| (row.number, row.id));
    let expires_at = expiry(&grant, now, app.config.auth.download_link_seconds);
    let base = app.config.public_url();
    let ids: Vec<FileId> = page.items.iter().map(|file| file.id).collect();
    let mut made = renditions::list_made(conn, &ids).await?;
    Ok(page.map(|file| {
        let url = |format, name: &str| {
            let link = Link { grant_id, file_id: file.id, format, expires_at, is_counted: false };
            format!("{base}{}", link.path(&app.secrets, name))
        };
        let made = made.remove(&file.id).unwrap_or_default().into_iter().map(|rendition| {
            let url = url(Some(rendition.format), &name_in(rendition.format, &file.name));
            (rendition, url)
        });
        let renditions = made.collect();
        LinkedFile { url: url(None, &file.name), file, expires_at, renditions }
    }))
}

/// A link ends with its grant at the latest, in whole seconds.
pub(in crate::delivery) fn expiry(grant: &GrantTerms, now: OffsetDateTime, link_seconds: u32) -> OffsetDateTime {
    let full = now + Duration::seconds(link_seconds.into());
    let end = grant.ends_at.map_or(full, |end| end.min(full));
    end.replace_nanosecond(0).unwrap_or(end)
}
