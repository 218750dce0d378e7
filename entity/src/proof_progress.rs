//! How far the public tree has read the ledger; one row, locked by whoever appends.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// How far the public tree has read the ledger; one row, locked by whoever appends.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "proof_progress")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// Leaves so far.
    pub size: i64,
    /// The newest seal that was read.
    pub seal_number: i64,
    /// When the newest free order that was read was closed.
    pub free_closed_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
