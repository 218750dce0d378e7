//! Grants in the database.

use entity::{
    Timestamp, grant,
    ids::{FileId, GrantId, ListingId, OrderId, OrgId},
    order, order_line,
    states::GrantState,
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _,
    sea_query::{Expr, LockType},
};
use time::OffsetDateTime;

use crate::{
    base::clock::add_months,
    db::Tx,
    error::Result,
    trade::{orders::OrderFacts, slices},
};

/// How reasons begin and go on that a refund or a dispute gives, as patterns.
const BY_MONEY: [&str; 3] = ["refunded by rfd_%", "disputed in dsp_%", "dsp_% was lost"];

/// The grants that an order entitles to: one for each line that gives access.
///
/// A line that pays for a period opens the door for that period, any other from `now` on for its term.
pub(in crate::trade) fn from_order(facts: &OrderFacts, now: OffsetDateTime) -> Vec<grant::Model> {
    facts.lines().filter(|line| line.grants_access).map(|line| from_line(&facts.order, line, now)).collect()
}

fn from_line(order: &order::Model, line: &order_line::Model, now: OffsetDateTime) -> grant::Model {
    let months = line.term_months.and_then(|months| u16::try_from(months).ok());
    let starts_at = line.period_from.unwrap_or(Timestamp(now));
    grant::Model {
        id: GrantId::at(now),
        order_id: order.id,
        line_no: line.line_no,
        listing_id: line.listing_id,
        organization_id: order.buyer_id,
        provider_id: line.provider_id,
        licence_hash: line.licence_hash.clone(),
        coverage: line.coverage,
        through_revision: line.revision_number,
        state: GrantState::Active,
        starts_at,
        ends_at: line.period_until.or_else(|| months.map(|months| Timestamp(add_months(starts_at.0, months)))),
        ended_at: None,
        end_reason: None,
        meter_id: None,
        accepted_major: None,
        slice_file_id: slice_file(line),
    }
}

/// The file that a line bought a slice of. What can't be read opens nothing, rather than the whole.
fn slice_file(line: &order_line::Model) -> Option<FileId> {
    let slice = line.slice.as_ref()?;
    let named = serde_json::from_value(slice["file_id"].clone());
    Some(named.unwrap_or_else(|_| FileId::derived("none")))
}

/// Writes grants in one statement, and plans what is cut for those of slices. An order line has one at most; the database refuses a second.
pub(in crate::trade) async fn insert_all(tx: &Tx, grants: Vec<grant::Model>) -> Result<()> {
    if grants.is_empty() {
        return Ok(());
    }
    slices::plan_cuts(tx, &grants).await?;
    let rows = grants.into_iter().map(IntoActiveModel::into_active_model);
    grant::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// A grant that `org` holds or has given.
pub(super) async fn find_party(conn: &impl ConnectionTrait, id: GrantId, org: OrgId) -> Result<Option<grant::Model>> {
    let party = Condition::any().add(grant::Column::OrganizationId.eq(org)).add(grant::Column::ProviderId.eq(org));
    Ok(grant::Entity::find_by_id(id).filter(party).one(conn).await?)
}

/// As [`find_party`], of those that `holder` holds, locked.
pub(super) async fn lock_held(tx: &Tx, id: GrantId, holder: OrgId) -> Result<Option<grant::Model>> {
    let own = grant::Entity::find_by_id(id).filter(grant::Column::OrganizationId.eq(holder));
    Ok(own.lock(LockType::Update).one(tx.conn()).await?)
}

/// As [`find_party`], of those that `provider` has given, locked.
pub(super) async fn lock_given(tx: &Tx, id: GrantId, provider: OrgId) -> Result<Option<grant::Model>> {
    let own = grant::Entity::find_by_id(id).filter(grant::Column::ProviderId.eq(provider));
    Ok(own.lock(LockType::Update).one(tx.conn()).await?)
}

/// Writes down which major the holder accepted; the caller holds the lock.
pub(super) async fn accept_major(tx: &Tx, id: GrantId, major: i32) -> Result<()> {
    grant::Entity::update_many()
        .col_expr(grant::Column::AcceptedMajor, Expr::value(Some(major)))
        .filter(grant::Column::Id.eq(id))
        .exec(tx.conn())
        .await?;
    Ok(())
}

/// Revokes a grant; the caller holds the lock.
pub(super) async fn revoke(tx: &Tx, id: GrantId, reason: &str, now: OffsetDateTime) -> Result<()> {
    set_door(tx, vec![id], GrantState::Revoked, Some(now), Some(reason)).await
}

/// Which grants to list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub holder: Option<OrgId>,
    pub provider: Option<OrgId>,
    pub listing: Option<ListingId>,
    pub state: Option<GrantState>,
    pub before: Option<GrantId>,
}

