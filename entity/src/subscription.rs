//! What is charged again and again: a renewing offer, a metered one, a price in parts.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{GrantId, ListingId, OfferId, OrderId, OrgId, SavedMethodId, SubscriptionId},
    states::{SubscriptionKind, SubscriptionState},
    timestamp::Timestamp,
};

/// What is charged again and again: a renewing offer, a metered one, a price in parts.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SubscriptionId,
    /// The purchase it began with.
    pub origin_order_id: OrderId,
    pub buyer_id: OrgId,
    pub provider_id: OrgId,
    pub listing_id: ListingId,
    pub offer_id: OfferId,
    pub saved_method_id: SavedMethodId,
    pub kind: SubscriptionKind,
    pub state: SubscriptionState,
    /// It began with a trial; a buyer has one per listing.
    pub is_trial: bool,
    pub currency: String,
    /// What the buyer agreed to pay per period, before tax; of a price in parts, the whole.
    pub price_minor: i64,
    pub quantity: i32,
    /// The licence document the buyer agreed to.
    pub licence_hash: String,
    pub term_months: Option<i32>,
    /// The offer's plan as it was agreed to.
    #[sea_orm(column_type = "JsonBinary")]
    pub plan: Json,
    /// The period that runs, counted from 1; of a price in parts, the last part that was paid.
    pub period_no: i32,
    pub period_from: Timestamp,
    pub period_until: Timestamp,
    /// Periods are counted in calendar months from here, so that no month shortens all later ones.
    pub anchor_at: Timestamp,
    /// The number of the period that begins at the anchor.
    pub anchor_no: i32,
    /// When somebody has to look at it next; absent once nothing more happens by itself.
    pub next_action_at: Option<Timestamp>,
    /// The order that waits to be paid.
    pub due_order_id: Option<OrderId>,
    /// Attempts to charge it that were declined.
    pub failed_attempts: i32,
    /// Until when access goes on without payment.
    pub grace_until: Option<Timestamp>,
    pub cancel_at_period_end: bool,
    pub pause_at_period_end: bool,
    /// The provider gave notice; the buyer can't undo it.
    pub ends_by_provider: bool,
    /// What the buyer agreed to for the next period, where that is another offer.
    pub next_offer_id: Option<OfferId>,
    pub next_price_minor: Option<i64>,
    pub next_licence_hash: Option<String>,
    /// The grant that gives access now.
    pub grant_id: Option<GrantId>,
    pub end_reason: Option<String>,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
