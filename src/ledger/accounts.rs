//! The chart of accounts.

use std::{
    collections::HashSet,
    fmt,
    sync::{PoisonError, RwLock},
};

use entity::{
    ids::{LedgerAccountId, OrgId},
    states::AccountClass,
};

use crate::base::Currency;

/// An account, in whatever currency is posted to it.
///
/// Source: the account plan of the money design; one ledger account is one purpose, one owner, one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Account {
    /// Our money at the processor that can't be spent yet.
    ProcessorPending,
    /// Our money at the processor that can be spent.
    ProcessorAvailable,
    /// Payouts of the operator on their way to its bank.
    ProcessorInTransit,
    /// Our money that the processor keeps back from a payout.
    ProcessorReserve,
    /// A provider's share while the hold lasts.
    ProviderPending(OrgId),
    /// A provider's share that is due.
    ProviderPayable(OrgId),
    /// The operator's share of sales.
    Commission,
    /// What the processor charges us.
    ProcessorFees,
    /// Joins our decision to sell with the processor's line for the charge; returns to zero.
    ClearingPayment,
    /// Joins our decision to pay a provider with the processor's line for the transfer; returns to zero.
    ClearingTransfer,
    /// What a provider owes us: a share that was paid out and had to be given back to the buyer.
    ProviderReceivable(OrgId),
    /// A provider's share while a dispute about it runs.
    ProviderDisputeHeld(OrgId),
    /// Money that disputes have withdrawn and that may come back.
    DisputeHold,
    /// What the processor charges for disputes.
    DisputeFees,
    /// What lost disputes cost the operator beyond its share.
    DisputeLoss,
    /// Joins our decision to refund with the processor's line for it; returns to zero.
    ClearingRefund,
    /// Tax that the operator owes to a country, by its code.
    Vat(String),
    /// Tax that a country owes the operator back: of what providers charge it as a deemed supplier.
    VatInput(String),
    /// The tax inside the commission: what of it is not income. In debit where the operator owes it.
    CommissionTax,
    /// A bank account of ours, by its short name.
    Bank(String),
    /// What banks charge us.
    BankCharges,
    /// What we owe a buyer: a credit, or more money than was asked for.
    BuyerCredit(OrgId),
    /// Debts that were given up.
    WriteOffs,
    /// One side of an exchange of currencies; both sides together return to zero at the closing rate.
    ClearingExchange,
    /// What exchange rates gained or lost.
    ExchangeDifferences,
    /// Lines of the processor or of a bank that nothing explains yet, by their word.
    Suspense(String),
}

impl Account {
    /// The stable code, `provider.org_….pending`.
    pub fn code(&self) -> String {
        match self {
            Self::ProcessorPending => "processor.pending".to_owned(),
            Self::ProcessorAvailable => "processor.available".to_owned(),
            Self::ProcessorInTransit => "processor.in_transit".to_owned(),
            Self::ProcessorReserve => "processor.reserve".to_owned(),
            Self::ProviderPending(org) => format!("provider.{org}.pending"),
            Self::ProviderPayable(org) => format!("provider.{org}.payable"),
            Self::Commission => "commission".to_owned(),
            Self::ProcessorFees => "processor_fees".to_owned(),
            Self::ClearingPayment => "clearing.payment".to_owned(),
            Self::ClearingTransfer => "clearing.transfer".to_owned(),
            Self::ProviderReceivable(org) => format!("provider.{org}.receivable"),
            Self::ProviderDisputeHeld(org) => format!("provider.{org}.dispute_held"),
            Self::DisputeHold => "dispute_hold".to_owned(),
            Self::DisputeFees => "dispute_fees".to_owned(),
            Self::DisputeLoss => "dispute_loss".to_owned(),
            Self::ClearingRefund => "clearing.refund".to_owned(),
            Self::VatInput(country) => format!("vat.{}.input", country.to_ascii_lowercase()),
            Self::CommissionTax => "commission_tax".to_owned(),
            Self::Vat(country) => format!("vat.{}", country.to_ascii_lowercase()),
            Self::Bank(name) => format!("bank.{name}"),
            Self::BankCharges => "bank_charges".to_owned(),
            Self::BuyerCredit(org) => format!("buyer.{org}.credit"),
            Self::WriteOffs => "write_offs".to_owned(),
            Self::ClearingExchange => "clearing.exchange".to_owned(),
            Self::ExchangeDifferences => "exchange_differences".to_owned(),
            Self::Suspense(word) => format!("suspense.{word}"),
        }
    }

    /// The side it is on.
    pub fn class(&self) -> AccountClass {
        match self {
            Self::ProcessorPending
            | Self::ProcessorAvailable
            | Self::ProcessorInTransit
            | Self::ProcessorReserve
            | Self::ProviderReceivable(_)
            | Self::DisputeHold
            | Self::VatInput(_)
            | Self::Bank(_) => AccountClass::Asset,
            Self::ProviderPending(_)
            | Self::ProviderPayable(_)
            | Self::ProviderDisputeHeld(_)
            | Self::Vat(_)
            | Self::BuyerCredit(_) => AccountClass::Liability,
            Self::Commission | Self::CommissionTax => AccountClass::Income,
            Self::ProcessorFees
            | Self::DisputeFees
            | Self::DisputeLoss
            | Self::BankCharges
            | Self::WriteOffs
            | Self::ExchangeDifferences => AccountClass::Expense,
            Self::ClearingPayment
            | Self::ClearingTransfer
            | Self::ClearingRefund
            | Self::ClearingExchange
            | Self::Suspense(_) => AccountClass::Clearing,
        }
    }

    /// The organisation whose money it is, where it is somebody's.
    pub fn owner(&self) -> Option<OrgId> {
        match self {
            Self::ProviderPending(org)
            | Self::ProviderPayable(org)
            | Self::ProviderReceivable(org)
            | Self::ProviderDisputeHeld(org)
            | Self::BuyerCredit(org) => Some(*org),
            _ => None,
        }
    }

    /// Its id in `currency`: the same in every process, so that nothing has to be looked up.
    pub fn id(&self, currency: Currency) -> LedgerAccountId {
        LedgerAccountId::derived(&format!("{}:{currency}", self.code()))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code())
    }
}

/// Accounts that this process knows to exist, so that a sale need not ask.
#[derive(Debug, Default)]
pub struct KnownAccounts(RwLock<HashSet<LedgerAccountId>>);

impl KnownAccounts {
    pub(super) fn holds(&self, id: LedgerAccountId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&id)
    }

    pub(super) fn add(&self, ids: impl IntoIterator<Item = LedgerAccountId>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).extend(ids);
    }
}
