//! Money that the processor sent to a bank account of ours, and what of it arrived.

use sea_orm::entity::prelude::*;

use crate::{ids::PayoutId, timestamp::Timestamp};

/// Money that the processor sent to a bank account of ours, and what of it arrived.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_payout")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    /// The processor's line.
    pub id: String,
    pub payout_id: Option<PayoutId>,
    /// The processor's reference of the payout.
    pub reference: String,
    /// The bank's reference of it, where the processor told it.
    pub trace_id: Option<String>,
    pub currency: String,
    /// Always positive.
    pub amount_minor: i64,
    pub sent_at: Timestamp,
    /// The day it should arrive, where the processor told it.
    pub expected_on: Option<Timestamp>,
    /// What bank lines and resolutions account for so far.
    pub settled_minor: i64,
    pub settled_at: Option<Timestamp>,
    /// When the bank gave it back to the processor.
    pub returned_at: Option<Timestamp>,
    /// The processor's line that took it back.
    pub returned_by: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
