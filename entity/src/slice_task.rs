//! What is made for slices: the index of a file, or the files of a grant.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{FileId, GrantId, SliceId},
    states::RenditionState,
    timestamp::Timestamp,
};

/// What is made for slices: the index of a file by a column of times, or the files of a grant.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "slice_task")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SliceId,
    /// The file that is counted or cut.
    pub file_id: FileId,
    /// Whose slice it is; an index has none.
    pub grant_id: Option<GrantId>,
    /// The column that periods are cut by; empty without one.
    #[sea_orm(column_type = "Text")]
    pub time_column: String,
    /// What is cut out, as the order line says.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub slice: Option<Json>,
    pub state: RenditionState,
    /// How often it was begun; also tells whose result counts.
    pub attempts: i32,
    /// Not before.
    pub run_at: Timestamp,
    /// Until when the process that makes it is taken to be alive.
    pub lease_until: Option<Timestamp>,
    pub progress_permille: i32,
    /// What was made: format, key, size and digest of each file.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub files: Option<Json>,
    /// Of all of them.
    pub size_bytes: Option<i64>,
    pub row_count: Option<i64>,
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub made_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
