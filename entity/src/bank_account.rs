//! A bank account of the operator.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, BankStatementId},
    timestamp::Timestamp,
};

/// A bank account of the operator.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_account")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    /// Its short name, part of the ledger account's code.
    pub name: String,
    /// The IBAN in its normal form, or what the bank uses instead.
    pub number: String,
    pub currency: String,
    /// How the bank lays out its tables, if it sends tables.
    #[sea_orm(column_type = "JsonBinary", nullable)]
    pub csv_profile: Option<Json>,
    pub created_at: Timestamp,
    pub created_by: Option<AccountId>,
    /// The import that is bringing in lines of this account; one at a time.
    pub importing: Option<BankStatementId>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
