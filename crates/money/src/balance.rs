//! Double entry: debits and credits cancel out.

use std::collections::BTreeMap;

use crate::{Currency, Money};

/// The currencies in which these amounts don't cancel out, each with what is left over, by code.
pub fn off(amounts: impl IntoIterator<Item = Money>) -> Vec<(Currency, i128)> {
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for amount in amounts {
        *sums.entry(amount.currency).or_default() += i128::from(amount.minor);
    }
    sums.into_iter().filter(|(_, sum)| *sum != 0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().expect("in the table"))
    }

    fn found(amounts: &[Money]) -> Vec<(&'static str, i128)> {
        off(amounts.iter().copied()).into_iter().map(|(currency, sum)| (currency.code(), sum)).collect()
    }

    #[test]
    fn currencies_balance_one_by_one() {
        assert_eq!(found(&[money(5, "EUR"), money(-5, "DKK")]), [("DKK", -5), ("EUR", 5)]);
        assert_eq!(found(&[money(5, "EUR"), money(7, "DKK"), money(-5, "EUR"), money(-6, "DKK")]), [("DKK", 1)]);
        assert_eq!(found(&[money(5, "EUR"), money(-2, "EUR"), money(-3, "EUR"), money(0, "JPY")]), []);
    }

    #[test]
    fn no_sum_is_too_large() {
        assert_eq!(found(&[money(i64::MAX, "EUR"); 3]), [("EUR", 3 * i128::from(i64::MAX))]);
    }

    proptest! {
        #[test]
        fn every_split_of_a_sale_balances(minor in 1..i64::MAX / 2, bps in 0_u32..=10_000) {
            let whole = money(minor, "EUR");
            let split = whole.split(bps).expect("in range");
            let back = |part: Money| part.checked_neg().expect("small");
            prop_assert_eq!(off([whole, back(split.operator), back(split.provider)]), []);
        }

        #[test]
        fn one_unit_off_is_always_noticed(minor in 1..i64::MAX / 2, more in prop_oneof![-3_i64..0, 1_i64..4]) {
            let lines = [money(minor, "EUR"), money(-(minor + more), "EUR")];
            prop_assert_eq!(off(lines), [("EUR".parse().expect("in the table"), -i128::from(more))]);
        }
    }
}
