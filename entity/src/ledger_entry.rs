//! A balanced entry; written after its postings, which the database then checks.

use sea_orm::entity::prelude::*;

use crate::{ids::EntryId, states::EntryKind, timestamp::Timestamp};

/// A balanced entry; written after its postings, which the database then checks.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ledger_entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EntryId,
    pub kind: EntryKind,
    #[sea_orm(unique)]
    pub source: String,
    pub effective_at: Timestamp,
    pub posted_at: Timestamp,
    pub memo: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
