//! Rows of `verification`.

use entity::{
    Timestamp,
    ids::{AccountId, VerificationId},
    verification,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use time::OffsetDateTime;

use super::model::{self, Findings};
use crate::{db::Tx, error::Result};

/// Why one is to be run.
#[derive(Debug, Clone)]
pub enum Reason {
    /// It is this day's.
    Night(String),
    /// A person asked.
    Asked(Option<AccountId>),
}

/// Keeps a verification that is to be run; false when the day has one.
pub async fn insert(tx: &Tx, id: VerificationId, reason: Reason, now: OffsetDateTime) -> Result<bool> {
    let (day, requested_by) = match reason {
        Reason::Night(day) => (Some(day), None),
        Reason::Asked(account) => (None, account),
    };
    let row = verification::ActiveModel {
        id: Set(id),
        day: Set(day),
        requested_by: Set(requested_by),
        created_at: Set(Timestamp(now)),
        started_at: Set(None),
        finished_at: Set(None),
        violation_count: Set(None),
        report: Set(None),
    };
    let inserted = verification::Entity::insert(row)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(tx.conn())
        .await?;
    Ok(inserted == 1)
}

/// True when the day has one.
pub async fn exists_of(conn: &impl ConnectionTrait, day: &str) -> Result<bool> {
    let query = verification::Entity::find().filter(verification::Column::Day.eq(day));
    Ok(query.one(conn).await?.is_some())
}

/// The newest one that is neither finished nor given up.
pub async fn unfinished(conn: &impl ConnectionTrait, now: OffsetDateTime) -> Result<Option<verification::Model>> {
    let query = verification::Entity::find()
        .filter(verification::Column::FinishedAt.is_null())
        .filter(verification::Column::CreatedAt.gt(Timestamp(model::given_up_before(now))))
        .order_by_desc(verification::Column::Id);
    Ok(query.one(conn).await?)
}

/// Claims one for this process; false where another one is at it, or it is finished.
pub async fn start(tx: &Tx, id: VerificationId, now: OffsetDateTime) -> Result<bool> {
    let free = Condition::any()
        .add(verification::Column::StartedAt.is_null())
        .add(verification::Column::StartedAt.lt(Timestamp(model::given_up_before(now))));
    let started = verification::Entity::update_many()
        .col_expr(verification::Column::StartedAt, Expr::value(Some(Timestamp(now))))
        .filter(verification::Column::Id.eq(id))
        .filter(verification::Column::FinishedAt.is_null())
        .filter(free)
        .exec(tx.conn())
        .await?;
    Ok(started.rows_affected == 1)
}

/// Gives a claim back, so that the next try may start.
pub async fn give_back(tx: &Tx, id: VerificationId) -> Result<()> {
    verification::Entity::update_many()
        .col_expr(verification::Column::StartedAt, Expr::value(Option::<Timestamp>::None))
        .filter(verification::Column::Id.eq(id))
        .filter(verification::Column::FinishedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Keeps what was found.
pub async fn finish(tx: &Tx, id: VerificationId, findings: &Findings, now: OffsetDateTime) -> Result<()> {
    verification::Entity::update_many()
        .col_expr(verification::Column::FinishedAt, Expr::value(Some(Timestamp(now))))
        .col_expr(verification::Column::ViolationCount, Expr::value(Some(findings.violation_count())))
        .col_expr(verification::Column::Report, Expr::value(Some(serde_json::to_value(findings)?)))
        .filter(verification::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// One of them.
pub async fn find(conn: &impl ConnectionTrait, id: VerificationId) -> Result<Option<verification::Model>> {
    Ok(verification::Entity::find_by_id(id).one(conn).await?)
}

/// All of them, newest first.
pub async fn list(
    conn: &impl ConnectionTrait,
    before: Option<VerificationId>,
    limit: u64,
) -> Result<Vec<verification::Model>> {
    let mut query = verification::Entity::find().order_by_desc(verification::Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(verification::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}
