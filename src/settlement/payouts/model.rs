//! What a run pays, and when a refused payout is tried again.

use entity::{
    ids::{OrderId, OrgId, PayoutId},
    states::{AccountClass, EntryKind, PayoutRecipient},
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use torv_money::payouts;
pub use torv_money::payouts::due;

use crate::{
    base::{Currency, Money, MoneyError},
    error::{Check, Error, Result},
    ledger::{Account, AccountBalance, Line, NewEntry},
    limits,
};

/// How long a process may be busy handing one payout to the processor; calls give up long before.
pub const LEASE_SECONDS: i64 = 300;
/// The wait after a refusal; it doubles with each further one.
const REFUSED_WAIT_SECONDS: i64 = 300;
/// The longest wait after a refusal.
const REFUSED_WAIT_SECONDS_MAX: i64 = 6 * 3_600;
/// The wait after no answer.
pub const UNKNOWN_WAIT_SECONDS: i64 = 60;

/// Who is paid by a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recipients {
    /// Providers whose payable share reaches the minimum.
    #[default]
    Providers,
    /// The operator: what is available and owed to nobody.
    Operator,
    /// Providers first, then the operator.
    Both,
}

impl Recipients {
    /// True when providers are paid.
    pub fn providers(self) -> bool {
        self != Self::Operator
    }

    /// True when the operator is paid.
    pub fn operator(self) -> bool {
        self != Self::Providers
    }
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PayoutRunIn, example = json!({"currency": "EUR", "minimum_minor": 1000, "recipients": "providers"}))]
pub struct RunInput {
    /// The currency paid out.
    pub currency: Currency,
    /// The least a recipient must be due, in minor units; less waits for a later run.
    #[schema(minimum = 1, maximum = 99_999_999)]
    pub minimum_minor: i64,
    /// Who is paid.
    #[serde(default)]
    pub recipients: Recipients,
}

impl RunInput {
    /// Checks the minimum.
    ///
    /// # Errors
    /// `Invalid` for a minimum outside of 1 to [`limits::PRICE_MINOR_MAX`].
    pub fn check(&self) -> Result<()> {
        let mut check = Check::new();
        let good = (1..=limits::PRICE_MINOR_MAX).contains(&self.minimum_minor);
        check.require(good, "/minimum_minor", format!("Choose 1 to {} minor units.", limits::PRICE_MINOR_MAX));
        check.done()
    }
}

/// What a run pays where the processor sends the operator's balance to its bank by itself: providers only.
///
/// # Errors
/// `Invalid` when only the operator is asked for.
pub fn payable_here(input: RunInput, automatic_payouts: bool) -> Result<RunInput> {
    match input.recipients {
        _ if !automatic_payouts => Ok(input),
        Recipients::Operator => Err(Error::invalid(
            "/recipients",
            "The payment processor sends the operator's balance to its bank by itself. Ask for providers.",
        )),
        Recipients::Providers | Recipients::Both => Ok(RunInput { recipients: Recipients::Providers, ..input }),
    }
}

/// One provider's orders that a payout is to carry; every amount is positive.
pub type Due = payouts::Due<OrgId, OrderId>;

/// The entry of a decided payout: each order's share leaves payable, the sum waits in clearing.
pub fn decision(payout: PayoutId, due: &Due, now: OffsetDateTime) -> NewEntry {
    let owed = || Account::ProviderPayable(due.organization);
    let mut lines: Vec<Line> = due.orders.iter().map(|(order, share)| Line::debit(owed(), *share).of(*order)).collect();
    lines.push(Line::credit(Account::ClearingTransfer, due.total));
    NewEntry {
        kind: EntryKind::Transfer,
        source: format!("payout:{payout}:decided"),
        effective_at: now,
        memo: None,
        lines,
    }
}

/// What the operator may take: available funds, less everything owed to providers, less own payouts
/// that the books don't show yet. Never negative.
///
/// Only funds that can be spent count, while shares count as owed from the sale on.
///
/// # Errors
/// [`MoneyError::Overflow`] when the sum does not fit.
pub fn operator_share(
    balances: &[AccountBalance],
    unbooked_minor: i64,
    currency: Currency,
) -> Result<Money, MoneyError> {
    let counts = |balance: &AccountBalance| {
        let code = balance.code.as_str();
        // A provider's debt is no money that could be taken; what clears a refund has still to leave.
        let owed = balance.organization_id.is_some() && !code.ends_with(".receivable");
        owed || matches!(code, "processor.available" | "clearing.transfer" | "clearing.refund")
    };
    let counted = balances.iter().filter(|balance| counts(balance)).map(|balance| balance.balance);
    payouts::left_over(counted, unbooked_minor, currency)
}

