//! Units that an order paid for; they are used up oldest first.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{MeterId, OrderId},
    timestamp::Timestamp,
};

/// Units that an order paid for; they are used up oldest first.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "quota_pack")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: OrderId,
    pub meter_id: MeterId,
    pub units: i64,
    /// Units of it that were not used when its money went back.
    pub withdrawn_units: i64,
    pub granted_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
