//! Revisions and their files in the database.

use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, OrgId, RevisionId},
    listing, revision,
    states::{ProfileState, RevisionState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DerivePartialModel, EntityTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, Query},
};

use super::{
    model::{FileFormat, RevisionError},
    reference::FileReference,
};
use crate::{
    base::page::Page,
    catalog::profile::SamplePolicy,
    db::Tx,
    delivery::Stored,
    error::{Error, Result},
};

/// A file without its profile, which can be large.
#[derive(Debug, Clone, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "file::Entity")]
pub(super) struct FileRow {
    pub id: FileId,
    pub revision_id: RevisionId,
    pub name: String,
    pub media_type: String,
    pub format: String,
    pub size_bytes: i64,
    pub sha256: String,
    pub blob_key: String,
    pub created_at: Timestamp,
    pub profile_state: ProfileState,
    pub profile_error: Option<String>,
    pub time_zone: Option<String>,
    pub crs: Option<String>,
}

/// A file to be written down.
#[derive(Debug, Clone)]
pub(super) struct NewFile {
    pub id: FileId,
    pub name: String,
    pub format: FileFormat,
    pub blob_key: String,
    pub stored: Stored,
    /// What is stated with its bytes; the rest is carried on.
    pub stated: FileReference,
}

/// Finds a revision of a listing of `owner`.
pub(super) async fn find_owned(
    conn: &impl ConnectionTrait,
    id: RevisionId,
    owner: OrgId,
) -> Result<Option<revision::Model>> {
    let own = Query::select()
        .column(listing::Column::Id)
        .from(listing::Entity)
        .and_where(listing::Column::OrganizationId.eq(owner))
        .to_owned();
    Ok(revision::Entity::find_by_id(id).filter(revision::Column::ListingId.in_subquery(own)).one(conn).await?)
}

/// Finds a revision; the caller looks whether its listing may be seen.
pub(super) async fn find_unscoped(conn: &impl ConnectionTrait, id: RevisionId) -> Result<Option<revision::Model>> {
    Ok(revision::Entity::find_by_id(id).one(conn).await?)
}

/// The revision of a listing that is open.
pub(super) async fn find_open(conn: &impl ConnectionTrait, listing: ListingId) -> Result<Option<revision::Model>> {
    Ok(revision::Entity::find()
        .filter(revision::Column::ListingId.eq(listing))
        .filter(revision::Column::State.eq(RevisionState::Open))
        .one(conn)
        .await?)
}

/// One page of the revisions of a listing, newest first; `after` is the number of the last one seen.
pub(super) async fn find_page(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    with_open: bool,
    after: Option<i32>,
    limit: usize,
) -> Result<Page<revision::Model>> {
    let mut all = Condition::all().add(revision::Column::ListingId.eq(listing));
    if !with_open {
        all = all.add(revision::Column::State.eq(RevisionState::Published));
    }
    let rows = revision::Entity::find()
        .filter(all.add_option(after.map(|number| revision::Column::Number.lt(number))))
        .order_by_desc(revision::Column::Number)
        .limit(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1))
        .all(conn)
        .await?;
    Ok(Page::from_rows(rows, limit, |row| row.number))
}

/// Inserts an open revision with the next number; the caller holds the listing's lock.
pub(super) async fn insert(tx: &Tx, id: RevisionId, listing: ListingId, note: String, now: Timestamp) -> Result<i32> {
    let last: Option<Option<i32>> = revision::Entity::find()
        .select_only()
        .column_as(revision::Column::Number.max(), "number")
        .filter(revision::Column::ListingId.eq(listing))
        .into_tuple()
        .one(tx.conn())
        .await?;
    let number = last.flatten().unwrap_or(0) + 1;
    let row = revision::ActiveModel {
        id: Set(id),
        listing_id: Set(listing),
        number: Set(number),
        state: Set(RevisionState::Open),
        note: Set(note),
        created_at: Set(now),
        published_at: Set(None),
        file_count: Set(0),
        size_bytes: Set(0),
        gives_notice: Set(false),
        ..Default::default()
    };
    revision::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(number)
}

