//! What a provider bears of a lost dispute beyond its own part, and where it was taken from.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{DisputeId, OrderId, OrgId},
    states::DisputeCostKind,
    timestamp::Timestamp,
};

/// What a provider bears of a lost dispute beyond its own part, and where it was taken from.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dispute_cost")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub dispute_id: DisputeId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: DisputeCostKind,
    pub order_id: OrderId,
    pub currency: String,
    pub pending_minor: i64,
    pub payable_minor: i64,
    pub receivable_minor: i64,
    pub booked_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
