//! One file of a bank or of the processor, brought in whole or not at all.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, BankStatementId},
    states::{BankImportKind, BankImportState},
    timestamp::Timestamp,
};

/// One file of a bank or of the processor, brought in whole or not at all.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_import")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BankStatementId,
    pub kind: BankImportKind,
    pub format: String,
    pub sha256: String,
    pub size_bytes: i64,
    pub state: BankImportState,
    /// Until when the importing process is taken to be alive.
    pub lease_until: Timestamp,
    pub lines_read: i64,
    pub lines_new: i64,
    pub lines_known: i64,
    pub lines_pending: i64,
    pub created_at: Timestamp,
    pub created_by: Option<AccountId>,
    pub finished_at: Option<Timestamp>,
    /// When the last of its lines was booked or set aside.
    pub booked_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
