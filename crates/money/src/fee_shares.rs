//! Who bears how much of what the processor charged for an order.

use std::collections::BTreeMap;

use crate::MoneyError;

/// One line of an order; all amounts in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeLine<P> {
    /// The provider that bears the line's part; nobody when the operator does.
    pub borne_by: Option<P>,
    /// What was paid for it, before tax.
    pub price_minor: i64,
    /// The tax on it.
    pub tax_minor: i64,
    /// The provider's share of it.
    pub share_minor: i64,
}

/// What each provider that bears its fees has to bear of the processor's fee for an order.
///
/// The fee is spread over all lines by what was paid for them, on running sums rounded down, so that the
/// parts add up to the fee whatever the number of lines. A provider bears the parts of its own lines that say
/// so, of each at most its share of the line; the operator bears the rest.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for a negative fee, or lines that cost nothing together;
/// [`MoneyError::Overflow`].
pub fn allocate<P: Ord>(
    fee_minor: i64,
    lines: impl IntoIterator<Item = FeeLine<P>> + Clone,
) -> Result<BTreeMap<P, i64>, MoneyError> {
    let paid = |line: &FeeLine<P>| i128::from(line.price_minor) + i128::from(line.tax_minor);
    let total: i128 = lines.clone().into_iter().map(|line| paid(&line)).sum();
    if fee_minor < 0 || total <= 0 {
        return Err(MoneyError::OutOfRange);
    }
    let mut borne: BTreeMap<P, i64> = BTreeMap::new();
    let (mut paid_so_far, mut spread) = (0_i128, 0_i128);
    for line in lines {
        paid_so_far += paid(&line);
        let until_here = i128::from(fee_minor) * paid_so_far / total;
        let part = i64::try_from(until_here - spread).map_err(|_| MoneyError::Overflow)?;
        spread = until_here;
        if let Some(provider) = line.borne_by {
            let sum = borne.entry(provider).or_default();
            *sum = sum.checked_add(part.min(line.share_minor)).ok_or(MoneyError::Overflow)?;
        }
    }
    Ok(borne)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(borne_by: Option<&'static str>, price_minor: i64, share_bps: i64) -> FeeLine<&'static str> {
        FeeLine { borne_by, price_minor, tax_minor: 0, share_minor: price_minor * share_bps / 10_000 }
    }

    #[test]
    fn the_only_line_bears_the_whole_fee_but_never_more_than_its_share() {
        let of = |fee, share_bps| {
            let borne = allocate(fee, [line(Some("p"), 10_000, share_bps)]).expect("in range");
            borne.into_values().sum::<i64>()
        };
        assert_eq!([of(320, 8_000), of(320, 100), of(320, 0), of(0, 8_000)], [320, 100, 0, 0]);
    }

    #[test]
    fn a_line_of_the_operator_leaves_its_part_to_the_operator() {
        let lines = [line(Some("p"), 5_000, 8_000), line(None, 5_000, 8_000)];
        assert_eq!(allocate(301, lines), Ok(BTreeMap::from([("p", 150)])));
        assert_eq!(allocate(-1, lines), Err(MoneyError::OutOfRange));
        assert_eq!(allocate::<&str>(1, []), Err(MoneyError::OutOfRange));
        assert_eq!(allocate(1, [line(Some("p"), 0, 0)]), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn tax_is_paid_too_and_takes_its_part() {
        let taxed = FeeLine { tax_minor: 5_000, ..line(Some("p"), 5_000, 10_000) };
        let lines = [line(Some("q"), 5_000, 10_000), taxed, line(Some("q"), 5_000, 10_000)];
        assert_eq!(allocate(401, lines), Ok(BTreeMap::from([("p", 200), ("q", 201)])));
    }

    #[test]
    fn a_fee_beyond_all_that_was_paid_still_fits() {
        let lines = [line(Some("p"), i64::MAX, 1), line(Some("q"), i64::MAX, 1)]
            .map(|line| FeeLine { share_minor: i64::MAX, ..line });
        assert_eq!(allocate(i64::MAX, lines), Ok(BTreeMap::from([("p", i64::MAX / 2), ("q", i64::MAX / 2 + 1)])));
    }

    proptest! {
        #[test]
        fn the_parts_of_any_bundle_add_up_to_the_fee(prices in prop::collection::vec(1..1_000_000_i64, 1..9), fee in 0..1_000_000_i64) {
            let fee = fee.min(prices.iter().sum());
            let lines: Vec<_> = (0_usize..).zip(&prices)
                .map(|(at, price)| FeeLine { borne_by: Some(at), price_minor: *price, tax_minor: 0, share_minor: *price })
                .collect();
            let borne = allocate(fee, lines).expect("in range");
            // A part is at most one unit more than its price, which caps it.
            let sum: i64 = borne.values().sum();
            prop_assert!(sum <= fee && fee - sum <= i64::try_from(prices.len()).expect("few"));
            prop_assert!(borne.values().all(|part| *part >= 0));
        }
    }
}
