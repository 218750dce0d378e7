//! What is stored according to the database, what was found of it, and how far the re-reading is.

use std::collections::HashSet;

use entity::{
    Timestamp, file,
    ids::{FileId, RenditionId, SliceId},
    rendition, slice_task,
    states::{RenditionFormat, RenditionState, StorageFindingKind},
    storage_finding, storage_scrub,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result, trade::slices::SliceFile};

/// The only row of the table.
const ROW: i32 = 1;

/// A blob that the database refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    pub(super) key: String,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
    pub(super) file_id: FileId,
    /// The original, where there is none.
    pub(super) format: Option<RenditionFormat>,
}

/// The blobs of the next file after `position`: the original and its renditions, each key once.
pub(super) async fn next_blobs(conn: &impl ConnectionTrait, position: Option<FileId>) -> Result<Vec<Blob>> {
    let mut next = file::Entity::find()
        .select_only()
        .columns([file::Column::Id, file::Column::BlobKey, file::Column::SizeBytes, file::Column::Sha256])
        .order_by_asc(file::Column::Id);
    if let Some(position) = position {
        next = next.filter(file::Column::Id.gt(position));
    }
    let Some((file_id, key, size_bytes, sha256)) = next.into_tuple::<(FileId, String, i64, String)>().one(conn).await?
    else {
        return Ok(Vec::new());
    };
    let mut blobs = vec![Blob { key, size_bytes: size_bytes.unsigned_abs(), sha256, file_id, format: None }];
    let made = rendition::Entity::find()
        .filter(rendition::Column::FileId.eq(file_id))
        .filter(rendition::Column::State.eq(RenditionState::Made))
        .all(conn)
        .await?;
    for row in made {
        let (Some(key), Some(size_bytes), Some(sha256)) = (row.blob_key, row.size_bytes, row.sha256) else { continue };
        if blobs.iter().all(|blob| blob.key != key) {
            let size_bytes = size_bytes.unsigned_abs();
            blobs.push(Blob { key, size_bytes, sha256, file_id, format: Some(row.format) });
        }
    }
    for row in slice_task::Entity::find().filter(slice_task::Column::FileId.eq(file_id)).all(conn).await? {
        blobs.extend(of_slice(&row)?);
    }
    Ok(blobs)
}

/// What was made for a slice.
fn of_slice(row: &slice_task::Model) -> Result<Vec<Blob>> {
    let files: Vec<SliceFile> = row.files.clone().map(serde_json::from_value).transpose()?.unwrap_or_default();
    let blob = |file: SliceFile| Blob {
        key: file.blob_key,
        size_bytes: file.size_bytes,
        sha256: file.sha256,
        file_id: row.file_id,
        format: file.format,
    };
    Ok(files.into_iter().map(blob).collect())
}

/// How many originals and renditions there are, and their bytes.
pub(super) async fn totals(conn: &impl ConnectionTrait) -> Result<u64> {
    let sum = |expression: &'static str| Expr::cust(format!("CAST(COALESCE(SUM({expression}), 0) AS BIGINT)"));
    let originals: Option<i64> =
        file::Entity::find().select_only().column_as(sum("\"size_bytes\""), "bytes").into_tuple().one(conn).await?;
    let made: Option<i64> = rendition::Entity::find()
        .select_only()
        .column_as(sum("\"size_bytes\""), "bytes")
        .filter(rendition::Column::State.eq(RenditionState::Made))
        .filter(rendition::Column::BlobKey.like("renditions/%"))
        .into_tuple()
        .one(conn)
        .await?;
    let slices: Option<i64> = slice_task::Entity::find()
        .select_only()
        .column_as(sum("\"size_bytes\""), "bytes")
        .into_tuple()
        .one(conn)
        .await?;
    Ok([originals, made, slices].into_iter().flatten().map(i64::unsigned_abs).sum())
}

/// How far the re-reading is.
pub(super) async fn find_scrub(conn: &impl ConnectionTrait) -> Result<Option<storage_scrub::Model>> {
    Ok(storage_scrub::Entity::find_by_id(ROW).one(conn).await?)
}

