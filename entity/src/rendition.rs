//! A file of a published revision in another format.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{FileId, RenditionId},
    states::{RenditionFormat, RenditionState},
    timestamp::Timestamp,
};

/// A file of a published revision in another format: one row for each file and format.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "rendition")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RenditionId,
    pub file_id: FileId,
    pub format: RenditionFormat,
    pub state: RenditionState,
    /// How often it was begun; also tells whose result counts.
    pub attempts: i32,
    /// Not before.
    pub run_at: Timestamp,
    /// Until when the process that makes it is taken to be alive.
    pub lease_until: Option<Timestamp>,
    pub progress_permille: i32,
    /// The original's own key where the original is in this format already.
    pub blob_key: Option<String>,
    pub size_bytes: Option<i64>,
    pub sha256: Option<String>,
    pub row_count: Option<i64>,
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub columns: Option<Json>,
    /// What the coordinates were given in, before they became WGS 84.
    pub crs: Option<String>,
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub made_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
