//! The columns whose values tell the rows of a table apart.

use sea_orm::entity::prelude::*;

use crate::{ids::ListingId, timestamp::Timestamp};

/// The columns whose values tell the rows of a table apart.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "table_key")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub listing_id: ListingId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub file_name: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub columns: Json,
    pub keyed_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
