//! The queue: a table, leases, retries.

use entity::{Timestamp, ids::JobId, job, states::JobState};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};
use time::{Duration, OffsetDateTime};

use crate::{
    db::{Db, Tx},
    error::Result,
};

/// How long a process may work on a job before another may take it.
const LEASE_SECONDS: i64 = 300;
/// Tries before a job waits for a person.
const ATTEMPTS_MAX: i32 = 8;
/// Jobs leased in one go: few, so that none waits for long under its lease.
const BATCH: u64 = 8;
/// The wait before the second try; it doubles with each further one.
const BACKOFF_SECONDS: i64 = 5;

/// A job to be queued.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Which job, `catalog.profile_file`.
    pub kind: &'static str,
    /// A second job with the same key is not queued.
    pub unique_key: Option<String>,
    /// What it works on.
    pub payload: serde_json::Value,
    /// Not before.
    pub run_at: OffsetDateTime,
}

/// Queues a job in the caller's transaction.
///
/// # Errors
/// Those of the database.
pub async fn enqueue(tx: &Tx, new: NewJob, now: OffsetDateTime) -> Result<()> {
    let row = job::ActiveModel {
        id: Set(JobId::at(now)),
        kind: Set(new.kind.to_owned()),
        unique_key: Set(new.unique_key),
        payload: Set(new.payload),
        state: Set(JobState::Queued),
        attempts: Set(0),
        run_at: Set(Timestamp(new.run_at)),
        leased_until: Set(None),
        last_error: Set(None),
        created_at: Set(Timestamp(now)),
        done_at: Set(None),
    };
    job::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(())
}

/// Takes due jobs under a lease; each belongs to the caller until it runs out.
pub(super) async fn lease(db: &Db, now: OffsetDateTime) -> Result<Vec<job::Model>> {
    let free =
        Condition::any().add(job::Column::LeasedUntil.is_null()).add(job::Column::LeasedUntil.lt(Timestamp(now)));
    let due = job::Entity::find()
        .filter(job::Column::State.eq(JobState::Queued))
        .filter(job::Column::RunAt.lte(Timestamp(now)))
        .filter(free.clone())
        .order_by_asc(job::Column::RunAt)
        .limit(BATCH)
        .all(db.read())
        .await?;
    if due.is_empty() {
        return Ok(due);
    }
    let until = Timestamp(now + Duration::seconds(LEASE_SECONDS));
    db.write("jobs.lease", move |tx| {
        let (due, free) = (due.clone(), free.clone());
        async move {
            let mut mine = Vec::new();
            for row in due {
                let taken = job::Entity::update_many()
                    .col_expr(job::Column::LeasedUntil, Expr::value(Some(until)))
                    .filter(job::Column::Id.eq(row.id))
                    .filter(job::Column::State.eq(JobState::Queued))
                    .filter(free.clone())
                    .exec(tx.conn())
                    .await?;
                if taken.rows_affected == 1 {
                    mine.push(row);
                }
            }
            Ok((mine, tx))
        }
    })
    .await
}

/// Notes that a job is done.
pub(super) async fn finish(db: &Db, id: JobId, now: OffsetDateTime) -> Result<()> {
    db.write("jobs.finish", move |tx| async move {
        job::Entity::update_many()
            .col_expr(job::Column::State, Expr::value(JobState::Done))
            .col_expr(job::Column::DoneAt, Expr::value(Some(Timestamp(now))))
            .filter(job::Column::Id.eq(id))
            .exec(tx.conn())
            .await?;
        Ok(((), tx))
    })
    .await
}

/// Notes that a job failed: it is tried again later, or waits for a person after [`ATTEMPTS_MAX`] tries.
pub(super) async fn fail(db: &Db, row: &job::Model, error: String, now: OffsetDateTime) -> Result<()> {
    let (id, attempts) = (row.id, row.attempts + 1);
    let state = if attempts >= ATTEMPTS_MAX { JobState::Dead } else { JobState::Queued };
    let wait = Duration::seconds(BACKOFF_SECONDS << attempts.clamp(0, 16));
    let error: String = error.chars().take(2_000).collect();
    db.write("jobs.fail", move |tx| {
        let error = error.clone();
        async move {
            job::Entity::update_many()
                .col_expr(job::Column::State, Expr::value(state))
                .col_expr(job::Column::Attempts, Expr::col(job::Column::Attempts).add(1))
                .col_expr(job::Column::RunAt, Expr::value(Timestamp(now + wait)))
                .col_expr(job::Column::LeasedUntil, Expr::value(Option::<Timestamp>::None))
                .col_expr(job::Column::LastError, Expr::value(Some(error)))
                .filter(job::Column::Id.eq(id))
                .exec(tx.conn())
                .await?;
            Ok(((), tx))
        }
    })
    .await
}
