//! How one attempt to deliver a webhook went.

use sea_orm::entity::prelude::*;

use crate::{ids::WebhookDeliveryId, states::WebhookFailure, timestamp::Timestamp};

/// How one attempt to deliver a webhook went.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub delivery_id: WebhookDeliveryId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i32,
    pub at: Timestamp,
    /// The HTTP status, if there was an answer.
    pub status: Option<i32>,
    pub latency_ms: i32,
    pub failure: Option<WebhookFailure>,
    /// The beginning of the answer.
    #[sea_orm(column_type = "Text")]
    pub answer: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
