//! Admitting a download, opening its bytes, and the links that lead there.

use std::{ops::Range, sync::Arc};

use entity::ids::{FileId, GrantId, MeterId, OrgId};
use quick_cache::sync::Cache;
use time::{Duration, OffsetDateTime};

use super::{
    answer::Content,
    link::Link,
    live_grants::LiveGrants,
    model::{FileFacts, GrantTerms},
    store::{self, FileCursor, FileRow},
};
use crate::{
    base::page::Page,
    db::Db,
    error::{Error, Problem, Result},
    limits,
    state::AppState,
    trade::usage::Reservation,
};

/// What downloads ask many times a second: facts that never change, kept; grants, never kept.
#[derive(Debug)]
pub struct Downloads {
    files: Cache<FileId, Arc<FileFacts>>,
    grants: LiveGrants,
}

impl Downloads {
    /// Starts asking `db`.
    pub fn start(db: Db) -> Self {
        Self { files: Cache::new(limits::FILE_FACTS_MAX), grants: LiveGrants::start(db) }
    }

    async fn find_file(&self, db: &Db, id: FileId) -> Result<Arc<FileFacts>> {
        if let Some(facts) = self.files.get(&id) {
            return Ok(facts);
        }
        let row = store::find_file(db.read(), id).await?.ok_or_else(|| Error::not_found("file"))?;
        let facts = Arc::new(row.facts());
        self.files.insert(id, facts.clone());
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
    let file = app.downloads.find_file(&app.db, link.file_id).await?;
    if !grant.covers(&file) {
        return Err(Error::new(Problem::Gone, "The grant of this link no longer covers this file."));
    }
    Ok(Admitted { grant_id: grant.id, organization_id: grant.organization_id, file, at, meter_id: grant.meter_id })
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
        return app.files.read(&file.blob_key, file.size_bytes, range).await.map(Content::Disk);
    }
    let whole = app.files.read_small(&file.blob_key, file.size_bytes, &file.sha256).await?;
    let at = |byte| usize::try_from(byte).unwrap_or(usize::MAX).min(whole.len());
    Ok(Content::Memory(whole.slice(at(range.start)..at(range.end))))
}

/// A file with a link to it.
#[derive(Debug)]
pub(super) struct LinkedFile {
    pub(super) file: FileRow,
    pub(super) url: String,
    pub(super) expires_at: OffsetDateTime,
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
    let rows = store::list_files(conn, &grant, wanted.revision_number, wanted.after, wanted.limit).await?;
    let page = Page::from_rows(rows, wanted.limit, |row| (row.number, row.id));
    let expires_at = expiry(&grant, now, app.config.auth.download_link_seconds);
    let base = app.config.public_url();
    Ok(page.map(|file| {
        let link = Link { grant_id, file_id: file.id, expires_at };
        let url = format!("{base}{}", link.path(&app.secrets, &file.name));
        LinkedFile { file, url, expires_at }
    }))
}

/// A link ends with its grant at the latest, in whole seconds.
fn expiry(grant: &GrantTerms, now: OffsetDateTime, link_seconds: u32) -> OffsetDateTime {
    let full = now + Duration::seconds(link_seconds.into());
    let end = grant.ends_at.map_or(full, |end| end.min(full));
    end.replace_nanosecond(0).unwrap_or(end)
}