/// What must not leave, per currency: providers' shares wherever they stand, and what was decided and still has to be sent.
///
/// Every currency that others were ever owed something in is there, with zero when all of it has left.
///
/// # Errors
/// [`MoneyError::Overflow`] when a sum does not fit.
pub fn owed_to_others(balances: &[AccountBalance]) -> Result<Vec<Money>, MoneyError> {
    let stays = |row: &&AccountBalance| {
        let code = row.code.as_str();
        let share = code.starts_with("provider.") && row.class == AccountClass::Liability;
        share || matches!(code, "clearing.transfer" | "clearing.refund")
    };
    payouts::owed(balances.iter().filter(stays).map(|row| row.balance))
}

/// The key under which the processor is asked.
pub fn idempotency_key(payout: PayoutId, recipient: PayoutRecipient, attempt: i32) -> String {
    let word = match recipient {
        PayoutRecipient::Provider => "transfer",
        PayoutRecipient::Operator => "payout",
    };
    format!("{payout}:{word}:{attempt}")
}

/// The wait after the refusal of attempt number `attempt` (from 1).
pub fn refused_wait(attempt: i32) -> Duration {
    let doubled = REFUSED_WAIT_SECONDS << (attempt - 1).clamp(0, 16);
    Duration::seconds(doubled.min(REFUSED_WAIT_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, "EUR".parse().expect("in the table"))
    }

    fn balance(account: &Account, minor: i64) -> AccountBalance {
        AccountBalance {
            account_id: account.id(eur(0).currency),
            code: account.code(),
            class: account.class(),
            organization_id: account.owner(),
            balance: eur(minor),
        }
    }

    #[test]
    fn the_operator_never_takes_what_is_owed() {
        let org = OrgId::derived("p");
        let mut balances = vec![
            balance(&Account::ProcessorAvailable, 1_000),
            balance(&Account::ProcessorPending, 9_000),
            balance(&Account::ProviderPending(org), -300),
            balance(&Account::ProviderPayable(org), -200),
            balance(&Account::ClearingTransfer, -100),
            balance(&Account::Commission, -5_000),
        ];
        assert_eq!(operator_share(&balances, 0, eur(0).currency), Ok(eur(400)));
        assert_eq!(operator_share(&balances, 150, eur(0).currency), Ok(eur(250)));
        balances.push(balance(&Account::ProviderReceivable(org), 5_000));
        balances.push(balance(&Account::ClearingRefund, -50));
        assert_eq!(operator_share(&balances, 0, eur(0).currency), Ok(eur(350)));
        balances[2] = balance(&Account::ProviderPending(org), -3_000);
        assert_eq!(operator_share(&balances, 0, eur(0).currency), Ok(eur(0)));
    }

    #[test]
    fn shares_and_what_is_on_its_way_must_not_leave() {
        let org = OrgId::derived("p");
        let balances = [
            balance(&Account::ProcessorAvailable, 9_000),
            balance(&Account::ProviderPending(org), -300),
            balance(&Account::ProviderPayable(org), -200),
            balance(&Account::ProviderDisputeHeld(org), -40),
            balance(&Account::ProviderReceivable(org), 5_000),
            balance(&Account::ClearingTransfer, -100),
            balance(&Account::ClearingRefund, 7),
            balance(&Account::Commission, -5_000),
        ];
        assert_eq!(owed_to_others(&balances), Ok(vec![eur(640)]));
        assert_eq!(owed_to_others(&[balance(&Account::ProviderPayable(org), 0)]), Ok(vec![eur(0)]));
        assert_eq!(owed_to_others(&balances[..1]), Ok(Vec::new()));
    }

    #[test]
    fn a_processor_that_pays_out_by_itself_is_asked_for_providers_alone() {
        let input = |recipients| RunInput { currency: eur(0).currency, minimum_minor: 1, recipients };
        let both = payable_here(input(Recipients::Both), true).expect("possible");
        assert_eq!(both.recipients, Recipients::Providers);
        assert!(payable_here(input(Recipients::Operator), true).is_err());
        assert_eq!(payable_here(input(Recipients::Operator), false).ok(), Some(input(Recipients::Operator)));
    }

    #[test]
    fn an_order_with_nothing_due_is_not_carried() {
        let payable = vec![(OrderId::derived("a"), eur(5)), (OrderId::derived("b"), eur(-40))];
        let due = due(OrgId::derived("p"), payable, eur(0).currency, 1).expect("fits").expect("due");
        assert_eq!(due.orders, [(OrderId::derived("b"), eur(40))]);
        assert!(decision(PayoutId::derived("x"), &due, OffsetDateTime::UNIX_EPOCH).balanced().is_ok());
    }

    #[test]
    fn the_wait_doubles_up_to_a_quarter_of_a_day() {
        assert_eq!(refused_wait(1), Duration::seconds(300));
        assert_eq!(refused_wait(3), Duration::seconds(1_200));
        assert_eq!(refused_wait(i32::MAX), Duration::hours(6));
    }

    #[test]
    fn the_key_changes_with_the_attempt_alone() {
        let payout = PayoutId::derived("x");
        let key = |attempt| idempotency_key(payout, PayoutRecipient::Provider, attempt);
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
        assert!(key(1).ends_with(":transfer:1"));
    }
}
