//! A value of a listing that the catalogue counts and filters by: tag, format or licence.

use sea_orm::entity::prelude::*;

use crate::ids::ListingId;

/// A value of a listing that the catalogue counts and filters by: tag, format or licence.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "listing_facet")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub listing_id: ListingId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub facet: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub value: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
