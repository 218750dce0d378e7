//! Subscriptions and their periods in the database.

use entity::{
    Timestamp, grant,
    ids::{GrantId, ListingId, OfferId, OrderId, OrgId, SavedMethodId, SubscriptionId},
    offer, order,
    states::{GrantState, OrderOrigin, OrderState, SubscriptionState},
    subscription, subscription_period,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use time::OffsetDateTime;

use crate::{
    db::Tx,
    error::{Error, Result},
    terms::offers::plan::Plan,
    trade::orders::{OrderFacts, store as orders},
};

/// States in which something may still be charged or opened.
const LIVE: [SubscriptionState; 5] = [
    SubscriptionState::Trialing,
    SubscriptionState::Active,
    SubscriptionState::PastDue,
    SubscriptionState::Paused,
    SubscriptionState::AwaitingConsent,
];

pub(super) async fn insert(tx: &Tx, row: subscription::Model) -> Result<()> {
    subscription::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// Writes a locked row back.
pub(super) async fn update(tx: &Tx, row: &subscription::Model) -> Result<()> {
    let row = row.clone().into_active_model().reset_all();
    subscription::Entity::update(row).exec(tx.conn()).await?;
    Ok(())
}

/// Writes a period down; the key refuses a second one with its number.
pub(super) async fn insert_period(tx: &Tx, period: subscription_period::Model) -> Result<()> {
    subscription_period::Entity::insert(period.into_active_model()).exec_without_returning(tx.conn()).await?;
    Ok(())
}

pub(super) async fn periods(
    conn: &impl ConnectionTrait,
    id: SubscriptionId,
) -> Result<Vec<subscription_period::Model>> {
    Ok(subscription_period::Entity::find()
        .filter(subscription_period::Column::SubscriptionId.eq(id))
        .order_by_asc(subscription_period::Column::Number)
        .all(conn)
        .await?)
}

pub(super) async fn find(conn: &impl ConnectionTrait, id: SubscriptionId) -> Result<Option<subscription::Model>> {
    Ok(subscription::Entity::find_by_id(id).one(conn).await?)
}

/// A subscription that `org` has or serves.
pub(super) async fn find_party(
    conn: &impl ConnectionTrait,
    id: SubscriptionId,
    org: OrgId,
) -> Result<Option<subscription::Model>> {
    let party =
        Condition::any().add(subscription::Column::BuyerId.eq(org)).add(subscription::Column::ProviderId.eq(org));
    Ok(subscription::Entity::find_by_id(id).filter(party).one(conn).await?)
}

/// Locks a subscription, after the order that it waits for: a payment locks them in that order too.
///
/// # Errors
/// `NotFound`; `Unavailable` when it began to wait for another order in between.
pub(super) async fn lock(tx: &Tx, id: SubscriptionId) -> Result<(subscription::Model, Option<OrderFacts>)> {
    let missing = || Error::not_found("subscription");
    let seen = find(tx.conn(), id).await?.ok_or_else(missing)?.due_order_id;
    let due = match seen {
        Some(order) => Some(orders::lock(tx, order).await?),
        None => None,
    };
    let row = lock_alone(tx, id).await?;
    if row.due_order_id != seen {
        return Err(Error::unavailable("The subscription is being charged. Try again.", 1));
    }
    Ok((row, due))
}

/// Locks a subscription whose order is locked already.
pub(super) async fn lock_alone(tx: &Tx, id: SubscriptionId) -> Result<subscription::Model> {
    let locked = subscription::Entity::find_by_id(id).lock_exclusive().one(tx.conn()).await?;
    locked.ok_or_else(|| Error::not_found("subscription"))
}

/// Subscriptions that have to be looked at, the longest waiting first.
pub(super) async fn due(
    conn: &impl ConnectionTrait,
    now: OffsetDateTime,
    after: Option<(Timestamp, SubscriptionId)>,
    limit: u64,
) -> Result<Vec<(Timestamp, SubscriptionId)>> {
    use subscription::Column::{Id, NextActionAt};
    let beyond = after.map_or_else(Condition::all, |(at, id)| {
        Condition::any().add(NextActionAt.gt(at)).add(Condition::all().add(NextActionAt.eq(at)).add(Id.gt(id)))
    });
    Ok(subscription::Entity::find()
        .select_only()
        .columns([NextActionAt, Id])
        .filter(NextActionAt.lte(Timestamp(now)))
        .filter(beyond)
        .order_by_asc(NextActionAt)
        .order_by_asc(Id)
        .limit(limit)
        .into_tuple()
        .all(conn)
        .await?)
}

/// True when `buyer` has begun a subscription of the listing with a trial before.
pub(in crate::trade) async fn had_trial(conn: &impl ConnectionTrait, buyer: OrgId, listing: ListingId) -> Result<bool> {
    let trial = subscription::Entity::find()
        .select_only()
        .column(subscription::Column::Id)
        .filter(subscription::Column::BuyerId.eq(buyer))
        .filter(subscription::Column::ListingId.eq(listing))
        .filter(subscription::Column::IsTrial.eq(true));
    Ok(trial.into_tuple::<SubscriptionId>().one(conn).await?.is_some())
}

/// A live subscription that is charged on this means of payment.
pub(in crate::trade) async fn charged_on(
    conn: &impl ConnectionTrait,
    method: SavedMethodId,
) -> Result<Option<SubscriptionId>> {
    let users = subscription::Entity::find()
        .select_only()
        .column(subscription::Column::Id)
        .filter(subscription::Column::SavedMethodId.eq(method))
        .filter(
            Condition::any()
                .add(subscription::Column::State.is_in(LIVE))
                .add(subscription::Column::NextActionAt.is_not_null()),
        );
    Ok(users.into_tuple().one(conn).await?)
}

/// Which subscriptions to list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub buyer: Option<OrgId>,
    pub provider: Option<OrgId>,
    pub state: Option<SubscriptionState>,
    pub before: Option<SubscriptionId>,
}

pub(super) async fn list(
    conn: &impl ConnectionTrait,
    wanted: Wanted,
    limit: usize,
) -> Result<Vec<subscription::Model>> {
    use subscription::Column::{BuyerId, Id, ProviderId, State};
    let filter = Condition::all()
        .add_option(wanted.buyer.map(|id| BuyerId.eq(id)))
        .add_option(wanted.provider.map(|id| ProviderId.eq(id)))
        .add_option(wanted.state.map(|state| State.eq(state)))
        .add_option(wanted.before.map(|id| Id.lt(id)));
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    Ok(subscription::Entity::find().filter(filter).order_by_desc(Id).limit(limit).all(conn).await?)
}

/// An offer as it was published, whether or not it holds.
pub(super) async fn offer(conn: &impl ConnectionTrait, id: OfferId) -> Result<(offer::Model, Plan)> {
    let row = offer::Entity::find_by_id(id).one(conn).await?;
    let row = row.ok_or_else(|| Error::internal(format!("{id} was ordered and is gone")))?;
    let plan = row.plan.clone().map(serde_json::from_value).transpose()?.unwrap_or_default();
    Ok((row, plan))
}

/// The upgrade of a subscription that waits to be paid.
pub(super) async fn open_upgrade(conn: &impl ConnectionTrait, id: SubscriptionId) -> Result<Option<OrderId>> {
    let open = order::Entity::find()
        .select_only()
        .column(order::Column::Id)
        .filter(order::Column::SubscriptionId.eq(id))
        .filter(order::Column::Origin.eq(OrderOrigin::Upgrade))
        .filter(order::Column::State.eq(OrderState::AwaitingPayment));
    Ok(open.into_tuple().one(conn).await?)
}

/// Moves the end of an open grant; `None` leaves it without one.
pub(super) async fn move_grant_end(tx: &Tx, id: GrantId, until: Option<OffsetDateTime>) -> Result<()> {
    grant::Entity::update_many()
        .col_expr(grant::Column::EndsAt, Expr::value(until.map(Timestamp)))
        .filter(grant::Column::Id.eq(id))
        .filter(grant::Column::State.is_in([GrantState::Active, GrantState::Suspended]))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// The grant of a subscription.
pub(super) async fn grant(tx: &Tx, id: GrantId) -> Result<grant::Model> {
    let row = grant::Entity::find_by_id(id).one(tx.conn()).await?;
    row.ok_or_else(|| Error::internal(format!("a subscription names {id}, which is not there")))
}

/// Whether something may still be charged for, or opens, this grant again and again.
pub(in crate::trade) async fn is_kept(tx: &Tx, id: GrantId) -> Result<bool> {
    let live = subscription::Entity::find()
        .filter(subscription::Column::GrantId.eq(id))
        .filter(subscription::Column::State.is_in(LIVE));
    Ok(live.one(tx.conn()).await?.is_some())
}

/// Ends an open grant at `now`.
pub(super) async fn end_grant(tx: &Tx, id: GrantId, reason: &str, now: OffsetDateTime) -> Result<bool> {
    let updated = grant::Entity::update_many()
        .col_expr(grant::Column::State, Expr::value(GrantState::Ended))
        .col_expr(grant::Column::EndsAt, Expr::value(Some(Timestamp(now))))
        .col_expr(grant::Column::EndedAt, Expr::value(Some(Timestamp(now))))
        .col_expr(grant::Column::EndReason, Expr::value(Some(reason)))
        .filter(grant::Column::Id.eq(id))
        .filter(grant::Column::State.is_in([GrantState::Active, GrantState::Suspended]))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Closes a grant for a while, or opens it again.
pub(super) async fn suspend_grant(tx: &Tx, id: GrantId, suspended: bool) -> Result<bool> {
    let (from, to) = if suspended {
        (GrantState::Active, GrantState::Suspended)
    } else {
        (GrantState::Suspended, GrantState::Active)
    };
    let updated = grant::Entity::update_many()
        .col_expr(grant::Column::State, Expr::value(to))
        .filter(grant::Column::Id.eq(id))
        .filter(grant::Column::State.eq(from))
        // With a reason it is closed by a dispute, which alone opens it again.
        .filter(grant::Column::EndReason.is_null())
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}
