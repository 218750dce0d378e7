//! What became of the rows of a keyed table against the revision before.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{ListingId, RevisionId},
    states::RowChangesState,
    timestamp::Timestamp,
};

/// What became of the rows of a keyed table against the revision before.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "row_changes")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub listing_id: ListingId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_name: String,
    /// Of the later revision.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    pub revision_id: RevisionId,
    /// The key they were compared by.
    #[sea_orm(column_type = "JsonBinary")]
    pub columns: Json,
    /// When that key was set: a comparison that began under another one is not kept.
    pub keyed_at: Timestamp,
    pub state: RowChangesState,
    /// Why they can't be compared.
    pub reason: Option<String>,
    pub inserted: i64,
    pub updated: i64,
    pub deleted: i64,
    /// Where the changed rows are kept; absent where there are none.
    pub blob_key: Option<String>,
    pub size_bytes: i64,
    pub sha256: Option<String>,
    pub compared_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
