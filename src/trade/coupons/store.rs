//! Coupons and their redemptions in the database.

use entity::{
    Timestamp, coupon, coupon_redemption,
    ids::{CouponId, OrderId, OrgId},
};
use sea_orm::{
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, IntoActiveModel as _, PaginatorTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, OnConflict},
};
use time::OffsetDateTime;

use super::service::Use;
use crate::{
    db::Tx,
    error::{Error, Result},
};

/// Adds a coupon; false when its provider has one with this code.
pub(super) async fn insert(tx: &Tx, row: coupon::Model) -> Result<bool> {
    let once = OnConflict::columns([coupon::Column::OrganizationId, coupon::Column::Code]).do_nothing().to_owned();
    let rows = coupon::Entity::insert(row.into_active_model()).on_conflict(once).exec_without_returning(tx.conn());
    Ok(rows.await? == 1)
}

/// How many coupons of `owner` were not ended.
pub(super) async fn count_live(tx: &Tx, owner: OrgId) -> Result<u64> {
    let own = coupon::Entity::find().filter(coupon::Column::OrganizationId.eq(owner));
    Ok(own.filter(coupon::Column::EndedAt.is_null()).count(tx.conn()).await?)
}

/// The coupon of `provider` with this code.
pub(super) async fn find_by_code(
    conn: &impl ConnectionTrait,
    provider: OrgId,
    code: &str,
) -> Result<Option<coupon::Model>> {
    let own = coupon::Entity::find().filter(coupon::Column::OrganizationId.eq(provider));
    Ok(own.filter(coupon::Column::Code.eq(code)).one(conn).await?)
}

/// A coupon of `owner`.
pub(super) async fn find_owned(
    conn: &impl ConnectionTrait,
    id: CouponId,
    owner: OrgId,
) -> Result<Option<coupon::Model>> {
    Ok(coupon::Entity::find_by_id(id).filter(coupon::Column::OrganizationId.eq(owner)).one(conn).await?)
}

/// One row more than `limit` of the coupons of `owner`, newest first.
pub(super) async fn page(
    conn: &impl ConnectionTrait,
    owner: OrgId,
    before: Option<CouponId>,
    limit: usize,
) -> Result<Vec<coupon::Model>> {
    let before = before.map(|id| coupon::Column::Id.lt(id));
    Ok(coupon::Entity::find()
        .filter(coupon::Column::OrganizationId.eq(owner))
        .filter(Condition::all().add_option(before))
        .order_by_desc(coupon::Column::Id)
        .limit(u64::try_from(limit + 1).unwrap_or(u64::MAX))
        .all(conn)
        .await?)
}

/// Ends a coupon of `owner`; false when it was ended before.
pub(super) async fn end(tx: &Tx, id: CouponId, owner: OrgId, now: Timestamp) -> Result<bool> {
    let done = coupon::Entity::update_many()
        .col_expr(coupon::Column::EndedAt, Expr::value(Some(now)))
        .filter(coupon::Column::Id.eq(id))
        .filter(coupon::Column::OrganizationId.eq(owner))
        .filter(coupon::Column::EndedAt.is_null())
        .exec(tx.conn())
        .await?;
    Ok(done.rows_affected == 1)
}

/// How often `buyer` uses a coupon, redemptions that were given back left out.
pub(super) async fn count_of_buyer(conn: &impl ConnectionTrait, coupon: CouponId, buyer: OrgId) -> Result<u64> {
    Ok(coupon_redemption::Entity::find()
        .filter(coupon_redemption::Column::CouponId.eq(coupon))
        .filter(coupon_redemption::Column::BuyerId.eq(buyer))
        .filter(coupon_redemption::Column::GivenBackAt.is_null())
        .count(conn)
        .await?)
}

/// Uses coupons for orders that are written in this transaction.
///
/// Counting up locks the coupon's row, so racing orders come one after another and each sees the uses before it. Only
/// sales with a coupon wait for each other here, and only those with the same one.
///
/// # Errors
/// `Conflict` when a coupon is over or used up by now; the transaction has to be given up.
pub(in crate::trade) async fn claim_all(
    tx: &Tx,
    mut uses: Vec<(OrderId, OrgId, Use)>,
    now: OffsetDateTime,
) -> Result<()> {
    // In one order everywhere, so that transactions with several coupons can't wait for each other in a circle.
    uses.sort_unstable_by_key(|(order, _, used)| (used.coupon_id, *order));
    for (order, buyer, used) in uses {
        count_up(tx, used.coupon_id, now).await?;
        if let Some(most) = used.per_buyer_max
            && count_of_buyer(tx.conn(), used.coupon_id, buyer).await? >= u64::from(most)
        {
            return Err(used_up());
        }
        let row = coupon_redemption::Model {
            order_id: order,
            coupon_id: used.coupon_id,
            buyer_id: buyer,
            off_minor: used.off_minor,
            redeemed_at: Timestamp(now),
            given_back_at: None,
        };
        coupon_redemption::Entity::insert(row.into_active_model()).exec_without_returning(tx.conn()).await?;
    }
    Ok(())
}

async fn count_up(tx: &Tx, id: CouponId, now: OffsetDateTime) -> Result<()> {
    use coupon::Column::{EndedAt, Id, Redeemed, RedemptionsMax, ValidFrom, ValidUntil};
    let (at, redeemed) = (Timestamp(now), || Expr::col(Redeemed));
    let left = Condition::any().add(RedemptionsMax.is_null()).add(redeemed().lt(Expr::col(RedemptionsMax)));
    let done = coupon::Entity::update_many()
        .col_expr(Redeemed, redeemed().add(1))
        .filter(Id.eq(id))
        .filter(EndedAt.is_null())
        .filter(ValidFrom.lte(at))
        .filter(Condition::any().add(ValidUntil.is_null()).add(ValidUntil.gt(at)))
        .filter(left)
        .exec(tx.conn())
        .await?;
    if done.rows_affected == 1 { Ok(()) } else { Err(used_up()) }
}

/// What a buyer hears whose coupon ran out between quote and order, or before.
pub(super) fn used_up() -> Error {
    Error::conflict("The coupon is used up or over. Order without it, or with another one.")
}

/// Gives the coupon of an order back that is closed without being paid. Repeating it changes nothing.
pub(in crate::trade) async fn give_back(tx: &Tx, order: OrderId, now: OffsetDateTime) -> Result<()> {
    use coupon_redemption::Column::{GivenBackAt, OrderId};
    let Some(used) = coupon_redemption::Entity::find_by_id(order).one(tx.conn()).await? else { return Ok(()) };
    let done = coupon_redemption::Entity::update_many()
        .col_expr(GivenBackAt, Expr::value(Some(Timestamp(now))))
        .filter(OrderId.eq(order))
        .filter(GivenBackAt.is_null())
        .exec(tx.conn())
        .await?;
    if done.rows_affected == 1 {
        coupon::Entity::update_many()
            .col_expr(coupon::Column::Redeemed, Expr::col(coupon::Column::Redeemed).sub(1))
            .filter(coupon::Column::Id.eq(used.coupon_id))
            .exec(tx.conn())
            .await?;
    }
    Ok(())
}
