//! Which of the dated fee rules holds for a sale.

use time::OffsetDateTime;

use crate::Money;

/// What a fee rule can be about; `Id` names organisations, listings and offers, `Kind` is a kind of offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale<Id, Kind> {
    /// Who sells.
    pub provider: Id,
    /// What.
    pub listing: Id,
    /// At which offer.
    pub offer: Id,
    /// What kind of offer it is.
    pub kind: Kind,
    /// The offer's price, before discounts and tax; of a bundle, that of the whole.
    pub price: Money,
}

/// A rule: what it is about, and since when. What is absent does not matter to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule<'a, Id, Kind> {
    /// The rule itself; a later one has a larger id.
    pub id: Id,
    /// Who sells.
    pub provider: Option<Id>,
    /// What.
    pub listing: Option<Id>,
    /// At which offer.
    pub offer: Option<Id>,
    /// What kind of offer it is.
    pub kind: Option<Kind>,
    /// The code of the price's currency.
    pub currency: Option<&'a str>,
    /// The lowest price, in minor units.
    pub price_min_minor: Option<i64>,
    /// The highest price, in minor units.
    pub price_max_minor: Option<i64>,
    /// Its first instant.
    pub from_at: OffsetDateTime,
}

/// The one of `rules` that holds for a sale at `at`; each comes with what it stands for.
///
/// Of the rules in force that are about the sale, the most specific one wins. Compared are, in this order:
/// about this offer, about this listing, about this provider, about a band of prices, about a currency,
/// about a kind of offer. Among equals the rule wins that came into force last, then the one with the larger id.
pub fn in_force<'a, T, Id: Ord, Kind: PartialEq>(
    rules: impl IntoIterator<Item = (T, Rule<'a, Id, Kind>)>,
    sale: &Sale<Id, Kind>,
    at: OffsetDateTime,
) -> Option<T> {
    let candidates = rules.into_iter().filter(|(_, rule)| rule.from_at <= at && rule.is_about(sale));
    let winner = candidates.max_by(|(_, a), (_, b)| a.specificity().cmp(&b.specificity()));
    winner.map(|(stands_for, _)| stands_for)
}

