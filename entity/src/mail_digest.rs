//! How far a member's daily mails have come.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, OrgId},
    timestamp::Timestamp,
};

/// How far a member's daily mails have come.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_digest")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The last notice that a digest has looked at.
    pub cursor: i64,
    pub next_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
