//! One log-in; all refresh tokens that descend from it end with it.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, SessionId},
    states::SessionEnd,
    timestamp::Timestamp,
};

/// One log-in; all refresh tokens that descend from it end with it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    pub account_id: AccountId,
    pub created_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<SessionEnd>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
