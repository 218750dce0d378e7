use proptest::prelude::*;

use super::*;

fn row(code: &str) -> &'static CurrencyRule {
    rule_of(code).expect("a row")
}

#[test]
fn the_table_is_sorted_and_has_every_code_once() {
    assert!(RULES.windows(2).all(|pair| pair[0].code < pair[1].code));
    assert!(RULES.iter().all(|rule| rule.code.len() == 3 && rule.code.bytes().all(|b| b.is_ascii_uppercase())));
}

#[test]
fn every_currency_of_the_table_is_one_async_stripe_knows_or_is_passed_as_text() {
    for rule in RULES {
        let code = rule.code.to_lowercase();
        let parsed: stripe_types::Currency = code.parse().expect("infallible");
        assert_eq!(parsed.to_string(), code);
    }
}

#[test]
fn special_currencies_are_counted_as_stripe_counts_them() {
    for (code, minor, api) in [
        ("EUR", 10_001, 10_001),
        ("JPY", 500, 500),
        ("ISK", 500, 50_000),
        ("UGX", 5_000, 500_000),
        ("MGA", 500, 5),
        ("KWD", 5_120, 5_120),
        ("HUF", 17_550, 17_550),
        ("TWD", 801, 801),
    ] {
        assert_eq!(row(code).to_api(minor, AmountUse::Charge), Ok(api), "{code}");
        assert_eq!(row(code).from_api(api), Ok(minor), "{code}");
    }
}

#[test]
fn what_stripe_would_refuse_is_refused_with_the_remedy() {
    let refused = |code: &str, minor, amount_use| row(code).to_api(minor, amount_use).expect_err("refused").to_string();
    assert_eq!(
        refused("KWD", 5_124, AmountUse::Charge),
        "5124 minor units of KWD cannot be said to Stripe, which counts KWD in steps of 10 minor units: round to a multiple of it"
    );
    assert!(refused("MGA", 501, AmountUse::Charge).contains("steps of 100 minor units"));
    assert!(refused("HUF", 1_050, AmountUse::Payout).contains("steps of 100 minor units"));
    assert!(refused("TWD", 1_050, AmountUse::Payout).contains("steps of 100 minor units"));
    assert!(refused("EUR", 49, AmountUse::Charge).contains("charge at least 50"));
    assert!(refused("JPY", 49, AmountUse::Charge).contains("charge at least 50"));
    assert!(refused("HUF", 17_499, AmountUse::Charge).contains("charge at least 17500"));
    assert!(refused("EUR", 100_000_000, AmountUse::Charge).contains("charge at most 99999999"));
    assert!(refused("KWD", 100_000_000, AmountUse::Charge).contains("charge at most 99999990"));
    assert!(refused("ISK", 1_000_000, AmountUse::Charge).contains("charge at most 999999"));
    assert!(refused("EUR", 0, AmountUse::Refund).contains("more than 0"));
    assert!(refused("ISK", i64::MAX, AmountUse::Transfer).contains("too large"));
    assert!(matches!(rule_of("eur"), Err(AmountError::UnknownCurrency(_))), "codes are upper case at the border");
    assert!(matches!(rule_of("XXX"), Err(AmountError::UnknownCurrency(_))));
}

#[test]
fn the_limits_themselves_are_accepted() {
    assert_eq!(row("EUR").to_api(50, AmountUse::Charge), Ok(50));
    assert_eq!(row("EUR").to_api(99_999_999, AmountUse::Charge), Ok(99_999_999));
    assert_eq!(row("ISK").to_api(999_999, AmountUse::Charge), Ok(99_999_900));
    assert_eq!(row("KWD").to_api(99_999_990, AmountUse::Charge), Ok(99_999_990));
    assert_eq!(row("HUF").to_api(1_000, AmountUse::Payout), Ok(1_000));
    assert_eq!(row("EUR").to_api(1, AmountUse::Refund), Ok(1));
    assert_eq!(row("KWD").to_api(4_008, AmountUse::Transfer), Ok(4_008), "shares of a sale need not end in 0");
}

#[test]
fn an_old_fractional_amount_is_an_error_and_never_rounded() {
    assert_eq!(row("ISK").from_api(1_250), Err(AmountError::Fraction { currency: "ISK", api_units: 1_250 }));
    assert_eq!(row("ISK").from_api(-1_200), Ok(-12));
    assert_eq!(row("MGA").from_api(i64::MAX), Err(AmountError::Overflow { currency: "MGA", amount_minor: i64::MAX }));
}

#[test]
fn a_row_may_differ_by_any_number_of_digits() {
    let finer = CurrencyRule { iso_digits: 1, ..rule("XXA", 3, 1, 1) };
    assert_eq!((finer.to_api(7, AmountUse::Charge), finer.from_api(700)), (Ok(700), Ok(7)));
    let coarser = CurrencyRule { iso_digits: 4, ..rule("XXB", 1, 1, 1) };
    assert_eq!((coarser.to_api(7_000, AmountUse::Charge), coarser.from_api(7)), (Ok(7), Ok(7_000)));
}

const USES: [AmountUse; 4] = [AmountUse::Charge, AmountUse::Refund, AmountUse::Transfer, AmountUse::Payout];

#[test]
fn every_small_amount_comes_back_unchanged_or_is_refused_in_every_currency() {
    for rule in RULES {
        for minor in 1..=2_000 {
            for amount_use in USES {
                if let Ok(api) = rule.to_api(minor, amount_use) {
                    assert_eq!(rule.from_api(api), Ok(minor), "{} {minor} {amount_use:?}", rule.code);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn any_allowed_amount_comes_back_unchanged(index in 0..RULES.len(), minor in any::<i64>(), use_index in 0..USES.len()) {
        let rule = &RULES[index];
        if let Ok(api) = rule.to_api(minor, USES[use_index]) {
            prop_assert_eq!(rule.from_api(api), Ok(minor));
            prop_assert!(api > 0);
        }
    }

    #[test]
    fn an_allowed_charge_keeps_every_rule(index in 0..RULES.len(), minor in 1_i64..=120_000_000) {
        let rule = &RULES[index];
        match rule.to_api(minor, AmountUse::Charge) {
            Ok(api) => {
                prop_assert!(api <= CHARGE_API_UNITS_MAX && api >= rule.charge_min_api_units);
                prop_assert_eq!(api % rule.charge_step_api_units, 0);
            }
            // A refusal has to have a cause that can be seen without this code.
            Err(AmountError::BelowMinimum { min_minor, .. }) => prop_assert!(minor < min_minor),
            Err(AmountError::AboveMaximum { max_minor, .. }) => prop_assert!(minor > max_minor),
            Err(AmountError::NotAMultiple { step_minor, .. }) => prop_assert!(minor % step_minor != 0),
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn what_stripe_sends_goes_back_the_same_way(index in 0..RULES.len(), api in 1_i64..=99_999_999) {
        let rule = &RULES[index];
        if let Ok(minor) = rule.from_api(api) {
            prop_assert_eq!(rule.to_api(minor, AmountUse::Transfer), Ok(api));
        }
    }
}

#[test]
fn a_least_amount_is_rounded_up_to_what_stripe_can_count() {
    let of = |code: &str, minor| rule_of(code).unwrap().to_api_at_least(minor);
    assert_eq!(of("EUR", 8_001), Ok(8_001));
    assert_eq!(of("EUR", 0), Ok(0));
    assert_eq!(of("ISK", 7), Ok(700));
    assert_eq!(of("MGA", 101), Ok(2));
    assert!(of("EUR", -1).is_err());
    assert!(of("ISK", i64::MAX).is_err());
}
