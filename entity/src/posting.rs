//! One line of an entry: debits positive, credits negative.

use sea_orm::entity::prelude::*;

use crate::ids::{EntryId, LedgerAccountId, OrderId};

/// One line of an entry: debits positive, credits negative.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "posting")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub entry_id: EntryId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    pub account_id: LedgerAccountId,
    pub order_id: Option<OrderId>,
    pub amount_minor: i64,
    pub currency: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::ledger_entry::Entity",
        from = "Column::EntryId",
        to = "super::ledger_entry::Column::Id"
    )]
    LedgerEntry,
    #[sea_orm(
        belongs_to = "super::ledger_account::Entity",
        from = "Column::AccountId",
        to = "super::ledger_account::Column::Id"
    )]
    LedgerAccount,
}

impl ActiveModelBehavior for ActiveModel {}
