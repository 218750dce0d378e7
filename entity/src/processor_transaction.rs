//! A line of the processor's own balance, as it told us.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// A line of the processor's own balance, as it told us.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "processor_transaction")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub processor: String,
    pub kind: String,
    pub amount_minor: i64,
    pub fee_minor: i64,
    pub net_minor: i64,
    pub currency: String,
    pub source_ref: String,
    pub our_ref: Option<String>,
    pub created_at: Timestamp,
    pub available_at: Timestamp,
    pub imported_at: Timestamp,
    /// When the net was booked as available; absent while it waits.
    pub available_booked_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
