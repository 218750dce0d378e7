//! Renditions in the database: planned, leased, finished.

use std::collections::HashMap;

use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, RenditionId, RevisionId},
    rendition, revision,
    states::{RenditionFormat, RenditionState, RevisionState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, DerivePartialModel, EntityTrait as _, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, QueryTrait as _, RelationDef,
    sea_query::{Expr, OnConflict, Query, SelectStatement},
};
use time::OffsetDateTime;

use super::model::{NO_PARQUET, NO_TABLE, OFFERED, is_table};
use crate::{
    db::Tx,
    delivery::Stored,
    error::{Error, Result},
};

/// Rows looked at for one that is free: few processes compete.
const CANDIDATES: u64 = 16;

/// Plans all renditions of files that have just been published; those that are planned already stay as they are.
pub(super) async fn insert(tx: &Tx, files: &[(FileId, String)], now: OffsetDateTime) -> Result<()> {
    let rows = files.iter().flat_map(|(file_id, format)| {
        let applies = is_table(format);
        OFFERED.iter().map(move |format| rendition::ActiveModel {
            state: Set(if applies { RenditionState::Pending } else { RenditionState::NotApplicable }),
            error: Set((!applies).then(|| NO_TABLE.to_owned())),
            ..waiting(*file_id, *format, now)
        })
    });
    insert_all(tx, rows.collect()).await
}

/// A rendition that waits for being made.
fn waiting(file_id: FileId, format: RenditionFormat, now: OffsetDateTime) -> rendition::ActiveModel {
    rendition::ActiveModel {
        id: Set(RenditionId::at(now)),
        file_id: Set(file_id),
        format: Set(format),
        state: Set(RenditionState::Pending),
        attempts: Set(0),
        run_at: Set(Timestamp(now)),
        lease_until: Set(None),
        progress_permille: Set(0),
        blob_key: Set(None),
        size_bytes: Set(None),
        sha256: Set(None),
        row_count: Set(None),
        columns: Set(None),
        crs: Set(None),
        error: Set(None),
        created_at: Set(Timestamp(now)),
        made_at: Set(None),
    }
}

async fn insert_all(tx: &Tx, rows: Vec<rendition::ActiveModel>) -> Result<()> {
    rendition::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(())
}

/// Plans the file of what changed in a table. Without a Parquet file of the table there will be none.
pub(super) async fn insert_changes(tx: &Tx, file_id: FileId, now: OffsetDateTime) -> Result<()> {
    let parquet = find_state(tx.conn(), file_id, RenditionFormat::Parquet).await?;
    let mut row = waiting(file_id, RenditionFormat::Changes, now);
    if matches!(parquet, Some(RenditionState::Failed | RenditionState::NotApplicable)) {
        row.state = Set(RenditionState::Failed);
        row.error = Set(Some(NO_PARQUET.to_owned()));
    }
    insert_all(tx, vec![row]).await
}

/// Where a rendition of a file stands, if it was planned.
pub(super) async fn find_state(
    conn: &impl ConnectionTrait,
    file_id: FileId,
    format: RenditionFormat,
) -> Result<Option<RenditionState>> {
    let state = rendition::Entity::find()
        .select_only()
        .column(rendition::Column::State)
        .filter(rendition::Column::FileId.eq(file_id))
        .filter(rendition::Column::Format.eq(format));
    Ok(state.into_tuple::<RenditionState>().one(conn).await?)
}

/// The files of what changed in some tables, made or not.
pub(super) async fn find_changes(conn: &impl ConnectionTrait, ids: Vec<FileId>) -> Result<Vec<rendition::Model>> {
    let of_files = rendition::Entity::find()
        .filter(rendition::Column::FileId.is_in(ids))
        .filter(rendition::Column::Format.eq(RenditionFormat::Changes));
    Ok(of_files.all(conn).await?)
}

