//! The use of a coupon by an order.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{CouponId, OrderId, OrgId},
    timestamp::Timestamp,
};

/// The use of a coupon by an order.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "coupon_redemption")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    pub coupon_id: CouponId,
    pub buyer_id: OrgId,
    /// What it took off, in minor units of the order's currency.
    pub off_minor: i64,
    pub redeemed_at: Timestamp,
    /// When the order was closed without being paid.
    pub given_back_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