/// Publishes a revision that is open; immutable from here on.
pub(super) async fn publish(tx: &Tx, id: RevisionId, now: Timestamp) -> Result<()> {
    let done = revision::Entity::update_many()
        .col_expr(revision::Column::State, Expr::value(RevisionState::Published))
        .col_expr(revision::Column::PublishedAt, Expr::value(Some(now)))
        .col_expr(revision::Column::GivesNotice, Expr::value(true))
        .filter(revision::Column::Id.eq(id))
        .filter(revision::Column::State.eq(RevisionState::Open))
        .exec(tx.conn())
        .await?;
    exactly_one(done.rows_affected)
}

/// Deletes a revision that is open, with its files; returns the keys of their blobs.
pub(super) async fn delete(tx: &Tx, id: RevisionId) -> Result<Vec<String>> {
    let files = files(tx.conn(), id).await?;
    file::Entity::delete_many()
        .filter(file::Column::RevisionId.eq(id))
        .filter(file::Column::RevisionId.in_subquery(open(id)))
        .exec(tx.conn())
        .await?;
    let done = revision::Entity::delete_many()
        .filter(revision::Column::Id.eq(id))
        .filter(revision::Column::State.eq(RevisionState::Open))
        .exec(tx.conn())
        .await?;
    exactly_one(done.rows_affected)?;
    Ok(files.into_iter().map(|file| file.blob_key).collect())
}

/// Sample policy, time zone and coordinate system of a file.
type Said = (serde_json::Value, Option<String>, Option<String>);

/// Writes down a file of an open revision, in place of the one of the same name; returns that one. What is shown of
/// it is what was shown of the last file of this name in the listing, and what is not stated of it is what was stated of
/// that one.
pub(super) async fn put_file(
    tx: &Tx,
    revision: &revision::Model,
    new: NewFile,
    now: Timestamp,
) -> Result<Option<FileRow>> {
    let (sample_policy, before) = match last_said(tx, revision.listing_id, &new.name).await? {
        Some((policy, time_zone, crs)) => (policy, FileReference { time_zone, crs }),
        None => (serde_json::to_value(SamplePolicy::default())?, FileReference::default()),
    };
    let stated = new.stated.or(before);
    let revision = revision.id;
    let replaced = delete_file(tx, revision, &new.name).await?;
    let row = file::ActiveModel {
        id: Set(new.id),
        revision_id: Set(revision),
        name: Set(new.name),
        media_type: Set(new.format.media_type.to_owned()),
        format: Set(new.format.format.to_owned()),
        size_bytes: Set(i64::try_from(new.stored.size_bytes).map_err(Error::internal)?),
        sha256: Set(new.stored.sha256),
        blob_key: Set(new.blob_key),
        created_at: Set(now),
        profile_state: Set(ProfileState::Pending),
        profile: Set(None),
        profile_error: Set(None),
        sample_policy: Set(sample_policy),
        time_zone: Set(stated.time_zone),
        crs: Set(stated.crs),
    };
    file::Entity::insert(row).exec_without_returning(tx.conn()).await?;
    Ok(replaced)
}

/// What the owner chose to show of the last file of this name, so that a new one shows no more than that; and the zone
/// and system that they stated.
async fn last_said(tx: &Tx, listing: ListingId, name: &str) -> Result<Option<Said>> {
    let revisions = Query::select()
        .column(revision::Column::Id)
        .from(revision::Entity)
        .and_where(revision::Column::ListingId.eq(listing))
        .to_owned();
    Ok(file::Entity::find()
        .select_only()
        .columns([file::Column::SamplePolicy, file::Column::TimeZone, file::Column::Crs])
        .filter(file::Column::RevisionId.in_subquery(revisions))
        .filter(file::Column::Name.eq(name))
        .order_by_desc(file::Column::CreatedAt)
        .order_by_desc(file::Column::Id)
        .into_tuple()
        .one(tx.conn())
        .await?)
}

