//! Deliveries, their lanes and attempts in the database.

use entity::{
    Timestamp,
    ids::{EventId, NoticeId, OrgId, WebhookDeliveryId, WebhookEndpointId},
    news, notice,
    states::WebhookDeliveryState,
    webhook_attempt, webhook_delivery, webhook_endpoint, webhook_lane,
};
use sea_orm::{
    ActiveModelTrait as _,
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, ExprTrait as _, FromQueryResult,
    IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, OnConflict, Order, Query, WindowStatement},
};
use time::OffsetDateTime;

use crate::{db::Tx, error::Result, limits};

/// Rows of one insert; both databases limit the parameters of a statement.
const ROWS_PER_INSERT: usize = 200;

/// When a lane is looked at next once something is added to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// At the time given, unless something before it already waits.
    InTurn,
    /// At the time given at the latest.
    Soon,
}

/// Opens these lanes at `at`, or leaves them as they wait. Until this transaction ends nobody else adds to them or
/// settles in them, so that positions within a lane are in the order of commits.
pub(super) async fn open_lanes(
    tx: &Tx,
    lanes: Vec<(WebhookEndpointId, String)>,
    at: Timestamp,
    when: When,
) -> Result<()> {
    let expr = match when {
        When::InTurn => "COALESCE(webhook_lane.next_try_at, excluded.next_try_at)",
        When::Soon => {
            "CASE WHEN webhook_lane.next_try_at < excluded.next_try_at THEN webhook_lane.next_try_at \
             ELSE excluded.next_try_at END"
        }
    };
    for some in lanes.chunks(ROWS_PER_INSERT) {
        let rows = some.iter().map(|(endpoint, lane)| webhook_lane::ActiveModel {
            endpoint_id: Set(*endpoint),
            lane: Set(lane.clone()),
            next_try_at: Set(Some(at)),
            leased_until: Set(None),
            lease_no: Set(0),
        });
        let known = OnConflict::columns([webhook_lane::Column::EndpointId, webhook_lane::Column::Lane])
            .value(webhook_lane::Column::NextTryAt, Expr::cust(expr))
            .to_owned();
        webhook_lane::Entity::insert_many(rows).on_conflict(known).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// A delivery before it is written.
#[derive(Debug, Clone)]
pub(super) struct NewDelivery {
    pub id: WebhookDeliveryId,
    pub endpoint: WebhookEndpointId,
    /// The notice it carries, and which event that tells of; nothing for a test.
    pub notice: Option<(i64, EventId)>,
    pub message: NoticeId,
    pub replay_no: i32,
    pub kind: String,
    pub lane: String,
}

/// Writes deliveries; a notice that is on its way to an endpoint, in this replay, is not sent twice.
pub(super) async fn insert(tx: &Tx, new: &[NewDelivery], now: Timestamp) -> Result<()> {
    for some in new.chunks(ROWS_PER_INSERT) {
        let rows = some.iter().map(|one| webhook_delivery::ActiveModel {
            seq: sea_orm::ActiveValue::NotSet,
            id: Set(one.id),
            endpoint_id: Set(one.endpoint),
            notice_cursor: Set(one.notice.map(|(cursor, _)| cursor)),
            replay_no: Set(one.replay_no),
            message_id: Set(one.message),
            event_id: Set(one.notice.map(|(_, event)| event)),
            kind: Set(one.kind.clone()),
            lane: Set(one.lane.clone()),
            state: Set(WebhookDeliveryState::Pending),
            attempts: Set(0),
            failures: Set(0),
            last_status: Set(None),
            next_try_at: Set(Some(now)),
            created_at: Set(now),
            done_at: Set(None),
        });
        let known = OnConflict::columns([
            webhook_delivery::Column::EndpointId,
            webhook_delivery::Column::NoticeCursor,
            webhook_delivery::Column::ReplayNo,
        ])
        .do_nothing()
        .to_owned();
        webhook_delivery::Entity::insert_many(rows).on_conflict(known).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

/// A lane that something is due in.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub(super) struct DueLane {
    pub endpoint_id: WebhookEndpointId,
    pub lane: String,
}

/// A lane taken by this process, until another one takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    pub endpoint: WebhookEndpointId,
    pub lane: String,
    pub number: i64,
}

fn is_free(now: Timestamp) -> Condition {
    let column = webhook_lane::Column::LeasedUntil;
    Condition::any().add(column.is_null()).add(column.lt(now))
}

/// Lanes in which something is due and nobody is at work, of each endpoint only the few that wait longest: an endpoint
/// with thousands of them hides no other.
pub(super) async fn due_lanes(conn: &impl ConnectionTrait, now: Timestamp, limit: u64) -> Result<Vec<DueLane>> {
    let lane = |column: webhook_lane::Column| Expr::col((webhook_lane::Entity, column));
    let window = WindowStatement::partition_by((webhook_lane::Entity, webhook_lane::Column::EndpointId))
        .order_by((webhook_lane::Entity, webhook_lane::Column::NextTryAt), Order::Asc)
        .take();
    let endpoint = |column: webhook_endpoint::Column| Expr::col((webhook_endpoint::Entity, column));
    let due = Query::select()
        .expr_as(lane(webhook_lane::Column::EndpointId), "endpoint_id")
        .expr_as(lane(webhook_lane::Column::Lane), "lane")
        .expr_as(lane(webhook_lane::Column::NextTryAt), "next_try_at")
        .expr_window_as(Expr::cust("ROW_NUMBER()"), window, "place")
        .from(webhook_lane::Entity)
        .inner_join(
            webhook_endpoint::Entity,
            endpoint(webhook_endpoint::Column::Id).equals((webhook_lane::Entity, webhook_lane::Column::EndpointId)),
        )
        .and_where(lane(webhook_lane::Column::NextTryAt).lte(now))
        .cond_where(is_free(now))
        .and_where(endpoint(webhook_endpoint::Column::DisabledReason).is_null())
        .and_where(endpoint(webhook_endpoint::Column::DeletedAt).is_null())
        .to_owned();
    let most = i64::try_from(limits::WEBHOOKS_PER_ENDPOINT_AT_ONCE).unwrap_or(1);
    let few = Query::select()
        .columns(["endpoint_id", "lane"])
        .from_subquery(due, "due")
        .and_where(Expr::col("place").lte(most))
        .order_by("next_try_at", Order::Asc)
        .limit(limit)
        .to_owned();
    Ok(DueLane::find_by_statement(conn.get_database_backend().build(&few)).all(conn).await?)
}

/// How many lanes of these endpoints somebody is at work in.
pub(super) async fn count_leased(
    tx: &Tx,
    endpoints: &[WebhookEndpointId],
    now: Timestamp,
) -> Result<Vec<(WebhookEndpointId, i64)>> {
    Ok(webhook_lane::Entity::find()
        .select_only()
        .column(webhook_lane::Column::EndpointId)
        .column_as(webhook_lane::Column::Lane.count(), "count")
        .filter(webhook_lane::Column::EndpointId.is_in(endpoints.iter().copied()))
        .filter(webhook_lane::Column::LeasedUntil.gte(now))
        .group_by(webhook_lane::Column::EndpointId)
        .into_tuple()
        .all(tx.conn())
        .await?)
}

/// Takes a lane, if it is still free and something in it due.
pub(super) async fn lease(tx: &Tx, due: &DueLane, now: Timestamp, until: Timestamp) -> Result<Option<Lease>> {
    let taken = webhook_lane::Entity::update_many()
        .col_expr(webhook_lane::Column::LeasedUntil, Expr::value(Some(until)))
        .col_expr(webhook_lane::Column::LeaseNo, Expr::col(webhook_lane::Column::LeaseNo).add(1))
        .filter(webhook_lane::Column::EndpointId.eq(due.endpoint_id))
        .filter(webhook_lane::Column::Lane.eq(&due.lane))
        .filter(webhook_lane::Column::NextTryAt.lte(now))
        .filter(is_free(now))
        .exec_with_returning(tx.conn())
        .await?;
    Ok(taken.into_iter().next().map(|row| Lease { endpoint: row.endpoint_id, lane: row.lane, number: row.lease_no }))
}

/// Locks a lane that was taken; nothing when another process has taken it since.
pub(super) async fn lock_leased(tx: &Tx, lease: &Lease) -> Result<Option<webhook_lane::Model>> {
    let found =
        webhook_lane::Entity::find_by_id((lease.endpoint, lease.lane.clone())).lock_exclusive().one(tx.conn()).await?;
    Ok(found.filter(|row| row.lease_no == lease.number))
}

/// Writes when a locked lane is looked at next, and until when this process goes on in it.
pub(super) async fn set_lane(tx: &Tx, row: webhook_lane::Model) -> Result<()> {
    webhook_lane::Entity::update(row.into_active_model().reset_all()).exec(tx.conn()).await?;
    Ok(())
}

/// The oldest delivery that waits in a lane.
pub(super) async fn oldest(conn: &impl ConnectionTrait, lease: &Lease) -> Result<Option<webhook_delivery::Model>> {
    Ok(webhook_delivery::Entity::find()
        .filter(webhook_delivery::Column::EndpointId.eq(lease.endpoint))
        .filter(webhook_delivery::Column::Lane.eq(&lease.lane))
        .filter(webhook_delivery::Column::State.eq(WebhookDeliveryState::Pending))
        .order_by_asc(webhook_delivery::Column::Seq)
        .one(conn)
        .await?)
}

pub(super) async fn replace(tx: &Tx, row: webhook_delivery::Model) -> Result<()> {
    webhook_delivery::Entity::update(row.into_active_model().reset_all()).exec(tx.conn()).await?;
    Ok(())
}

pub(super) async fn insert_attempt(tx: &Tx, row: webhook_attempt::Model) -> Result<()> {
    webhook_attempt::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// What happened, as a message tells it.
pub(super) async fn find_news(conn: &impl ConnectionTrait, event: EventId) -> Result<Option<news::Model>> {
    Ok(news::Entity::find_by_id(event).one(conn).await?)
}

/// Deliveries of an endpoint, the newest first, before `before`.
pub(super) async fn list(
    conn: &impl ConnectionTrait,
    endpoint: WebhookEndpointId,
    state: Option<WebhookDeliveryState>,
    before: Option<i64>,
    rows: usize,
) -> Result<Vec<webhook_delivery::Model>> {
    Ok(webhook_delivery::Entity::find()
        .filter(webhook_delivery::Column::EndpointId.eq(endpoint))
        .apply_if(state, |query, state| query.filter(webhook_delivery::Column::State.eq(state)))
        .apply_if(before, |query, before| query.filter(webhook_delivery::Column::Seq.lt(before)))
        .order_by_desc(webhook_delivery::Column::Seq)
        .limit(u64::try_from(rows).unwrap_or(u64::MAX))
        .all(conn)
        .await?)
}

/// A delivery of an endpoint, whose owner the caller has made sure of.
pub(super) async fn find(
    conn: &impl ConnectionTrait,
    endpoint: WebhookEndpointId,
    id: WebhookDeliveryId,
) -> Result<Option<webhook_delivery::Model>> {
    let of = webhook_delivery::Column::EndpointId.eq(endpoint);
    Ok(webhook_delivery::Entity::find().filter(webhook_delivery::Column::Id.eq(id)).filter(of).one(conn).await?)
}

/// How the attempts of a delivery went, the oldest first.
pub(super) async fn attempts(
    conn: &impl ConnectionTrait,
    id: WebhookDeliveryId,
) -> Result<Vec<webhook_attempt::Model>> {
    Ok(webhook_attempt::Entity::find()
        .filter(webhook_attempt::Column::DeliveryId.eq(id))
        .order_by_asc(webhook_attempt::Column::Number)
        .all(conn)
        .await?)
}

/// Notices of an organisation after `after`, up to `until`, with what they tell of.
pub(super) async fn notices(
    conn: &impl ConnectionTrait,
    org: OrgId,
    (after, until): (i64, i64),
    rows: u64,
) -> Result<Vec<(notice::Model, Option<news::Model>)>> {
    let to_news: sea_orm::RelationDef =
        notice::Entity::belongs_to(news::Entity).from(notice::Column::EventId).to(news::Column::EventId).into();
    Ok(notice::Entity::find()
        .join(sea_orm::JoinType::InnerJoin, to_news)
        .select_also(news::Entity)
        .filter(notice::Column::OrganizationId.eq(org))
        .filter(notice::Column::Cursor.gt(after))
        .filter(notice::Column::Cursor.lte(until))
        .order_by_asc(notice::Column::Cursor)
        .limit(rows)
        .all(conn)
        .await?)
}

/// Deliveries that were done before `before`; a few at a time.
pub(super) async fn done_before(
    conn: &impl ConnectionTrait,
    before: OffsetDateTime,
    limit: u64,
) -> Result<Vec<WebhookDeliveryId>> {
    Ok(webhook_delivery::Entity::find()
        .select_only()
        .column(webhook_delivery::Column::Id)
        .filter(webhook_delivery::Column::DoneAt.lt(Timestamp(before)))
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// Forgets deliveries and their attempts.
pub(super) async fn forget(tx: &Tx, ids: &[WebhookDeliveryId]) -> Result<()> {
    let of = webhook_attempt::Column::DeliveryId.is_in(ids.iter().copied());
    webhook_attempt::Entity::delete_many().filter(of).exec(tx.conn()).await?;
    let these = webhook_delivery::Column::Id.is_in(ids.iter().copied());
    webhook_delivery::Entity::delete_many().filter(these).exec(tx.conn()).await?;
    Ok(())
}
