//! Tasks of slices in the database.

use std::collections::HashMap;

use entity::{
    Timestamp, file, grant,
    ids::{FileId, GrantId, ListingId, SliceId},
    order_line, revision, slice_task,
    states::{RenditionFormat, RenditionState, RevisionState},
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, RelationDef, Statement,
    sea_query::{Expr, OnConflict},
};
use time::OffsetDateTime;

use super::model::{Slice, SliceFile};
use crate::{
    catalog::renditions,
    db::Tx,
    error::{Error, Result},
};

/// Tasks looked at when one is leased.
const CANDIDATES: u64 = 8;

/// A table of a revision, and how far its index is.
#[derive(Debug, Clone)]
pub(super) struct IndexRow {
    pub(super) file_id: FileId,
    pub(super) name: String,
    pub(super) index: Option<(SliceId, RenditionState)>,
    pub(super) files: Option<Vec<SliceFile>>,
    pub(super) error: Option<String>,
}

/// The tables of a published revision with their indexes by this column of times (empty for none).
pub(super) async fn find_indexes(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    number: i32,
    time_column: &str,
) -> Result<Vec<IndexRow>> {
    let of_file: RelationDef =
        file::Entity::belongs_to(revision::Entity).from(file::Column::RevisionId).to(revision::Column::Id).into();
    let files: Vec<(FileId, String)> = file::Entity::find()
        .select_only()
        .columns([file::Column::Id, file::Column::Name])
        .join(JoinType::InnerJoin, of_file)
        .filter(revision::Column::ListingId.eq(listing))
        .filter(revision::Column::Number.eq(number))
        .filter(revision::Column::State.eq(RevisionState::Published))
        .order_by_asc(file::Column::Name)
        .into_tuple()
        .all(conn)
        .await?;
    let ids: Vec<FileId> = files.iter().map(|(id, _)| *id).collect();
    let made = renditions::list_made(conn, &ids).await?;
    let tasks = slice_task::Entity::find()
        .filter(slice_task::Column::FileId.is_in(ids))
        .filter(slice_task::Column::GrantId.is_null())
        .filter(slice_task::Column::TimeColumn.eq(time_column))
        .all(conn)
        .await?;
    let mut tasks: HashMap<FileId, slice_task::Model> = tasks.into_iter().map(|task| (task.file_id, task)).collect();
    let is_table =
        |id: &FileId| made.get(id).is_some_and(|all| all.iter().any(|one| one.format == RenditionFormat::Parquet));
    let tables = files.into_iter().filter(|(id, _)| is_table(id)).map(|(file_id, name)| {
        let task = tasks.remove(&file_id);
        let files = task.as_ref().and_then(|task| task.files.clone()).map(serde_json::from_value).transpose()?;
        let index = task.as_ref().map(|task| (task.id, task.state));
        Ok(IndexRow { file_id, name, index, files, error: task.and_then(|task| task.error) })
    });
    tables.collect()
}

/// Tables of newest revisions that an offer sells slices of, and that have no index for it: the file and the column of
/// times, empty without one.
pub(super) async fn find_unindexed(conn: &impl ConnectionTrait, limit: u64) -> Result<Vec<(FileId, String)>> {
    #[derive(FromQueryResult)]
    struct Unindexed {
        file_id: FileId,
        time_column: String,
    }
    let sql = format!(
        "SELECT DISTINCT f.id AS file_id, COALESCE(o.plan -> 'slice' ->> 'time_column', '') AS time_column \
         FROM offer o JOIN listing l ON l.id = o.listing_id JOIN file f ON f.revision_id = l.current_revision_id \
         JOIN rendition r ON r.file_id = f.id AND r.format = 'parquet' AND r.state = 'made' \
         WHERE o.state = 'active' AND o.plan ->> 'slice' IS NOT NULL AND NOT EXISTS (SELECT 1 FROM slice_task t \
         WHERE t.file_id = f.id AND t.grant_id IS NULL \
         AND t.time_column = COALESCE(o.plan -> 'slice' ->> 'time_column', '')) LIMIT {limit}"
    );
    let rows = Unindexed::find_by_statement(Statement::from_string(conn.get_database_backend(), sql)).all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.file_id, row.time_column)).collect())
}

fn waiting(id: SliceId, file_id: FileId, now: OffsetDateTime) -> slice_task::ActiveModel {
    slice_task::ActiveModel {
        id: Set(id),
        file_id: Set(file_id),
        grant_id: Set(None),
        time_column: Set(String::new()),
        slice: Set(None),
        state: Set(RenditionState::Pending),
        attempts: Set(0),
        run_at: Set(Timestamp(now)),
        lease_until: Set(None),
        progress_permille: Set(0),
        files: Set(None),
        size_bytes: Set(None),
        row_count: Set(None),
        error: Set(None),
        created_at: Set(Timestamp(now)),
        made_at: Set(None),
    }
}

async fn insert(tx: &Tx, rows: Vec<slice_task::ActiveModel>) -> Result<()> {
    // Its id follows from what it is for: whoever comes second finds it there.
    slice_task::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(())
}

