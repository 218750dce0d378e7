//! What an exception is, how grave, and what a resolution may book.

use entity::{
    ids::{BankLineId, OrderId, PayoutId},
    states::{ExceptionClass, ResolutionAccount},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{base::Money, ledger::Account};

/// How grave an exception is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Documents differ, and no money is missing.
    #[default]
    Low,
    /// Money is somewhere, and nobody has said why.
    Medium,
    /// Money is missing, or is there twice.
    High,
}

/// How grave exceptions of a class are.
pub fn severity_of(class: ExceptionClass) -> Severity {
    match class {
        ExceptionClass::FeeMismatch => Severity::Low,
        ExceptionClass::LatePayout
        | ExceptionClass::PayoutWithoutOperator
        | ExceptionClass::UnexplainedBankLine
        | ExceptionClass::AmbiguousBankLine
        | ExceptionClass::OrderTransfer
        | ExceptionClass::OrderUnderpaid
        | ExceptionClass::OrderOverpaid
        | ExceptionClass::UnknownBalanceLine
        | ExceptionClass::UnreadableBalance
        | ExceptionClass::ExchangeDifference
        | ExceptionClass::ReportDiffers
        | ExceptionClass::ChargeAmountDiffers
        | ExceptionClass::MissingInApi
        | ExceptionClass::MissingInReport
        | ExceptionClass::DuplicateReportLine => Severity::Medium,
        ExceptionClass::UnreadableBalanceLine
        | ExceptionClass::MissingBalanceLine
        | ExceptionClass::DuplicateBalanceLine
        | ExceptionClass::OrphanCharge
        | ExceptionClass::OrphanRefund
        | ExceptionClass::CurrencyMismatch
        | ExceptionClass::PayoutTotalDiffers
        | ExceptionClass::FailedPayout
        | ExceptionClass::WrongAmount
        | ExceptionClass::DuplicateBankLine
        | ExceptionClass::StatementGap => Severity::High,
    }
}

/// The ledger account that a resolution names; `word` is the kind of the processor's line that the exception is about.
pub fn account_of(account: ResolutionAccount, word: Option<&str>) -> Account {
    match account {
        ResolutionAccount::SuspenseProcessor => Account::Suspense(word.unwrap_or("unknown").to_owned()),
        ResolutionAccount::SuspenseBank => Account::Suspense("bank".to_owned()),
        ResolutionAccount::ProcessorInTransit => Account::ProcessorInTransit,
        ResolutionAccount::BankCharges => Account::BankCharges,
        ResolutionAccount::ProcessorFees => Account::ProcessorFees,
        ResolutionAccount::ExchangeDifferences => Account::ExchangeDifferences,
        ResolutionAccount::ClearingExchange => Account::ClearingExchange,
        ResolutionAccount::WriteOffs => Account::WriteOffs,
        ResolutionAccount::ClearingPayment => Account::ClearingPayment,
        ResolutionAccount::ClearingRefund => Account::ClearingRefund,
        ResolutionAccount::ClearingTransfer => Account::ClearingTransfer,
    }
}

/// An exception as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewException {
    /// What kind.
    pub class: ExceptionClass,
    /// What it is about, in one word.
    pub subject: String,
    /// How much is unexplained.
    pub off: Money,
    /// What is wrong, for people.
    pub sentence: String,
    /// The order it is about.
    pub order_id: Option<OrderId>,
    /// The payout it is about.
    pub payout_id: Option<PayoutId>,
    /// The bank line it is about.
    pub line_id: Option<BankLineId>,
    /// The processor's line it is about.
    pub transaction_id: Option<String>,
    /// The processor's line of the payout it is about.
    pub bank_payout_id: Option<String>,
    /// The bank account it is about.
    pub account: Option<String>,
    /// When it happened; now, without it.
    pub occurred_at: Option<OffsetDateTime>,
}

impl NewException {
    /// One that is about nothing yet but its subject.
    pub fn new(class: ExceptionClass, subject: String, off: Money, sentence: String) -> Self {
        Self {
            class,
            subject,
            off,
            sentence,
            order_id: None,
            payout_id: None,
            line_id: None,
            transaction_id: None,
            bank_payout_id: None,
            account: None,
            occurred_at: None,
        }
    }
}
