//! Coupons against the orders that use them.

use std::collections::HashMap;

use entity::{
    coupon, coupon_redemption,
    ids::{CouponId, OrderId},
    order, order_line,
    states::OrderState,
};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::{PAGE_ROWS, VerifyReport};
use crate::error::Result;

pub async fn check(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let used = check_redemptions(conn, report, progress).await?;
    let mut after: Option<CouponId> = None;
    loop {
        let mut query = coupon::Entity::find().order_by_asc(coupon::Column::Id).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(coupon::Column::Id.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        for row in page {
            let found = used.get(&row.id).copied().unwrap_or(0);
            report.equal(&format!("the number of uses that {} counts", row.id), found, i64::from(row.redeemed));
            let within = row.redemptions_max.is_none_or(|most| row.redeemed <= most);
            report.require(within, || format!("{} is used {} times, more than it may be", row.id, row.redeemed));
        }
    }
}

/// Compares each redemption with its order; returns how many hold, by coupon.
async fn check_redemptions(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    progress: &mut impl FnMut(&str, u64),
) -> Result<HashMap<CouponId, i64>> {
    let mut used: HashMap<CouponId, i64> = HashMap::new();
    let (mut after, mut read): (Option<OrderId>, u64) = (None, 0);
    loop {
        let mut query =
            coupon_redemption::Entity::find().order_by_asc(coupon_redemption::Column::OrderId).limit(PAGE_ROWS);
        if let Some(after) = after {
            query = query.filter(coupon_redemption::Column::OrderId.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(used) };
        after = Some(last.order_id);
        let ids: Vec<OrderId> = page.iter().map(|row| row.order_id).collect();
        let orders = order::Entity::find().filter(order::Column::Id.is_in(ids.iter().copied())).all(conn).await?;
        let orders: HashMap<OrderId, OrderState> = orders.into_iter().map(|row| (row.id, row.state)).collect();
        let lines = order_line::Entity::find().filter(order_line::Column::OrderId.is_in(ids)).all(conn).await?;
        let mut discounts: HashMap<OrderId, i64> = HashMap::new();
        for line in lines {
            *discounts.entry(line.order_id).or_default() += line.discount_minor;
        }
        for row in page {
            read += 1;
            let held = row.given_back_at.is_none();
            *used.entry(row.coupon_id).or_default() += i64::from(held);
            let discount = discounts.get(&row.order_id).copied().unwrap_or(0);
            let less = 0 < row.off_minor && row.off_minor <= discount;
            report.require(less, || {
                format!("{} took {} off {}, which shows {discount}", row.coupon_id, row.off_minor, row.order_id)
            });
            let unpaid = [OrderState::Declined, OrderState::Cancelled, OrderState::Expired];
            let closed = orders.get(&row.order_id).is_some_and(|state| unpaid.contains(state));
            report.require(held != closed, || {
                format!("the coupon of {} is given back, or not, against its state", row.order_id)
            });
        }
        progress("coupon redemptions", read);
    }
}
