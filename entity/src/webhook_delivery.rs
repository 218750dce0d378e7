//! One event on its way to one webhook endpoint.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{EventId, NoticeId, WebhookDeliveryId, WebhookEndpointId},
    states::WebhookDeliveryState,
    timestamp::Timestamp,
};

/// One event on its way to one webhook endpoint.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_delivery")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    #[sea_orm(unique)]
    pub id: WebhookDeliveryId,
    pub endpoint_id: WebhookEndpointId,
    /// The notice it carries; absent for a test.
    pub notice_cursor: Option<i64>,
    /// Which replay it belongs to; 0 for what was sent when it happened.
    pub replay_no: i32,
    /// What receivers recognise a repetition by.
    pub message_id: NoticeId,
    pub event_id: Option<EventId>,
    pub kind: String,
    pub lane: String,
    pub state: WebhookDeliveryState,
    /// All attempts.
    pub attempts: i32,
    /// Failed attempts since it was last put in line.
    pub failures: i32,
    pub last_status: Option<i32>,
    pub next_try_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
