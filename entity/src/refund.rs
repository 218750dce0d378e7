//! A refund of an order, asked for or decided.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, OrderId, OrgId, PaymentId, RefundId},
    states::{RefundOrigin, RefundState},
    timestamp::Timestamp,
};

/// A refund of an order, asked for or decided.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "refund")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RefundId,
    pub order_id: OrderId,
    /// The payment that is given back.
    pub payment_id: PaymentId,
    pub buyer_id: OrgId,
    pub origin: RefundOrigin,
    pub state: RefundState,
    pub currency: String,
    pub amount_minor: i64,
    pub reason: String,
    /// The grants end with it although it is partial.
    pub ends_access: bool,
    pub created_by: Option<AccountId>,
    pub created_at: Timestamp,
    /// Until when the provider has to answer.
    pub answer_due_at: Option<Timestamp>,
    pub answered_at: Option<Timestamp>,
    pub answer_note: Option<String>,
    pub appealed_at: Option<Timestamp>,
    pub appeal_note: Option<String>,
    /// When it was approved and booked, or declined for good.
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<AccountId>,
    pub decision_note: Option<String>,
    pub attempt: i32,
    /// When the processor is to be asked next; a lease while it is being asked, absent when it need not be.
    pub next_try_at: Option<Timestamp>,
    pub processor_ref: Option<String>,
    pub failure_text: Option<String>,
    pub paid_at: Option<Timestamp>,
    /// When the buyer took the request back.
    pub withdrawn_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
