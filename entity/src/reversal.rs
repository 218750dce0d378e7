//! A paid share taken back from a provider's account at the processor.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{OrderId, OrgId, PayoutId, ReversalId},
    states::ReversalState,
    timestamp::Timestamp,
};

/// A paid share taken back from a provider's account at the processor.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reversal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReversalId,
    pub order_id: OrderId,
    pub organization_id: OrgId,
    /// The payout whose transfer is taken back in part.
    pub payout_id: PayoutId,
    pub state: ReversalState,
    pub currency: String,
    pub amount_minor: i64,
    pub attempt: i32,
    /// When the processor is to be asked next; a lease while it is being asked, absent when it need not be.
    pub next_try_at: Option<Timestamp>,
    pub processor_ref: Option<String>,
    pub failure_text: Option<String>,
    pub created_at: Timestamp,
    pub done_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