/// Deletes what was made of a table under a key that does not hold any more; returns the keys of the blobs.
pub(super) async fn delete_changes(tx: &Tx, listing: ListingId, name: &str) -> Result<Vec<String>> {
    let revision: RelationDef =
        file::Entity::belongs_to(revision::Entity).from(file::Column::RevisionId).to(revision::Column::Id).into();
    let of_table = file::Entity::find()
        .select_only()
        .column(file::Column::Id)
        .join(JoinType::InnerJoin, revision)
        .filter(revision::Column::ListingId.eq(listing))
        .filter(file::Column::Name.eq(name))
        .into_query();
    let changes = Condition::all()
        .add(rendition::Column::Format.eq(RenditionFormat::Changes))
        .add(rendition::Column::FileId.in_subquery(of_table));
    let rows = rendition::Entity::find().filter(changes.clone()).all(tx.conn()).await?;
    rendition::Entity::delete_many().filter(changes).exec(tx.conn()).await?;
    Ok(rows.into_iter().filter_map(|row| row.blob_key).collect())
}

/// Published files that no rendition was planned of, with their formats.
pub(super) async fn find_unplanned(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<(FileId, String)>> {
    let published = Query::select()
        .column(revision::Column::Id)
        .from(revision::Entity)
        .and_where(revision::Column::State.eq(RevisionState::Published))
        .to_owned();
    let planned = Query::select()
        .column(rendition::Column::FileId)
        .from(rendition::Entity)
        .and_where(rendition::Column::Format.eq(RenditionFormat::Parquet))
        .to_owned();
    Ok(file::Entity::find()
        .select_only()
        .columns([file::Column::Id, file::Column::Format])
        .filter(file::Column::RevisionId.in_subquery(published))
        .filter(file::Column::Id.not_in_subquery(planned))
        .order_by_asc(file::Column::Id)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// What a process may make now: due, leased by nobody alive, and Parquet before what is made from it.
fn due(now: OffsetDateTime) -> Condition {
    let free = Condition::any()
        .add(rendition::Column::LeaseUntil.is_null())
        .add(rendition::Column::LeaseUntil.lt(Timestamp(now)));
    let first = Condition::any()
        .add(rendition::Column::Format.eq(RenditionFormat::Parquet))
        .add(rendition::Column::FileId.in_subquery(parquet_made()));
    Condition::all()
        .add(rendition::Column::State.is_in([RenditionState::Pending, RenditionState::Making]))
        .add(rendition::Column::RunAt.lte(Timestamp(now)))
        .add(free)
        .add(first)
}

fn parquet_made() -> SelectStatement {
    Query::select()
        .column(rendition::Column::FileId)
        .from(rendition::Entity)
        .and_where(rendition::Column::Format.eq(RenditionFormat::Parquet))
        .and_where(rendition::Column::State.eq(RenditionState::Made))
        .to_owned()
}

/// Renditions that may be made now, the oldest first.
pub(super) async fn find_due(conn: &impl ConnectionTrait, now: OffsetDateTime) -> Result<Vec<rendition::Model>> {
    Ok(rendition::Entity::find()
        .filter(due(now))
        .order_by_asc(rendition::Column::RunAt)
        .order_by_asc(rendition::Column::Id)
        .limit(CANDIDATES)
        .all(conn)
        .await?)
}

/// Leases a rendition until `until`, if nobody else did; counts the attempt.
pub(super) async fn lease(tx: &Tx, row: &rendition::Model, now: OffsetDateTime, until: OffsetDateTime) -> Result<bool> {
    let taken = rendition::Entity::update_many()
        .col_expr(rendition::Column::State, Expr::value(RenditionState::Making))
        .col_expr(rendition::Column::Attempts, Expr::value(row.attempts + 1))
        .col_expr(rendition::Column::LeaseUntil, Expr::value(Some(Timestamp(until))))
        .col_expr(rendition::Column::ProgressPermille, Expr::value(0))
        .filter(rendition::Column::Id.eq(row.id))
        .filter(rendition::Column::Attempts.eq(row.attempts))
        .filter(due(now))
        .exec(tx.conn())
        .await?;
    Ok(taken.rows_affected == 1)
}

/// An attempt: what it writes counts only as long as no later one was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) id: RenditionId,
    pub(super) number: i32,
}

impl Attempt {
    fn still_mine(self) -> Condition {
        Condition::all()
            .add(rendition::Column::Id.eq(self.id))
            .add(rendition::Column::Attempts.eq(self.number))
            .add(rendition::Column::State.eq(RenditionState::Making))
    }

    /// Says how far it is, and that its process is alive; false when it was taken over.
    pub(super) async fn renew(self, tx: &Tx, permille: u16, until: OffsetDateTime) -> Result<bool> {
        let renewed = rendition::Entity::update_many()
            .col_expr(rendition::Column::ProgressPermille, Expr::value(i32::from(permille)))
            .col_expr(rendition::Column::LeaseUntil, Expr::value(Some(Timestamp(until))))
            .filter(self.still_mine())
            .exec(tx.conn())
            .await?;
        Ok(renewed.rows_affected == 1)
    }

    /// Gives it back, to be tried again at `run_at`.
    pub(super) async fn retry(self, tx: &Tx, run_at: OffsetDateTime) -> Result<()> {
        rendition::Entity::update_many()
            .col_expr(rendition::Column::State, Expr::value(RenditionState::Pending))
            .col_expr(rendition::Column::LeaseUntil, Expr::value(Option::<Timestamp>::None))
            .col_expr(rendition::Column::RunAt, Expr::value(Timestamp(run_at)))
            .filter(self.still_mine())
            .exec(tx.conn())
            .await?;
        Ok(())
    }

    /// Ends it without a file, and says why.
    pub(super) async fn end(self, tx: &Tx, state: RenditionState, reason: String) -> Result<bool> {
        let ended = rendition::Entity::update_many()
            .col_expr(rendition::Column::State, Expr::value(state))
            .col_expr(rendition::Column::LeaseUntil, Expr::value(Option::<Timestamp>::None))
            .col_expr(rendition::Column::Error, Expr::value(Some(reason)))
            .filter(self.still_mine())
            .exec(tx.conn())
            .await?;
        Ok(ended.rows_affected == 1)
    }

    /// Ends it with a file; false when it was taken over meanwhile, and then the file is not to be kept.
    pub(super) async fn keep(self, tx: &Tx, made: Made, now: OffsetDateTime) -> Result<bool> {
        set_made(tx, self.still_mine(), made, now).await
    }
}

/// A finished rendition, to be written down.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) blob_key: String,
    pub(super) stored: Stored,
    pub(super) rows: u64,
    pub(super) columns: Option<serde_json::Value>,
    pub(super) crs: Option<String>,
}

/// Keeps a rendition that came of making another one, if it still waits.
pub(super) async fn keep_waiting(
    tx: &Tx,
    file_id: FileId,
    format: RenditionFormat,
    made: Made,
    now: OffsetDateTime,
) -> Result<()> {
    let waiting = Condition::all()
        .add(rendition::Column::FileId.eq(file_id))
        .add(rendition::Column::Format.eq(format))
        .add(rendition::Column::State.eq(RenditionState::Pending));
    set_made(tx, waiting, made, now).await.map(drop)
}

/// Marks the row that `which` names as made; false when there is none.
async fn set_made(tx: &Tx, which: Condition, made: Made, now: OffsetDateTime) -> Result<bool> {
    let size_bytes = i64::try_from(made.stored.size_bytes).map_err(Error::internal)?;
    let kept = rendition::Entity::update_many()
        .col_expr(rendition::Column::State, Expr::value(RenditionState::Made))
        .col_expr(rendition::Column::LeaseUntil, Expr::value(Option::<Timestamp>::None))
        .col_expr(rendition::Column::ProgressPermille, Expr::value(1_000))
        .col_expr(rendition::Column::BlobKey, Expr::value(Some(made.blob_key)))
        .col_expr(rendition::Column::SizeBytes, Expr::value(Some(size_bytes)))
        .col_expr(rendition::Column::Sha256, Expr::value(Some(made.stored.sha256)))
        .col_expr(rendition::Column::RowCount, Expr::value(i64::try_from(made.rows).ok()))
        .col_expr(rendition::Column::Columns, Expr::value(made.columns))
        .col_expr(rendition::Column::Crs, Expr::value(made.crs))
        .col_expr(rendition::Column::MadeAt, Expr::value(Some(Timestamp(now))))
        .filter(which)
        .exec(tx.conn())
        .await?;
    Ok(kept.rows_affected == 1)
}

/// Ends those renditions of a file that still wait, without making them.
pub(super) async fn end_waiting(
    tx: &Tx,
    file_id: FileId,
    formats: &[RenditionFormat],
    state: RenditionState,
    reason: &str,
) -> Result<()> {
    rendition::Entity::update_many()
        .col_expr(rendition::Column::State, Expr::value(state))
        .col_expr(rendition::Column::Error, Expr::value(Some(reason.to_owned())))
        .filter(rendition::Column::FileId.eq(file_id))
        .filter(rendition::Column::Format.is_in(formats.iter().copied()))
        .filter(rendition::Column::State.eq(RenditionState::Pending))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// A rendition without its columns, which can be many.
#[derive(Debug, Clone, DerivePartialModel)]
#[sea_orm(entity = "rendition::Entity")]
pub(in crate::catalog) struct RenditionRow {
    pub file_id: FileId,
    pub format: RenditionFormat,
    pub state: RenditionState,
    pub progress_permille: i32,
    pub size_bytes: Option<i64>,
    pub sha256: Option<String>,
    pub row_count: Option<i64>,
    pub crs: Option<String>,
    pub error: Option<String>,
}

/// The renditions of the files of a revision, in the order of formats.
pub(in crate::catalog) async fn of_revision(
    conn: &impl ConnectionTrait,
    id: RevisionId,
) -> Result<HashMap<FileId, Vec<RenditionRow>>> {
    let files = Query::select()
        .column(file::Column::Id)
        .from(file::Entity)
        .and_where(file::Column::RevisionId.eq(id))
        .to_owned();
    let rows = rendition::Entity::find()
        .filter(rendition::Column::FileId.in_subquery(files))
        .filter(rendition::Column::Format.ne(RenditionFormat::Changes))
        .into_partial_model::<RenditionRow>()
        .all(conn)
        .await?;
    let mut of_files: HashMap<FileId, Vec<RenditionRow>> = HashMap::new();
    for row in rows {
        of_files.entry(row.file_id).or_default().push(row);
    }
    of_files.values_mut().for_each(|rows| rows.sort_by_key(|row| row.format));
    Ok(of_files)
}

/// Finished renditions of some files, in one format or all.
pub(super) async fn find_made(
    conn: &impl ConnectionTrait,
    ids: &[FileId],
    format: Option<RenditionFormat>,
) -> Result<Vec<rendition::Model>> {
    let mut made = rendition::Entity::find()
        .filter(rendition::Column::FileId.is_in(ids.iter().copied()))
        .filter(rendition::Column::State.eq(RenditionState::Made))
        .order_by_asc(rendition::Column::FileId)
        .order_by_asc(rendition::Column::Id);
    made = match format {
        Some(format) => made.filter(rendition::Column::Format.eq(format)),
        None => made.filter(rendition::Column::Format.ne(RenditionFormat::Changes)),
    };
    Ok(made.all(conn).await?)
}

/// The file a rendition is made from.
pub(super) async fn find_file(conn: &impl ConnectionTrait, id: FileId) -> Result<Option<file::Model>> {
    Ok(file::Entity::find_by_id(id).one(conn).await?)
}
