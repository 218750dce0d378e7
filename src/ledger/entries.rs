//! An entry before it is written: balanced by construction or refused.

use entity::{ids::OrderId, states::EntryKind};
use time::OffsetDateTime;
use torv_money::balance;

use super::Account;
use crate::base::{Currency, Money};

/// One side of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The account.
    pub account: Account,
    /// Debits positive, credits negative.
    pub amount: Money,
    /// The order it belongs to, for accounts that are kept per order.
    pub order_id: Option<OrderId>,
}

impl Line {
    /// A debit of a non-negative amount.
    pub fn debit(account: Account, amount: Money) -> Self {
        Self { account, amount, order_id: None }
    }

    /// A credit of a non-negative amount.
    pub fn credit(account: Account, amount: Money) -> Self {
        Self { account, amount: Money::new(-amount.minor, amount.currency), order_id: None }
    }

    /// The same line, belonging to an order.
    #[must_use]
    pub fn of(mut self, order: OrderId) -> Self {
        self.order_id = Some(order);
        self
    }
}

/// An entry to be booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// What happened.
    pub kind: EntryKind,
    /// The business event, once for ever: `order:ord_…:sale`.
    pub source: String,
    /// When it happened, which can be before it is booked.
    pub effective_at: OffsetDateTime,
    /// A note for people.
    pub memo: Option<String>,
    /// The lines; lines of zero are dropped.
    pub lines: Vec<Line>,
}

/// The lines of an entry don't sum to zero in some currency, or there are fewer than two.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the entry {kind} of {event} is off by {off:?}")]
pub struct Unbalanced {
    /// What was to be booked.
    pub kind: EntryKind,
    /// The business event.
    pub event: String,
    /// Currency and sum of each that is not zero.
    pub off: Vec<(Currency, i128)>,
}

impl NewEntry {
    /// Drops lines of zero and checks the balance.
    ///
    /// # Errors
    /// [`Unbalanced`].
    pub fn balanced(mut self) -> Result<Self, Unbalanced> {
        self.lines.retain(|line| !line.amount.is_zero());
        let off = balance::off(self.lines.iter().map(|line| line.amount));
        if off.is_empty() && self.lines.len() >= 2 {
            return Ok(self);
        }
        Err(Unbalanced { kind: self.kind, event: self.source, off })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().expect("in the table"))
    }

    fn entry(lines: Vec<Line>) -> NewEntry {
        NewEntry {
            kind: EntryKind::Sale,
            source: "test".to_owned(),
            effective_at: OffsetDateTime::UNIX_EPOCH,
            memo: None,
            lines,
        }
    }

    #[test]
    fn currencies_balance_one_by_one() {
        let lines = vec![
            Line::debit(Account::ClearingPayment, money(5, "EUR")),
            Line::credit(Account::Commission, money(5, "DKK")),
        ];
        assert_eq!(entry(lines).balanced().expect_err("two currencies").off.len(), 2);
    }

    #[test]
    fn an_entry_of_nothing_is_refused() {
        let lines = vec![
            Line::debit(Account::ClearingPayment, money(0, "EUR")),
            Line::credit(Account::Commission, money(0, "EUR")),
        ];
        assert!(entry(lines).balanced().is_err());
    }

    #[test]
    fn one_line_is_no_entry_and_two_that_balance_are() {
        let line = |minor| Line::debit(Account::ClearingPayment, money(minor, "EUR"));
        assert!(entry(vec![line(0), line(0), line(0)]).balanced().is_err());
        let booked = entry(vec![line(5), line(0), Line::credit(Account::Commission, money(5, "EUR"))]).balanced();
        assert_eq!(booked.expect("balanced").lines.len(), 2);
    }
}
