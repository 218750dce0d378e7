//! The log of notices, as it is read.

use entity::{
    Timestamp, account,
    ids::{AccountId, ListingId, NoticeId, OrderId, OrgId},
    news, notice, notice_head, notice_read,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult, JoinType, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, RelationDef, Value,
    sea_query::{Expr, OnConflict, Order},
};
use uuid::Uuid;

use crate::{
    db::{
        Tx,
        bulk::{Kind, List},
    },
    error::Result,
};

/// A notice with what it tells of.
#[derive(Debug, Clone, FromQueryResult)]
pub(super) struct Row {
    pub cursor: i64,
    pub id: NoticeId,
    pub kind: String,
    pub listing_id: Option<ListingId>,
    pub order_id: Option<OrderId>,
    pub listing_title: sea_orm::JsonValue,
    pub data: sea_orm::JsonValue,
    pub occurred_at: Timestamp,
}

/// From where notices are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The oldest first, after this cursor.
    After(i64),
    /// The newest first, before this cursor.
    Before(i64),
}

/// Notices of an organisation, of these kinds alone where some are named.
pub(super) async fn list(
    conn: &impl ConnectionTrait,
    org: OrgId,
    kinds: Option<Vec<&'static str>>,
    from: From,
    rows: u64,
) -> Result<Vec<Row>> {
    let to_news: RelationDef =
        notice::Entity::belongs_to(news::Entity).from(notice::Column::EventId).to(news::Column::EventId).into();
    let (bound, order) = match from {
        From::After(cursor) => (notice::Column::Cursor.gt(cursor), Order::Asc),
        From::Before(cursor) => (notice::Column::Cursor.lt(cursor), Order::Desc),
    };
    Ok(notice::Entity::find()
        .select_only()
        .columns([notice::Column::Cursor, notice::Column::Id, notice::Column::Kind])
        .columns([news::Column::ListingId, news::Column::OrderId, news::Column::ListingTitle])
        .columns([news::Column::Data, news::Column::OccurredAt])
        .join(JoinType::InnerJoin, to_news)
        .filter(notice::Column::OrganizationId.eq(org))
        .filter(bound)
        .apply_if(kinds, |query, kinds| query.filter(notice::Column::Kind.is_in(kinds)))
        .order_by(notice::Column::Cursor, order)
        .limit(rows)
        .into_model()
        .all(conn)
        .await?)
}

/// Cursors after `after`, the oldest first: as many as are counted.
pub(super) async fn cursors(
    conn: &impl ConnectionTrait,
    org: OrgId,
    kinds: Option<Vec<&'static str>>,
    after: i64,
    rows: u64,
) -> Result<Vec<i64>> {
    Ok(notice::Entity::find()
        .select_only()
        .column(notice::Column::Cursor)
        .filter(notice::Column::OrganizationId.eq(org))
        .filter(notice::Column::Cursor.gt(after))
        .apply_if(kinds, |query, kinds| query.filter(notice::Column::Kind.is_in(kinds)))
        .order_by_asc(notice::Column::Cursor)
        .limit(rows)
        .into_tuple()
        .all(conn)
        .await?)
}

/// The cursor of the newest notice of an organisation; 0 without one.
pub(in crate::notify) async fn newest(conn: &impl ConnectionTrait, org: OrgId) -> Result<i64> {
    let newest: Option<i64> = notice::Entity::find()
        .select_only()
        .column(notice::Column::Cursor)
        .filter(notice::Column::OrganizationId.eq(org))
        .order_by_desc(notice::Column::Cursor)
        .limit(1)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(newest.unwrap_or(0))
}

/// How far a reader has read.
pub(super) async fn read_up_to(conn: &impl ConnectionTrait, org: OrgId, reader: Uuid) -> Result<i64> {
    let found = notice_read::Entity::find_by_id((org, reader)).one(conn).await?;
    Ok(found.map_or(0, |row| row.cursor))
}

/// Notes that a reader has read up to a cursor; never back.
pub(super) async fn mark_read(tx: &Tx, org: OrgId, reader: Uuid, cursor: i64, now: Timestamp) -> Result<()> {
    let row = notice_read::ActiveModel {
        organization_id: Set(org),
        reader_id: Set(reader),
        cursor: Set(cursor),
        read_at: Set(now),
    };
    let further = "CASE WHEN notice_read.cursor > excluded.cursor THEN notice_read.cursor ELSE excluded.cursor END";
    let known = OnConflict::columns([notice_read::Column::OrganizationId, notice_read::Column::ReaderId])
        .value(notice_read::Column::Cursor, Expr::cust(further))
        .update_column(notice_read::Column::ReadAt)
        .to_owned();
    notice_read::Entity::insert(row).on_conflict(known).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// The language an account reads.
pub(super) async fn locale(conn: &impl ConnectionTrait, account: AccountId) -> Result<Option<String>> {
    Ok(account::Entity::find_by_id(account)
        .select_only()
        .column(account::Column::Locale)
        .into_tuple()
        .one(conn)
        .await?)
}

/// The end of the whole log.
pub(in crate::notify) async fn head(conn: &impl ConnectionTrait) -> Result<i64> {
    let last: Option<i64> = notice_head::Entity::find()
        .select_only()
        .column(notice_head::Column::LastCursor)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(last.unwrap_or(0))
}

/// Which of these organisations were told something after one cursor, up to another.
pub(super) async fn told_between(
    conn: &impl ConnectionTrait,
    orgs: &[OrgId],
    (after, until): (i64, i64),
) -> Result<Vec<OrgId>> {
    let ids = orgs.iter().map(|org| Value::from(org.0));
    let of_these = List::of(conn.get_database_backend(), Kind::Uuid, ids)?.contains("organization_id");
    // The list is the first parameter of the statement.
    Ok(notice::Entity::find()
        .select_only()
        .column(notice::Column::OrganizationId)
        .distinct()
        .filter(of_these)
        .filter(notice::Column::Cursor.gt(after))
        .filter(notice::Column::Cursor.lte(until))
        .into_tuple()
        .all(conn)
        .await?)
}
