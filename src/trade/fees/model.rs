//! Which rule applies.

use entity::{
    fee_rule,
    ids::{FeeRuleId, ListingId, OfferId, OrgId},
    states::{DisputeBearer, FeeBearer, OfferKind},
};
use time::OffsetDateTime;
use torv_money::fee_rules;
use uuid::Uuid;

use crate::base::Money;

/// What a fee rule can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale {
    /// Who sells.
    pub provider: OrgId,
    /// What.
    pub listing: ListingId,
    /// At which offer.
    pub offer: OfferId,
    /// What kind of offer it is.
    pub kind: OfferKind,
    /// The offer's price, before discounts and tax; of a bundle, that of the whole.
    pub price: Money,
}

/// The operator's share of one sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// Basis points of the price.
    pub bps: u32,
    /// Who bears what the processor charges; the operator, without a rule.
    pub bearer: FeeBearer,
    /// Who bears a lost dispute; none for what is configured.
    pub dispute_bearer: Option<DisputeBearer>,
    /// The rule it comes from; none for the configured default.
    pub rule: Option<FeeRuleId>,
}

/// The fee of a sale at `at`; `default_bps` and the operator as bearer where no rule is in force.
///
/// Which rule holds is told by [`fee_rules::in_force`]. A rule is taken whole: its share and its bearer belong together.
/// What it says is frozen on the order line when the order is placed.
pub fn resolve(rules: &[fee_rule::Model], sale: Sale, at: OffsetDateTime, default_bps: u32) -> Fee {
    let sale = fee_rules::Sale {
        provider: sale.provider.0,
        listing: sale.listing.0,
        offer: sale.offer.0,
        kind: sale.kind,
        price: sale.price,
    };
    let rules = rules.iter().map(|row| (row, as_rule(row)));
    let Some(rule) = fee_rules::in_force(rules, &sale, at) else {
        return Fee { bps: default_bps, bearer: FeeBearer::Operator, dispute_bearer: None, rule: None };
    };
    let bps = u32::try_from(rule.operator_bps).unwrap_or(default_bps);
    Fee { bps, bearer: rule.fee_bearer, dispute_bearer: rule.dispute_bearer, rule: Some(rule.id) }
}

fn as_rule(row: &fee_rule::Model) -> fee_rules::Rule<'_, Uuid, OfferKind> {
    fee_rules::Rule {
        id: row.id.0,
        provider: row.organization_id.map(|id| id.0),
        listing: row.listing_id.map(|id| id.0),
        offer: row.offer_id.map(|id| id.0),
        kind: row.offer_kind,
        currency: row.currency.as_deref(),
        price_min_minor: row.price_min_minor,
        price_max_minor: row.price_max_minor,
        from_at: row.from_at.0,
    }
}

