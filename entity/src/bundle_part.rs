//! A listing of a bundle, and what its provider says to that.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{ListingId, OfferId, OrgId},
    states::PartState,
    timestamp::Timestamp,
};

/// A listing of a bundle, and what its provider says to that.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bundle_part")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub offer_id: OfferId,
    /// From 1 on, as the lines of its orders are numbered.
    #[sea_orm(primary_key, auto_increment = false)]
    pub line_no: i32,
    pub listing_id: ListingId,
    pub provider_id: OrgId,
    pub weight: i32,
    pub state: PartState,
    pub decided_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
