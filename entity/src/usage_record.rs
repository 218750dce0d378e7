//! What was used; written once.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{MeterId, UsageId},
    timestamp::Timestamp,
};

/// What was used; written once.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_record")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UsageId,
    pub meter_id: MeterId,
    /// What it was reported as; a second report of it is not counted.
    pub source_key: String,
    pub units: i64,
    /// The month it counts in; 1 for units paid ahead.
    pub period_no: i32,
    pub occurred_at: Timestamp,
    pub recorded_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