#[cfg(test)]
mod tests {
    use entity::Timestamp;
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().expect("in the table"))
    }

    fn sale() -> Sale {
        Sale {
            provider: OrgId::derived("p"),
            listing: ListingId::derived("l"),
            offer: OfferId::derived("o"),
            kind: OfferKind::OneOff,
            price: money(10_000, "EUR"),
        }
    }

    fn rule(bps: i32, from_days: i64) -> fee_rule::Model {
        fee_rule::Model {
            id: FeeRuleId::derived(&format!("{bps}:{from_days}")),
            organization_id: None,
            listing_id: None,
            offer_id: None,
            operator_bps: bps,
            from_at: Timestamp(NOW + Duration::days(from_days)),
            created_by: None,
            created_at: Timestamp(NOW),
            offer_kind: None,
            currency: None,
            price_min_minor: None,
            price_max_minor: None,
            fee_bearer: FeeBearer::Operator,
            dispute_bearer: None,
        }
    }

    fn band(bps: i32, min: Option<i64>, max: Option<i64>) -> fee_rule::Model {
        let currency = Some("EUR".to_owned());
        fee_rule::Model { currency, price_min_minor: min, price_max_minor: max, ..rule(bps, -1) }
    }

    #[test]
    fn without_rules_the_default_applies() {
        let fallback = Fee { bps: 2_000, bearer: FeeBearer::Operator, dispute_bearer: None, rule: None };
        assert_eq!(resolve(&[], sale(), NOW, 2_000), fallback);
    }

    #[test]
    fn a_rule_applies_from_its_date_on_and_the_last_one_wins() {
        let rules = [rule(1_500, -2), rule(1_000, -1), rule(500, 1)];
        assert_eq!(resolve(&rules, sale(), NOW, 2_000).bps, 1_000);
        assert_eq!(resolve(&rules, sale(), NOW + Duration::days(1), 2_000).bps, 500);
        assert_eq!(resolve(&rules, sale(), NOW - Duration::days(3), 2_000).bps, 2_000);
    }

    #[test]
    fn the_more_specific_rule_wins_even_if_it_is_older() {
        let provider = fee_rule::Model { organization_id: Some(sale().provider), ..rule(1_800, -5) };
        let offer = fee_rule::Model { offer_id: Some(sale().offer), ..rule(1_700, -9) };
        let foreign = fee_rule::Model { offer_id: Some(OfferId::derived("other")), ..rule(1, -1) };
        let rules = [rule(1_000, -1), provider, offer, foreign];
        assert_eq!(resolve(&rules, sale(), NOW, 2_000).bps, 1_700);
        assert_eq!(resolve(&rules[..2], sale(), NOW, 2_000).bps, 1_800);
    }

    #[test]
    fn a_band_holds_its_ends_and_only_its_currency() {
        let rules = [rule(2_000, -1), band(1_000, Some(10_000), Some(50_000))];
        let bps = |minor, code| resolve(&rules, Sale { price: money(minor, code), ..sale() }, NOW, 1).bps;
        assert_eq!(
            [bps(9_999, "EUR"), bps(10_000, "EUR"), bps(50_000, "EUR"), bps(50_001, "EUR")],
            [2_000, 1_000, 1_000, 2_000]
        );
        assert_eq!(bps(10_000, "DKK"), 2_000);
    }

    #[test]
    fn what_is_sold_counts_more_than_at_what_price_and_that_more_than_in_which_way() {
        let kind = |bps| fee_rule::Model { offer_kind: Some(OfferKind::OneOff), ..rule(bps, -1) };
        let currency = |bps| fee_rule::Model { currency: Some("EUR".to_owned()), ..rule(bps, -1) };
        let provider = |bps| fee_rule::Model { organization_id: Some(sale().provider), ..rule(bps, -1) };
        let listing = |bps| fee_rule::Model { listing_id: Some(sale().listing), ..rule(bps, -1) };
        let offer = |bps| fee_rule::Model { offer_id: Some(sale().offer), ..rule(bps, -1) };
        let rules = [rule(7, -1), kind(6), currency(5), band(4, None, Some(10_000)), provider(3), listing(2), offer(1)];
        for count in 1..=rules.len() {
            let winner = resolve(&rules[..count], sale(), NOW, 9).bps;
            assert_eq!(winner, u32::try_from(8 - count).expect("small"), "of the first {count}");
            let mut reversed = rules[..count].to_vec();
            reversed.reverse();
            assert_eq!(resolve(&reversed, sale(), NOW, 9).bps, winner, "in any order");
        }
        let subscription = fee_rule::Model { offer_kind: Some(OfferKind::Subscription), ..rule(6, -1) };
        assert_eq!(resolve(&[subscription], sale(), NOW, 9).bps, 9, "about another kind of offer");
    }

    #[test]
    fn share_and_bearers_come_from_the_same_rule() {
        let dispute_bearer = Some(DisputeBearer::Provider);
        let borne = fee_rule::Model { fee_bearer: FeeBearer::Provider, dispute_bearer, ..rule(1_500, -3) };
        let fee = resolve(std::slice::from_ref(&borne), sale(), NOW, 9);
        assert_eq!((fee.bearer, fee.dispute_bearer), (FeeBearer::Provider, dispute_bearer));
        let fee = resolve(&[borne, rule(1_400, -1)], sale(), NOW, 9);
        assert_eq!((fee.bearer, fee.dispute_bearer), (FeeBearer::Operator, None));
    }
}
