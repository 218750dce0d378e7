//! The log of notices, as it is written.

use entity::{
    Timestamp,
    ids::{EventId, NoticeId, OrgId},
    news, notice, notice_head,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, EntityTrait as _, IntoActiveModel as _, QuerySelect as _,
    sea_query::OnConflict,
};

use crate::{
    db::{
        Tx,
        bulk::{self, Known},
    },
    error::{Error, Result},
};

/// The one row at the end of the log.
const HEAD: i32 = 1;

/// Takes the end of the log: until this transaction ends nobody else writes notices.
///
/// So cursors are given in the order of commits: who gets the next numbers has waited for the commit before. A sequence
/// of the database would give them in the order of asking, and a reader could pass one that commits late.
pub(super) async fn lock_head(tx: &Tx) -> Result<notice_head::Model> {
    let head = notice_head::Entity::find_by_id(HEAD).lock_exclusive().one(tx.conn()).await?;
    head.ok_or_else(|| Error::internal("the log of notices has no head"))
}

/// Moves the end of the log.
pub(super) async fn move_head(tx: &Tx, head: notice_head::Model) -> Result<()> {
    let row = head.into_active_model().reset_all();
    notice_head::Entity::update(row).exec(tx.conn()).await?;
    Ok(())
}

/// Writes down what happened; an event that is gone on with is there already.
pub(super) async fn insert_news(tx: &Tx, rows: Vec<news::Model>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = rows.into_iter().map(sea_orm::IntoActiveModel::into_active_model);
    let known = OnConflict::column(news::Column::EventId).do_nothing().to_owned();
    news::Entity::insert_many(rows).on_conflict(known).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// One notice before it is written.
#[derive(Debug, Clone)]
pub(super) struct NewNotice {
    pub cursor: i64,
    pub id: NoticeId,
    pub organization: OrgId,
    pub event: EventId,
    pub kind: &'static str,
}

/// Writes notices. The database refuses a second one of the same event to the same organisation.
pub(super) async fn insert_notices(tx: &Tx, notices: &[NewNotice], now: Timestamp) -> Result<()> {
    let rows = notices.iter().map(|one| notice::ActiveModel {
        cursor: Set(one.cursor),
        id: Set(one.id),
        organization_id: Set(one.organization),
        event_id: Set(one.event),
        kind: Set(one.kind.to_owned()),
        told_at: Set(now),
    });
    bulk::insert(tx, rows.collect(), Known::Refuse).await?;
    Ok(())
}
