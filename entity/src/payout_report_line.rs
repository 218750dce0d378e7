//! A line of the processor's own report on its payouts.

use sea_orm::entity::prelude::*;

use crate::{ids::BankStatementId, timestamp::Timestamp};

/// A line of the processor's own report on its payouts.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout_report_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    /// The processor's line it is about.
    pub id: String,
    pub import_id: BankStatementId,
    pub payout_ref: Option<String>,
    pub expected_on: Option<Timestamp>,
    pub trace_id: Option<String>,
    pub currency: String,
    pub gross_minor: i64,
    pub fee_minor: i64,
    pub net_minor: i64,
    pub category: String,
    pub source_id: Option<String>,
    pub created_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
