//! Which seal an entry is under.

use sea_orm::entity::prelude::*;

use crate::ids::EntryId;

/// Which seal an entry is under.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sealed_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub entry_id: EntryId,
    pub seal_number: i64,
    pub leaf_index: i64,
    pub leaf: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
