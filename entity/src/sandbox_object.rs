//! The sandbox processor's own records; no part of the exchange reads them.

use sea_orm::entity::prelude::*;

use crate::timestamp::Timestamp;

/// The sandbox processor's own records; no part of the exchange reads them.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sandbox_object")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub kind: String,
    #[sea_orm(unique)]
    pub idempotency_key: Option<String>,
    pub parent: Option<String>,
    pub state: String,
    pub amount_minor: i64,
    pub fee_minor: i64,
    pub currency: String,
    pub available_at: Timestamp,
    #[sea_orm(column_type = "JsonBinary")]
    pub body: Json,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
