//! How far a member, or an API key, has read the notices of an organisation.

use sea_orm::entity::prelude::*;

use crate::{ids::OrgId, timestamp::Timestamp};

/// How far a member, or an API key, has read the notices of an organisation.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "notice_read")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    /// The account or the API key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub reader_id: Uuid,
    pub cursor: i64,
    pub read_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
