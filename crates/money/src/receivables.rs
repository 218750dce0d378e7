//! How old debts are, and what of them is set off against which share.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
};

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::{Money, MoneyError};

/// How old a debt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Age {
    /// Up to 30 days.
    #[serde(rename = "0-30")]
    UpTo30Days,
    /// 31 to 60 days.
    #[serde(rename = "31-60")]
    UpTo60Days,
    /// 61 to 90 days.
    #[serde(rename = "61-90")]
    UpTo90Days,
    /// More than 90 days.
    #[serde(rename = "90+")]
    Older,
}

impl Age {
    /// All, the youngest first.
    pub const ALL: [Self; 4] = [Self::UpTo30Days, Self::UpTo60Days, Self::UpTo90Days, Self::Older];

    /// What came to be after this time is of this age or younger; nothing for the oldest.
    pub fn begins_after(self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        let whole_days = match self {
            Self::UpTo30Days => 30,
            Self::UpTo60Days => 60,
            Self::UpTo90Days => 90,
            Self::Older => return None,
        };
        Some(now - Duration::days(whole_days + 1))
    }

    /// The age of something that came to be at `since`, in whole days.
    pub fn of(since: OffsetDateTime, now: OffsetDateTime) -> Self {
        match (now - since).max(Duration::ZERO).whole_days() {
            0..=30 => Self::UpTo30Days,
            31..=60 => Self::UpTo60Days,
            61..=90 => Self::UpTo90Days,
            _ => Self::Older,
        }
    }
}

/// A debt about one order set off against the share of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetOff<Order> {
    /// Whose share pays.
    pub from: Order,
    /// Whose debt is paid.
    pub debt: Order,
    /// How much; positive.
    pub amount: Money,
}

/// Sets debts off against payable shares: an order's own first, then the oldest against the oldest.
///
/// Both come in ledger signs and oldest first: shares are credits, debts are debits. `blocked` is what
/// may still be taken back otherwise. A pair of orders is in the answer at most once.
///
/// # Errors
/// [`MoneyError`] for amounts out of range.
pub fn set_off<Order: Copy + Eq + Hash>(
    payable: &[(Order, Money)],
    debts: &[(Order, Money)],
    blocked: &HashMap<Order, i64, impl BuildHasher>,
) -> Result<Vec<SetOff<Order>>, MoneyError> {
    let share = |(order, balance): &(Order, Money)| Ok((*order, balance.checked_neg()?));
    let mut shares = payable.iter().map(share).collect::<Result<Vec<_>, _>>()?;
    let open = |(order, debt): &(Order, Money)| {
        (*order, Money::new(debt.minor - blocked.get(order).copied().unwrap_or(0), debt.currency))
    };
    let mut debts: Vec<(Order, Money)> = debts.iter().map(open).collect();
    let mut all = Vec::new();
    for own in [true, false] {
        for (debt_order, debt) in &mut debts {
            for (share_order, share) in shares.iter_mut().filter(|(order, _)| !own || order == debt_order) {
                let amount = Money::new(debt.minor.min(share.minor), debt.currency);
                // What is no share, or no debt, is not positive.
                if amount.minor > 0 {
                    *debt = debt.checked_sub(amount)?;
                    *share = share.checked_sub(amount)?;
                    all.push(SetOff { from: *share_order, debt: *debt_order, amount });
                }
            }
        }
    }
    Ok(merged(all))
}

