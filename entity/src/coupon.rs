//! A reduction that a provider gives to whoever knows its code.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{CouponId, OrgId},
    states::CouponScope,
    timestamp::Timestamp,
};

/// A reduction that a provider gives to whoever knows its code.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "coupon")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CouponId,
    pub organization_id: OrgId,
    /// Unique among the organisation's, in capitals.
    pub code: String,
    /// Either a part in basis points, or a sum in a currency.
    pub off_bps: Option<i32>,
    pub off_minor: Option<i64>,
    pub currency: Option<String>,
    pub scope: CouponScope,
    /// Ids of the listings or offers it is for.
    #[sea_orm(column_type = "JsonBinary")]
    pub targets: Json,
    pub valid_from: Timestamp,
    pub valid_until: Option<Timestamp>,
    pub redemptions_max: Option<i32>,
    pub per_buyer_max: Option<i32>,
    /// How many redemptions are not given back.
    pub redeemed: i32,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
