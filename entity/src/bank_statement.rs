//! One statement of an imported file: whose it is, and its balances.

use sea_orm::entity::prelude::*;

use crate::{ids::BankStatementId, timestamp::Timestamp};

/// One statement of an imported file: whose it is, and its balances.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_statement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub import_id: BankStatementId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    pub account: String,
    pub statement_id: Option<String>,
    /// First day covered, at midnight UTC.
    pub from_on: Option<Timestamp>,
    /// Last day covered.
    pub until_on: Option<Timestamp>,
    pub opening_minor: Option<i64>,
    pub closing_minor: Option<i64>,
    pub line_count: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
