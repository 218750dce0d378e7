//! The running balance of a table: follows the rows in either direction of time.

use crate::{
    amount::Currency,
    error::{Fault, FaultKind},
    record::Balance,
};

/// Checks each balance against the one of the row before.
///
/// Banks list the oldest or the newest row first. Both are possible until the balances rule one out.
#[derive(Debug, Default)]
pub(crate) struct RunningBalance {
    first: Option<Row>,
    last: Option<Row>,
    is_not_ascending: bool,
    is_not_descending: bool,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    amount_minor: i64,
    balance_minor: i64,
}

impl RunningBalance {
    pub(crate) fn add(&mut self, amount_minor: i64, balance_minor: i64, currency: Currency) -> Result<(), Fault> {
        let row = Row { amount_minor, balance_minor };
        if let Some(last) = self.last {
            let change = i128::from(balance_minor) - i128::from(last.balance_minor);
            self.is_not_ascending |= change != i128::from(amount_minor);
            self.is_not_descending |= -change != i128::from(last.amount_minor);
            if self.is_not_ascending && self.is_not_descending {
                let problem = format!(
                    "the balance goes from {} to {}, but the amounts of the two rows are {} and {}",
                    currency.show(last.balance_minor.into()),
                    currency.show(balance_minor.into()),
                    currency.show(last.amount_minor.into()),
                    currency.show(amount_minor.into()),
                );
                let advice = "Send all rows of the period in the bank's order.";
                return Err(Fault::new(FaultKind::Balance, problem, advice));
            }
        }
        self.first.get_or_insert(row);
        self.last = Some(row);
        Ok(())
    }

    /// Opening and closing balance of the rows; `None` when the direction stays open and they depend on it, as with a
    /// payment and its return alone.
    pub(crate) fn ends(&self) -> Option<(Balance, Balance)> {
        let (first, last) = (self.first?, self.last?);
        let ascending = ends_between(first, last)?;
        let descending = ends_between(last, first)?;
        match (self.is_not_ascending, self.is_not_descending) {
            (false, true) => Some(ascending),
            (true, _) => Some(descending),
            (false, false) => (ascending == descending).then_some(ascending),
        }
    }
}

fn ends_between(oldest: Row, newest: Row) -> Option<(Balance, Balance)> {
    let balance = |minor| Balance { minor, date: None };
    let opening_minor = oldest.balance_minor.checked_sub(oldest.amount_minor)?;
    Some((balance(opening_minor), balance(newest.balance_minor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rows: &[(i64, i64)]) -> Result<Option<(i64, i64)>, Fault> {
        let eur = Currency::parse("EUR", |_| Some(2)).expect("a known code");
        let mut running = RunningBalance::default();
        for (amount, balance) in rows {
            running.add(*amount, *balance, eur)?;
        }
        Ok(running.ends().map(|(opening, closing)| (opening.minor, closing.minor)))
    }

    #[test]
    fn both_directions_are_followed() {
        assert_eq!(run(&[(5, 105), (-3, 102), (7, 109)]), Ok(Some((100, 109))));
        assert_eq!(run(&[(7, 109), (-3, 102), (5, 105)]), Ok(Some((100, 109))));
        assert_eq!(run(&[(5, 105)]), Ok(Some((100, 105))));
        assert_eq!(run(&[]), Ok(None));
        // Read upwards the account held 100 before and after, read downwards 105.
        assert_eq!(run(&[(5, 105), (-5, 100)]), Ok(None));
        assert_eq!(run(&[(5, 105), (-5, 100), (1, 101)]), Ok(Some((100, 101))));
    }

    #[test]
    fn a_lost_or_mixed_row_is_found() {
        assert!(run(&[(5, 105), (7, 109)]).is_err());
        // Ascending, then descending.
        assert!(run(&[(5, 105), (-3, 102), (5, 105)]).is_err());
    }
}
