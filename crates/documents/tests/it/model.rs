//! Totals add up for any lines, and nothing else is accepted.

use crate::samples;
use proptest::prelude::*;
use torv_documents::{
    Currency, Decimal,
    model::{Allowance, Document, DocumentError, Draft, Kind, TaxTotal, Totals},
    tax::LineTax,
    ubl::{self, Profile, UblError},
};

fn any_currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(vec![("EUR", 2), ("JPY", 0), ("ISK", 0), ("DKK", 2), ("KWD", 3), ("TWD", 2)])
        .prop_map(|(code, exponent)| Currency::new(code, exponent).unwrap())
}

fn any_tax() -> impl Strategy<Value = LineTax> {
    prop::sample::select(vec![2500, 2550, 1900, 810, 500]).prop_map(samples::standard)
}

/// A draft of random lines, discounts and charges whose gross total is not negative.
fn any_draft() -> impl Strategy<Value = Draft> {
    let line = (1_i64..5_000_000, 0_u8..=3, 0_i64..50_000_000, 0_u8..=4, any_tax());
    let allowance = (any::<bool>(), 0_i64..1_000, any_tax());
    (any_currency(), prop::collection::vec(line, 1..12), prop::collection::vec(allowance, 0..3)).prop_filter_map(
        "the gross total is negative",
        |(currency, lines, allowances)| {
            let (seller, buyer) = (samples::operator().ok()?, samples::danish_buyer().ok()?);
            let mut draft = samples::draft(Kind::Invoice, "2026-1", seller, buyer, currency);
            for (quantity, quantity_scale, price, price_scale, tax) in lines {
                let quantity = Decimal::new(quantity, quantity_scale).ok()?.to_string();
                let price = Decimal::new(price, price_scale).ok()?.to_string();
                draft.lines.push(samples::line("Rows", &quantity, &price, currency, &tax).ok()?);
            }
            let allowance = |(is_charge, amount_minor, tax)| Allowance {
                is_charge,
                reason: "Coupon".to_owned(),
                amount_minor,
                tax,
            };
            draft.allowances = allowances.into_iter().map(allowance).collect();
            Document::new(draft.clone()).is_ok().then_some(draft)
        },
    )
}

/// The totals with the `field`th sum moved by `step`.
fn moved(totals: &Totals, field: usize, step: i64) -> Totals {
    let mut totals = totals.clone();
    let fields: [&mut i64; 9] = [
        &mut totals.lines_minor,
        &mut totals.allowances_minor,
        &mut totals.charges_minor,
        &mut totals.net_minor,
        &mut totals.tax_minor,
        &mut totals.gross_minor,
        &mut totals.prepaid_minor,
        &mut totals.rounding_minor,
        &mut totals.due_minor,
    ];
    *fields[field] += step;
    totals
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sums_add_up_in_every_currency(draft in any_draft()) {
        let document = Document::new(draft.clone()).unwrap();
        let totals = document.totals();
        let lines: i64 = draft.lines.iter().map(|line| line.net_minor).sum();
        prop_assert_eq!(totals.lines_minor, lines);
        prop_assert_eq!(totals.net_minor, lines - totals.allowances_minor + totals.charges_minor);
        prop_assert_eq!(totals.gross_minor, totals.net_minor + totals.tax_minor);
        prop_assert_eq!(totals.due_minor, totals.gross_minor - totals.prepaid_minor);
        let rows = document.tax_totals();
        prop_assert_eq!(rows.iter().map(|row| row.taxable_minor).sum::<i64>(), totals.net_minor);
        prop_assert_eq!(rows.iter().map(|row| row.tax_minor).sum::<i64>(), totals.tax_minor);
        for row in rows {
            // Rounded once: at most half a minor unit from the exact tax, however many lines there are.
            let exact = i128::from(row.taxable_minor) * i128::from(row.tax.rate_bps);
            prop_assert!(((i128::from(row.tax_minor) * 10_000 - exact) * 2).abs() <= 10_000);
        }
        let rates: Vec<u32> = rows.iter().map(|row| row.tax.rate_bps).collect();
        prop_assert!(rates.windows(2).all(|pair| pair[0] > pair[1]), "one row a rate: {rates:?}");
    }

    #[test]
    fn a_stated_sum_that_is_off_by_one_is_refused(draft in any_draft(), field in 0_usize..8, up in any::<bool>()) {
        let document = Document::new(draft.clone()).unwrap();
        let step = if up { 1 } else { -1 };
        let stated = moved(document.totals(), field, step);
        let refused = Document::with_stated_totals(draft.clone(), document.tax_totals(), &stated);
        let is_totals = matches!(refused, Err(DocumentError::Totals { .. }));
        prop_assert!(is_totals, "{refused:?}");
        for index in 0..document.tax_totals().len() {
            for of_tax in [false, true] {
                let mut rows: Vec<TaxTotal> = document.tax_totals().to_vec();
                let amount = if of_tax { &mut rows[index].tax_minor } else { &mut rows[index].taxable_minor };
                *amount += step;
                let refused = Document::with_stated_totals(draft.clone(), &rows, document.totals());
                prop_assert_eq!(refused, Err(DocumentError::TaxTotals));
            }
        }
        prop_assert!(Document::with_stated_totals(draft, document.tax_totals(), document.totals()).is_ok());
    }

    #[test]
    fn a_line_net_that_is_off_by_one_is_refused(draft in any_draft(), up in any::<bool>()) {
        for index in 0..draft.lines.len() {
            let mut wrong = draft.clone();
            wrong.lines[index].net_minor += if up { 1 } else { -1 };
            let refused = matches!(Document::new(wrong), Err(DocumentError::LineNet { .. }));
            prop_assert!(refused, "line {index}");
        }
    }

    #[test]
    fn three_digits_have_no_electronic_form_and_two_have(draft in any_draft()) {
        let document = Document::new(draft).unwrap();
        let refused = matches!(ubl::write(&document, Profile::En16931), Err(UblError::Exponent { exponent: 3, .. }));
        prop_assert_eq!(refused, document.draft().currency.exponent() == 3);
    }
}

