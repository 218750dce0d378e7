//! Keys and row changes in the database.

use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, RevisionId},
    rendition, revision, row_changes,
    states::{RenditionFormat, RevisionState, RowChangesState},
    table_key,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, JoinType, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, RelationDef,
    sea_query::{OnConflict, Query},
};
use time::OffsetDateTime;

use super::model::Counts;
use crate::{db::Tx, delivery::Stored, error::Result};

/// Files that are planned in one transaction.
const PLANNED_AT_ONCE: u64 = 100;

/// The keys of a listing's tables, by file name.
pub(super) async fn keys(conn: &impl ConnectionTrait, listing: ListingId) -> Result<Vec<table_key::Model>> {
    Ok(table_key::Entity::find()
        .filter(table_key::Column::ListingId.eq(listing))
        .order_by_asc(table_key::Column::FileName)
        .all(conn)
        .await?)
}

pub(super) async fn find_key(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    file_name: &str,
) -> Result<Option<table_key::Model>> {
    Ok(table_key::Entity::find_by_id((listing, file_name.to_owned())).one(conn).await?)
}

pub(super) async fn count_other_keys(tx: &Tx, listing: ListingId, file_name: &str) -> Result<u64> {
    let others = table_key::Entity::find()
        .filter(table_key::Column::ListingId.eq(listing))
        .filter(table_key::Column::FileName.ne(file_name));
    Ok(others.count(tx.conn()).await?)
}

