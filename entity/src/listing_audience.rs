//! An organisation that may see a listing with a named audience.

use sea_orm::entity::prelude::*;

use crate::ids::{ListingId, OrgId};

/// An organisation that may see a listing with a named audience.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "listing_audience")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub listing_id: ListingId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
