//! How old debts are, and what of them is set off against which share.

use std::collections::HashMap;

use entity::ids::OrderId;
use serde::Serialize;
use time::{Duration, OffsetDateTime};

use crate::base::{Money, MoneyError};

/// How old a debt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
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
pub struct SetOff {
    /// Whose share pays.
    pub from: OrderId,
    /// Whose debt is paid.
    pub debt: OrderId,
    /// How much; positive.
    pub amount: Money,
}

/// Sets debts off against payable shares: an order's own first, then the oldest against the oldest.
///
/// Both come in ledger signs and oldest first: shares are credits, debts are debits. `blocked` is what
/// may still be taken back otherwise.
///
/// # Errors
/// [`MoneyError`] for amounts out of range.
pub fn set_off(
    payable: &[(OrderId, Money)],
    debts: &[(OrderId, Money)],
    blocked: &HashMap<OrderId, i64>,
) -> Result<Vec<SetOff>, MoneyError> {
    let mut shares: Vec<(OrderId, Money)> = Vec::new();
    for (order, balance) in payable.iter().filter(|(_, balance)| balance.minor < 0) {
        shares.push((*order, balance.checked_neg()?));
    }
    let open = |(order, debt): &(OrderId, Money)| {
        (*order, Money::new(debt.minor - blocked.get(order).copied().unwrap_or(0), debt.currency))
    };
    let mut debts: Vec<(OrderId, Money)> = debts.iter().map(open).filter(|(_, debt)| debt.minor > 0).collect();
    let mut all = Vec::new();
    for own in [true, false] {
        for (debt_order, debt) in &mut debts {
            for (share_order, share) in shares.iter_mut().filter(|(order, _)| !own || order == debt_order) {
                let amount = Money::new(debt.minor.min(share.minor), debt.currency);
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
fn merged(all: Vec<SetOff>) -> Vec<SetOff> {
    let mut merged: Vec<SetOff> = Vec::new();
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
    use super::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, "EUR".parse().expect("in the table"))
    }

    fn order(words: &str) -> OrderId {
        OrderId::derived(words)
    }

    #[test]
    fn an_order_pays_its_own_debt_before_that_of_others() {
        let payable = [(order("a"), eur(-50)), (order("b"), eur(-30))];
        let debts = [(order("x"), eur(40)), (order("b"), eur(20))];
        let all = set_off(&payable, &debts, &HashMap::new()).expect("fits");
        let pair = |from, debt, minor| SetOff { from: order(from), debt: order(debt), amount: eur(minor) };
        assert_eq!(all, [pair("b", "b", 20), pair("a", "x", 40)]);
    }

    #[test]
    fn what_may_still_be_taken_back_is_not_set_off() {
        let payable = [(order("a"), eur(-50))];
        let debts = [(order("x"), eur(40))];
        let all = set_off(&payable, &debts, &HashMap::from([(order("x"), 40)])).expect("fits");
        assert_eq!(all, []);
        let all = set_off(&payable, &debts, &HashMap::from([(order("x"), 15)])).expect("fits");
        assert_eq!(all.iter().map(|one| one.amount.minor).sum::<i64>(), 25);
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
        assert_eq!([age(0), age(30), age(31), age(60)].map(|age| age as u8), [0, 0, 1, 1]);
        assert_eq!([age(61), age(90), age(91), age(300)].map(|age| age as u8), [2, 2, 3, 3]);
    }
}
