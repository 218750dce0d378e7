//! What is counted for a buyer, and where it stops.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{ListingId, MeterId, OrgId},
    states::{MeterKind, UsageUnit},
    timestamp::Timestamp,
};

/// What is counted for a buyer, and where it stops.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_meter")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    /// Of a metered subscription, the same number as its id.
    pub id: MeterId,
    pub organization_id: OrgId,
    pub provider_id: OrgId,
    pub listing_id: ListingId,
    pub kind: MeterKind,
    pub unit: UsageUnit,
    /// The price by use; absent for units paid ahead.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub rule: Option<Json>,
    pub currency: String,
    /// The most the buyer wants to pay for a month.
    pub budget_minor: Option<i64>,
    /// Units after which access stops: of the month that runs, or of all packs.
    pub limit_units: Option<i64>,
    /// Units counted: in month `period_no`, or of all packs.
    pub used_units: i64,
    /// The newest month that something was counted in.
    pub period_no: i32,
    /// The last month that was charged; later usage of it counts in the next.
    pub closed_no: i32,
    /// Where the first month begins.
    pub anchor_at: Timestamp,
    /// When it stopped counting.
    pub ends_at: Option<Timestamp>,
    /// The part of the budget that the buyer was told of in month `period_no`.
    pub told_percent: i32,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
