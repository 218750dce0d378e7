//! What can be done to a revision: open, fill, publish, discard; and the profiling of its files.

use std::collections::BTreeSet;

use bytes::Bytes;
use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, OrgId, RevisionId},
    listing, revision,
    states::{PersonalData, ProfileState, RevisionState},
};
use futures::Stream;
use sea_orm::ConnectionTrait;
use serde_json::json;
use time::OffsetDateTime;

use super::{
    model::{
        RevisionError, file_format, file_name, require_good_policy, require_intact, require_open, room_for,
        shown_policy, without_nul,
    },
    reference::FileReference,
    rows,
    store::{self, FileRow, NewFile},
    upload::Announced,
};
use crate::{
    auth::Actor,
    catalog::{
        listings,
        profile::{Profile, ProfileError, ProfileLimits, SamplePolicy, profile_file, visible_profile},
        renditions, require_provider,
    },
    db::{
        Tx,
        outbox::{self, News},
    },
    error::{Error, Problem, Result},
    jobs::{NewJob, enqueue},
    people::audit,
    state::AppState,
};

/// The kind of the job that profiles one file; its payload is `{"file_id": …}`.
pub const PROFILE_JOB: &str = "catalog.profile_file";

/// Opens a revision of a listing.
///
/// # Errors
/// [`Problem::NotFound`] for a listing of somebody else; [`Problem::Conflict`] while another revision is open.
pub(super) async fn open_revision(app: &AppState, actor: Actor, id: ListingId, note: String) -> Result<RevisionId> {
    require_provider(&actor)?;
    let now = app.clock.now();
    let revision_id = RevisionId::at(now);
    app.db
        .write("catalog.open_revision", move |tx| {
            let (actor, note) = (actor.clone(), note.clone());
            async move {
                let listing = listings::lock_owned(&tx, id, actor.org_id()).await?;
                let listing = listing.ok_or_else(|| Error::not_found("listing"))?;
                if listing.state == entity::states::ListingState::Retired {
                    return Err(RevisionError::Retired.into());
                }
                if let Some(open) = store::find_open(tx.conn(), id).await? {
                    return Err(RevisionError::StillOpen(open.number).into());
                }
                let number = store::insert(&tx, revision_id, id, note, Timestamp(now)).await?;
                let detail = json!({"listing_id": id, "number": number});
                audit::record(&tx, &actor, "revision.open", revision_id, detail, now).await?;
                Ok((revision_id, tx))
            }
        })
        .await
}

/// Streams a file into an open revision, in place of one of the same name. Nothing stays behind when it fails.
/// Returns the file, and whether it replaced one.
///
/// # Errors
/// [`Problem::Invalid`] for a bad name, an unknown zone or system, an empty file or another digest than announced; [`Problem::TooLarge`];
/// [`Problem::UnsupportedMediaType`]; [`Problem::Conflict`] for a published or full revision;
/// [`Problem::Malformed`] when the client breaks off.
pub(super) async fn put_file<S>(
    app: &AppState,
    actor: Actor,
    id: RevisionId,
    name: &str,
    stated: FileReference,
    announced: Announced,
    body: S,
) -> Result<(FileRow, bool)>
where
    S: Stream<Item = Result<Bytes>> + Unpin + Send,
{
    require_provider(&actor)?;
    let name = file_name(name)?;
    let stated = stated.checked("")?;
    let format = file_format(&name, announced.content_type.as_deref())?;
    let bytes_max = room_in(app, actor.org_id(), id, &name).await?;
    if announced.size_bytes.is_some_and(|size| size > bytes_max) {
        return Err(Error::new(Problem::TooLarge, format!("There is room for {bytes_max} bytes here.")));
    }
    let now = app.clock.now();
    let file_id = FileId::at(now);
    let blob_key = blob_key(file_id);
    let stored = app.files.put(&blob_key, body, bytes_max).await?;
    if let Err(error) = require_intact(stored.size_bytes, &stored.sha256, announced.sha256.as_deref()) {
        app.files.delete(&blob_key).await?;
        return Err(error);
    }
    let new = NewFile { id: file_id, name, format, blob_key, stored, stated };
    // From here on it finishes even if the client hangs up, so that no blob is left without a row.
    let app = app.clone();
    tokio::spawn(async move { keep_file(&app, actor, id, new, now).await }).await.map_err(Error::internal)?
}