pub(super) async fn list(conn: &impl ConnectionTrait, wanted: Wanted, limit: usize) -> Result<Vec<grant::Model>> {
    let mut query =
        grant::Entity::find().order_by_desc(grant::Column::Id).limit(u64::try_from(limit).unwrap_or(u64::MAX));
    if let Some(holder) = wanted.holder {
        query = query.filter(grant::Column::OrganizationId.eq(holder));
    }
    if let Some(provider) = wanted.provider {
        query = query.filter(grant::Column::ProviderId.eq(provider));
    }
    if let Some(listing) = wanted.listing {
        query = query.filter(grant::Column::ListingId.eq(listing));
    }
    if let Some(state) = wanted.state {
        query = query.filter(grant::Column::State.eq(state));
    }
    if let Some(before) = wanted.before {
        query = query.filter(grant::Column::Id.lt(before));
    }
    Ok(query.all(conn).await?)
}

/// Organisations with a grant on a listing that began by `at` and has not ended, by id, after `after`.
///
/// # Errors
/// Those of the database.
pub async fn holders(
    conn: &impl ConnectionTrait,
    listing: ListingId,
    at: Timestamp,
    after: Option<OrgId>,
    limit: usize,
) -> Result<Vec<OrgId>> {
    Ok(grant::Entity::find()
        .select_only()
        .column(grant::Column::OrganizationId)
        .distinct()
        .filter(grant::Column::ListingId.eq(listing))
        .filter(grant::Column::State.is_in([GrantState::Active, GrantState::Suspended]))
        .filter(grant::Column::StartsAt.lte(at))
        .apply_if(after, |query, after| query.filter(grant::Column::OrganizationId.gt(after)))
        .order_by_asc(grant::Column::OrganizationId)
        .limit(u64::try_from(limit).unwrap_or(u64::MAX))
        .into_tuple()
        .all(conn)
        .await?)
}

/// Grants not ended yet whose term is over.
pub(super) async fn over(conn: &impl ConnectionTrait, now: OffsetDateTime, limit: u64) -> Result<Vec<grant::Model>> {
    Ok(grant::Entity::find()
        .filter(grant::Column::State.is_in([GrantState::Active, GrantState::Suspended]))
        .filter(grant::Column::EndsAt.lte(Timestamp(now)))
        .order_by_asc(grant::Column::EndsAt)
        .limit(limit)
        .all(conn)
        .await?)
}

/// Whether a grant of this order still opens the door.
pub(in crate::trade) async fn is_open(tx: &Tx, order: OrderId) -> Result<bool> {
    let active = grant::Entity::find()
        .filter(grant::Column::OrderId.eq(order))
        .filter(grant::Column::State.eq(GrantState::Active));
    Ok(active.one(tx.conn()).await?.is_some())
}

/// Ends a grant whose term is over; false when it ended before, or its end was moved.
pub(super) async fn end(tx: &Tx, id: GrantId, reason: &str, now: OffsetDateTime) -> Result<bool> {
    let updated = grant::Entity::update_many()
        .col_expr(grant::Column::State, Expr::value(GrantState::Ended))
        .col_expr(grant::Column::EndedAt, Expr::value(Some(Timestamp(now))))
        .col_expr(grant::Column::EndReason, Expr::value(Some(reason)))
        .filter(grant::Column::Id.eq(id))
        .filter(grant::Column::State.is_in([GrantState::Active, GrantState::Suspended]))
        // A subscription may have moved the end since this grant was found.
        .filter(grant::Column::EndsAt.lte(Timestamp(now)))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Grants of an order that refunds and disputes decide about, locked: open ones, those that an overdue part of the
/// price closes, and those that a refund or a dispute has closed. What ended by its term stays as it is.
pub(super) async fn that_follow_money(tx: &Tx, order: OrderId) -> Result<Vec<grant::Model>> {
    let by_money =
        BY_MONEY.iter().map(|words| grant::Column::EndReason.like(*words)).fold(Condition::any(), Condition::add);
    let ended = Condition::all().add(grant::Column::State.eq(GrantState::Ended)).add(by_money);
    let open = grant::Column::State.is_in([GrantState::Active, GrantState::Suspended]);
    Ok(grant::Entity::find()
        .filter(grant::Column::OrderId.eq(order))
        .filter(Condition::any().add(open).add(ended))
        .order_by_asc(grant::Column::Id)
        .lock(LockType::Update)
        .all(tx.conn())
        .await?)
}

/// Writes where these grants stand; the caller holds their locks.
pub(super) async fn set_door(
    tx: &Tx,
    ids: Vec<GrantId>,
    state: GrantState,
    ended_at: Option<OffsetDateTime>,
    reason: Option<&str>,
) -> Result<()> {
    grant::Entity::update_many()
        .col_expr(grant::Column::State, Expr::value(state))
        .col_expr(grant::Column::EndedAt, Expr::value(ended_at.map(Timestamp)))
        .col_expr(grant::Column::EndReason, Expr::value(reason.map(str::to_owned)))
        .filter(grant::Column::Id.is_in(ids))
        .exec(tx.conn())
        .await?;
    Ok(())
}
