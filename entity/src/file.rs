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
    /// The zone of times that are written without an offset, as the provider states it.
    pub time_zone: Option<String>,
    /// The system of the coordinates, as the provider states it: `EPSG:25832`.
    pub crs: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