fn refusal(change: impl FnOnce(&mut Draft)) -> String {
    let mut draft = samples::rich(Kind::Invoice).unwrap();
    assert!(Document::new(draft.clone()).is_ok());
    change(&mut draft);
    Document::new(draft).unwrap_err().to_string()
}

#[test]
fn a_draft_that_contradicts_itself_is_refused_with_what_to_change() {
    use torv_documents::model::{Account, Payment};
    let bank = |iban: &str| Payment::CreditTransfer {
        account: Account::Iban(iban.to_owned()),
        bic: None,
        holder: "Torvet".to_owned(),
        reference: "1".to_owned(),
    };
    let says = |change: &dyn Fn(&mut Draft), words: &str| {
        let text = refusal(change);
        assert!(text.contains(words), "{text:?} lacks {words:?}");
    };
    says(&|d| d.lines.clear(), "1 to 5000 lines");
    says(&|d| d.number = " ".to_owned(), "number is empty");
    says(&|d| d.seller.legal_name = "x".repeat(121), "longer than 120");
    says(&|d| d.allowances = vec![d.allowances[0].clone(); 11], "at most 10 discounts");
    says(&|d| d.kind = Kind::CreditNote, "the invoice it takes back");
    says(&|d| d.lines[0].unit = "pieces".to_owned(), "recommendation 20");
    says(&|d| d.lines[0].name = " ".to_owned(), "line 1 name is empty");
    says(&|d| d.notes.push("bell \u{7}".to_owned()), "control character");
    says(&|d| d.notes.push("x".repeat(2_001)), "longer than 2000");
    says(&|d| d.due_date = None, "needs a due date");
    says(&|d| d.due_date = Some(time::macros::date!(2026 - 01 - 01)), "term of payment");
    says(&|d| d.prepaid_minor = -1, "not between 0 and the gross total");
    says(&|d| d.prepaid_minor = i64::MAX, "not between 0 and the gross total");
    says(&|d| d.allowances[0].amount_minor = -5, "make it a charge");
    says(&|d| d.allowances[0].amount_minor = 900_000_000, "credit note instead");
    says(&|d| d.lines[0].tax.rate_bps = 0, "no standard rate");
    says(&|d| d.seller.vat_id = None, "the seller needs a VAT id");
    says(&|d| d.seller.vat_id = Some("DK13585629".to_owned()), "mistyped");
    says(&|d| d.payment = bank("DK5000400440116244"), "not an IBAN");
    says(
        &|d| d.payment = Payment::Card { network: "VISA".to_owned(), last_digits: "4242424242424242".to_owned() },
        "never more",
    );
}

#[test]
fn a_stored_document_is_checked_when_it_is_read_back() {
    let document = Document::new(samples::rich(Kind::Invoice).unwrap()).unwrap();
    let mut stored = serde_json::to_value(&document).unwrap();
    assert_eq!(serde_json::from_value::<Document>(stored.clone()).unwrap(), document);
    let due = stored["totals"]["due_minor"].as_i64().unwrap();
    stored["totals"]["due_minor"] = (due - 1).into();
    assert!(serde_json::from_value::<Document>(stored).unwrap_err().to_string().contains("amount due"));
}
