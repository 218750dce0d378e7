//! The end of the log of notices, and how far the event at hand has come: one row, locked by whoever writes.

use sea_orm::entity::prelude::*;

use crate::ids::OrgId;

/// The end of the log of notices, and how far the event at hand has come: one row, locked by whoever writes.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "notice_head")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i32,
    pub last_cursor: i64,
    /// The event of the outbox that not all of its recipients have been told of.
    pub event_seq: Option<i64>,
    /// The holder who was told of it last.
    pub after_organization: Option<OrgId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
