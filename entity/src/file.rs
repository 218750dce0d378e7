//! A file of a revision.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{FileId, RevisionId},
    states::ProfileState,
    timestamp::Timestamp,
};

/// A file of a revision.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "file")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: FileId,
    pub revision_id: RevisionId,
    pub name: String,
    pub media_type: String,
    pub format: String,
    pub size_bytes: i64,
    pub sha256: String,
    pub blob_key: String,
    pub created_at: Timestamp,
    pub profile_state: ProfileState,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub profile: Option<Json>,
    pub profile_error: Option<String>,
    #[sea_orm(column_type = "JsonBinary")]
    pub sample_policy: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
