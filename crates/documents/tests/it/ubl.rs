//! What the XML says, read by another project's reader, and what it refuses to say.

use torv_documents::{
    Currency,
    model::{Document, Draft, Kind},
    ubl::{self, Profile, UblError},
};

use crate::samples;

fn rich(kind: Kind, change: impl FnOnce(&mut Draft)) -> Document {
    let mut draft = samples::rich(kind).unwrap();
    change(&mut draft);
    Document::new(draft).unwrap()
}

#[test]
fn names_references_and_notes_read_back_as_they_were() {
    let document = rich(Kind::CreditNote, |draft| {
        draft.seller.legal_name = "A & B <i>\"x\"</i> 'y' ]]> 臺北 ]".to_owned();
        draft.notes = vec!["first".to_owned(), "second & <last>".to_owned()];
    });
    let invoice = en16931_formats::read(&ubl::write(&document, Profile::PeppolBis3).unwrap()).unwrap().invoice;
    let draft = document.draft();
    assert_eq!(invoice.number.as_deref(), Some("2026-0043"));
    assert_eq!(invoice.seller.name.as_deref(), Some(draft.seller.legal_name.as_str()));
    assert_eq!(invoice.buyer.name.as_deref(), Some("Stadt Neuhafen <Amt für Geodaten>"));
    assert_eq!(invoice.buyer_reference.as_deref(), draft.buyer_reference.as_deref());
    assert_eq!(invoice.preceding_invoices[0].reference.to_string(), "2026-0017");
    assert_eq!(invoice.lines.len(), 4);
    let notes: Vec<_> = invoice.notes.iter().filter_map(|note| note.note.as_deref()).collect();
    assert_eq!(notes, ["first\nsecond & <last>"]);
}

#[test]
fn self_billed_documents_name_the_self_billing_process_in_peppol_only() {
    let has = |kind: Kind, profile: Profile, id: &str| {
        String::from_utf8(ubl::write(&rich(kind, |_| {}), profile).unwrap()).unwrap().contains(id)
    };
    let (billing, self_billing) = ("poacc:billing:01:1.0<", "poacc:selfbilling:01:1.0<");
    for kind in [Kind::SelfBilledInvoice, Kind::SelfBilledCreditNote] {
        assert!(has(kind, Profile::PeppolBis3, self_billing) && !has(kind, Profile::PeppolBis3, billing));
        assert!(has(kind, Profile::PeppolBis3, "urn:fdc:peppol.eu:2017:poacc:selfbilling:3.0<"));
        assert!(!has(kind, Profile::En16931, "peppol"));
    }
    assert!(has(Kind::SelfBilledInvoice, Profile::XRechnung, billing));
    assert!(has(Kind::Invoice, Profile::PeppolBis3, billing));
}

#[test]
fn what_a_profile_has_no_form_for_is_refused_with_advice() {
    let refusal = |document: Document, profile: Profile| ubl::write(&document, profile).unwrap_err().to_string();
    assert!(refusal(rich(Kind::ProForma, |_| {}), Profile::En16931).contains("no tax document"));
    assert!(refusal(rich(Kind::SelfBilledCreditNote, |_| {}), Profile::XRechnung).contains("261"));
    for (profile, change, words) in [
        (Profile::PeppolBis3, (|d| d.buyer.electronic_address = None) as fn(&mut Draft), "BT-49"),
        (Profile::PeppolBis3, |d| d.seller.legal_id = None, "CVR"),
        (Profile::XRechnung, |d| d.seller.electronic_address = None, "BT-34"),
        (Profile::XRechnung, |d| d.seller.contact = None, "BG-6"),
        (Profile::XRechnung, |d| d.buyer_reference = None, "BT-10"),
        (Profile::XRechnung, |d| d.buyer.address.postal_code.clear(), "postal code"),
        (Profile::PeppolBis3, |d| (d.buyer_reference, d.purchase_order) = (None, None), "BT-13"),
    ] {
        let text = refusal(rich(Kind::Invoice, change), profile);
        assert!(text.contains(words), "{text:?} lacks {words}");
        // The norm alone does not ask for it.
        assert!(ubl::write(&rich(Kind::Invoice, change), Profile::En16931).is_ok(), "{words}");
    }
}

#[test]
fn amounts_have_the_digits_of_their_currency() {
    let xml = |code: &str, exponent: u8| {
        let currency = Currency::new(code, exponent).unwrap();
        let (seller, buyer) = (samples::operator().unwrap(), samples::danish_buyer().unwrap());
        let mut draft = samples::draft(Kind::Invoice, "1", seller, buyer, currency);
        draft.lines = vec![samples::line("Rows", "3", "1501", currency, &samples::standard(2500)).unwrap()];
        ubl::write(&Document::new(draft).unwrap(), Profile::En16931).map(|xml| String::from_utf8(xml).unwrap())
    };
    assert!(xml("JPY", 0).unwrap().contains(r#"<cbc:PayableAmount currencyID="JPY">5629</cbc:PayableAmount>"#));
    assert!(xml("DKK", 2).unwrap().contains(r#"<cbc:PayableAmount currencyID="DKK">5628.75</cbc:PayableAmount>"#));
    assert!(matches!(xml("KWD", 3), Err(UblError::Exponent { exponent: 3, .. })));
}

#[test]
fn danish_accounts_outside_of_sepa_use_a_code_the_danish_rules_know() {
    let code = |currency: &str, profile: Profile| {
        let currency = Currency::new(currency, 2).unwrap();
        let (seller, buyer) = (samples::operator().unwrap(), samples::danish_buyer().unwrap());
        let mut draft = samples::draft(Kind::Invoice, "1", seller, buyer, currency);
        draft.lines = vec![samples::line("Rows", "3", "1501", currency, &samples::standard(2500)).unwrap()];
        let xml = String::from_utf8(ubl::write(&Document::new(draft).unwrap(), profile).unwrap()).unwrap();
        xml.split("PaymentMeansCode>").nth(1).unwrap()[..2].to_owned()
    };
    assert_eq!(code("EUR", Profile::PeppolBis3), "58");
    assert_eq!(code("DKK", Profile::PeppolBis3), "31");
    assert_eq!(code("DKK", Profile::En16931), "30");
}
