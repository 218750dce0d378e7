//! A month of one currency that was closed with nothing unexplained.

use sea_orm::entity::prelude::*;

use crate::{ids::AccountId, timestamp::Timestamp};

/// A month of one currency that was closed with nothing unexplained.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "month_closing")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    /// Year and month, `2026-11`.
    pub month: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub currency: String,
    #[sea_orm(column_type = "JsonBinary")]
    pub sums: Json,
    pub sums_sha256: String,
    /// The seal that covers every entry of the month.
    pub seal_number: i64,
    pub seal_head: String,
    pub closed_by: Option<AccountId>,
    pub closed_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