/// One row for each pair.
fn merged<Order: Copy + Eq>(all: Vec<SetOff<Order>>) -> Vec<SetOff<Order>> {
    let mut merged: Vec<SetOff<Order>> = Vec::new();
    for one in all {
        match merged.iter_mut().find(|other| other.from == one.from && other.debt == one.debt) {
            Some(other) => other.amount.minor += one.amount.minor,
            None => merged.push(one),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, "EUR".parse().expect("in the table"))
    }

    fn pair(from: &'static str, debt: &'static str, minor: i64) -> SetOff<&'static str> {
        SetOff { from, debt, amount: eur(minor) }
    }

    #[test]
    fn an_order_pays_its_own_debt_before_that_of_others() {
        let payable = [("a", eur(-50)), ("b", eur(-30))];
        let debts = [("x", eur(40)), ("b", eur(20))];
        let all = set_off(&payable, &debts, &HashMap::new()).expect("fits");
        assert_eq!(all, [pair("b", "b", 20), pair("a", "x", 40)]);
    }

    #[test]
    fn the_oldest_share_pays_the_oldest_debt_and_what_is_left_the_next() {
        let payable = [("a", eur(-50)), ("b", eur(5)), ("c", eur(-30))];
        let debts = [("x", eur(40)), ("y", eur(-1)), ("z", eur(100))];
        let all = set_off(&payable, &debts, &HashMap::new()).expect("fits");
        assert_eq!(all, [pair("a", "x", 40), pair("a", "z", 10), pair("c", "z", 30)]);
    }

    #[test]
    fn what_may_still_be_taken_back_is_not_set_off() {
        let payable = [("a", eur(-50))];
        let debts = [("x", eur(40))];
        let with = |blocked| set_off(&payable, &debts, &HashMap::from([("x", blocked)])).expect("fits");
        assert_eq!(with(40), []);
        assert_eq!(with(15), [pair("a", "x", 25)]);
    }

    #[test]
    fn several_rows_about_one_pair_become_one() {
        let payable = [("a", eur(-50)), ("b", eur(-20))];
        let debts = [("x", eur(40)), ("x", eur(25))];
        let all = set_off(&payable, &debts, &HashMap::new()).expect("fits");
        assert_eq!(all, [pair("a", "x", 50), pair("b", "x", 15)]);
    }

    #[test]
    fn an_age_begins_where_the_one_before_ends() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(365);
        for (age, older) in Age::ALL.iter().zip(&Age::ALL[1..]) {
            let begin = age.begins_after(now).expect("not the oldest");
            assert_eq!((Age::of(begin + Duration::microseconds(1), now), Age::of(begin, now)), (*age, *older));
        }
    }

    #[test]
    fn ages_end_at_their_day() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(365);
        let age = |days| Age::of(now - Duration::days(days), now);
        use Age::{Older, UpTo30Days, UpTo60Days, UpTo90Days};
        assert_eq!([age(-40), age(0), age(30)], [UpTo30Days; 3]);
        assert_eq!([age(31), age(60), age(61), age(90)], [UpTo60Days, UpTo60Days, UpTo90Days, UpTo90Days]);
        assert_eq!([age(91), age(300)], [Older; 2]);
    }

    proptest! {
        #[test]
        fn as_much_as_possible_is_set_off_and_never_more(
            payable in proptest::collection::vec(0_i64..100, 0..6), debts in proptest::collection::vec(0_i64..100, 0..6),
        ) {
            let shares: Vec<_> = (0_u8..).zip(&payable).map(|(order, minor)| (order, eur(-minor))).collect();
            // Some orders have both a share and a debt.
            let owed: Vec<_> = (3_u8..).zip(&debts).map(|(order, minor)| (order, eur(*minor))).collect();
            let all = set_off(&shares, &owed, &HashMap::new()).expect("fits");
            let sum = |of: &dyn Fn(&SetOff<u8>) -> bool| -> i64 {
                all.iter().filter(|one| of(one)).map(|one| one.amount.minor).sum()
            };
            prop_assert!(all.iter().all(|one| one.amount.minor > 0));
            prop_assert_eq!(sum(&|_| true), payable.iter().sum::<i64>().min(debts.iter().sum()));
            for (order, share) in shares {
                prop_assert!(sum(&|one| one.from == order) <= -share.minor);
            }
            for (order, debt) in owed {
                prop_assert!(sum(&|one| one.debt == order) <= debt.minor);
            }
        }
    }
}
