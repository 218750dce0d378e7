//! A provider's debt about one order set off against its share of another.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{OrderId, OrgId, PayoutRunId},
    timestamp::Timestamp,
};

/// A provider's debt about one order set off against its share of another.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "netting")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: PayoutRunId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_order_id: OrderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub debt_order_id: OrderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    pub currency: String,
    pub amount_minor: i64,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
