//! What was ordered, with price, fee rule and terms as they were then.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{FeeRuleId, ListingId, OfferId, OrderId, OrgId},
    states::{Coverage, OfferKind},
};

/// What was ordered, with price, fee rule and terms as they were then.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "order_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub line_no: i32,
    pub listing_id: ListingId,
    pub offer_id: OfferId,
    pub provider_id: OrgId,
    pub offer_kind: OfferKind,
    pub price_minor: i64,
    pub currency: String,
    pub fee_rule_id: Option<FeeRuleId>,
    pub fee_bps: i32,
    pub operator_minor: i64,
    pub provider_minor: i64,
    pub licence_hash: String,
    pub term_months: Option<i32>,
    pub coverage: Coverage,
    pub revision_number: i32,
    pub hold_days: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
