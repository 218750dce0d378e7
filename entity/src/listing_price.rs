//! What a listing costs, per active priced offer: the catalogue's own copy, to filter and sort by.

use sea_orm::entity::prelude::*;

use crate::ids::{ListingId, OfferId};

/// What a listing costs, per active priced offer: the catalogue's own copy, to filter and sort by.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "listing_price")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub offer_id: OfferId,
    pub listing_id: ListingId,
    pub currency: String,
    pub price_minor: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
