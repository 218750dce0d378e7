//! One comparison of orders, processor transactions and payouts.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, ReconciliationId},
    timestamp::Timestamp,
};

/// One comparison of orders, processor transactions and payouts.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReconciliationId,
    pub created_by: Option<AccountId>,
    pub created_at: Timestamp,
    pub from_at: Timestamp,
    pub until_at: Timestamp,
    pub difference_count: i32,
    #[sea_orm(column_type = "JsonBinary")]
    pub report: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
