//! Money on its way to a provider or to the operator's bank.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{OrgId, PayoutId, PayoutRunId},
    states::{PayoutRecipient, PayoutState},
    timestamp::Timestamp,
};

/// Money on its way to a provider or to the operator's bank.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "payout")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PayoutId,
    pub run_id: PayoutRunId,
    pub recipient: PayoutRecipient,
    pub organization_id: OrgId,
    pub currency: String,
    pub amount_minor: i64,
    pub state: PayoutState,
    pub attempt: i32,
    pub processor_ref: Option<String>,
    pub failure_text: Option<String>,
    pub created_at: Timestamp,
    /// When the processor is to be asked next; a lease while it is being asked, absent when it need not be.
    pub next_try_at: Option<Timestamp>,
    pub paid_at: Option<Timestamp>,
    /// The charge that the money comes from, where the processor moves shares charge by charge.
    pub source_ref: Option<String>,
    /// Whether the processor can tell every line of it yet; only there for a payout that the processor made by itself.
    pub is_itemised: Option<bool>,
    /// When the bank should have it, as far as the processor says.
    pub arrival_at: Option<Timestamp>,
    /// The bank's reference; it can come days after the money, or never.
    pub trace_ref: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
