//! What leaves the exchange, and what has to stay.

use std::collections::BTreeMap;

use crate::{Currency, Money, MoneyError};

/// One provider's orders that a payout is to carry; every amount is positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due<Org, Order> {
    /// The provider.
    pub organization: Org,
    /// The orders with the share of each.
    pub orders: Vec<(Order, Money)>,
    /// Their sum.
    pub total: Money,
}

impl<Org: Copy, Order> Due<Org, Order> {
    /// The same, each order by itself.
    pub fn by_order(self) -> Vec<Self> {
        let organization = self.organization;
        let alone = |(order, share)| Self { organization, orders: vec![(order, share)], total: share };
        self.orders.into_iter().map(alone).collect()
    }
}

/// Gathers what is payable per order (credits, so negative) into what is due, if it reaches the minimum.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn due<Org, Order>(
    organization: Org,
    payable: Vec<(Order, Money)>,
    currency: Currency,
    minimum_minor: i64,
) -> Result<Option<Due<Org, Order>>, MoneyError> {
    let (mut orders, mut total) = (Vec::with_capacity(payable.len()), Money::zero(currency));
    for (order, balance) in payable {
        if balance.minor < 0 {
            let share = balance.checked_neg()?;
            total = total.checked_add(share)?;
            orders.push((order, share));
        }
    }
    Ok((total.minor >= minimum_minor && total.minor > 0).then_some(Due { organization, orders, total }))
}

/// What is left of `balances` in `currency` (debits positive) without `unbooked_minor`; never negative.
///
/// # Errors
/// [`MoneyError::Overflow`] when it does not fit.
pub fn left_over(
    balances: impl IntoIterator<Item = Money>,
    unbooked_minor: i64,
    currency: Currency,
) -> Result<Money, MoneyError> {
    let ours = balances.into_iter().filter(|balance| balance.currency == currency);
    let sum: i128 = ours.map(|balance| i128::from(balance.minor)).sum();
    let minor = i64::try_from((sum - i128::from(unbooked_minor)).max(0)).map_err(|_| MoneyError::Overflow)?;
    Ok(Money::new(minor, currency))
}

/// The sum of the credits among `balances` per currency, as positive amounts, by code; a debit is owed to nobody.
///
/// Every currency that occurs is there, with zero when nothing is owed in it.
///
/// # Errors
/// [`MoneyError::Overflow`] when a sum does not fit.
pub fn owed(balances: impl IntoIterator<Item = Money>) -> Result<Vec<Money>, MoneyError> {
    let mut owed: BTreeMap<Currency, i128> = BTreeMap::new();
    for balance in balances {
        *owed.entry(balance.currency).or_default() -= i128::from(balance.minor.min(0));
    }
    let fits = |(currency, minor)| Ok(Money::new(i64::try_from(minor).map_err(|_| MoneyError::Overflow)?, currency));
    owed.into_iter().map(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, "EUR".parse().expect("in the table"))
    }

    fn yen(minor: i64) -> Money {
        Money::new(minor, "JPY".parse().expect("in the table"))
    }

    #[test]
    fn less_than_the_minimum_waits_and_the_minimum_itself_is_paid() {
        let payable = || vec![("a", eur(-60)), ("b", eur(-40))];
        let of = |minimum| due("p", payable(), eur(0).currency, minimum).expect("fits");
        assert_eq!(of(101), None);
        assert_eq!(of(100).expect("reached").total, eur(100));
        assert_eq!(due::<_, &str>("p", vec![], eur(0).currency, 1), Ok(None));
        assert_eq!(due::<_, &str>("p", vec![], eur(0).currency, 0), Ok(None), "nothing is never paid");
    }

    #[test]
    fn an_order_with_nothing_due_is_not_carried() {
        let payable = vec![("a", eur(5)), ("b", eur(-40)), ("c", eur(0))];
        let due = due("p", payable, eur(0).currency, 1).expect("fits").expect("due");
        assert_eq!(due.orders, [("b", eur(40))]);
    }

    #[test]
    fn more_than_fits_is_refused() {
        let payable = vec![("a", eur(-i64::MAX)), ("b", eur(-1))];
        assert_eq!(due("p", payable, eur(0).currency, 1), Err(MoneyError::Overflow));
        assert_eq!(left_over([eur(i64::MAX), eur(1)], 0, eur(0).currency), Err(MoneyError::Overflow));
        assert_eq!(owed([eur(-i64::MAX), eur(-1)]), Err(MoneyError::Overflow));
    }

    #[test]
    fn where_shares_move_charge_by_charge_each_order_is_due_alone() {
        let payable = vec![("a", eur(-60)), ("b", eur(-40))];
        let due = due("p", payable, eur(0).currency, 100).expect("fits").expect("due");
        let alone = |order, share| Due { organization: "p", orders: vec![(order, share)], total: share };
        assert_eq!(due.by_order(), [alone("a", eur(60)), alone("b", eur(40))]);
    }

    #[test]
    fn what_is_owed_and_what_is_not_booked_yet_is_not_left_over() {
        let left = |balances: &[Money], unbooked| left_over(balances.iter().copied(), unbooked, eur(0).currency);
        assert_eq!(left(&[eur(1_000), eur(-300), yen(50), eur(-300)], 0), Ok(eur(400)));
        assert_eq!(left(&[eur(1_000), eur(-600)], 150), Ok(eur(250)));
        assert_eq!(left(&[eur(1_000), eur(-3_000)], 0), Ok(eur(0)));
    }

    #[test]
    fn only_credits_are_owed_each_currency_by_itself() {
        assert_eq!(owed([eur(-300), yen(-7), eur(-340), eur(900)]), Ok(vec![eur(640), yen(7)]));
        assert_eq!(owed([eur(5)]), Ok(vec![eur(0)]));
        assert_eq!(owed([]), Ok(vec![]));
    }
}
