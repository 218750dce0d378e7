//! What the eye would see: nothing outside of the margins, nothing over something else.

use proptest::prelude::*;
use time::macros::date;

use super::{Language, characters_without_glyph, invoice, labels::Labels};
use crate::{
    Currency, Decimal,
    model::{Account, Address, Contact, Document, Draft, Identifier, Kind, Line, Party, Payment},
    tax::{Category, Country, LineTax},
};

fn party(country: &str, text: &str) -> Party {
    let long = |chars: usize| text.chars().cycle().take(chars).collect::<String>();
    Party {
        legal_name: long(120),
        trading_name: Some(long(120)),
        address: Address {
            street: long(120),
            street_2: Some(long(120)),
            postal_code: "8000".to_owned(),
            city: long(120),
            region: Some(long(120)),
        },
        country: Country::parse(country).unwrap(),
        vat_id: None,
        legal_id: Some(Identifier { scheme: None, value: "13585628".to_owned() }),
        electronic_address: None,
        contact: Some(Contact { name: long(120), phone: "+45 1".to_owned(), email: "a@b.example".to_owned() }),
    }
}

fn draft(kind: Kind, text: &str, lines: usize, quantity: i64) -> Draft {
    let currency = Currency::new("EUR", 2).unwrap();
    let text_of = |chars: usize| text.chars().cycle().take(chars).collect::<String>();
    let exemption = Some(crate::tax::Exemption { text: text_of(300), vatex: Some("VATEX-EU-O".to_owned()) });
    let tax = LineTax { category: Category::OutOfScope, rate_bps: 0, exemption };
    let (quantity, price) = (Decimal::new(quantity, 2).unwrap(), "123456.789".parse().unwrap());
    let line = |index: usize| Line {
        description: Some(text_of(index * 37 % 400)),
        ..Line::priced(&text_of(1 + index * 131 % 600), quantity, price, currency, tax.clone()).unwrap()
    };
    Draft {
        kind,
        number: text_of(60),
        issue_date: date!(2026 - 11 - 21),
        due_date: Some(date!(2026 - 12 - 21)),
        tax_point: Some(date!(2026 - 11 - 01)),
        period: None,
        currency,
        seller: party("DK", text),
        buyer: party("JP", text),
        lines: (0..lines).map(line).collect(),
        allowances: vec![
            crate::model::Allowance {
                is_charge: true,
                reason: text_of(60),
                amount_minor: 5,
                tax: tax.clone(),
            };
            10
        ],
        prepaid_minor: 1,
        rounding_minor: 0,
        payment: Payment::CreditTransfer {
            account: Account::Local(text_of(100)),
            bic: None,
            holder: text_of(100),
            reference: text_of(100),
        },
        preceding: Some(crate::model::PrecedingInvoice { number: text_of(60), issue_date: date!(2026 - 01 - 01) }),
        buyer_reference: Some(text_of(100)),
        order_reference: Some(text_of(100)),
        purchase_order: Some(text_of(100)),
        notes: vec![text_of(2_000)],
        accounting_tax: None,
    }
}

fn any_language() -> impl Strategy<Value = Language> {
    prop::sample::select(Language::ALL.to_vec())
}

fn any_text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "Water levels of all gauges ",
        "Selvfakturering/overensstemmelsesvurdering ",
        "臺北市捷運各站進出人次統計，含轉乘。",
        "福井県内バス位置データ・時刻表（全路線）",
        "WWWWWWWWWW",
        "Ελληνική Δημοκρατία ",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_outside_of_the_page_or_over_other_text(
        language in any_language(), text in any_text(), lines in 1_usize..25, quantity in 1_i64..90_000_000_000,
    ) {
        for kind in [Kind::Invoice, Kind::SelfBilledCreditNote, Kind::ProForma] {
            let document = Document::new(draft(kind, &text, lines, quantity)).unwrap();
            let collisions = invoice::layout(&document, language).unwrap().collisions();
            prop_assert!(collisions.is_empty(), "{language:?} {kind:?} {collisions:#?}");
        }
    }
}

#[test]
fn every_label_has_glyphs() {
    for language in Language::ALL {
        let labels = Labels::of(language);
        let kinds =
            [Kind::Invoice, Kind::CreditNote, Kind::SelfBilledInvoice, Kind::SelfBilledCreditNote, Kind::ProForma];
        let mut text = kinds.map(|kind| labels.title(kind)).concat();
        text.push_str(&labels.categories.concat());
        text.push_str(
            &[labels.self_billing, labels.not_a_tax_document, labels.paid, labels.payment_reference].concat(),
        );
        text.push_str(&[labels.carried_forward, labels.brought_forward, labels.amount_credited, labels.hour].concat());
        text.push_str(&(labels.page)(1, 2));
        assert_eq!(characters_without_glyph(&text), Vec::<char>::new(), "{language:?}");
    }
    assert_eq!(characters_without_glyph("a ไ b"), vec!['ไ']);
}

#[test]
fn tags_of_regions_find_their_language() {
    for (tag, language) in [
        ("da-DK", Some(Language::Danish)),
        ("EN_us", Some(Language::English)),
        ("zh-TW", Some(Language::TraditionalChinese)),
        ("zh", Some(Language::TraditionalChinese)),
        ("zh-Hans", None),
        ("de", None),
    ] {
        assert_eq!(Language::from_tag(tag), language, "{tag}");
    }
    assert!(Language::ALL.iter().all(|language| Language::from_tag(language.tag()) == Some(*language)));
}
