//! What the sandbox processor still has to tell by webhook.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// What the sandbox processor still has to tell by webhook.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sandbox_event")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub seq: i64,
    pub id: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub body: Json,
    pub deliver_at: Timestamp,
    pub attempts: i32,
    pub delivered_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
