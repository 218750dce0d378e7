//! Splitting an amount among several parties by weight, so that the parts always add up.
//!
//! The method is Webster's (Sainte-Laguë): the parts are the weights divided by a common divisor and rounded to the
//! nearest whole unit. Unlike the method of the largest remainder it is house-monotone: when the total grows, no part
//! falls, so the parts of a refund in several steps are never negative.
//!
//! Source: M. Balinski and H. P. Young, *Fair Representation*, 2nd ed. 2001, appendix A.

use std::cmp::Ordering;

use super::MoneyError;

/// Splits `total` minor units among parties in proportion to `weights`; part *i* belongs to weight *i*.
///
/// The parts add up to `total`, a party of weight 0 gets nothing, and a larger total never gives a smaller part. Two
/// parties with the same claim to the last unit get it in their order, or against it, in turn for each whole multiple
/// of the (reduced) weights: over two multiples nobody gains by the place in the list.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for a negative total, [`MoneyError::NoWeight`] when all weights are 0.
pub fn split(total: i64, weights: &[u64]) -> Result<Vec<i64>, MoneyError> {
    let total_units = u64::try_from(total).map_err(|_| MoneyError::OutOfRange)?;
    let common = weights.iter().copied().fold(0, gcd);
    if common == 0 {
        return Err(MoneyError::NoWeight);
    }
    let parties: Vec<Party> = weights.iter().map(|weight| Party { weight: weight / common, units: 0 }).collect();
    let parties = seat(parties, total_units)?;
    parties.into_iter().map(|party| i64::try_from(party.units).map_err(|_| MoneyError::Overflow)).collect()
}

/// The parts of a refund, after which `after` of the sum of `shares` is refunded and before which `before` was.
///
/// It is the difference of two splits of the cumulative amounts, so however many refunds there are, each part is at
/// least 0 and the last refund takes exactly what is left of each share.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for a negative share, or unless 0 ≤ `before` ≤ `after` ≤ the sum of the shares.
pub fn cumulative(shares: &[i64], before: i64, after: i64) -> Result<Vec<i64>, MoneyError> {
    let whole: i128 = shares.iter().copied().map(i128::from).sum();
    if before < 0 || before > after || i128::from(after) > whole {
        return Err(MoneyError::OutOfRange);
    }
    let weights: Vec<u64> = shares
        .iter()
        .map(|share| u64::try_from(*share).map_err(|_| MoneyError::OutOfRange))
        .collect::<Result<_, _>>()?;
    if whole == 0 {
        return Ok(vec![0; shares.len()]);
    }
    let (until, already) = (split(after, &weights)?, split(before, &weights)?);
    Ok(until.iter().zip(already).map(|(until, already)| until - already).collect())
}

/// A party and what it has so far. Its next unit is its claim `(2 × units + 1) / weight`: the smallest is served first.
#[derive(Debug, Clone, Copy)]
struct Party {
    weight: u64,
    units: u64,
}

impl Party {
    /// Twice the units, and one half unit more: where the rounding to the next unit begins.
    fn next_step(self) -> u128 {
        2 * u128::from(self.units) + 1
    }

    /// The step that its last unit was served at; none when it has no unit.
    fn last_step(self) -> Option<u128> {
        (2 * u128::from(self.units)).checked_sub(1)
    }
}

/// Which of two claims, each a step over a weight with a place in the list, is served first.
fn by_claim(a: (u128, u64, usize), b: (u128, u64, usize)) -> Ordering {
    let ((step_a, weight_a, place_a), (step_b, weight_b, place_b)) = (a, b);
    // A party has at most 2^63 units and a weight below 2^64, so the products stay below 2^128.
    let (left, right) = (step_a * u128::from(weight_b), step_b * u128::from(weight_a));
    left.cmp(&right).then_with(|| {
        let against_the_order = (step_a / (2 * u128::from(weight_a))) % 2 == 1;
        if against_the_order { place_b.cmp(&place_a) } else { place_a.cmp(&place_b) }
    })
}

