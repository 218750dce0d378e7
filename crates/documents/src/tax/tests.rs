use proptest::prelude::*;
use time::macros::date;

use super::*;

fn party(country: &str, vat_id: Option<&str>, is_business: bool) -> TaxParty {
    TaxParty { country: Country::parse(country).unwrap(), vat_id: vat_id.map(str::to_owned), is_business }
}

fn supply(net_minor: i64) -> Supply {
    Supply { net_minor, date: date!(2026 - 11 - 21), nature: Nature::Taxable }
}

fn outcome(supplier: &TaxParty, customer: &TaxParty) -> (&'static str, u32, i64) {
    let decision = decide(supplier, customer, &supply(10_001)).unwrap();
    assert_eq!(decision.tax.exemption.is_some(), decision.tax.category.needs_reason());
    (decision.tax.category.code(), decision.tax.rate_bps, decision.tax_minor)
}

#[test]
fn the_parties_decide_category_and_rate() {
    let dane = party("DK", Some("DK13585628"), true);
    let japanese = party("JP", Some("T5835678256246"), true);
    for (supplier, customer, expected) in [
        (&dane, party("DK", Some("88146328"), true), ("S", 2500, 2500)),
        (&dane, party("DK", None, false), ("S", 2500, 2500)),
        (&dane, party("DE", Some("DE136695976"), true), ("AE", 0, 0)),
        (&dane, party("DE", None, true), ("S", 1900, 1900)),
        (&dane, party("DE", None, false), ("S", 1900, 1900)),
        (&dane, party("FI", None, false), ("S", 2550, 2550)),
        (&dane, party("CH", None, false), ("S", 810, 810)),
        (&dane, party("CH", None, true), ("G", 0, 0)),
        (&dane, party("US", None, false), ("G", 0, 0)),
        (&dane, party("JP", Some("T5835678256246"), true), ("G", 0, 0)),
        (&japanese, party("JP", None, false), ("S", 1000, 1000)),
        (&japanese, party("TW", Some("22099131"), true), ("Z", 0, 0)),
        (&japanese, party("DK", Some("13585628"), true), ("AE", 0, 0)),
        (&party("DK", None, true), party("DK", None, false), ("O", 0, 0)),
    ] {
        assert_eq!(outcome(supplier, &customer), expected, "{supplier:?} -> {customer:?}");
    }
}

#[test]
fn a_wrong_vat_id_and_a_day_without_rate_are_refused() {
    let dane = party("DK", Some("DK13585628"), true);
    let mistyped = party("DE", Some("DE136695975"), true);
    assert!(matches!(decide(&dane, &mistyped, &supply(1)), Err(TaxError::VatId(_))));
    let early = Supply { date: date!(2023 - 12 - 31), ..supply(1) };
    assert!(matches!(decide(&dane, &dane, &early), Err(TaxError::NoRate { .. })));
}

#[test]
fn the_nature_of_the_thing_goes_before_the_parties() {
    let dane = party("DK", Some("DK13585628"), true);
    let reason = Exemption { text: "Education".to_owned(), vatex: Some("VATEX-EU-132-1I".to_owned()) };
    let exempt = Supply { nature: Nature::Exempt(reason.clone()), ..supply(500) };
    let decision = decide(&dane, &dane, &exempt).unwrap();
    assert_eq!(
        (decision.tax.category, decision.tax.exemption, decision.tax_minor),
        (Category::Exempt, Some(reason), 0)
    );
    let zero = Supply { nature: Nature::ZeroRated, ..supply(500) };
    assert_eq!(decide(&dane, &dane, &zero).unwrap().tax.category, Category::ZeroRated);
}

#[test]
fn half_a_minor_unit_of_tax_rounds_up() {
    assert_eq!(tax_minor(2, 2500), Some(1));
    assert_eq!(tax_minor(-2, 2500), Some(-1));
    assert_eq!(tax_minor(1, 2500), Some(0));
    assert_eq!(tax_minor(i64::MAX, 20_000), None);
}

fn parties() -> SaleParties {
    SaleParties {
        buyer: party("DE", Some("DE136695976"), true),
        provider: party("TW", Some("22099131"), true),
        operator: party("DK", Some("DK13585628"), true),
    }
}

#[test]
fn an_agent_invoices_its_commission_a_deemed_supplier_the_whole() {
    let agent = plan_sale(TaxMode::Agent, &parties(), &supply(10_001), 2_000).unwrap();
    let summary = |leg: &Leg| (leg.seller, leg.buyer, leg.self_billed, leg.net_minor, leg.decision.tax.category.code());
    assert_eq!(
        agent.each_ref().map(summary),
        [(Role::Provider, Role::Buyer, false, 10_001, "AE"), (Role::Operator, Role::Provider, false, 2_000, "G"),]
    );
    let deemed = plan_sale(TaxMode::DeemedSupplier, &parties(), &supply(10_001), 2_000).unwrap();
    assert_eq!(
        deemed.each_ref().map(summary),
        [(Role::Operator, Role::Buyer, false, 10_001, "AE"), (Role::Provider, Role::Operator, true, 8_001, "AE"),]
    );
}

#[test]
fn a_share_larger_than_the_sale_is_refused() {
    for share in [-1, 101] {
        let refused = plan_sale(TaxMode::Agent, &parties(), &supply(100), share);
        assert!(matches!(refused, Err(TaxError::Share { .. })), "{share}");
    }
}

proptest! {
    #[test]
    fn tax_is_within_half_a_unit_of_the_exact_product(net in -1_000_000_000_000_i64..1_000_000_000_000, bps in 0_u32..=3000) {
        let tax = i128::from(tax_minor(net, bps).unwrap());
        let twice_off = (tax * 10_000 - i128::from(net) * i128::from(bps)) * 2;
        prop_assert!(twice_off.abs() <= 10_000);
    }

    #[test]
    fn both_modes_leave_the_operator_its_share(net in 0_i64..1_000_000_000, bps in 0_i64..=10_000) {
        let share = net * bps / 10_000;
        let agent = plan_sale(TaxMode::Agent, &parties(), &supply(net), share).unwrap();
        let deemed = plan_sale(TaxMode::DeemedSupplier, &parties(), &supply(net), share).unwrap();
        prop_assert_eq!(agent[1].net_minor, share);
        prop_assert_eq!(deemed[0].net_minor - deemed[1].net_minor, share);
        prop_assert_eq!(agent[0].net_minor, deemed[0].net_minor);
    }
}
