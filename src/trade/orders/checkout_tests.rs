//! What a purchase costs, by example and by property.

use entity::{
    ids::{LicenceId, OfferId},
    states::{Coverage, FeeBearer, OfferKind},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::{base::clock::add_months, trade::orders::LaterReason};

const NOW: OffsetDateTime = datetime!(2026-11-21 10:00 UTC);
const CENTS: ChargeRules = ChargeRules { min_minor: 50, max_minor: 99_999_999, step_minor: 1 };
const ONE: Wish = Wish { quantity: 1, coupon: None, expected_units: None };

fn offer(minor: i64, plan: Value) -> SaleOffer {
    SaleOffer {
        id: OfferId::derived("o"),
        listing_id: ListingId::derived("l"),
        provider_id: OrgId::derived("p"),
        kind: OfferKind::OneOff,
        price: Money::new(minor, "EUR".parse().expect("in the table")),
        term_months: Some(12),
        licence_id: LicenceId::derived("l"),
        licence_hash: String::new(),
        approval_required: false,
        coverage: Coverage::Snapshot,
        plan: Some(serde_json::from_value(plan).expect("well-formed")),
    }
}

fn component(weight: u64, bps: u32, in_coupon: bool) -> Component {
    Component {
        listing_id: ListingId::derived("l"),
        provider_id: OrgId::derived("p"),
        title: LangText::default(),
        revision_number: 1,
        fee: Fee { bps, bearer: FeeBearer::Operator, dispute_bearer: None, rule: None },
        weight,
        in_coupon,
    }
}

fn untaxed(rules: ChargeRules) -> Taxed {
    Taxed { rules, tax_bps: 0 }
}

/// A checkout whose only rate is that of `taxed`.
fn charged(offer: &SaleOffer, components: Vec<Component>, wish: Wish, taxed: Taxed) -> Result<Checkout> {
    let found = checkout(offer, components, wish, taxed, NOW)?;
    let tax = |line: &QuotedLine| {
        let minor = taxed.gross(line.due.minor).expect("fits") - line.due.minor;
        LineTax { minor, bps: i32::try_from(taxed.tax_bps).expect("small"), category: Some("S") }
    };
    let lines = found.lines.iter().map(tax).collect();
    found.with_taxes(Taxes { mode: TaxMode::Agent, country: None, lines }, wish, &taxed.rules)
}

fn at(offer: &SaleOffer, wish: Wish) -> Result<Checkout> {
    charged(offer, vec![component(1, 2_000, true)], wish, untaxed(CENTS))
}

fn refused(outcome: Result<Checkout>) -> String {
    outcome.expect_err("refused").fields.remove(0).pointer
}

#[test]
fn a_trial_costs_nothing_now_and_the_price_at_its_end() {
    let found = at(&offer(1_000, json!({"renews": true, "trial_days": 14})), ONE).expect("valid");
    assert_eq!((found.total.minor, found.lines[0].priced.net_minor, found.lines[0].due.minor), (0, 1_000, 0));
    let until = NOW + Duration::days(14);
    let expected = [(LaterReason::TrialEnd, until), (LaterReason::Renewal, add_months(until, 12))];
    assert_eq!(found.schedule.iter().map(|later| (later.reason, later.due_at)).collect::<Vec<_>>(), expected);
    assert!(found.schedule.iter().all(|later| later.amount.minor == 1_000));
}

#[test]
fn a_coupon_is_for_this_order_and_a_renewal_without_it() {
    let wish = Wish { coupon: Some(Reduction::Percent(5_000)), ..ONE };
    let found = at(&offer(1_000, json!({"renews": true})), wish).expect("valid");
    assert_eq!((found.total.minor, found.schedule[0].amount.minor), (500, 1_000));
}

#[test]
fn instalments_and_what_is_due_now_are_the_price_after_discounts() {
    let plan = json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
    let wish = Wish { coupon: Some(Reduction::Fixed(1)), ..ONE };
    let found = at(&offer(10_001, plan), wish).expect("valid");
    let later: i64 = found.schedule.iter().map(|later| later.amount.minor).sum();
    assert_eq!((found.total.minor, later, found.lines[0].priced.net_minor), (3_334, 6_666, 10_000));
    assert_eq!(found.lines[0].split.operator.minor + found.lines[0].split.provider.minor, 3_334);
}

#[test]
fn what_can_not_be_charged_is_refused_before_anything_is_ordered() {
    assert_eq!(refused(at(&offer(49, json!({})), ONE)), "/offer_id");
    let wish = Wish { coupon: Some(Reduction::Fixed(60)), ..ONE };
    assert_eq!(refused(at(&offer(100, json!({})), wish)), "/coupon");
    // Small later parts are as bad as a small first one.
    let parts = json!({"instalments": [{"after_days": 30, "share_bps": 1_000}]});
    assert_eq!(refused(at(&offer(494, parts), ONE)), "/offer_id");
    let many = json!({"volume": [{"from_quantity": 2, "off_bps": 100}]});
    assert_eq!(refused(at(&offer(99_999_999, many), Wish { quantity: 2, ..ONE })), "/quantity");
    assert_eq!(
        at(&offer(100, json!({})), Wish { coupon: Some(Reduction::Fixed(100)), ..ONE }).expect("free").total.minor,
        0
    );
}

#[test]
fn only_packs_and_offers_with_steps_have_a_quantity() {
    assert_eq!(refused(at(&offer(100, json!({})), Wish { quantity: 2, ..ONE })), "/quantity");
    assert_eq!(refused(at(&offer(100, json!({})), Wish { quantity: 0, ..ONE })), "/quantity");
    let pack = json!({"quota": {"unit": "row", "units": 10}});
    assert_eq!(at(&offer(100, pack), Wish { quantity: 3, ..ONE }).expect("valid").total.minor, 300);
}

#[test]
fn a_metered_offer_costs_nothing_now_and_has_a_forecast() {
    let plan = json!({"meter": {"unit": "row", "tiers": [{"price_minor": 1, "per_units": 2}], "cap_minor": 700}});
    let found = at(&offer(0, plan), Wish { expected_units: Some(1_000), ..ONE }).expect("valid");
    let forecast = found.forecast.expect("asked for");
    assert_eq!(
        (found.total.minor, forecast.low_minor, forecast.expected_minor, forecast.high_minor),
        (0, 250, 500, 700)
    );
    assert_eq!(refused(at(&offer(100, json!({})), Wish { expected_units: Some(1), ..ONE })), "/expected_units");
}

proptest! {
    #[test]
    fn every_sum_of_a_checkout_is_exact(
        minor in 0_i64..=99_999_999, weights in proptest::collection::vec((1_u64..1_000, 0_u32..=10_000, any::<bool>()), 1..=6),
        bps in 0_u32..=10_000, later_bps in 0_u32..5_000,
    ) {
        let single = weights.len() == 1;
        let plan = if single && later_bps > 0 {
            json!({"instalments": [{"after_days": 1, "share_bps": later_bps}, {"after_days": 2, "share_bps": later_bps}]})
        } else { json!({}) };
        let components = weights.iter().map(|(weight, bps, chosen)| component(*weight, *bps, *chosen)).collect();
        let wish = Wish { coupon: Some(Reduction::Percent(bps)), ..ONE };
        let Ok(found) = charged(&offer(minor, plan), components, wish, untaxed(CENTS)) else { return Ok(()) };
        let of = |part: fn(&QuotedLine) -> i64| found.lines.iter().map(part).sum::<i64>();
        prop_assert_eq!(of(|line| line.due.minor), found.total.minor);
        prop_assert_eq!(of(|line| line.priced.list_minor), minor);
        prop_assert_eq!(of(|line| line.split.operator.minor + line.split.provider.minor), found.total.minor);
        let later: i64 = found.schedule.iter().map(|later| later.amount.minor).sum();
        prop_assert_eq!(of(|line| line.priced.net_minor), found.total.minor + later);
        prop_assert_eq!(of(|line| line.priced.net_minor) + found.coupon_minor(), minor);
        prop_assert!(CENTS.check(found.total).is_ok());
    }

    /// Currencies with and without steps, every rate, any parts: what is quoted can be charged, now and later.
    #[test]
    fn every_sum_that_is_quoted_can_be_charged(
        minor in 1_i64..=9_999_999, rate in 0_u32..=60, step_minor in prop_oneof![Just(1_i64), Just(10)],
        least in prop_oneof![Just(1_i64), Just(50), Just(250), Just(17_500)], later_bps in 0_u32..3_000,
        renews in any::<bool>(), coupon in proptest::option::of(0_u32..10_000),
    ) {
        let rules = ChargeRules { min_minor: least.max(step_minor), max_minor: 99_999_990, step_minor };
        let plan = match (renews, later_bps) {
            (true, _) => json!({"renews": true}),
            (false, 0) => json!({}),
            (false, bps) => json!({"instalments": [{"after_days": 1, "share_bps": bps}, {"after_days": 2, "share_bps": bps}]}),
        };
        let wish = Wish { coupon: coupon.map(Reduction::Percent), ..ONE };
        let taxed = Taxed { rules, tax_bps: rate * 50 };
        let Ok(found) = charged(&offer(minor, plan), vec![component(1, 2_000, true)], wish, taxed) else { return Ok(()) };
        prop_assert!(found.total.minor == 0 || taxed.fits(found.lines[0].due.minor));
        prop_assert!(found.schedule.iter().all(|later| taxed.fits(later.amount.minor)));
        if !renews {
            let later: i64 = found.schedule.iter().map(|later| later.amount.minor).sum();
            prop_assert_eq!(found.lines[0].due.minor + later, found.lines[0].priced.net_minor);
        }
    }
}

#[test]
fn a_tax_that_does_not_go_with_the_processors_steps_is_refused_with_the_reason() {
    let rules = ChargeRules { min_minor: 10, max_minor: 99_999_990, step_minor: 10 };
    let at = |minor, plan| {
        charged(&offer(minor, plan), vec![component(1, 2_000, true)], ONE, Taxed { rules, tax_bps: 2_500 })
    };
    assert_eq!(at(1_240, json!({})).expect("1.550 can be charged").total.minor, 1_550);
    let refused = at(1_230, json!({})).expect_err("25 % of 1.230 are 0.308").fields.remove(0);
    assert!(refused.detail.contains("only multiples of") && refused.detail.contains("with tax"), "{}", refused.detail);
    let parts =
        json!({"instalments": [{"after_days": 30, "share_bps": 3_333}, {"after_days": 60, "share_bps": 3_333}]});
    let found = at(1_240, parts).expect("in parts of 0.408, 0.416 and 0.416");
    assert_eq!(found.schedule.iter().map(|later| later.total.minor).collect::<Vec<_>>(), [520, 520]);
    assert_eq!(found.total.minor, 510);
    // A renewal is never more than what was agreed to, and can be charged.
    let renewed = at(1_240, json!({"renews": true})).expect("valid");
    assert_eq!((renewed.schedule[0].amount.minor, renewed.schedule[0].total.minor), (1_240, 1_550));
}
