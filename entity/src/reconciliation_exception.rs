//! Something that the three records disagree about, and that a person has to settle.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, BankLineId, ExceptionId, OrderId, PayoutId},
    states::{ExceptionClass, ExceptionState, ResolutionKind},
    timestamp::Timestamp,
};

/// Something that the three records disagree about, and that a person has to settle.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciliation_exception")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ExceptionId,
    pub class: ExceptionClass,
    /// What it is about, in one word: a class has one exception per subject.
    pub subject: String,
    pub currency: String,
    /// How much is unexplained; negative where too little is there.
    pub amount_minor: i64,
    pub order_id: Option<OrderId>,
    pub payout_id: Option<PayoutId>,
    pub line_id: Option<BankLineId>,
    pub transaction_id: Option<String>,
    pub bank_payout_id: Option<String>,
    pub account: Option<String>,
    pub sentence: String,
    pub state: ExceptionState,
    pub owner: Option<AccountId>,
    pub occurred_at: Timestamp,
    pub opened_at: Timestamp,
    pub resolved_at: Option<Timestamp>,
    pub resolved_by: Option<AccountId>,
    pub resolution: Option<ResolutionKind>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
