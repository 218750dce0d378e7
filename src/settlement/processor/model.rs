//! How a line of the processor is booked.

use entity::{
    ids::{OrderId, OrgId},
    states::EntryKind,
};

use crate::{
    base::{Money, MoneyError},
    ledger::{Account, Line, NewEntry},
    ports::payments::{Transaction, TransactionKind},
};

/// Longest word of a line kind that is kept; more is cut.
const WORD_CHARS_MAX: usize = 32;

/// What a line adds to our balance: `amount − fee`.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn net(line: &Transaction) -> Result<Money, MoneyError> {
    line.amount.checked_sub(Money::new(line.fee_minor, line.amount.currency))
}

/// The kind's word as an account may carry it: lower-case letters, digits and underscores.
pub fn word(kind: &TransactionKind) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    kind.as_str().chars().take(WORD_CHARS_MAX).map(plain).collect()
}

/// True when the net waits before it can be spent: it is booked as pending, and moved later.
///
/// The line itself says so, also of money that leaves: what goes back of a charge that is pending is taken from
/// what is pending, and the processor's two balances would differ from the books until then.
pub fn waits(line: &Transaction) -> bool {
    line.kind == TransactionKind::Charge || line.available_at > line.created_at
}

/// What a line is about, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind {
    /// The order.
    pub order: Option<OrderId>,
    /// The provider whose debt a reversal pays.
    pub debtor: Option<OrgId>,
}

/// The entry's kind, and the account that explains the money.
fn explained_by(line: &Transaction, behind: Behind) -> (EntryKind, Account) {
    match &line.kind {
        TransactionKind::Charge => (EntryKind::ProcessorCharge, Account::ClearingPayment),
        TransactionKind::Transfer => (EntryKind::Transfer, Account::ClearingTransfer),
        TransactionKind::Payout => (EntryKind::Payout, Account::ProcessorInTransit),
        TransactionKind::PayoutFailure => (EntryKind::PayoutFailure, Account::ProcessorInTransit),
        TransactionKind::Fee => (EntryKind::ProcessorFee, Account::ProcessorFees),
        TransactionKind::Refund => (EntryKind::ProcessorRefund, Account::ClearingRefund),
        TransactionKind::RefundFailure => (EntryKind::RefundFailure, Account::ClearingRefund),
        TransactionKind::Dispute => (EntryKind::DisputeWithdrawn, Account::DisputeHold),
        TransactionKind::DisputeReversal => (EntryKind::DisputeReinstated, Account::DisputeHold),
        TransactionKind::Reserve => (EntryKind::Reserve, Account::ProcessorReserve),
        TransactionKind::TransferReversal => match behind.debtor {
            Some(debtor) => (EntryKind::Reversal, Account::ProviderReceivable(debtor)),
            None => (EntryKind::Suspense, Account::Suspense(word(&line.kind))),
        },
        TransactionKind::Other(_) => (EntryKind::Suspense, Account::Suspense(word(&line.kind))),
    }
}

/// The account that the line's fee is booked to.
pub fn fee_account(kind: &TransactionKind) -> Account {
    match kind {
        TransactionKind::Dispute | TransactionKind::DisputeReversal => Account::DisputeFees,
        _ => Account::ProcessorFees,
    }
}

/// The accounts the line's entries post to.
pub fn accounts(line: &Transaction, behind: Behind) -> [Account; 4] {
    let (fees, explanation) = (fee_account(&line.kind), explained_by(line, behind).1);
    [Account::ProcessorPending, Account::ProcessorAvailable, fees, explanation]
}

/// The business event of the line itself.
pub fn source(id: &str) -> String {
    format!("processor:{id}")
}

