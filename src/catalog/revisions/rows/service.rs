//! Naming keys, comparing rows, and putting changes together.

use std::{collections::HashMap, io, path::PathBuf};

use bytes::Bytes;
use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, RevisionId},
    row_changes,
    states::RowChangesState,
    table_key,
};
use futures::stream::poll_fn;
use serde::{Deserialize, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use tokio::{sync::mpsc, task::spawn_blocking};

use super::{
    compose::{self, Composed, Layout},
    diff::{self, Table},
    model::{Counts, require_good_key},
    store::{self, Outcome},
};
use crate::{
    auth::Actor,
    catalog::{
        listings,
        profile::{Profile, ProfileError},
        renditions, require_provider,
        revisions::{model::file_name, store::FileRow},
    },
    db::Tx,
    delivery::{LocalCopy, Stored},
    error::{Error, Result},
    jobs::{NewJob, enqueue},
    limits,
    people::audit,
    state::AppState,
};

/// The kind of the job that compares one table with the one before it.
pub const COMPARE_JOB: &str = "catalog.compare_rows";
/// Bytes of changes that are handed to the store at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Pieces that wait for the store.
const PIECES_WAITING: usize = 4;

/// What one comparison works on; the time of the key tells a comparison under an older one.
#[derive(Debug, Serialize, Deserialize)]
struct Payload {
    listing_id: ListingId,
    file_name: String,
    number: i32,
    keyed_at: Timestamp,
}

/// A file that the revision before has as well.
#[derive(Debug, Clone)]
pub(in crate::catalog::revisions) struct KeptFile {
    pub name: String,
    /// Its bytes are the same, so its rows are.
    pub is_same: bool,
}

/// Queues the comparison of the keyed tables of a revision, in the caller's transaction.
pub(in crate::catalog::revisions) async fn plan(
    tx: &Tx,
    listing: ListingId,
    (revision, number): (RevisionId, i32),
    kept: &[KeptFile],
    now: OffsetDateTime,
) -> Result<()> {
    let keys: HashMap<String, table_key::Model> =
        store::keys(tx.conn(), listing).await?.into_iter().map(|key| (key.file_name.clone(), key)).collect();
    let keyed = kept.iter().filter_map(|file| Some((keys.get(&file.name)?, file.is_same)));
    let rows = keyed.map(|(key, is_same)| waiting(key, (revision, number), is_same, now)).collect();
    queue(tx, rows, now).await
}

fn waiting(
    key: &table_key::Model,
    (revision_id, number): (RevisionId, i32),
    is_same: bool,
    now: OffsetDateTime,
) -> row_changes::Model {
    row_changes::Model {
        listing_id: key.listing_id,
        file_name: key.file_name.clone(),
        number,
        revision_id,
        columns: key.columns.clone(),
        keyed_at: key.keyed_at,
        state: if is_same { RowChangesState::Ready } else { RowChangesState::Pending },
        reason: None,
        inserted: 0,
        updated: 0,
        deleted: 0,
        blob_key: None,
        size_bytes: 0,
        sha256: None,
        compared_at: is_same.then_some(Timestamp(now)),
    }
}

async fn queue(tx: &Tx, rows: Vec<row_changes::Model>, now: OffsetDateTime) -> Result<()> {
    for row in rows.iter().filter(|row| row.state == RowChangesState::Pending) {
        let payload = Payload {
            listing_id: row.listing_id,
            file_name: row.file_name.clone(),
            number: row.number,
            keyed_at: row.keyed_at,
        };
        let payload = serde_json::to_value(payload)?;
        enqueue(tx, NewJob { kind: COMPARE_JOB, unique_key: None, payload, run_at: now }, now).await?;
    }
    store::insert_all(tx, rows).await
}

/// Refuses to publish a table that lacks a column of its key; one that was not read yet is looked at later.
pub(in crate::catalog::revisions) async fn require_keys(tx: &Tx, listing: ListingId, files: &[FileRow]) -> Result<()> {
    for key in store::keys(tx.conn(), listing).await? {
        let Some(file) = files.iter().find(|file| file.name == key.file_name) else { continue };
        let Some(row) = store::find_file(tx.conn(), file.revision_id, &file.name).await? else { continue };
        let Some(known) = columns_of(&row)? else { continue };
        let columns: Vec<String> = serde_json::from_value(key.columns)?;
        if let Some(missing) = columns.iter().find(|name| !known.contains(name)) {
            return Err(Error::conflict(format!(
                "{} has no column {missing:?}, which its key names. Add the column, or change the key with PUT \
                 /api/v1/listings/{{id}}/row-keys/{{name}}.",
                file.name
            )));
        }
    }
    Ok(())
}

/// The names of the columns of a file, where it was read as a table.
fn columns_of(row: &file::Model) -> Result<Option<Vec<String>>> {
    let profile: Option<Profile> = row.profile.clone().map(serde_json::from_value).transpose()?;
    Ok(profile.map(|profile| profile.columns.into_iter().map(|column| column.name).collect()))
}

/// Names the key of a table of a listing, and compares the newest revisions anew.
///
/// # Errors
/// `NotFound` for a listing of somebody else; `Invalid` for columns that can't be a key; `Conflict` beyond
/// [`limits::KEYED_TABLES_MAX`].
pub(super) async fn set_key(
    app: &AppState,
    actor: Actor,
    id: ListingId,
    name: &str,
    columns: Vec<String>,
) -> Result<table_key::Model> {
    require_provider(&actor)?;
    let name = file_name(name)?;
    let now = app.clock.now();
    let (key, blobs) = app
        .db
        .write("catalog.set_row_key", move |tx| {
            let (actor, name, columns) = (actor.clone(), name.clone(), columns.clone());
            async move {
                let listing = listings::lock_owned(&tx, id, actor.org_id()).await?;
                let listing = listing.ok_or_else(|| Error::not_found("listing"))?;
                let current = match listing.current_revision_id {
                    Some(revision) => store::find_file(tx.conn(), revision, &name).await?,
                    None => None,
                };
                let known = current.as_ref().map(columns_of).transpose()?.flatten();
                require_good_key(&columns, known.as_deref())?;
                if store::count_other_keys(&tx, id, &name).await? >= limits::KEYED_TABLES_MAX as u64 {
                    let most = limits::KEYED_TABLES_MAX;
                    return Err(Error::conflict(format!("A listing has at most {most} keyed tables.")));
                }
                let detail = json!({"file": name, "columns": columns});
                let columns = serde_json::to_value(&columns)?;
                let key = table_key::Model { listing_id: id, file_name: name, columns, keyed_at: Timestamp(now) };
                store::put_key(&tx, key.clone()).await?;
                let mut blobs = store::delete_changes(&tx, id, &key.file_name).await?;
                blobs.extend(renditions::forget_changes(&tx, id, &key.file_name).await?);
                queue(&tx, compared_anew(&tx, &key, now).await?, now).await?;
                audit::record(&tx, &actor, "listing.set_row_key", id, detail, now).await?;
                Ok(((key, blobs), tx))
            }
        })
        .await?;
    remove_blobs(app, blobs).await;
    Ok(key)
}

/// The newest revisions that have the table, as has the one before each.
async fn compared_anew(tx: &Tx, key: &table_key::Model, now: OffsetDateTime) -> Result<Vec<row_changes::Model>> {
    let limit = limits::REKEYED_REVISIONS_MAX + 1;
    let published = store::published(tx.conn(), key.listing_id, (0, i32::MAX), limit).await?;
    let digests: HashMap<RevisionId, String> =
        store::digests(tx.conn(), &published, &key.file_name).await?.into_iter().collect();
    let pairs = published.iter().zip(published.iter().skip(1));
    let both = pairs.filter_map(|(later, earlier)| {
        let (now_is, was) = (digests.get(&later.0)?, digests.get(&earlier.0)?);
        Some(waiting(key, *later, now_is == was, now))
    });
    Ok(both.collect())
}

/// Takes the key of a table away, with what was compared by it.
///
/// # Errors
/// `NotFound` for a listing of somebody else, or a table without a key.
pub(super) async fn remove_key(app: &AppState, actor: Actor, id: ListingId, name: String) -> Result<()> {
    let now = app.clock.now();
    let blobs = app
        .db
        .write("catalog.remove_row_key", move |tx| {
            let (actor, name) = (actor.clone(), name.clone());
            async move {
                let listing = listings::lock_owned(&tx, id, actor.org_id()).await?;
                listing.ok_or_else(|| Error::not_found("listing"))?;
                if !store::delete_key(&tx, id, &name).await? {
                    return Err(Error::not_found("key"));
                }
                let mut blobs = store::delete_changes(&tx, id, &name).await?;
                blobs.extend(renditions::forget_changes(&tx, id, &name).await?);
                audit::record(&tx, &actor, "listing.remove_row_key", id, json!({"file": name}), now).await?;
                Ok((blobs, tx))
            }
        })
        .await?;
    remove_blobs(app, blobs).await;
    Ok(())
}

/// Removes what nothing refers to any more; a failure costs space, not correctness.
async fn remove_blobs(app: &AppState, keys: impl IntoIterator<Item = String>) {
    for key in keys {
        if let Err(error) = app.files.delete(&key).await {
            tracing::warn!(key, error = %error, "row changes that nothing refers to could not be removed: {error}");
        }
    }
}

/// Compares a table with the one of the revision before, and keeps what changed; does nothing when that was done, or
/// when its key is another one by now.
///
/// # Errors
/// When a file can't be read or the result not kept; another try may help.
pub async fn compare_stored_tables(app: &AppState, payload: serde_json::Value) -> Result<()> {
    let wanted: Payload = serde_json::from_value(payload)?;
    let found = store::find(app.db.read(), wanted.listing_id, &wanted.file_name, wanted.number).await?;
    let waits = |row: &row_changes::Model| row.keyed_at == wanted.keyed_at && row.state == RowChangesState::Pending;
    let Some(row) = found.filter(waits) else { return Ok(()) };
    let outcome = compare(app, &row).await?;
    let blob = match &outcome {
        Outcome::Ready(_, Some((key, _))) => Some(key.clone()),
        Outcome::Ready(_, None) | Outcome::Unavailable(_) => None,
    };
    let now = Timestamp(app.clock.now());
    let is_kept = app
        .db
        .write("catalog.keep_row_changes", move |tx| {
            let (row, outcome) = (row.clone(), outcome.clone());
            async move {
                let has_changes = matches!(outcome, Outcome::Ready(_, Some(_)));
                let is_kept = store::finish(&tx, &row, outcome, now).await?;
                if is_kept && has_changes {
                    let file = store::find_file(tx.conn(), row.revision_id, &row.file_name).await?;
                    let file =
                        file.ok_or_else(|| Error::internal(format!("{} has no {}", row.revision_id, row.file_name)))?;
                    renditions::plan_changes(&tx, file.id, now.0).await?;
                }
                Ok((is_kept, tx))
            }
        })
        .await?;
    if !is_kept {
        remove_blobs(app, blob).await;
    }
    Ok(())
}

async fn compare(app: &AppState, row: &row_changes::Model) -> Result<Outcome> {
    let conn = app.db.read();
    let newest = store::published(conn, row.listing_id, (0, row.number), 2).await?;
    let [(_, _), (earlier, _)] = newest.as_slice() else {
        return Err(Error::internal(format!("nothing is before {}", row.revision_id)));
    };
    let before = store::find_file(conn, *earlier, &row.file_name).await?;
    let after = store::find_file(conn, row.revision_id, &row.file_name).await?;
    let (Some(before), Some(after)) = (before, after) else {
        return Err(Error::internal(format!("{} has no {}", row.revision_id, row.file_name)));
    };
    let most = limits::ROW_DIFF_FILE_BYTES_MAX;
    if [&before, &after].iter().any(|file| file.size_bytes.unsigned_abs() > most) {
        return Ok(Outcome::Unavailable(format!("tables of more than {most} bytes are not compared by row")));
    }
    let tables = (table_of(app, before).await?, table_of(app, after).await?);
    let (Some(before), Some(after)) = tables else {
        return Ok(Outcome::Unavailable("one of the two files can't be read as a table".to_owned()));
    };
    let columns: Vec<String> = serde_json::from_value(row.columns.clone())?;
    let blob_key = format!("row-changes/{}", fresh_name(app));
    match run_diff(app, (before, after), columns, &blob_key).await {
        Ok((counts, stored)) if stored.size_bytes > 0 => Ok(Outcome::Ready(counts, Some((blob_key, stored)))),
        Ok((counts, _)) => {
            app.files.delete(&blob_key).await?;
            Ok(Outcome::Ready(counts, None))
        }
        Err(ProfileError::Unparsable { reason }) => {
            app.files.delete(&blob_key).await?;
            Ok(Outcome::Unavailable(reason.replace('\0', "\u{FFFD}").chars().take(2_000).collect()))
        }
        Err(ProfileError::Io(error)) => {
            app.files.delete(&blob_key).await?;
            Err(Error::internal(error))
        }
    }
}

/// A name that nothing has yet.
fn fresh_name(app: &AppState) -> String {
    FileId::at(app.clock.now()).0.simple().to_string()
}

/// The table with its file on this machine, as long as the copy is kept.
pub(super) async fn table_of(app: &AppState, row: file::Model) -> Result<Option<(Table, LocalCopy)>> {
    let profile: Option<Profile> = row.profile.map(serde_json::from_value).transpose()?;
    let Some(profile) = profile else { return Ok(None) };
    let (name, size_bytes) = (fresh_name(app), row.size_bytes.unsigned_abs());
    let copy = app.files.local_copy(&row.blob_key, size_bytes, &row.sha256, &name).await?;
    Ok(Some((Table { path: copy.path().to_owned(), profile }, copy)))
}

/// Compares on a blocking thread, and streams what changed into the store.
async fn run_diff(
    app: &AppState,
    ((before, old_copy), (after, new_copy)): ((Table, LocalCopy), (Table, LocalCopy)),
    key: Vec<String>,
    blob_key: &str,
) -> Result<(Counts, Stored), ProfileError> {
    let (send, mut receive) = mpsc::channel::<Result<Bytes>>(PIECES_WAITING);
    let work_dir = work_dir(app);
    let work = spawn_blocking(move || {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let stopped = || io::Error::other("nobody takes the changes any more");
        let mut write = |line: &[u8]| {
            piece.extend_from_slice(line);
            if piece.len() < PIECE_BYTES {
                return Ok(());
            }
            let full = std::mem::replace(&mut piece, Vec::with_capacity(PIECE_BYTES));
            send.blocking_send(Ok(full.into())).map_err(|_| stopped())
        };
        let counts = diff::diff((&before, &after), &key, &work_dir, &mut write)?;
        if !piece.is_empty() {
            send.blocking_send(Ok(piece.into())).map_err(|_| stopped())?;
        }
        Ok::<_, ProfileError>(counts)
    });
    let body = poll_fn(move |context| receive.poll_recv(context));
    let stored = app.files.put(blob_key, body, limits::FILE_BYTES_MAX).await;
    let counts = work.await.map_err(io::Error::other)??;
    drop((old_copy, new_copy));
    Ok((counts, stored.map_err(io::Error::other)?))
}

/// Where working files are made; they have no names there.
pub(super) fn work_dir(app: &AppState) -> PathBuf {
    app.files.scratch("row-changes")
}

/// The sets of changes that lead from one revision of a table to a later one.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The key they were compared by.
    pub key: Vec<String>,
    sets: Vec<KeptSet>,
}

