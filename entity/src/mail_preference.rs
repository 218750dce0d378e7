//! When a member is mailed about notices of a kind.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, OrgId},
    states::MailMode,
};

/// When a member is mailed about notices of a kind.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_preference")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// The kind; `*` for all that have no row of their own.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    pub mode: MailMode,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