/// Takes the re-reading over until `until`, if nobody alive has it.
pub(super) async fn lease_scrub(tx: &Tx, now: OffsetDateTime, until: OffsetDateTime) -> Result<bool> {
    let first = storage_scrub::ActiveModel {
        id: Set(ROW),
        position: Set(None),
        lease_until: Set(Timestamp(OffsetDateTime::UNIX_EPOCH)),
        pass_started_at: Set(Timestamp(now)),
        next_pass_at: Set(Timestamp(now)),
    };
    storage_scrub::Entity::insert(first)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    let taken = storage_scrub::Entity::update_many()
        .col_expr(storage_scrub::Column::LeaseUntil, Expr::value(Timestamp(until)))
        .filter(storage_scrub::Column::Id.eq(ROW))
        .filter(storage_scrub::Column::LeaseUntil.lt(Timestamp(now)))
        .filter(storage_scrub::Column::NextPassAt.lte(Timestamp(now)))
        .exec(tx.conn())
        .await?;
    Ok(taken.rows_affected == 1)
}

/// Says that the re-reading goes on.
pub(super) async fn renew_scrub(tx: &Tx, until: OffsetDateTime) -> Result<()> {
    storage_scrub::Entity::update_many()
        .col_expr(storage_scrub::Column::LeaseUntil, Expr::value(Timestamp(until)))
        .filter(storage_scrub::Column::Id.eq(ROW))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Gives the re-reading back after a file, or with none at the end of a pass, to begin again at `next`.
pub(super) async fn advance_scrub(tx: &Tx, position: Option<FileId>, next: Option<OffsetDateTime>) -> Result<()> {
    let mut update = storage_scrub::Entity::update_many()
        .col_expr(storage_scrub::Column::Position, Expr::value(position))
        .col_expr(storage_scrub::Column::LeaseUntil, Expr::value(Timestamp(OffsetDateTime::UNIX_EPOCH)))
        .filter(storage_scrub::Column::Id.eq(ROW));
    if let Some(next) = next {
        update = update
            .col_expr(storage_scrub::Column::NextPassAt, Expr::value(Timestamp(next)))
            .col_expr(storage_scrub::Column::PassStartedAt, Expr::value(Timestamp(next)));
    }
    update.exec(tx.conn()).await?;
    Ok(())
}

/// Notes that a blob is not what was stored.
pub(super) async fn note_finding(tx: &Tx, blob: &Blob, kind: StorageFindingKind, now: OffsetDateTime) -> Result<()> {
    let row = storage_finding::ActiveModel {
        key: Set(blob.key.clone()),
        kind: Set(kind),
        file_id: Set(Some(blob.file_id)),
        format: Set(blob.format),
        found_at: Set(Timestamp(now)),
        resolved_at: Set(None),
    };
    let conflict = OnConflict::column(storage_finding::Column::Key)
        .update_columns([storage_finding::Column::Kind, storage_finding::Column::ResolvedAt])
        .to_owned();
    storage_finding::Entity::insert(row).on_conflict(conflict).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Notes that a blob reads right again.
pub(super) async fn resolve_finding(tx: &Tx, key: &str, now: OffsetDateTime) -> Result<()> {
    storage_finding::Entity::update_many()
        .col_expr(storage_finding::Column::ResolvedAt, Expr::value(Some(Timestamp(now))))
        .filter(storage_finding::Column::Key.eq(key))
        .filter(storage_finding::Column::ResolvedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Findings from after this one (resolved, key) on; one row more than `limit`.
pub(super) async fn list_findings(
    conn: &impl ConnectionTrait,
    after: Option<(bool, String)>,
    limit: usize,
) -> Result<Vec<storage_finding::Model>> {
    use storage_finding::Column::{Key, ResolvedAt};
    let mut page = storage_finding::Entity::find();
    if let Some((resolved, key)) = after {
        let same = if resolved { ResolvedAt.is_not_null() } else { ResolvedAt.is_null() };
        let mut later = Condition::any().add(Condition::all().add(same).add(Key.gt(key)));
        if !resolved {
            later = later.add(ResolvedAt.is_not_null());
        }
        page = page.filter(later);
    }
    let open_first = Expr::cust("CASE WHEN \"resolved_at\" IS NULL THEN 0 ELSE 1 END");
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    Ok(page.order_by_asc(open_first).order_by_asc(Key).limit(limit).all(conn).await?)
}

/// The blob behind a key, where the database refers to it.
pub(super) async fn find_blob(conn: &impl ConnectionTrait, key: &str) -> Result<Option<Blob>> {
    match Owner::of(key) {
        Some(Owner::File(id)) => {
            let row = file::Entity::find_by_id(id).one(conn).await?.filter(|row| row.blob_key == key);
            Ok(row.map(|row| Blob {
                key: row.blob_key,
                size_bytes: row.size_bytes.unsigned_abs(),
                sha256: row.sha256,
                file_id: row.id,
                format: None,
            }))
        }
        Some(Owner::Rendition(id, _)) => {
            let row = rendition::Entity::find_by_id(id).one(conn).await?;
            let row = row.filter(|row| row.blob_key.as_deref() == Some(key));
            Ok(row.map(|row| Blob {
                key: key.to_owned(),
                size_bytes: row.size_bytes.unwrap_or(0).unsigned_abs(),
                sha256: row.sha256.unwrap_or_default(),
                file_id: row.file_id,
                format: Some(row.format),
            }))
        }
        Some(Owner::Slice(id, _)) => {
            let row = slice_task::Entity::find_by_id(id).one(conn).await?;
            let blobs = row.as_ref().map(of_slice).transpose()?.unwrap_or_default();
            Ok(blobs.into_iter().find(|blob| blob.key == key))
        }
        None => Ok(None),
    }
}

/// What a key of ours was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    File(FileId),
    /// With the number of the attempt.
    Rendition(RenditionId, i32),
    /// With the number of the attempt.
    Slice(SliceId, i32),
}

impl Owner {
    /// Reads a key; nothing for one that was not made by this exchange.
    pub(super) fn of(key: &str) -> Option<Self> {
        let name = key.rsplit('/').next()?;
        if key.starts_with("slices/") {
            let (id, attempt) = name.split_once('.')?.0.rsplit_once('-')?;
            return Some(Self::Slice(id.parse().ok()?, attempt.parse().ok()?));
        }
        match key.strip_prefix("renditions/") {
            Some(_) => {
                let (id, attempt) = name.rsplit_once('-')?;
                Some(Self::Rendition(id.parse().ok()?, attempt.parse().ok()?))
            }
            None => name.parse().ok().map(Self::File),
        }
    }
}

/// Those of some keys that the database refers to, or that an attempt is being written to.
pub(super) async fn referred_to(conn: &impl ConnectionTrait, keys: &[(String, Owner)]) -> Result<HashSet<String>> {
    let (mut files, mut renditions, mut slices) = (Vec::new(), Vec::new(), Vec::new());
    for (_, owner) in keys {
        match owner {
            Owner::File(id) => files.push(*id),
            Owner::Rendition(id, _) => renditions.push(*id),
            Owner::Slice(id, _) => slices.push(*id),
        }
    }
    let mut known: HashSet<String> = HashSet::new();
    if !files.is_empty() {
        let rows =
            file::Entity::find().select_only().column(file::Column::BlobKey).filter(file::Column::Id.is_in(files));
        known.extend(rows.into_tuple::<String>().all(conn).await?);
    }
    if !renditions.is_empty() {
        let rows = rendition::Entity::find().filter(rendition::Column::Id.is_in(renditions)).all(conn).await?;
        for row in rows {
            let is_running = row.state == RenditionState::Making;
            known.extend(row.blob_key);
            let running =
                keys.iter().filter(|(_, owner)| is_running && *owner == Owner::Rendition(row.id, row.attempts));
            known.extend(running.map(|(key, _)| key.clone()));
        }
    }
    if !slices.is_empty() {
        for row in slice_task::Entity::find().filter(slice_task::Column::Id.is_in(slices)).all(conn).await? {
            let is_running = row.state == RenditionState::Making;
            known.extend(of_slice(&row)?.into_iter().map(|blob| blob.key));
            let running = keys.iter().filter(|(_, owner)| is_running && *owner == Owner::Slice(row.id, row.attempts));
            known.extend(running.map(|(key, _)| key.clone()));
        }
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_whose_it_is() {
        let (file, rendition) = (FileId::derived("a"), RenditionId::derived("a"));
        assert_eq!(Owner::of(&format!("ab/{file}")), Some(Owner::File(file)));
        assert_eq!(Owner::of(&format!("renditions/ab/{rendition}-12")), Some(Owner::Rendition(rendition, 12)));
        let slice = SliceId::derived("a");
        assert_eq!(Owner::of(&format!("slices/ab/{slice}-3.parquet")), Some(Owner::Slice(slice, 3)));
        for foreign in ["", "a", "backup/x.tar", "renditions/ab/x-1", "bank-imports/bst_0193"] {
            assert_eq!(Owner::of(foreign), None, "{foreign}");
        }
    }
}
