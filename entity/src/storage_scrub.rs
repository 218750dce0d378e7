//! How far the re-reading of everything that is stored has come; one row.

use sea_orm::entity::prelude::*;

use crate::{ids::FileId, timestamp::Timestamp};

/// How far the re-reading of everything that is stored has come.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "storage_scrub")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    /// The last file that was read.
    pub position: Option<FileId>,
    pub lease_until: Timestamp,
    pub pass_started_at: Timestamp,
    pub next_pass_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