/// Plans indexes of files by columns of times.
pub(super) async fn insert_indexes(tx: &Tx, wanted: &[(FileId, String)], now: OffsetDateTime) -> Result<()> {
    let rows = wanted.iter().map(|(file_id, time_column)| {
        let id = SliceId::derived(&format!("index:{file_id}:{time_column}"));
        slice_task::ActiveModel { time_column: Set(time_column.clone()), ..waiting(id, *file_id, now) }
    });
    insert(tx, rows.collect()).await
}

/// Plans the cutting of what grants open that are of slices, in the transaction that makes them.
pub(in crate::trade) async fn plan_cuts(tx: &Tx, grants: &[grant::Model]) -> Result<()> {
    let mut rows = Vec::new();
    for grant in grants {
        let Some(file_id) = grant.slice_file_id else { continue };
        let line = order_line::Entity::find_by_id((grant.order_id, grant.line_no)).one(tx.conn()).await?;
        let slice = line.and_then(|line| line.slice);
        let slice =
            slice.ok_or_else(|| Error::internal(format!("{} is of a slice that its line does not name", grant.id)))?;
        let id = SliceId::derived(&format!("cut:{}", grant.id));
        let row = waiting(id, file_id, grant.starts_at.0);
        rows.push(slice_task::ActiveModel { grant_id: Set(Some(grant.id)), slice: Set(Some(slice)), ..row });
    }
    if rows.is_empty() { Ok(()) } else { insert(tx, rows).await }
}

/// What a grant of a slice opens, as far as it is made.
#[derive(Debug, Clone)]
pub struct CutSlice {
    /// Where it stands.
    pub state: RenditionState,
    /// How far it is, in thousandths.
    pub progress_permille: i32,
    /// What is cut out.
    pub slice: Slice,
    /// Its files, once made: Parquet first.
    pub files: Vec<SliceFile>,
    /// Why there are none.
    pub error: Option<String>,
    /// When they were made.
    pub made_at: Option<OffsetDateTime>,
}

/// What a grant opens; nothing for one of the whole. The caller has looked whether it may be had.
///
/// # Errors
/// Those of the database.
pub async fn find_cut(conn: &impl ConnectionTrait, grant: GrantId) -> Result<Option<CutSlice>> {
    Ok(find_cuts(conn, &[grant]).await?.remove(&grant))
}

/// As [`find_cut`], of several grants in one statement.
///
/// # Errors
/// Those of the database.
pub async fn find_cuts(conn: &impl ConnectionTrait, grants: &[GrantId]) -> Result<HashMap<GrantId, CutSlice>> {
    if grants.is_empty() {
        return Ok(HashMap::new());
    }
    let ids = grants.iter().map(|grant| SliceId::derived(&format!("cut:{grant}")));
    let rows = slice_task::Entity::find().filter(slice_task::Column::Id.is_in(ids)).all(conn).await?;
    let mut found = HashMap::new();
    for row in rows {
        let (Some(grant), Some(slice)) = (row.grant_id, row.slice) else { continue };
        let cut = CutSlice {
            state: row.state,
            progress_permille: row.progress_permille,
            slice: serde_json::from_value(slice)?,
            files: row.files.map(serde_json::from_value).transpose()?.unwrap_or_default(),
            error: row.error,
            made_at: row.made_at.map(|at| at.0),
        };
        found.insert(grant, cut);
    }
    Ok(found)
}

/// The grant that a slice is cut out for.
pub(super) async fn find_grant(conn: &impl ConnectionTrait, id: GrantId) -> Result<Option<grant::Model>> {
    Ok(grant::Entity::find_by_id(id).one(conn).await?)
}

fn due(now: OffsetDateTime) -> Condition {
    let free = Condition::any()
        .add(slice_task::Column::LeaseUntil.is_null())
        .add(slice_task::Column::LeaseUntil.lt(Timestamp(now)));
    Condition::all()
        .add(slice_task::Column::State.is_in([RenditionState::Pending, RenditionState::Making]))
        .add(slice_task::Column::RunAt.lte(Timestamp(now)))
        .add(free)
}

/// Tasks that may be done now, the oldest first.
pub(super) async fn find_due(conn: &impl ConnectionTrait, now: OffsetDateTime) -> Result<Vec<slice_task::Model>> {
    Ok(slice_task::Entity::find()
        .filter(due(now))
        .order_by_asc(slice_task::Column::RunAt)
        .order_by_asc(slice_task::Column::Id)
        .limit(CANDIDATES)
        .all(conn)
        .await?)
}

/// Leases a task until `until`, if nobody else did; counts the attempt.
pub(super) async fn lease(
    tx: &Tx,
    row: &slice_task::Model,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<bool> {
    let taken = slice_task::Entity::update_many()
        .col_expr(slice_task::Column::State, Expr::value(RenditionState::Making))
        .col_expr(slice_task::Column::Attempts, Expr::value(row.attempts + 1))
        .col_expr(slice_task::Column::LeaseUntil, Expr::value(Some(Timestamp(until))))
        .col_expr(slice_task::Column::ProgressPermille, Expr::value(0))
        .filter(slice_task::Column::Id.eq(row.id))
        .filter(slice_task::Column::Attempts.eq(row.attempts))
        .filter(due(now))
        .exec(tx.conn())
        .await?;
    Ok(taken.rows_affected == 1)
}

/// An attempt: what it writes counts only as long as no later one was begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt {
    pub(super) id: SliceId,
    pub(super) number: i32,
}

