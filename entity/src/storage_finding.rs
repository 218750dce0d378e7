//! A stored file that is not what was stored.

use sea_orm::entity::prelude::*;

use crate::{
    ids::FileId,
    states::{RenditionFormat, StorageFindingKind},
    timestamp::Timestamp,
};

/// A stored file that is not what was stored.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "storage_finding")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub kind: StorageFindingKind,
    pub file_id: Option<FileId>,
    /// The original, where there is none.
    pub format: Option<RenditionFormat>,
    pub found_at: Timestamp,
    pub resolved_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
