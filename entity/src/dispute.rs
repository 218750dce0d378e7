//! A buyer's bank disputing a payment.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{DisputeId, OrderId, PaymentId},
    states::DisputeState,
    timestamp::Timestamp,
};

/// A buyer's bank disputing a payment.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "dispute")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DisputeId,
    pub processor: String,
    pub processor_ref: String,
    pub order_id: OrderId,
    pub payment_id: PaymentId,
    pub state: DisputeState,
    pub currency: String,
    pub amount_minor: i64,
    pub reason: String,
    pub evidence_due_at: Option<Timestamp>,
    /// The provider's own words.
    pub statement: Option<String>,
    pub evidence_submitted_at: Option<Timestamp>,
    pub accepted_at: Option<Timestamp>,
    pub opened_at: Timestamp,
    /// When the withheld share was booked; absent for a mere warning.
    pub held_at: Option<Timestamp>,
    pub closed_at: Option<Timestamp>,
    /// When the processor is asked how it stands, in case a webhook was lost.
    pub next_poll_at: Option<Timestamp>,
    /// It closes the door while it runs; as configured when it was heard of.
    pub suspends_access: bool,
    /// Since when a provider owes the processor's fee for it; absent where none does, or it is booked.
    pub fee_due_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