/// Gives out `total` units: first what rounding to the nearest gives at once, then the few that are missing or too many.
fn seat(mut parties: Vec<Party>, total: u64) -> Result<Vec<Party>, MoneyError> {
    let whole: u128 = parties.iter().map(|party| u128::from(party.weight)).sum();
    for party in &mut parties {
        let exact = u128::from(total).checked_mul(u128::from(party.weight)).ok_or(MoneyError::Overflow)?;
        // A half is rounded down: equal claims are all left to the steps below, which know their order.
        let units = exact / whole + u128::from(exact % whole > whole / 2);
        party.units = u64::try_from(units).map_err(|_| MoneyError::Overflow)?;
    }
    loop {
        let given: u128 = parties.iter().map(|party| u128::from(party.units)).sum();
        match given.cmp(&u128::from(total)) {
            Ordering::Equal => return Ok(parties),
            Ordering::Less => {
                let claims = parties.iter().enumerate().filter(|(_, party)| party.weight > 0);
                let claims = claims.map(|(place, party)| (party.next_step(), party.weight, place));
                let (_, _, place) = claims.min_by(|a, b| by_claim(*a, *b)).ok_or(MoneyError::NoWeight)?;
                parties[place].units += 1;
            }
            Ordering::Greater => {
                let claims = parties.iter().enumerate();
                let claims = claims.filter_map(|(place, party)| Some((party.last_step()?, party.weight, place)));
                let (_, _, place) = claims.max_by(|a, b| by_claim(*a, *b)).ok_or(MoneyError::NoWeight)?;
                parties[place].units -= 1;
            }
        }
    }
}

