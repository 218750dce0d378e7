//! Who bears how much of a fee, and from where it is taken.

use std::collections::BTreeMap;

use entity::{ids::OrgId, order_line, states::FeeBearer};

use crate::base::MoneyError;

/// What each provider that bears its fees has to bear of the processor's fee for an order.
///
/// The fee is spread over all lines by what was paid for them, on running sums rounded down, so that the
/// parts add up to the fee whatever the number of lines. A provider bears the parts of its own lines that say
/// so, of each at most its share of the line; the operator bears the rest.
///
/// # Errors
/// [`MoneyError::OutOfRange`] for a negative fee, or lines that cost nothing together;
/// [`MoneyError::Overflow`].
pub fn allocate(fee_minor: i64, lines: &[order_line::Model]) -> Result<BTreeMap<OrgId, i64>, MoneyError> {
    let paid = |line: &order_line::Model| i128::from(line.price_minor) + i128::from(line.tax_minor);
    let total: i128 = lines.iter().map(paid).sum();
    if fee_minor < 0 || total <= 0 {
        return Err(MoneyError::OutOfRange);
    }
    let mut borne: BTreeMap<OrgId, i64> = BTreeMap::new();
    let (mut paid_so_far, mut spread) = (0_i128, 0_i128);
    for line in lines {
        paid_so_far += paid(line);
        let until_here = i128::from(fee_minor) * paid_so_far / total;
        let part = i64::try_from(until_here - spread).map_err(|_| MoneyError::Overflow)?;
        spread = until_here;
        if line.fee_bearer == FeeBearer::Provider {
            let sum = borne.entry(line.provider_id).or_default();
            *sum = sum.checked_add(part.min(line.provider_minor)).ok_or(MoneyError::Overflow)?;
        }
    }
    Ok(borne)
}

/// From where a provider's part is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// From the share that is held.
    pub pending_minor: i64,
    /// From the share that is due.
    pub payable_minor: i64,
    /// Owed by the provider: the share is gone.
    pub receivable_minor: i64,
}

/// Takes `minor` from what stands of the share, the held part first.
pub fn take(minor: i64, pending_minor: i64, payable_minor: i64) -> Taken {
    let from_pending = minor.min(pending_minor.max(0));
    let from_payable = (minor - from_pending).min(payable_minor.max(0));
    Taken {
        pending_minor: from_pending,
        payable_minor: from_payable,
        receivable_minor: minor - from_pending - from_payable,
    }
}

#[cfg(test)]
mod tests {
    use entity::{
        ids::{ListingId, OfferId, OrderId},
        states::{Coverage, OfferKind},
    };
    use proptest::prelude::*;

    use super::*;

    fn line(provider: &str, price_minor: i64, share_bps: i64, fee_bearer: FeeBearer) -> order_line::Model {
        let provider_minor = price_minor * share_bps / 10_000;
        order_line::Model {
            order_id: OrderId::derived("o"),
            line_no: 1,
            listing_id: ListingId::derived("l"),
            offer_id: OfferId::derived("f"),
            provider_id: OrgId::derived(provider),
            offer_kind: OfferKind::OneOff,
            price_minor,
            currency: "EUR".to_owned(),
            fee_rule_id: None,
            fee_bps: 0,
            operator_minor: price_minor - provider_minor,
            provider_minor,
            licence_hash: String::new(),
            term_months: None,
            coverage: Coverage::Snapshot,
            revision_number: 1,
            hold_days: 0,
            quantity: 1,
            discount_minor: 0,
            tax_minor: 0,
            tax_bps: 0,
            tax_category: None,
            fee_bearer,
            dispute_bearer: entity::states::DisputeBearer::Split,
            grants_access: true,
            period_from: None,
            period_until: None,
        }
    }

    #[test]
    fn the_only_line_bears_the_whole_fee_but_never_more_than_its_share() {
        let of = |fee, share_bps| {
            let borne = allocate(fee, &[line("p", 10_000, share_bps, FeeBearer::Provider)]).expect("in range");
            borne.into_values().sum::<i64>()
        };
        assert_eq!([of(320, 8_000), of(320, 100), of(320, 0), of(0, 8_000)], [320, 100, 0, 0]);
    }

    #[test]
    fn a_line_of_the_operator_leaves_its_part_to_the_operator() {
        let lines = [line("p", 5_000, 8_000, FeeBearer::Provider), line("q", 5_000, 8_000, FeeBearer::Operator)];
        assert_eq!(allocate(301, &lines), Ok(BTreeMap::from([(OrgId::derived("p"), 150)])));
        assert_eq!(allocate(-1, &lines), Err(MoneyError::OutOfRange));
        assert_eq!(allocate(1, &[]), Err(MoneyError::OutOfRange));
    }

    #[test]
    fn what_is_no_longer_there_is_owed() {
        let of = |pending, payable| take(100, pending, payable);
        assert_eq!(of(500, 0), Taken { pending_minor: 100, payable_minor: 0, receivable_minor: 0 });
        assert_eq!(of(30, 50), Taken { pending_minor: 30, payable_minor: 50, receivable_minor: 20 });
        assert_eq!(of(-5, 0), Taken { pending_minor: 0, payable_minor: 0, receivable_minor: 100 });
    }

    proptest! {
        #[test]
        fn the_parts_of_any_bundle_add_up_to_the_fee(prices in prop::collection::vec(1..1_000_000_i64, 1..9), fee in 0..1_000_000_i64) {
            let fee = fee.min(prices.iter().sum());
            let lines: Vec<_> = prices.iter().enumerate()
                .map(|(at, price)| line(&at.to_string(), *price, 10_000, FeeBearer::Provider)).collect();
            let borne = allocate(fee, &lines).expect("in range");
            // A part is at most one unit more than its price, which caps it.
            let sum: i64 = borne.values().sum();
            prop_assert!(sum <= fee && fee - sum <= i64::try_from(prices.len()).expect("few"));
            prop_assert!(borne.values().all(|part| *part >= 0));
        }
    }
}
