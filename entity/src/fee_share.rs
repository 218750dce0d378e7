//! What a provider bears of the processor's fee for an order, and where it was taken from.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{OrderId, OrgId},
    timestamp::Timestamp,
};

/// What a provider bears of the processor's fee for an order, and where it was taken from.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "fee_share")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    /// The processor's line that the fee is on.
    pub transaction_id: String,
    pub currency: String,
    pub pending_minor: i64,
    pub payable_minor: i64,
    pub receivable_minor: i64,
    pub booked_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