/// Writes a key down, in place of the one before.
pub(super) async fn put_key(tx: &Tx, key: table_key::Model) -> Result<()> {
    let replaced = OnConflict::columns([table_key::Column::ListingId, table_key::Column::FileName])
        .update_columns([table_key::Column::Columns, table_key::Column::KeyedAt])
        .to_owned();
    table_key::Entity::insert(key.into_active_model()).on_conflict(replaced).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Deletes a key; false when there is none.
pub(super) async fn delete_key(tx: &Tx, listing: ListingId, file_name: &str) -> Result<bool> {
    let done = table_key::Entity::delete_by_id((listing, file_name.to_owned())).exec(tx.conn()).await?;
    Ok(done.rows_affected == 1)
}

/// Deletes what was compared under a key that does not hold any more; returns the keys of the blobs.
pub(super) async fn delete_changes(tx: &Tx, listing: ListingId, file_name: &str) -> Result<Vec<String>> {
    let of_table = || {
        row_changes::Entity::find()
            .filter(row_changes::Column::ListingId.eq(listing))
            .filter(row_changes::Column::FileName.eq(file_name))
    };
    let blobs: Vec<Option<String>> = of_table()
        .select_only()
        .column(row_changes::Column::BlobKey)
        .filter(row_changes::Column::BlobKey.is_not_null())
        .into_tuple()
        .all(tx.conn())
        .await?;
    row_changes::Entity::delete_many()
        .filter(row_changes::Column::ListingId.eq(listing))
        .filter(row_changes::Column::FileName.eq(file_name))
        .exec(tx.conn())
        .await?;
    Ok(blobs.into_iter().flatten().collect())
}

/// Writes down what is to be compared, or need not be.
pub(super) async fn insert_all(tx: &Tx, rows: Vec<row_changes::Model>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = rows.into_iter().map(row_changes::Model::into_active_model);
    row_changes::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

pub(super) async fn find(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    file_name: &str,
    number: i32,
) -> Result<Option<row_changes::Model>> {
    Ok(row_changes::Entity::find_by_id((listing, file_name.to_owned(), number)).one(conn).await?)
}

/// What a comparison came to.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// The changed rows are in this blob; absent where there are none.
    Ready(Counts, Option<(String, Stored)>),
    Unavailable(String),
}

/// Writes the outcome of a comparison down; false when its key was changed meanwhile, or another process was first.
pub(super) async fn finish(tx: &Tx, row: &row_changes::Model, outcome: Outcome, now: Timestamp) -> Result<bool> {
    let fits = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut changed = row_changes::ActiveModel { compared_at: Set(Some(now)), ..Default::default() };
    match outcome {
        Outcome::Ready(counts, blob) => {
            changed.state = Set(RowChangesState::Ready);
            changed.inserted = Set(fits(counts.inserted));
            changed.updated = Set(fits(counts.updated));
            changed.deleted = Set(fits(counts.deleted));
            if let Some((key, stored)) = blob {
                changed.blob_key = Set(Some(key));
                changed.size_bytes = Set(fits(stored.size_bytes));
                changed.sha256 = Set(Some(stored.sha256));
            }
        }
        Outcome::Unavailable(reason) => {
            changed.state = Set(RowChangesState::Unavailable);
            changed.reason = Set(Some(reason));
        }
    }
    let done = row_changes::Entity::update_many()
        .set(changed)
        .filter(row_changes::Column::ListingId.eq(row.listing_id))
        .filter(row_changes::Column::FileName.eq(&row.file_name))
        .filter(row_changes::Column::Number.eq(row.number))
        .filter(row_changes::Column::KeyedAt.eq(row.keyed_at))
        .filter(row_changes::Column::State.eq(RowChangesState::Pending))
        .exec(tx.conn())
        .await?;
    Ok(done.rows_affected == 1)
}

/// What is known of the rows of these revisions, by file name.
pub(in crate::catalog::revisions) async fn of_revisions(
    conn: &impl ConnectionTrait,
    ids: &[RevisionId],
) -> Result<Vec<row_changes::Model>> {
    Ok(row_changes::Entity::find()
        .filter(row_changes::Column::RevisionId.is_in(ids.iter().copied()))
        .order_by_asc(row_changes::Column::FileName)
        .all(conn)
        .await?)
}

/// The changes of a table in the revisions after `from` up to `to`, oldest first.
pub(super) async fn between(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    file_name: &str,
    (from, to): (i32, i32),
) -> Result<Vec<row_changes::Model>> {
    Ok(row_changes::Entity::find()
        .filter(row_changes::Column::ListingId.eq(listing))
        .filter(row_changes::Column::FileName.eq(file_name))
        .filter(row_changes::Column::Number.gt(from))
        .filter(row_changes::Column::Number.lte(to))
        .order_by_asc(row_changes::Column::Number)
        .all(conn)
        .await?)
}

/// A published revision.
pub(super) type Published = (RevisionId, i32);

/// Versioned revisions of a listing, newest first.
pub(super) async fn published(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    (after, up_to): (i32, i32),
    limit: u64,
) -> Result<Vec<Published>> {
    Ok(revision::Entity::find()
        .select_only()
        .columns([revision::Column::Id, revision::Column::Number])
        .filter(revision::Column::ListingId.eq(listing))
        .filter(revision::Column::State.eq(RevisionState::Published))
        .filter(revision::Column::Major.is_not_null())
        .filter(revision::Column::Number.gt(after))
        .filter(revision::Column::Number.lte(up_to))
        .order_by_desc(revision::Column::Number)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Published revisions of a listing with the time of that, oldest first, whether they have a version yet or not.
pub(super) async fn published_with_time(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    (after, up_to): (i32, i32),
) -> Result<Vec<(RevisionId, i32, OffsetDateTime)>> {
    use revision::Column::{CreatedAt, Id, ListingId, Number, PublishedAt, State};
    let rows: Vec<(RevisionId, i32, Timestamp, Option<Timestamp>)> = revision::Entity::find()
        .select_only()
        .columns([Id, Number, CreatedAt, PublishedAt])
        .filter(ListingId.eq(listing))
        .filter(State.eq(RevisionState::Published))
        .filter(Number.gt(after))
        .filter(Number.lte(up_to))
        .order_by_asc(Number)
        .into_tuple()
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|(id, number, created, published)| (id, number, published.unwrap_or(created).0)).collect())
}

/// The files of this name in these revisions.
pub(super) async fn file_ids(
    conn: &impl ConnectionTrait,
    revisions: Vec<RevisionId>,
    file_name: &str,
) -> Result<Vec<(RevisionId, FileId)>> {
    Ok(file::Entity::find()
        .select_only()
        .columns([file::Column::RevisionId, file::Column::Id])
        .filter(file::Column::RevisionId.is_in(revisions))
        .filter(file::Column::Name.eq(file_name))
        .into_tuple()
        .all(conn)
        .await?)
}

/// What is known of the rows of a file, with the file.
pub(super) async fn find_of_file(
    conn: &impl ConnectionTrait,
    id: FileId,
) -> Result<Option<(row_changes::Model, file::Model)>> {
    let Some(after) = file::Entity::find_by_id(id).one(conn).await? else { return Ok(None) };
    let row = row_changes::Entity::find()
        .filter(row_changes::Column::RevisionId.eq(after.revision_id))
        .filter(row_changes::Column::FileName.eq(&after.name))
        .one(conn)
        .await?;
    Ok(row.map(|row| (row, after)))
}

/// Files whose changes are known and of which no Parquet file was planned.
pub(super) async fn find_without_file(conn: &impl ConnectionTrait) -> Result<Vec<FileId>> {
    let compared: RelationDef = file::Entity::belongs_to(row_changes::Entity)
        .from((file::Column::RevisionId, file::Column::Name))
        .to((row_changes::Column::RevisionId, row_changes::Column::FileName))
        .into();
    let planned = Query::select()
        .column(rendition::Column::FileId)
        .from(rendition::Entity)
        .and_where(rendition::Column::Format.eq(RenditionFormat::Changes))
        .to_owned();
    Ok(file::Entity::find()
        .select_only()
        .column(file::Column::Id)
        .join(JoinType::InnerJoin, compared)
        .filter(row_changes::Column::BlobKey.is_not_null())
        .filter(file::Column::Id.not_in_subquery(planned))
        .order_by_asc(file::Column::Id)
        .limit(PLANNED_AT_ONCE)
        .into_tuple()
        .all(conn)
        .await?)
}

/// The digests of the files of this name in these revisions.
pub(super) async fn digests(
    conn: &impl ConnectionTrait,
    revisions: &[Published],
    file_name: &str,
) -> Result<Vec<(RevisionId, String)>> {
    Ok(file::Entity::find()
        .select_only()
        .columns([file::Column::RevisionId, file::Column::Sha256])
        .filter(file::Column::RevisionId.is_in(revisions.iter().map(|(id, _)| *id)))
        .filter(file::Column::Name.eq(file_name))
        .into_tuple()
        .all(conn)
        .await?)
}

/// The file of this name, with its profile.
pub(super) async fn find_file(
    conn: &impl ConnectionTrait,
    revision: RevisionId,
    name: &str,
) -> Result<Option<file::Model>> {
    let named = file::Entity::find().filter(file::Column::RevisionId.eq(revision)).filter(file::Column::Name.eq(name));
    Ok(named.one(conn).await?)
}
