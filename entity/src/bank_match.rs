//! A part of a bank line, and what explains it; the parts of a booked line sum to its amount.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{BankLineId, OrderId},
    states::{MatchRule, MatchSubject},
    timestamp::Timestamp,
};

/// A part of a bank line, and what explains it; the parts of a booked line sum to its amount.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_match")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub line_id: BankLineId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    pub rule: MatchRule,
    pub subject: MatchSubject,
    pub bank_payout_id: Option<String>,
    pub order_id: Option<OrderId>,
    /// Minor units of the line.
    pub amount_minor: i64,
    /// Minor units of the payout's currency that it accounts for.
    pub settled_minor: i64,
    pub created_at: Timestamp,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
