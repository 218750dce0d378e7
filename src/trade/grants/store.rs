//! Grants in the database.

use entity::{
    Timestamp, grant,
    ids::{GrantId, ListingId, OrgId},
    states::GrantState,
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use time::OffsetDateTime;

use crate::{base::clock::add_months, db::Tx, error::Result, trade::orders::OrderFacts};

/// The grant that an order entitles to, from `now` on.
pub(in crate::trade) fn from_order(facts: &OrderFacts, now: OffsetDateTime) -> grant::Model {
    let months = facts.line.term_months.and_then(|months| u16::try_from(months).ok());
    grant::Model {
        id: GrantId::at(now),
        order_id: facts.order.id,
        line_no: facts.line.line_no,
        listing_id: facts.line.listing_id,
        organization_id: facts.order.buyer_id,
        provider_id: facts.line.provider_id,
        licence_hash: facts.line.licence_hash.clone(),
        coverage: facts.line.coverage,
        through_revision: facts.line.revision_number,
        state: GrantState::Active,
        starts_at: Timestamp(now),
        ends_at: months.map(|months| Timestamp(add_months(now, months))),
        ended_at: None,
        end_reason: None,
    }
}

/// Writes grants in one statement. An order line has one at most; the database refuses a second.
pub(in crate::trade) async fn insert_all(tx: &Tx, grants: Vec<grant::Model>) -> Result<()> {
    let rows = grants.into_iter().map(IntoActiveModel::into_active_model);
    grant::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// A grant that `org` holds or has given.
pub(super) async fn find_party(conn: &impl ConnectionTrait, id: GrantId, org: OrgId) -> Result<Option<grant::Model>> {
    let party = Condition::any().add(grant::Column::OrganizationId.eq(org)).add(grant::Column::ProviderId.eq(org));
    Ok(grant::Entity::find_by_id(id).filter(party).one(conn).await?)
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

/// Active grants whose term is over.
pub(super) async fn over(conn: &impl ConnectionTrait, now: OffsetDateTime, limit: u64) -> Result<Vec<grant::Model>> {
    Ok(grant::Entity::find()
        .filter(grant::Column::State.eq(GrantState::Active))
        .filter(grant::Column::EndsAt.lte(Timestamp(now)))
        .order_by_asc(grant::Column::EndsAt)
        .limit(limit)
        .all(conn)
        .await?)
}

/// Ends an active grant; false when it was not active any more.
pub(super) async fn end(tx: &Tx, id: GrantId, reason: &str, now: OffsetDateTime) -> Result<bool> {
    let updated = grant::Entity::update_many()
        .col_expr(grant::Column::State, Expr::value(GrantState::Ended))
        .col_expr(grant::Column::EndedAt, Expr::value(Some(Timestamp(now))))
        .col_expr(grant::Column::EndReason, Expr::value(Some(reason)))
        .filter(grant::Column::Id.eq(id))
        .filter(grant::Column::State.eq(GrantState::Active))
        .exec(tx.conn())
        .await?;
    Ok(updated.rows_affected == 1)
}
