//! A signed head of the public tree.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// A signed head of the public tree.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "proof_head")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// The day it was signed, in UTC, `2026-11-21`.
    pub day: String,
    pub size: i64,
    pub root: String,
    pub signed_at: Timestamp,
    pub key_id: String,
    pub signature: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
