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
    /// Lines of the processor that this version does not understand, by their word.
    Suspense(String),
}

impl Account {
    /// The stable code, `provider.org_….pending`.
    pub fn code(&self) -> String {
        match self {
            Self::ProcessorPending => "processor.pending".to_owned(),
            Self::ProcessorAvailable => "processor.available".to_owned(),
            Self::ProcessorInTransit => "processor.in_transit".to_owned(),
            Self::ProviderPending(org) => format!("provider.{org}.pending"),
            Self::ProviderPayable(org) => format!("provider.{org}.payable"),
            Self::Commission => "commission".to_owned(),
            Self::ProcessorFees => "processor_fees".to_owned(),
            Self::ClearingPayment => "clearing.payment".to_owned(),
            Self::ClearingTransfer => "clearing.transfer".to_owned(),
            Self::Suspense(word) => format!("suspense.{word}"),
        }
    }

    /// The side it is on.
    pub fn class(&self) -> AccountClass {
        match self {
            Self::ProcessorPending | Self::ProcessorAvailable | Self::ProcessorInTransit => AccountClass::Asset,
            Self::ProviderPending(_) | Self::ProviderPayable(_) => AccountClass::Liability,
            Self::Commission => AccountClass::Income,
            Self::ProcessorFees => AccountClass::Expense,
            Self::ClearingPayment | Self::ClearingTransfer | Self::Suspense(_) => AccountClass::Clearing,
        }
    }

    /// The organisation whose money it is, where it is somebody's.
    pub fn owner(&self) -> Option<OrgId> {
        match self {
            Self::ProviderPending(org) | Self::ProviderPayable(org) => Some(*org),
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