/// Writes down a stored file, and removes the blob that nothing refers to afterwards.
async fn keep_file(
    app: &AppState,
    actor: Actor,
    id: RevisionId,
    new: NewFile,
    now: OffsetDateTime,
) -> Result<(FileRow, bool)> {
    let (file_id, blob_key) = (new.id, new.blob_key.clone());
    let written = app
        .db
        .write("catalog.put_file", move |tx| {
            let (actor, new) = (actor.clone(), new.clone());
            async move {
                let (_, revision) = lock_open(&tx, actor.org_id(), id).await?;
                let size_bytes = new.stored.size_bytes;
                if size_bytes > room_for(&sizes(&store::files(tx.conn(), id).await?), &new.name)? {
                    return Err(Error::new(Problem::TooLarge, "The revision is full: other files came first."));
                }
                let detail =
                    json!({"file_id": new.id, "name": new.name, "size_bytes": size_bytes, "sha256": new.stored.sha256});
                let name = new.name.clone();
                let replaced = store::put_file(&tx, &revision, new, Timestamp(now)).await?;
                // So that its owner sees before publishing what it holds, and which version it would be.
                enqueue(&tx, profile_job(file_id, now), now).await?;
                store::recount(&tx, id).await?;
                audit::record(&tx, &actor, "revision.put_file", id, detail, now).await?;
                let row = store::files(tx.conn(), id).await?.into_iter().find(|file| file.name == name);
                let row = row.ok_or_else(|| Error::internal("the file just written is not there"))?;
                Ok(((row, replaced), tx))
            }
        })
        .await;
    match written {
        Ok((row, replaced)) => {
            let was_there = replaced.is_some();
            remove_blobs(app, replaced.map(|file| file.blob_key)).await;
            Ok((row, was_there))
        }
        Err(error) => {
            // The answer to a commit can be lost: only a blob that has no row for certain is removed.
            if matches!(store::find_file(app.db.read(), file_id).await, Ok(None)) {
                remove_blobs(app, [blob_key]).await;
            }
            Err(error)
        }
    }
}

/// Deletes a file of an open revision.
///
/// # Errors
/// [`Problem::NotFound`] for an unknown file; [`Problem::Conflict`] once the revision is published.
pub(super) async fn delete_file(app: &AppState, actor: Actor, id: RevisionId, name: String) -> Result<()> {
    let now = app.clock.now();
    let deleted = app
        .db
        .write("catalog.delete_file", move |tx| {
            let (actor, name) = (actor.clone(), name.clone());
            async move {
                lock_open(&tx, actor.org_id(), id).await?;
                let row = store::delete_file(&tx, id, &name).await?.ok_or_else(|| Error::not_found("file"))?;
                store::recount(&tx, id).await?;
                let detail = json!({"file_id": row.id, "name": name});
                audit::record(&tx, &actor, "revision.delete_file", id, detail, now).await?;
                Ok((row, tx))
            }
        })
        .await?;
    remove_blobs(app, [deleted.blob_key]).await;
    Ok(())
}

/// Deletes an open revision with all its files.
///
/// # Errors
/// [`Problem::Conflict`] once it is published.
pub(super) async fn discard_revision(app: &AppState, actor: Actor, id: RevisionId) -> Result<()> {
    let now = app.clock.now();
    let blobs = app
        .db
        .write("catalog.discard_revision", move |tx| {
            let actor = actor.clone();
            async move {
                let (_, revision) = lock_owned(&tx, actor.org_id(), id).await?;
                if revision.state == RevisionState::Published {
                    return Err(RevisionError::Published.into());
                }
                let blobs = store::delete(&tx, id).await?;
                let detail = json!({"listing_id": revision.listing_id, "number": revision.number});
                audit::record(&tx, &actor, "revision.discard", id, detail, now).await?;
                Ok((blobs, tx))
            }
        })
        .await?;
    remove_blobs(app, blobs).await;
    Ok(())
}

