//! Deliveries to one endpoint that keep their order: those about one listing. Worked on by one process at a time.

use sea_orm::entity::prelude::*;

use crate::{ids::WebhookEndpointId, timestamp::Timestamp};

/// Deliveries to one endpoint that keep their order: those about one listing. Worked on by one process at a time.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_lane")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub endpoint_id: WebhookEndpointId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub lane: String,
    /// When its oldest pending delivery is tried; absent while there is none.
    pub next_try_at: Option<Timestamp>,
    pub leased_until: Option<Timestamp>,
    /// Counts the leases: who held an earlier one can settle nothing.
    pub lease_no: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
