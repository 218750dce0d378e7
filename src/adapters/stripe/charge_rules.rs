//! What Stripe can charge, so that a quote refuses what the charge would refuse.

use torv_stripe::currency::{AmountError, CHARGE_API_UNITS_MAX, CurrencyRule, rule_of};

use crate::base::{Currency, chargeable::ChargeRules};

/// The rules of `currency` in ISO 4217 minor units. Of a currency that Stripe does not take, nothing can be charged.
pub(super) fn charge_rules(currency: Currency) -> ChargeRules {
    let nothing = ChargeRules { min_minor: 1, max_minor: 0, step_minor: 1 };
    rule_of(currency.code()).and_then(in_minor_units).unwrap_or(nothing)
}

fn in_minor_units(rule: &CurrencyRule) -> Result<ChargeRules, AmountError> {
    let step = rule.charge_step_api_units;
    Ok(ChargeRules {
        min_minor: rule.from_api(rule.charge_min_api_units)?,
        max_minor: rule.from_api(CHARGE_API_UNITS_MAX - CHARGE_API_UNITS_MAX % step)?,
        step_minor: rule.from_api(step)?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use torv_stripe::currency::AmountUse;

    use super::*;
    use crate::base::Money;

    #[test]
    fn the_limits_are_those_that_stripe_publishes() {
        let of = |code: &str| {
            let rules = charge_rules(code.parse().expect("in the table"));
            (rules.min_minor, rules.max_minor, rules.step_minor)
        };
        assert_eq!(of("EUR"), (50, 99_999_999, 1));
        assert_eq!(of("JPY"), (50, 99_999_999, 1));
        assert_eq!(of("KWD"), (10, 99_999_990, 10));
        assert_eq!(of("ISK"), (1, 999_999, 1));
    }

    proptest! {
        #[test]
        fn a_quote_and_a_charge_refuse_the_same(
            currency in proptest::sample::select(Currency::all().collect::<Vec<_>>()),
            minor in prop_oneof![1_i64..20_000, 999_990_i64..1_000_010, 99_999_980_i64..100_000_020],
        ) {
            let rule = rule_of(currency.code()).expect("Stripe takes every currency of the exchange");
            let quoted = charge_rules(currency).check(Money::new(minor, currency)).is_ok();
            prop_assert_eq!(quoted, rule.to_api(minor, AmountUse::Charge).is_ok());
        }
    }
}
