//! What happened, as it is told: written once, whoever is told of it.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{EventId, ListingId, OrderId},
    timestamp::Timestamp,
};

/// What happened, as it is told: written once, whoever is told of it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "news")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: EventId,
    pub kind: String,
    /// What it is ordered by: the listing it is about, else the order, payout or other thing.
    pub lane: String,
    pub listing_id: Option<ListingId>,
    pub order_id: Option<OrderId>,
    /// What the listing was called, per language; empty without one.
    #[sea_orm(column_type = "JsonBinary")]
    pub listing_title: Json,
    #[sea_orm(column_type = "JsonBinary")]
    pub data: Json,
    pub occurred_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