impl<Id: Ord, Kind: PartialEq> Rule<'_, Id, Kind> {
    /// True when the rule is about this sale; the ends of its band are in it.
    fn is_about(&self, sale: &Sale<Id, Kind>) -> bool {
        self.provider.as_ref().is_none_or(|id| *id == sale.provider)
            && self.listing.as_ref().is_none_or(|id| *id == sale.listing)
            && self.offer.as_ref().is_none_or(|id| *id == sale.offer)
            && self.kind.as_ref().is_none_or(|kind| *kind == sale.kind)
            && self.currency.is_none_or(|code| code == sale.price.currency.code())
            && self.price_min_minor.is_none_or(|minor| minor <= sale.price.minor)
            && self.price_max_minor.is_none_or(|minor| sale.price.minor <= minor)
    }

    /// What rules are compared by, as [`in_force`] says.
    fn specificity(&self) -> ([bool; 6], OffsetDateTime, &Id) {
        let about = [
            self.offer.is_some(),
            self.listing.is_some(),
            self.provider.is_some(),
            self.price_min_minor.is_some() || self.price_max_minor.is_some(),
            self.currency.is_some(),
            self.kind.is_some(),
        ];
        (about, self.from_at, &self.id)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    type TestRule = Rule<'static, &'static str, char>;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, code.parse().expect("in the table"))
    }

    fn sale() -> Sale<&'static str, char> {
        Sale { provider: "p", listing: "l", offer: "o", kind: '1', price: money(10_000, "EUR") }
    }

    fn rule(from_days: i64) -> TestRule {
        Rule {
            id: "",
            provider: None,
            listing: None,
            offer: None,
            kind: None,
            currency: None,
            price_min_minor: None,
            price_max_minor: None,
            from_at: NOW + Duration::days(from_days),
        }
    }

    fn winner(rules: &[TestRule], sale: &Sale<&'static str, char>, at: OffsetDateTime) -> Option<usize> {
        in_force(rules.iter().copied().enumerate(), sale, at)
    }

    #[test]
    fn without_rules_none_holds() {
        assert_eq!(winner(&[], &sale(), NOW), None);
    }

    #[test]
    fn a_rule_holds_from_its_date_on_and_the_last_one_wins() {
        let rules = [rule(-2), rule(-1), rule(1)];
        assert_eq!(winner(&rules, &sale(), NOW), Some(1));
        assert_eq!(winner(&rules, &sale(), NOW + Duration::days(1)), Some(2));
        assert_eq!(winner(&rules, &sale(), NOW - Duration::days(3)), None);
    }

    #[test]
    fn of_two_that_came_into_force_together_the_later_written_wins() {
        let (earlier, later) = (Rule { id: "a", ..rule(-1) }, Rule { id: "b", ..rule(-1) });
        assert_eq!(winner(&[earlier, later], &sale(), NOW), Some(1));
        assert_eq!(winner(&[later, earlier], &sale(), NOW), Some(0));
    }

    #[test]
    fn the_more_specific_rule_wins_even_if_it_is_older() {
        let provider = Rule { provider: Some("p"), ..rule(-5) };
        let offer = Rule { offer: Some("o"), ..rule(-9) };
        let foreign = Rule { offer: Some("other"), ..rule(-1) };
        let rules = [rule(-1), provider, offer, foreign];
        assert_eq!(winner(&rules, &sale(), NOW), Some(2));
        assert_eq!(winner(&rules[..2], &sale(), NOW), Some(1));
    }

    #[test]
    fn a_rule_about_anything_else_does_not_hold() {
        for other in [
            Rule { provider: Some("q"), ..rule(-1) },
            Rule { listing: Some("q"), ..rule(-1) },
            Rule { offer: Some("q"), ..rule(-1) },
            Rule { kind: Some('2'), ..rule(-1) },
            Rule { currency: Some("DKK"), ..rule(-1) },
            Rule { price_min_minor: Some(10_001), ..rule(-1) },
            Rule { price_max_minor: Some(9_999), ..rule(-1) },
        ] {
            assert_eq!(winner(&[other], &sale(), NOW), None, "{other:?}");
        }
    }

    #[test]
    fn a_band_holds_its_ends_and_only_its_currency() {
        let band = Rule { price_min_minor: Some(10_000), price_max_minor: Some(50_000), ..rule(-1) };
        let rules = [rule(-1), Rule { currency: Some("EUR"), ..band }];
        let at = |minor, code| winner(&rules, &Sale { price: money(minor, code), ..sale() }, NOW);
        let in_euro = [9_999, 10_000, 50_000, 50_001].map(|minor| at(minor, "EUR"));
        assert_eq!(in_euro, [Some(0), Some(1), Some(1), Some(0)]);
        assert_eq!(at(10_000, "DKK"), Some(0));
    }

    #[test]
    fn what_is_sold_counts_more_than_at_what_price_and_that_more_than_in_which_way() {
        let from_least = [
            rule(-1),
            Rule { kind: Some('1'), ..rule(-1) },
            Rule { currency: Some("EUR"), ..rule(-1) },
            Rule { price_max_minor: Some(10_000), ..rule(-1) },
            Rule { price_min_minor: Some(10_000), ..rule(0) },
            Rule { provider: Some("p"), ..rule(-1) },
            Rule { listing: Some("l"), ..rule(-1) },
            Rule { offer: Some("o"), ..rule(-1) },
        ];
        for count in 1..=from_least.len() {
            assert_eq!(winner(&from_least[..count], &sale(), NOW), Some(count - 1), "of the first {count}");
            let mut reversed = from_least[..count].to_vec();
            reversed.reverse();
            assert_eq!(winner(&reversed, &sale(), NOW), Some(0), "in any order");
        }
    }
}