impl Attempt {
    fn still_mine(self) -> Condition {
        Condition::all()
            .add(slice_task::Column::Id.eq(self.id))
            .add(slice_task::Column::Attempts.eq(self.number))
            .add(slice_task::Column::State.eq(RenditionState::Making))
    }

    /// Says how far it is, and that its process is alive; false when it was taken over.
    pub(super) async fn renew(self, tx: &Tx, permille: u16, until: OffsetDateTime) -> Result<bool> {
        let renewed = slice_task::Entity::update_many()
            .col_expr(slice_task::Column::ProgressPermille, Expr::value(i32::from(permille)))
            .col_expr(slice_task::Column::LeaseUntil, Expr::value(Some(Timestamp(until))))
            .filter(self.still_mine())
            .exec(tx.conn())
            .await?;
        Ok(renewed.rows_affected == 1)
    }

    /// Gives it back, to be tried again at `run_at`.
    pub(super) async fn retry(self, tx: &Tx, run_at: OffsetDateTime) -> Result<()> {
        slice_task::Entity::update_many()
            .col_expr(slice_task::Column::State, Expr::value(RenditionState::Pending))
            .col_expr(slice_task::Column::LeaseUntil, Expr::value(Option::<Timestamp>::None))
            .col_expr(slice_task::Column::RunAt, Expr::value(Timestamp(run_at)))
            .filter(self.still_mine())
            .exec(tx.conn())
            .await?;
        Ok(())
    }

    /// Ends it without files, and says why; false when it was taken over meanwhile.
    pub(super) async fn fail(self, tx: &Tx, reason: String) -> Result<bool> {
        let failed = slice_task::Entity::update_many()
            .col_expr(slice_task::Column::State, Expr::value(RenditionState::Failed))
            .col_expr(slice_task::Column::LeaseUntil, Expr::value(Option::<Timestamp>::None))
            .col_expr(slice_task::Column::Error, Expr::value(Some(reason)))
            .filter(self.still_mine())
            .exec(tx.conn())
            .await?;
        Ok(failed.rows_affected == 1)
    }

    /// Ends it with files; false when it was taken over meanwhile, and then they are not to be kept.
    pub(super) async fn keep(self, tx: &Tx, files: &[SliceFile], rows: u64, now: OffsetDateTime) -> Result<bool> {
        let size: u64 = files.iter().map(|file| file.size_bytes).sum();
        let kept = slice_task::Entity::update_many()
            .col_expr(slice_task::Column::State, Expr::value(RenditionState::Made))
            .col_expr(slice_task::Column::LeaseUntil, Expr::value(Option::<Timestamp>::None))
            .col_expr(slice_task::Column::ProgressPermille, Expr::value(1_000))
            .col_expr(slice_task::Column::Files, Expr::value(Some(serde_json::to_value(files)?)))
            .col_expr(slice_task::Column::SizeBytes, Expr::value(i64::try_from(size).ok()))
            .col_expr(slice_task::Column::RowCount, Expr::value(i64::try_from(rows).ok()))
            .col_expr(slice_task::Column::MadeAt, Expr::value(Some(Timestamp(now))))
            .filter(self.still_mine())
            .exec(tx.conn())
            .await?;
        Ok(kept.rows_affected == 1)
    }
}

/// What failed, by id, from after this one on; one row more than `limit`.
pub(super) async fn list_failed(
    conn: &impl ConnectionTrait,
    after: Option<SliceId>,
    limit: usize,
) -> Result<Vec<slice_task::Model>> {
    let mut page = slice_task::Entity::find().filter(slice_task::Column::State.eq(RenditionState::Failed));
    if let Some(after) = after {
        page = page.filter(slice_task::Column::Id.gt(after));
    }
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    Ok(page.order_by_asc(slice_task::Column::Id).limit(limit).all(conn).await?)
}

/// Puts what failed back into the queue; false when it has not failed.
pub(super) async fn revive(tx: &Tx, id: SliceId, now: OffsetDateTime) -> Result<bool> {
    let revived = slice_task::Entity::update_many()
        .col_expr(slice_task::Column::State, Expr::value(RenditionState::Pending))
        .col_expr(slice_task::Column::RunAt, Expr::value(Timestamp(now)))
        .col_expr(slice_task::Column::Error, Expr::value(Option::<String>::None))
        .filter(slice_task::Column::Id.eq(id))
        .filter(slice_task::Column::State.eq(RenditionState::Failed))
        .exec(tx.conn())
        .await?;
    Ok(revived.rows_affected == 1)
}

/// True when there is such a task.
pub(super) async fn is_known(conn: &impl ConnectionTrait, id: SliceId) -> Result<bool> {
    Ok(slice_task::Entity::find_by_id(id).one(conn).await?.is_some())
}
