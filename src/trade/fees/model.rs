//! Which rule applies.

use entity::{
    fee_rule,
    ids::{FeeRuleId, ListingId, OfferId, OrgId},
};
use time::OffsetDateTime;

/// What a fee rule can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale {
    /// Who sells.
    pub provider: OrgId,
    /// What.
    pub listing: ListingId,
    /// At which offer.
    pub offer: OfferId,
}

/// The operator's share of one sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// Basis points of the price.
    pub bps: u32,
    /// The rule it comes from; none for the configured default.
    pub rule: Option<FeeRuleId>,
}

/// The fee of a sale at `at`: of the rules in force the most specific (offer, listing, provider,
/// everybody), and among equals the one that came into force last; `default_bps` without any.
pub fn resolve(rules: &[fee_rule::Model], sale: Sale, at: OffsetDateTime, default_bps: u32) -> Fee {
    let applies = |rule: &&fee_rule::Model| {
        rule.from_at.0 <= at
            && rule.organization_id.is_none_or(|id| id == sale.provider)
            && rule.listing_id.is_none_or(|id| id == sale.listing)
            && rule.offer_id.is_none_or(|id| id == sale.offer)
    };
    let specific = |rule: &fee_rule::Model| {
        (rule.offer_id.is_some(), rule.listing_id.is_some(), rule.organization_id.is_some(), rule.from_at, rule.id)
    };
    rules.iter().filter(applies).max_by_key(|rule| specific(rule)).map_or(
        Fee { bps: default_bps, rule: None },
        |rule| Fee { bps: u32::try_from(rule.operator_bps).unwrap_or(default_bps), rule: Some(rule.id) },
    )
}

#[cfg(test)]
mod tests {
    use entity::Timestamp;
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn sale() -> Sale {
        Sale { provider: OrgId::derived("p"), listing: ListingId::derived("l"), offer: OfferId::derived("o") }
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
        }
    }

    #[test]
    fn without_rules_the_default_applies() {
        assert_eq!(resolve(&[], sale(), NOW, 2_000), Fee { bps: 2_000, rule: None });
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
}
