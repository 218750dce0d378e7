//! Who belongs to which organisation, in which role.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, OrgId},
    states::Role,
    timestamp::Timestamp,
};

/// Who belongs to which organisation, in which role.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "membership")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    pub role: Role,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
