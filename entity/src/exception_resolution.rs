//! How an exception was, or is to be, settled.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{AccountId, ExceptionId},
    states::{ResolutionAccount, ResolutionKind, ResolutionState},
    timestamp::Timestamp,
};

/// How an exception was, or is to be, settled.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "exception_resolution")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub exception_id: ExceptionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i32,
    pub kind: ResolutionKind,
    pub state: ResolutionState,
    pub reason: String,
    pub debit: Option<ResolutionAccount>,
    pub credit: Option<ResolutionAccount>,
    /// What is booked between the two, never negative.
    pub amount_minor: i64,
    pub currency: String,
    /// What explains it: the id of an order, a payout or a line.
    pub link: Option<String>,
    pub asked_by: Option<AccountId>,
    pub asked_at: Timestamp,
    pub decided_by: Option<AccountId>,
    pub decided_at: Option<Timestamp>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
