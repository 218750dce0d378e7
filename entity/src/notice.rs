//! One event as one organisation was told of it.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{EventId, NoticeId, OrgId},
    timestamp::Timestamp,
};

/// One event as one organisation was told of it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "notice")]
pub struct Model {
    /// Ascends in the order of commits and has no gap: who has read up to here has missed nothing before.
    #[sea_orm(primary_key, auto_increment = false)]
    pub cursor: i64,
    #[sea_orm(unique)]
    pub id: NoticeId,
    pub organization_id: OrgId,
    pub event_id: EventId,
    pub kind: String,
    pub told_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
