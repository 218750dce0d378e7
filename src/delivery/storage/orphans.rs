//! Files in the store that nothing refers to: what a kill left between storing and writing down.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use futures::StreamExt as _;
use time::{Duration, OffsetDateTime};

use super::store::{self, Owner};
use crate::{
    delivery::sql::QUERY_FOLDER,
    error::{Error, Result},
    limits,
    state::AppState,
};

/// Keys that are looked up at once.
const LOOKED_UP_AT_ONCE: usize = 500;

/// A file that nothing refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Its key; a path for what was being written.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was last written to.
    pub modified_at: OffsetDateTime,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Key(Owner),
    /// A file that was being written when its process was killed.
    Path(PathBuf),
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Files that may be removed.
    pub found: Vec<Orphan>,
    /// Files looked at.
    pub looked_at: u64,
    /// Files that were not put there by this exchange; they are never touched.
    pub foreign: u64,
}

/// Finds files that nothing refers to and that nobody has written to for a day. Changes nothing.
///
/// What is being uploaded is younger than that: an upload that says nothing for a minute is given up.
///
/// # Errors
/// Those of the store and of the database.
pub async fn find_orphans(app: &AppState, progress: impl Fn(u64)) -> Result<Orphans> {
    let before = app.clock.now() - Duration::hours(limits::ORPHAN_AGE_HOURS_MIN);
    let mut orphans = Orphans::default();
    let mut listed = app.files.list().chunks(LOOKED_UP_AT_ONCE);
    while let Some(chunk) = listed.next().await {
        let mut old = Vec::new();
        for meta in chunk {
            let meta = meta.map_err(Error::internal)?;
            orphans.looked_at += 1;
            let modified_at = time_of(meta.last_modified.into());
            let key = meta.location.to_string();
            match Owner::of(&key) {
                None => orphans.foreign += 1,
                Some(owner) if modified_at < before => {
                    let (name, size_bytes) = (key, meta.size);
                    old.push(Orphan { name, size_bytes, modified_at, place: Place::Key(owner) });
                }
                Some(_) => {}
            }
        }
        let keys: Vec<(String, Owner)> = old.iter().filter_map(Orphan::key).collect();
        let known = store::referred_to(app.db.read(), &keys).await?;
        orphans.found.extend(old.into_iter().filter(|orphan| !known.contains(&orphan.name)));
        progress(orphans.looked_at);
    }
    let (scratch, root) = (app.files.scratch_dir().to_owned(), app.files.local_root().map(Path::to_owned));
    let abandoned = tokio::task::spawn_blocking(move || abandoned(&scratch, root.as_deref(), before)).await;
    orphans.found.extend(abandoned.map_err(Error::internal)?.map_err(Error::internal)?);
    Ok(orphans)
}

/// Removes orphans, after looking once more whether something refers to them by now; returns files and bytes.
///
/// # Errors
/// Those of the store and of the database.
pub async fn remove_orphans(app: &AppState, orphans: &[Orphan], progress: impl Fn(u64)) -> Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for orphan in orphans {
        match &orphan.place {
            Place::Path(path) => tokio::fs::remove_file(path).await.map_err(Error::internal)?,
            Place::Key(owner) => {
                let key = [(orphan.name.clone(), *owner)];
                if !store::referred_to(app.db.read(), &key).await?.is_empty() {
                    continue;
                }
                app.files.delete(&orphan.name).await?;
            }
        }
        tracing::info!(
            key = orphan.name,
            bytes = orphan.size_bytes,
            "removed {}, which nothing refers to",
            orphan.name
        );
        files += 1;
        bytes += orphan.size_bytes;
        progress(files);
    }
    Ok((files, bytes))
}

impl Orphan {
    fn key(&self) -> Option<(String, Owner)> {
        match self.place {
            Place::Key(owner) => Some((self.name.clone(), owner)),
            Place::Path(_) => None,
        }
    }
}

/// What was being written when its process was killed: all of `scratch`, and in `root` what the store keeps beside a
/// key until it is complete (`KEY#1`).
fn abandoned(scratch: &Path, root: Option<&Path>, before: OffsetDateTime) -> std::io::Result<Vec<Orphan>> {
    let mut found = Vec::new();
    walk(scratch, before, &|_| true, &mut found)?;
    if let Some(root) = root {
        let is_staged = |name: &str| {
            let count = name.rsplit_once('#').map(|(_, count)| count);
            count.is_some_and(|count| !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit()))
        };
        walk(root, before, &is_staged, &mut found)?;
    }
    Ok(found)
}

fn walk(
    dir: &Path,
    before: OffsetDateTime,
    wanted: &impl Fn(&str) -> bool,
    found: &mut Vec<Orphan>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(meta) = entry.metadata() else { continue };
        if meta.is_dir() {
            // Links to tables are as old as the tables, however young the query is that reads them.
            let is_query = entry.file_name().to_string_lossy().starts_with(QUERY_FOLDER);
            if is_query && time_of(meta.modified()?) >= before {
                continue;
            }
            walk(&entry.path(), before, wanted, found)?;
            continue;
        }
        let modified_at = time_of(meta.modified()?);
        if modified_at < before && wanted(&entry.file_name().to_string_lossy()) {
            let name = entry.path().display().to_string();
            found.push(Orphan { name, size_bytes: meta.len(), modified_at, place: Place::Path(entry.path()) });
        }
    }
    Ok(())
}

fn time_of(time: SystemTime) -> OffsetDateTime {
    OffsetDateTime::from(time)
}