const fn gcd(a: u64, b: u64) -> u64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Currency, Money};

    /// The highest total of the exhaustive tests; the full run sets `TORV_TEST_AMOUNTS_MAX=1000000`.
    fn amounts_max() -> i64 {
        std::env::var("TORV_TEST_AMOUNTS_MAX").ok().and_then(|text| text.parse().ok()).unwrap_or(20_000)
    }

    fn shares(total: i64, weights: &[u64]) -> Vec<i64> {
        split(total, weights).expect("valid")
    }

    fn weights() -> impl Strategy<Value = Vec<u64>> {
        proptest::collection::vec(1_u64..=10_000, 2..=6)
    }

    #[test]
    fn an_amount_is_split_to_the_nearest_unit() {
        assert_eq!(shares(10_001, &[2_000, 8_000]), [2_000, 8_001]);
        assert_eq!(shares(100, &[1, 1, 1]), [33, 33, 34]);
        assert_eq!(shares(0, &[3, 1]), [0, 0]);
        assert_eq!(shares(5, &[0, 1]), [0, 5]);
        assert_eq!(shares(1, &[0, 0, 1, 1]), [0, 0, 1, 0]);
        assert_eq!(shares(i64::MAX, &[u64::MAX, u64::MAX]), [i64::MAX / 2, i64::MAX / 2 + 1]);
    }

    #[test]
    fn what_can_not_be_split_is_refused() {
        assert_eq!(split(-1, &[1]), Err(MoneyError::OutOfRange));
        assert_eq!(split(1, &[]), Err(MoneyError::NoWeight));
        assert_eq!(split(1, &[0, 0]), Err(MoneyError::NoWeight));
        assert_eq!(cumulative(&[5, 5], 3, 2), Err(MoneyError::OutOfRange));
        assert_eq!(cumulative(&[5, 5], -1, 2), Err(MoneyError::OutOfRange));
        assert_eq!(cumulative(&[5, 5], 0, 11), Err(MoneyError::OutOfRange));
        assert_eq!(cumulative(&[-5, 15], 0, 10), Err(MoneyError::OutOfRange));
        assert_eq!(cumulative(&[0, 0], 0, 0), Ok(vec![0, 0]));
    }

    #[test]
    fn every_amount_splits_80_20_exactly_monotonely_and_without_bias() {
        let (euro, max) = ("EUR".parse::<Currency>().expect("in the table"), amounts_max());
        let (mut before, mut off_fifths) = (vec![0, 0], 0);
        for total in 1..=max {
            let parts = shares(total, &[20, 80]);
            assert_eq!(parts[0] + parts[1], total);
            assert!(parts.iter().zip(&before).all(|(now, then)| now >= then), "{total}");
            let frozen = Money::new(total, euro).split(2_000).expect("valid");
            assert_eq!((parts[0], parts[1]), (frozen.operator.minor, frozen.provider.minor));
            off_fifths += parts[0] * 5 - total;
            before = parts;
        }
        assert_eq!(off_fifths, 0, "over whole cycles of five the errors cancel; the highest amount has to be one");
    }

    #[test]
    fn equal_parties_take_turns_with_the_odd_cent() {
        let odd = |total| shares(total, &[500, 500])[0] * 2 - total;
        assert_eq!((1..=4).map(odd).collect::<Vec<_>>(), [1, 0, -1, 0]);
    }

    #[test]
    fn no_part_falls_where_the_largest_remainder_would_let_it() {
        // The Alabama paradox: with these weights the method of the largest remainder takes from the third at 11.
        let weights = [6, 6, 2];
        assert_eq!(shares(10, &weights), [4, 4, 2]);
        assert_eq!(shares(11, &weights), [4, 5, 2]);
    }

    /// The definition itself: one unit after another to the best claim.
    fn one_by_one(total: i64, weights: &[u64]) -> Vec<i64> {
        let common = weights.iter().copied().fold(0, gcd);
        let mut parties: Vec<Party> = weights.iter().map(|w| Party { weight: w / common, units: 0 }).collect();
        for _ in 0..total {
            let claims = parties.iter().enumerate().filter(|(_, party)| party.weight > 0);
            let claims = claims.map(|(place, party)| (party.next_step(), party.weight, place));
            let (_, _, place) = claims.min_by(|a, b| by_claim(*a, *b)).expect("a weight");
            parties[place].units += 1;
        }
        parties.into_iter().map(|party| i64::try_from(party.units).expect("small")).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn jumping_gives_what_serving_one_by_one_gives(total in 0_i64..400, weights in proptest::collection::vec(0_u64..30, 2..=6)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            prop_assert_eq!(shares(total, &weights), one_by_one(total, &weights));
        }

        #[test]
        fn the_parts_of_any_amount_add_up(total in 0..=i64::MAX, weights in proptest::collection::vec(any::<u64>(), 2..=6)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let parts = shares(total, &weights);
            prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(total));
            prop_assert!(parts.iter().all(|part| *part >= 0));
        }

        #[test]
        fn a_larger_total_never_gives_a_smaller_part(total in 0..i64::MAX, weights in weights()) {
            let (less, more) = (shares(total, &weights), shares(total + 1, &weights));
            prop_assert!(less.iter().zip(&more).all(|(less, more)| less <= more));
        }

        #[test]
        fn over_two_cycles_nobody_gains_by_rounding(weights in proptest::collection::vec(1_u64..=60, 2..=6)) {
            let common = weights.iter().copied().fold(0, gcd);
            let weights: Vec<u64> = weights.iter().map(|weight| weight / common).collect();
            let whole = i64::try_from(weights.iter().sum::<u64>()).expect("small");
            let mut off = vec![0_i64; weights.len()];
            for total in 0..2 * whole {
                for (off, (part, weight)) in off.iter_mut().zip(shares(total, &weights).iter().zip(&weights)) {
                    *off += part * whole - total * i64::try_from(*weight).expect("small");
                }
            }
            prop_assert!(off.iter().all(|off| *off == 0), "{off:?}");
        }

        #[test]
        fn refunds_in_any_number_of_parts_return_exactly_the_shares(
            total in 1_i64..100_000_000, weights in weights(), mut cuts in proptest::collection::vec(any::<u32>(), 0..8),
        ) {
            let paid = shares(total, &weights);
            cuts.sort_unstable();
            let steps = cuts.iter().map(|cut| i64::from(*cut) * total / i64::from(u32::MAX)).chain([total]);
            let (mut before, mut returned) = (0, vec![0; paid.len()]);
            for after in steps {
                let parts = cumulative(&paid, before, after).expect("in order");
                prop_assert_eq!(parts.iter().sum::<i64>(), after - before);
                prop_assert!(parts.iter().all(|part| *part >= 0));
                returned.iter_mut().zip(&parts).for_each(|(returned, part)| *returned += part);
                before = after;
            }
            prop_assert_eq!(returned, paid);
        }
    }
}