/// A set of changes in the store.
#[derive(Debug, Clone)]
struct KeptSet {
    blob_key: String,
    size_bytes: u64,
    sha256: String,
}

/// Finds what leads from revision `from` of a table to revision `to`.
///
/// # Errors
/// `Conflict`, saying why, where the way is not known from step to step, or is too long.
pub async fn find_chain(app: &AppState, listing: ListingId, name: &str, (from, to): (i32, i32)) -> Result<Chain> {
    let conn = app.db.read();
    let instead = "Download the file instead.";
    let Some(key) = store::find_key(conn, listing, name).await? else {
        return Err(Error::conflict(format!("{name} has no key by which its rows are told apart. {instead}")));
    };
    let span = u64::try_from(limits::ROW_CHANGES_SPAN_MAX).unwrap_or(u64::MAX);
    let steps = store::published(conn, listing, (from, to), span + 1).await?;
    if steps.len() > limits::ROW_CHANGES_SPAN_MAX {
        return Err(Error::conflict(format!("More than {span} versions lie between. {instead}")));
    }
    let known = store::between(conn, listing, name, (from, to)).await?;
    let mut known: HashMap<i32, row_changes::Model> = known.into_iter().map(|row| (row.number, row)).collect();
    let (mut sets, mut size_bytes) = (Vec::new(), 0_u64);
    for (_, number) in steps.into_iter().rev() {
        let unknown = || Error::conflict(format!("Revision {number} has no known way from the one before. {instead}"));
        let row = known.remove(&number).ok_or_else(unknown)?;
        match row.state {
            RowChangesState::Ready => {}
            RowChangesState::Pending => {
                let detail = format!("The rows of revision {number} are still being compared. Try again in a moment.");
                return Err(Error::conflict(detail));
            }
            RowChangesState::Unavailable => {
                let reason = row.reason.unwrap_or_default();
                return Err(Error::conflict(format!("Revision {number}: {reason}. {instead}")));
            }
        }
        let own_bytes = row.size_bytes.unsigned_abs();
        size_bytes = size_bytes.saturating_add(own_bytes);
        let kept = row.blob_key.zip(row.sha256);
        sets.extend(kept.map(|(blob_key, sha256)| KeptSet { blob_key, size_bytes: own_bytes, sha256 }));
    }
    let most = limits::ROW_CHANGES_BYTES_MAX;
    if size_bytes > most {
        return Err(Error::conflict(format!("The changes are more than {most} bytes. {instead}")));
    }
    Ok(Chain { key: serde_json::from_value(key.columns)?, sets })
}

/// Puts a chain together, on a blocking thread.
///
/// # Errors
/// Internal ones when a set can't be read.
pub async fn compose_chain(app: &AppState, chain: Chain, layout: Layout) -> Result<Composed> {
    let mut copies = Vec::with_capacity(chain.sets.len());
    for set in &chain.sets {
        copies.push(app.files.local_copy(&set.blob_key, set.size_bytes, &set.sha256, &fresh_name(app)).await?);
    }
    let work_dir = work_dir(app);
    let work = move || {
        let sets: Vec<PathBuf> = copies.iter().map(|copy| copy.path().to_owned()).collect();
        compose::compose(&sets, &chain.key, layout, &work_dir)
    };
    spawn_blocking(work).await.map_err(Error::internal)?.map_err(Error::internal)
}
