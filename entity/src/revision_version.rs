//! What a version promises, and what it changed; written once.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{ListingId, RevisionId},
    timestamp::Timestamp,
};

/// What a version promises, and what it changed; written once.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "revision_version")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub revision_id: RevisionId,
    pub listing_id: ListingId,
    pub number: i32,
    /// Files, columns and types that later revisions are compared with.
    #[sea_orm(column_type = "JsonBinary")]
    pub contract: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub changes: Json,
    pub assigned_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
