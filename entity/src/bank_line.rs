//! A booked line of a bank statement; it counts once its import is `imported`.

use sea_orm::entity::prelude::*;

use crate::{
    ids::{BankLineId, BankStatementId},
    states::BankLineState,
    timestamp::Timestamp,
};

/// A booked line of a bank statement; it counts once its import is `imported`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "bank_line")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: BankLineId,
    pub import_id: BankStatementId,
    pub account: String,
    /// Identity within the account, the same in every file and format.
    pub key: String,
    pub currency: String,
    /// The day it was entered into the account, at midnight UTC.
    pub booked_on: Timestamp,
    pub value_on: Option<Timestamp>,
    /// Received is positive, paid negative.
    pub amount_minor: i64,
    pub is_reversal: bool,
    pub bank_reference: Option<String>,
    pub end_to_end_id: Option<String>,
    pub creditor_reference: Option<String>,
    pub transaction_code: Option<String>,
    pub counterparty_name: Option<String>,
    pub counterparty_account: Option<String>,
    pub remittance: Option<String>,
    pub state: BankLineState,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
