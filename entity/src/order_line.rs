//! What was ordered, with price, fee rule and terms as they were then.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{FeeRuleId, ListingId, OfferId, OrderId, OrgId},
    states::{Coverage, DisputeBearer, FeeBearer, OfferKind},
    timestamp::Timestamp,
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
    pub quantity: i32,
    /// What was taken off before tax: `price_minor` is what is left.
    pub discount_minor: i64,
    /// Tax on top of `price_minor`. Of an agent's sale it is part of `provider_minor`, of a deemed supplier's of neither share.
    pub tax_minor: i64,
    pub tax_bps: i32,
    /// EN 16931's word for the kind of tax, `S` or `AE`.
    pub tax_category: Option<String>,
    pub fee_bearer: FeeBearer,
    /// Who bears a lost dispute about it.
    pub dispute_bearer: DisputeBearer,
    /// False where another order's grant covers it: an instalment, usage.
    pub grants_access: bool,
    /// What the line pays for, of a period.
    pub period_from: Option<Timestamp>,
    pub period_until: Option<Timestamp>,
    /// Which rows and columns of which file were bought, where it is not the whole.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub slice: Option<Json>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