/// Deletes a file of an open revision by its name; returns it.
pub(super) async fn delete_file(tx: &Tx, revision: RevisionId, name: &str) -> Result<Option<FileRow>> {
    let named = file::Entity::find().filter(file::Column::RevisionId.eq(revision)).filter(file::Column::Name.eq(name));
    let Some(row) = named.into_partial_model::<FileRow>().one(tx.conn()).await? else { return Ok(None) };
    file::Entity::delete_many()
        .filter(file::Column::Id.eq(row.id))
        .filter(file::Column::RevisionId.in_subquery(open(revision)))
        .exec(tx.conn())
        .await?;
    Ok(Some(row))
}

/// Counts the files of an open revision anew.
pub(super) async fn recount(tx: &Tx, id: RevisionId) -> Result<()> {
    let files = files(tx.conn(), id).await?;
    let size_bytes: i64 = files.iter().map(|file| file.size_bytes).sum();
    let done = revision::Entity::update_many()
        .col_expr(revision::Column::FileCount, Expr::value(i32::try_from(files.len()).map_err(Error::internal)?))
        .col_expr(revision::Column::SizeBytes, Expr::value(size_bytes))
        .filter(revision::Column::Id.eq(id))
        .filter(revision::Column::State.eq(RevisionState::Open))
        .exec(tx.conn())
        .await?;
    exactly_one(done.rows_affected)
}

/// The files of a revision, by name.
pub(super) async fn files(conn: &impl ConnectionTrait, revision: RevisionId) -> Result<Vec<FileRow>> {
    Ok(file::Entity::find()
        .filter(file::Column::RevisionId.eq(revision))
        .order_by_asc(file::Column::Name)
        .into_partial_model::<FileRow>()
        .all(conn)
        .await?)
}

/// Finds a file with its profile; the caller looks whether its listing may be seen.
pub(super) async fn find_file(conn: &impl ConnectionTrait, id: FileId) -> Result<Option<file::Model>> {
    Ok(file::Entity::find_by_id(id).one(conn).await?)
}

/// Keeps what the profiler found; a profile is written once.
pub(super) async fn set_profile(
    tx: &Tx,
    id: FileId,
    state: ProfileState,
    profile: Option<serde_json::Value>,
    reason: Option<String>,
) -> Result<()> {
    file::Entity::update_many()
        .col_expr(file::Column::ProfileState, Expr::value(state))
        .col_expr(file::Column::Profile, Expr::value(profile))
        .col_expr(file::Column::ProfileError, Expr::value(reason))
        .filter(file::Column::Id.eq(id))
        .filter(file::Column::ProfileState.eq(ProfileState::Pending))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Keeps what the owner wants to show.
pub(super) async fn set_sample_policy(tx: &Tx, id: FileId, policy: serde_json::Value) -> Result<()> {
    file::Entity::update_many()
        .col_expr(file::Column::SamplePolicy, Expr::value(policy))
        .filter(file::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Keeps what the owner states, of a file of an open revision; the caller holds the listing's lock.
pub(super) async fn set_reference(tx: &Tx, id: FileId, stated: &FileReference) -> Result<()> {
    file::Entity::update_many()
        .col_expr(file::Column::TimeZone, Expr::value(stated.time_zone.clone()))
        .col_expr(file::Column::Crs, Expr::value(stated.crs.clone()))
        .filter(file::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

fn open(id: RevisionId) -> sea_orm::sea_query::SelectStatement {
    Query::select()
        .column(revision::Column::Id)
        .from(revision::Entity)
        .and_where(revision::Column::Id.eq(id))
        .and_where(revision::Column::State.eq(RevisionState::Open))
        .to_owned()
}

fn exactly_one(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(RevisionError::Published.into()) }
}
