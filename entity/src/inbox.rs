//! A message from outside, stored raw before it is read.

use sea_orm::entity::prelude::*;

use crate::{states::InboxState, timestamp::Timestamp};

/// A message from outside, stored raw before it is read.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inbox")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub event_id: String,
    pub kind: String,
    #[sea_orm(column_type = "Text")]
    pub body: String,
    pub state: InboxState,
    pub attempts: i32,
    pub received_at: Timestamp,
    pub processed_at: Option<Timestamp>,
    pub error: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
