//! News on its way out, written in the transaction that made it.

use sea_orm::entity::prelude::*;

use crate::{ids::EventId, timestamp::Timestamp};

/// News on its way out, written in the transaction that made it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    #[sea_orm(unique)]
    pub id: EventId,
    pub topic: String,
    pub kind: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub payload: Json,
    pub created_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    /// When everybody whom it concerns had a notice of it.
    pub fanned_out_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
