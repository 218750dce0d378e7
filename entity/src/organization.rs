//! An organisation that provides, buys or operates.

use sea_orm::entity::prelude::*;

use crate::{ids::OrgId, states::ProviderKind, timestamp::Timestamp};

/// An organisation that provides, buys or operates.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "organization")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrgId,
    #[sea_orm(unique)]
    pub slug: String,
    pub name: String,
    pub country: String,
    pub provider_kind: Option<ProviderKind>,
    pub may_provide: bool,
    pub may_buy: bool,
    pub may_operate: bool,
    pub processor_account: Option<String>,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
