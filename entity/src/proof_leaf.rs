//! A leaf of the public tree: what happened, and the text its hash is over.

use sea_orm::entity::prelude::*;

use crate::{ids::OrderId, states::ProofKind, timestamp::Timestamp};

/// A leaf of the public tree: what happened, and the text its hash is over.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "proof_leaf")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub kind: ProofKind,
    #[sea_orm(unique)]
    pub event: String,
    pub order_id: OrderId,
    /// The day it was booked, in UTC, `2026-11-21`.
    pub day: String,
    pub currency: String,
    /// Amounts are negative where money goes back.
    pub total_minor: i64,
    pub providers_minor: i64,
    pub operator_minor: i64,
    pub tax_minor: i64,
    pub leaf: String,
    /// Canonical JSON, with the salt.
    #[sea_orm(column_type = "Text")]
    pub statement: String,
    pub appended_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
