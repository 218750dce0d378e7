//! A buyer's decision about the most a month may cost; written once.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{MeterId, UsageId},
    timestamp::Timestamp,
};

/// A buyer's decision about the most a month may cost; written once.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_budget")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UsageId,
    pub meter_id: MeterId,
    /// Absent when the buyer took the budget away.
    pub budget_minor: Option<i64>,
    pub set_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
