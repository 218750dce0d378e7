//! A sealed batch of entries: a Merkle root, chained to the batch before.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// A sealed batch of entries: a Merkle root, chained to the batch before.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "seal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub previous_head: String,
    pub root: String,
    pub head: String,
    pub entry_count: i64,
    pub sealed_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
