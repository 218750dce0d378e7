//! The operator's share from a date on.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, FeeRuleId, ListingId, OfferId, OrgId},
    states::{DisputeBearer, FeeBearer, OfferKind},
    timestamp::Timestamp,
};

/// The operator's share from a date on.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "fee_rule")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FeeRuleId,
    pub organization_id: Option<OrgId>,
    pub listing_id: Option<ListingId>,
    pub offer_id: Option<OfferId>,
    pub operator_bps: i32,
    pub from_at: Timestamp,
    pub created_by: Option<AccountId>,
    pub created_at: Timestamp,
    pub offer_kind: Option<OfferKind>,
    /// The currency of the price band; without it the rule is about prices in every currency.
    pub currency: Option<String>,
    /// The lowest price it is about.
    pub price_min_minor: Option<i64>,
    /// The highest price it is about.
    pub price_max_minor: Option<i64>,
    pub fee_bearer: FeeBearer,
    /// Who bears lost disputes; what is configured, without one.
    pub dispute_bearer: Option<DisputeBearer>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
