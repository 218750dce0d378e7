//! Who bears how much of a fee.

use std::collections::BTreeMap;

use entity::{ids::OrgId, order_line, states::FeeBearer};
use torv_money::fee_shares::{self, FeeLine};

use crate::base::MoneyError;

/// What each provider that bears its fees has to bear of the processor's fee for an order: see
/// [`torv_money::fee_shares::allocate`].
///
/// # Errors
/// As there.
pub fn allocate(fee_minor: i64, lines: &[order_line::Model]) -> Result<BTreeMap<OrgId, i64>, MoneyError> {
    let line = |line: &order_line::Model| FeeLine {
        borne_by: (line.fee_bearer == FeeBearer::Provider).then_some(line.provider_id),
        price_minor: line.price_minor,
        tax_minor: line.tax_minor,
        share_minor: line.provider_minor,
    };
    fee_shares::allocate(fee_minor, lines.iter().map(line))
}

#[cfg(test)]
mod tests {
    use entity::{
        ids::{ListingId, OfferId, OrderId},
        states::{Coverage, OfferKind},
    };

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
            slice: None,
        }
    }

    #[test]
    fn a_line_of_the_operator_leaves_its_part_to_the_operator() {
        let lines = [line("p", 5_000, 8_000, FeeBearer::Provider), line("q", 5_000, 8_000, FeeBearer::Operator)];
        assert_eq!(allocate(301, &lines), Ok(BTreeMap::from([(OrgId::derived("p"), 150)])));
        assert_eq!(allocate(-1, &lines), Err(MoneyError::OutOfRange));
        assert_eq!(allocate(1, &[]), Err(MoneyError::OutOfRange));
    }
}
