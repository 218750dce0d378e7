//! Parts of bundles in the database.

use std::collections::HashMap;

use entity::{
    Timestamp, bundle_part,
    ids::{OfferId, OrgId},
    states::PartState,
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _, sea_query::Expr,
};

use crate::{db::Tx, error::Result};

pub(super) async fn insert(tx: &Tx, parts: Vec<bundle_part::Model>) -> Result<()> {
    let rows = parts.into_iter().map(bundle_part::Model::into_active_model);
    bundle_part::Entity::insert_many(rows).exec_without_returning(tx.conn()).await?;
    Ok(())
}

/// The parts of these bundles in the order of their lines, in one statement.
///
/// # Errors
/// Those of the database.
pub async fn parts_of(
    conn: &impl ConnectionTrait,
    offers: &[OfferId],
) -> Result<HashMap<OfferId, Vec<bundle_part::Model>>> {
    let mut of: HashMap<OfferId, Vec<bundle_part::Model>> = HashMap::new();
    if offers.is_empty() {
        return Ok(of);
    }
    let found = bundle_part::Entity::find().filter(bundle_part::Column::OfferId.is_in(offers.iter().copied()));
    for part in found.order_by_asc(bundle_part::Column::LineNo).all(conn).await? {
        of.entry(part.offer_id).or_default().push(part);
    }
    Ok(of)
}

/// Moves the parts of `provider` in a bundle from some states to another; returns how many there were.
pub(super) async fn decide(
    tx: &Tx,
    offer: OfferId,
    provider: OrgId,
    from: &[PartState],
    to: PartState,
    now: Timestamp,
) -> Result<u64> {
    let done = bundle_part::Entity::update_many()
        .col_expr(bundle_part::Column::State, Expr::value(to))
        .col_expr(bundle_part::Column::DecidedAt, Expr::value(Some(now)))
        .filter(bundle_part::Column::OfferId.eq(offer))
        .filter(bundle_part::Column::ProviderId.eq(provider))
        .filter(bundle_part::Column::State.is_in(from.iter().copied()))
        .exec(tx.conn())
        .await?;
    Ok(done.rows_affected)
}

/// One row more than `limit` of the parts that are listings of `provider`, newest bundle first.
pub(super) async fn of_provider(
    conn: &impl ConnectionTrait,
    provider: OrgId,
    state: Option<PartState>,
    before: Option<(OfferId, i32)>,
    limit: usize,
) -> Result<Vec<bundle_part::Model>> {
    use bundle_part::Column::{LineNo, OfferId, ProviderId, State};
    let older = before.map(|(offer, line)| {
        let same = Condition::all().add(OfferId.eq(offer)).add(LineNo.gt(line));
        Condition::any().add(OfferId.lt(offer)).add(same)
    });
    Ok(bundle_part::Entity::find()
        .filter(ProviderId.eq(provider))
        .filter(Condition::all().add_option(state.map(|state| State.eq(state))).add_option(older))
        .order_by_desc(OfferId)
        .order_by_asc(LineNo)
        .limit(u64::try_from(limit + 1).unwrap_or(u64::MAX))
        .all(conn)
        .await?)
}
