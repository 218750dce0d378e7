//! A period of a subscription, a metered month, or a part of a price; each is charged once.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{OrderId, SubscriptionId},
    timestamp::Timestamp,
};

/// A period of a subscription, a metered month, or a part of a price; each is charged once.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription_period")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub subscription_id: SubscriptionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    pub from_at: Timestamp,
    pub until_at: Timestamp,
    /// It begins where the one before ended; false for the first and after a pause.
    pub follows_on: bool,
    /// The order that charges it; absent for a metered month that cost nothing.
    pub order_id: Option<OrderId>,
    /// Units of a metered month.
    pub units: Option<i64>,
    pub amount_minor: i64,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
