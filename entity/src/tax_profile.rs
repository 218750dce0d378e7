//! What an organisation's invoices say of it; every change is a further version.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, OrgId},
    timestamp::Timestamp,
};

/// One version of what an organisation's invoices say of it. The highest one is in force.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tax_profile")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: OrgId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    pub valid_from: Timestamp,
    pub changed_by: Option<AccountId>,
    pub profile: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
