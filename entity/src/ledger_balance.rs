//! What an account amounts to over all sealed entries.

use sea_orm::entity::prelude::*;

use crate::ids::LedgerAccountId;

/// What an account amounts to over all sealed entries.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_balance")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: LedgerAccountId,
    pub sealed_minor: i64,
    pub seal_number: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
