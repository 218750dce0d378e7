//! An address that an organisation wants to be told at.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{OrgId, WebhookEndpointId},
    states::WebhookDisabled,
    timestamp::Timestamp,
};

/// An address that an organisation wants to be told at.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoint")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WebhookEndpointId,
    pub organization_id: OrgId,
    pub url: String,
    pub description: String,
    /// Which kinds it wants; empty for all.
    #[sea_orm(column_type = "JsonBinary")]
    pub kinds: Json,
    /// Which listings it wants to hear of; empty for all.
    #[sea_orm(column_type = "JsonBinary")]
    pub listing_ids: Json,
    /// The signing secret, sealed.
    pub sealed_secret: Vec<u8>,
    /// The secret that it replaces, which also signs until then.
    pub sealed_previous: Option<Vec<u8>>,
    pub previous_until: Option<Timestamp>,
    /// Why nothing is sent to it; absent while it is enabled.
    pub disabled_reason: Option<WebhookDisabled>,
    /// Since when every attempt has failed.
    pub failing_since: Option<Timestamp>,
    pub version: i32,
    /// How often its log was replayed.
    pub replays: i32,
    pub created_at: Timestamp,
    pub deleted_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