/// The entry of a line: the net to our balance, the fee to expenses, the gross to what explains it.
/// Nothing for a line that moves nothing.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn entry(line: &Transaction, behind: Behind) -> Result<Option<NewEntry>, MoneyError> {
    if line.amount.is_zero() && line.fee_minor == 0 {
        return Ok(None);
    }
    let (kind, account) = explained_by(line, behind);
    let balance = if waits(line) { Account::ProcessorPending } else { Account::ProcessorAvailable };
    let explanation = Line { account, amount: line.amount.checked_neg()?, order_id: behind.order };
    let fee = Money::new(line.fee_minor, line.amount.currency);
    let lines = vec![Line::debit(balance, net(line)?), Line::debit(fee_account(&line.kind), fee), explanation];
    let memo = Some(line.source_ref.clone());
    Ok(Some(NewEntry { kind, source: source(&line.id), effective_at: line.created_at, memo, lines }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, OffsetDateTime};

    use super::*;

    /// A line whose funds are there at once, except those of a charge.
    fn line(kind: TransactionKind, minor: i64, fee_minor: i64) -> Transaction {
        let days = if kind == TransactionKind::Charge { 2 } else { 0 };
        Transaction {
            id: "txn_1".to_owned(),
            kind,
            amount: Money::new(minor, "EUR".parse().expect("in the table")),
            fee_minor,
            source_ref: "ch_1".to_owned(),
            our_ref: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
            available_at: OffsetDateTime::UNIX_EPOCH + Duration::days(days),
        }
    }

    #[test]
    fn what_goes_back_of_a_pending_charge_is_taken_from_what_is_pending() {
        let at_once = line(TransactionKind::Refund, -10_001, 0);
        let later = Transaction { available_at: at_once.created_at + Duration::days(2), ..at_once.clone() };
        for (line, account) in [(at_once, Account::ProcessorAvailable), (later, Account::ProcessorPending)] {
            let entry = entry(&line, Behind::default()).expect("fits").expect("moves money");
            assert!(entry.lines.iter().any(|line| line.account == account && line.amount.minor == -10_001));
        }
    }

    #[test]
    fn a_charge_is_net_pending_plus_fee_against_clearing() {
        let entry =
            entry(&line(TransactionKind::Charge, 10_001, 320), Behind::default()).expect("fits").expect("moves money");
        let lines: Vec<_> = entry.lines.iter().map(|line| (line.account.code(), line.amount.minor)).collect();
        let expected = [("processor.pending", 9_681), ("processor_fees", 320), ("clearing.payment", -10_001)];
        assert_eq!(lines, expected.map(|(code, minor)| (code.to_owned(), minor)));
    }

    #[test]
    fn an_unknown_word_goes_to_a_suspense_account_it_can_carry() {
        let unknown = line(TransactionKind::Other("Reserve-Hold! ".to_owned()), -5, 0);
        let entry = entry(&unknown, Behind::default()).expect("fits").expect("moves money");
        assert_eq!(entry.kind, EntryKind::Suspense);
        assert!(entry.lines.iter().any(|line| line.account.code() == "suspense.reserve_hold__"));
    }

    #[test]
    fn a_reversal_pays_the_debt_it_was_asked_for_and_a_strange_one_waits_for_a_person() {
        let came = line(TransactionKind::TransferReversal, 8_001, 0);
        let debtor = OrgId::derived("p");
        let known = Behind { order: Some(OrderId::derived("o")), debtor: Some(debtor) };
        let booked = entry(&came, known).expect("fits").expect("moves money");
        assert_eq!(booked.kind, EntryKind::Reversal);
        let debt = booked.lines.iter().find(|line| line.account == Account::ProviderReceivable(debtor)).expect("paid");
        assert_eq!((debt.amount.minor, debt.order_id), (-8_001, known.order));
        assert_eq!(entry(&came, Behind::default()).expect("fits").expect("moves money").kind, EntryKind::Suspense);
    }

    #[test]
    fn the_fee_of_a_dispute_is_no_fee_of_a_charge() {
        let entry = entry(&line(TransactionKind::Dispute, -10_001, 1_500), Behind::default());
        let entry = entry.expect("fits").expect("moves money");
        let lines: Vec<_> = entry.lines.iter().map(|line| (line.account.code(), line.amount.minor)).collect();
        let expected = [("processor.available", -11_501), ("dispute_fees", 1_500), ("dispute_hold", 10_001)];
        assert_eq!(lines, expected.map(|(code, minor)| (code.to_owned(), minor)));
    }

    #[test]
    fn what_is_kept_back_moves_to_the_reserve_and_back() {
        for (minor, reserve) in [(-8_001, 8_001), (8_001, -8_001)] {
            let entry = entry(&line(TransactionKind::Reserve, minor, 0), Behind::default());
            let entry = entry.expect("fits").expect("moves money");
            assert_eq!(entry.kind, EntryKind::Reserve);
            let moved = |account| entry.lines.iter().find(|line| line.account == account).map(|line| line.amount.minor);
            assert_eq!(moved(Account::ProcessorAvailable), Some(minor));
            assert_eq!(moved(Account::ProcessorReserve), Some(reserve));
        }
    }

    #[test]
    fn a_line_that_moves_nothing_has_no_entry() {
        assert_eq!(entry(&line(TransactionKind::Charge, 0, 0), Behind::default()), Ok(None));
    }

    proptest! {
        #[test]
        fn every_line_of_every_kind_balances(
            word in "charge|transfer|payout|payout_failure|fee|refund|refund_failure|transfer_reversal|dispute|dispute_reversal|reserve|[a-z]{1,40}", minor in -1_000_000_i64..1_000_000, fee in 0_i64..1_000,
        ) {
            if let Some(entry) = entry(&line(TransactionKind::from_word(&word), minor, fee), Behind::default()).expect("fits") {
                prop_assert!(entry.balanced().is_ok());
            }
        }
    }
}
