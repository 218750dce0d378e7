//! A ledger account: one purpose, one owner, one currency.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{LedgerAccountId, OrgId},
    states::AccountClass,
    timestamp::Timestamp,
};

/// A ledger account: one purpose, one owner, one currency.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LedgerAccountId,
    pub code: String,
    pub currency: String,
    pub class: AccountClass,
    pub organization_id: Option<OrgId>,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