/// Publishes a revision for ever: its listing offers it from now on, and each file is profiled by a job.
///
/// # Errors
/// [`Problem::Conflict`] when it is published already, has no file, its listing is retired, or a table lacks a column of
/// its key.
pub(super) async fn publish_revision(app: &AppState, actor: Actor, id: RevisionId) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("catalog.publish_revision", move |tx| {
            let actor = actor.clone();
            async move {
                let (listing, revision) = lock_open(&tx, actor.org_id(), id).await?;
                let files = store::files(tx.conn(), id).await?;
                if files.is_empty() {
                    return Err(RevisionError::Empty.into());
                }
                rows::require_keys(&tx, listing.id, &files).await?;
                store::publish(&tx, id, Timestamp(now)).await?;
                let formats: BTreeSet<String> = files.iter().map(|file| file.format.clone()).collect();
                let formats: Vec<String> = formats.into_iter().collect();
                listings::note_published_revision(&tx, &listing, id, &formats, now).await?;
                let formats: Vec<_> = files.iter().map(|file| (file.id, file.format.clone())).collect();
                renditions::plan(&tx, &formats, now).await?;
                for file in &files {
                    enqueue(&tx, profile_job(file.id, now), now).await?;
                }
                let facts = json!({"listing_id": listing.id, "revision_id": id, "number": revision.number});
                audit::record(&tx, &actor, "revision.publish", id, facts.clone(), now).await?;
                let news = News { topic: listing.id.to_string(), kind: "revision.published", payload: facts };
                outbox::append(&tx, vec![news], now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// Sets what others see of the content of a file before they have it; allowed at any time, for it changes no data.
///
/// # Errors
/// [`Problem::NotFound`] for a file of somebody else; [`Problem::Invalid`] for columns that it does not have.
pub(super) async fn set_sample_policy(app: &AppState, actor: Actor, id: FileId, policy: SamplePolicy) -> Result<()> {
    let now = app.clock.now();
    app.db
        .write("catalog.set_sample_policy", move |tx| {
            let (actor, policy) = (actor.clone(), policy.clone());
            async move {
                let unknown = || Error::not_found("file");
                let file = store::find_file(tx.conn(), id).await?.ok_or_else(unknown)?;
                let own = store::find_owned(tx.conn(), file.revision_id, actor.org_id()).await?;
                own.ok_or_else(unknown)?;
                require_good_policy(&policy, &file)?;
                let policy = serde_json::to_value(policy)?;
                let detail = json!({"show": policy["show"]});
                store::set_sample_policy(&tx, id, policy).await?;
                audit::record(&tx, &actor, "file.set_sample_policy", id, detail, now).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// What anybody who may see a file's listing is shown of its content, where it has a profile.
///
/// # Errors
/// Those of the database.
pub async fn shown_profile(
    conn: &impl ConnectionTrait,
    id: FileId,
    personal_data: PersonalData,
) -> Result<Option<Profile>> {
    let Some(row) = store::find_file(conn, id).await? else { return Ok(None) };
    let policy: SamplePolicy = serde_json::from_value(row.sample_policy)?;
    let profile: Option<Profile> = row.profile.map(serde_json::from_value).transpose()?;
    Ok(profile.map(|profile| visible_profile(&profile, &shown_policy(policy, personal_data))))
}

/// Profiles a stored file and keeps the result; does nothing if that was done, or if the file is gone.
///
/// # Errors
/// When the file can't be read or the result not kept; another try may help.
pub async fn profile_stored_file(app: &AppState, id: FileId) -> Result<()> {
    let Some(row) = store::find_file(app.db.read(), id).await? else { return Ok(()) };
    if row.profile_state != ProfileState::Pending {
        return Ok(());
    }
    let (state, profile, reason) = match read_profile(app, &row).await? {
        Ok(profile) => (ProfileState::Ready, Some(profile), None),
        Err(reason) => (ProfileState::Unparsable, None, Some(reason)),
    };
    app.db
        .write("catalog.keep_profile", move |tx| {
            let (profile, reason) = (profile.clone(), reason.clone());
            async move {
                store::set_profile(&tx, id, state, profile, reason).await?;
                Ok(((), tx))
            }
        })
        .await
}

/// The profile as JSON, or the reason why there is none.
async fn read_profile(app: &AppState, row: &file::Model) -> Result<Result<serde_json::Value, String>> {
    let scratch = format!("profile-{}", row.id);
    let size_bytes = row.size_bytes.unsigned_abs();
    let copy = app.files.local_copy(&row.blob_key, size_bytes, &row.sha256, &scratch).await?;
    let name = row.name.clone();
    let work = move || profile_file(copy.path(), &name, &ProfileLimits::default());
    match tokio::task::spawn_blocking(work).await.map_err(Error::internal)? {
        Ok(profile) => Ok(Ok(without_nul(serde_json::to_value(profile)?))),
        Err(ProfileError::Unparsable { reason }) => {
            Ok(Err(reason.replace('\0', "\u{FFFD}").chars().take(2_000).collect()))
        }
        Err(error @ ProfileError::Io(_)) => Err(Error::internal(error)),
    }
}

fn profile_job(id: FileId, now: OffsetDateTime) -> NewJob {
    NewJob {
        kind: PROFILE_JOB,
        unique_key: Some(format!("{PROFILE_JOB}:{id}")),
        payload: json!({"file_id": id}),
        run_at: now,
    }
}

/// Where the bytes of a file are kept: derived from its id alone, spread over 256 directories.
fn blob_key(id: FileId) -> String {
    let name = id.to_string();
    let spread = name.get(name.len().saturating_sub(2)..).unwrap_or_default();
    format!("{spread}/{name}")
}

fn sizes(files: &[FileRow]) -> Vec<(String, i64)> {
    files.iter().map(|file| (file.name.clone(), file.size_bytes)).collect()
}

/// Bytes that one more file may have, before any byte of it is taken.
async fn room_in(app: &AppState, owner: OrgId, id: RevisionId, name: &str) -> Result<u64> {
    let conn = app.db.read();
    let unknown = || Error::not_found("revision");
    let revision = store::find_owned(conn, id, owner).await?.ok_or_else(unknown)?;
    let listing = listings::find_owned(conn, revision.listing_id, owner).await?.ok_or_else(unknown)?;
    require_open(&revision, listing.state)?;
    Ok(room_for(&sizes(&store::files(conn, id).await?), name)?)
}

/// Locks the listing, then looks at the revision: everyone takes the locks in this order.
async fn lock_owned(tx: &Tx, owner: OrgId, id: RevisionId) -> Result<(listing::Model, revision::Model)> {
    let unknown = || Error::not_found("revision");
    let listing_id = store::find_owned(tx.conn(), id, owner).await?.ok_or_else(unknown)?.listing_id;
    let listing = listings::lock_owned(tx, listing_id, owner).await?.ok_or_else(unknown)?;
    let revision = store::find_owned(tx.conn(), id, owner).await?.ok_or_else(unknown)?;
    Ok((listing, revision))
}

pub(super) async fn lock_open(tx: &Tx, owner: OrgId, id: RevisionId) -> Result<(listing::Model, revision::Model)> {
    let (listing, revision) = lock_owned(tx, owner, id).await?;
    require_open(&revision, listing.state)?;
    Ok((listing, revision))
}

/// Removes what nothing refers to any more; a failure costs space, not correctness.
async fn remove_blobs(app: &AppState, keys: impl IntoIterator<Item = String>) {
    for key in keys {
        if let Err(error) = app.files.delete(&key).await {
            tracing::warn!(key, error = %error, "a file that nothing refers to could not be removed: {error}");
        }
    }
}
