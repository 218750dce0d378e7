//! The XML is judged by the rules of EN 16931, Peppol BIS Billing 3.0 and `XRechnung` 3.0 as another project wrote
//! them.

use crate::samples;
use en16931::{InvoiceAmount, Profile as Rules};
use en16931_formats::{Policy, Recommendation};
use torv_documents::{
    Currency, Decimal,
    model::{Document, DocumentError, Kind, TaxTotal, Totals},
    ubl::{self, Profile, UblError},
};

/// Peppol's self-billing process differs from its billing process in these four: the two identifiers and the type
/// codes. The oracle ships the billing process only, so self-billed documents are judged by all its other rules.
const IDENTIFIERS_OF_BILLING: [&str; 4] =
    ["PEPPOL-EN16931-R004", "PEPPOL-EN16931-R007", "PEPPOL-EN16931-P0100", "PEPPOL-EN16931-P0101"];

fn rules(profile: Profile) -> &'static Rules {
    match profile {
        Profile::En16931 => &en16931::profiles::EN16931,
        Profile::PeppolBis3 => &en16931::profiles::PEPPOL_BIS_3,
        Profile::XRechnung => &en16931::profiles::XRECHNUNG,
    }
}

/// Everything the oracle has to say against a document: findings of any severity, and elements it does not know.
fn findings(xml: &[u8], document: &Document, profile: Profile) -> Vec<String> {
    let peppol_self_billing = profile == Profile::PeppolBis3 && document.draft().kind.is_self_billed();
    let without = if peppol_self_billing { &IDENTIFIERS_OF_BILLING[..] } else { &[] };
    let policy = Policy {
        require: Some(rules(profile)),
        without: without.iter().map(|rule| (*rule).to_owned()).collect(),
        ..Policy::default()
    };
    let received = en16931_formats::receive(xml, &policy);
    let report = received.report_required.as_ref().unwrap_or(&received.report_declared);
    let rule_findings = report.semantic.report.iter().flat_map(en16931::ValidationReport::findings);
    let mut found: Vec<String> = rule_findings.map(|f| format!("{} {} {}", f.severity, f.rule, f.message)).collect();
    found.extend(report.entries().map(ToString::to_string));
    if received.recommendation != Recommendation::Accept && !peppol_self_billing {
        found.extend(received.reasons.clone());
    }
    found
}

const PROFILES: [Profile; 3] = [Profile::En16931, Profile::PeppolBis3, Profile::XRechnung];

/// The XML of a sample, or `None` where the profile has no form for it and the error says so.
fn written(sample: &samples::Sample, profile: Profile) -> Option<Vec<u8>> {
    match ubl::write(&sample.document, profile) {
        Ok(xml) => Some(xml),
        Err(UblError::KindNotInXRechnung) if sample.document.draft().kind == Kind::SelfBilledCreditNote => None,
        Err(UblError::Missing { .. }) if profile == Profile::PeppolBis3 && sample.name.contains("consumer") => None,
        Err(error) => panic!("{} {profile:?}: {error}", sample.name),
    }
}

#[test]
fn every_sample_has_no_finding_under_any_profile() {
    let (mut judged, mut wrong) = (0, Vec::new());
    for sample in samples::all().unwrap() {
        for profile in PROFILES {
            let Some(xml) = written(&sample, profile) else { continue };
            let found = findings(&xml, &sample.document, profile);
            wrong.extend(found.into_iter().map(|finding| format!("{} {profile:?}: {finding}", sample.name)));
            judged += 1;
        }
    }
    println!("{judged} documents judged");
    assert!(wrong.is_empty(), "{} findings: {wrong:#?}", wrong.len());
    assert!(judged > 250, "{judged}");
}

/// Every element with a `currencyID`, as the range of its digits in the XML and its path of two names.
fn amounts(xml: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let mut found = Vec::new();
    for (at, _) in xml.match_indices(" currencyID=\"") {
        let start = at + xml[at..].find('>').unwrap() + 1;
        let end = start + xml[start..].find('<').unwrap();
        let name = xml[..at].rsplit('<').next().unwrap().to_owned();
        found.push((start..end, name));
    }
    found
}

/// The decimal `text` moved by `steps` minor units of `currency`.
fn moved(text: &str, steps: i64, currency: Currency) -> String {
    let number: Decimal = text.parse().unwrap();
    let scale = number.scale().max(currency.exponent());
    let widened = number.mantissa() * 10_i64.pow(u32::from(scale - number.scale()));
    let minor_unit = 10_i64.pow(u32::from(scale - currency.exponent()));
    Decimal::new(widened + steps * minor_unit, scale).unwrap().to_string()
}

/// Builds the document again from the amounts of the XML, with this crate's own checks, and compares the stated sums.
fn read_back(xml: &[u8], original: &Document) -> Result<Document, DocumentError> {
    let invoice = en16931_formats::read(xml).unwrap().invoice;
    let mut draft = original.draft().clone();
    let unit = 10_i64.pow(2 - u32::from(draft.currency.exponent()));
    let minor = |amount: InvoiceAmount| amount.to_minor_units() / unit;
    let optional = |amount: Option<InvoiceAmount>| amount.map_or(0, minor);
    for (line, read) in draft.lines.iter_mut().zip(&invoice.lines) {
        line.quantity = read.quantity.to_string().parse().unwrap();
        line.unit_price = read.price.net_price.to_string().parse().unwrap();
        line.net_minor = minor(read.net_amount);
    }
    for is_charge in [false, true] {
        let read = if is_charge { &invoice.charges } else { &invoice.allowances };
        let stated = draft.allowances.iter_mut().filter(|allowance| allowance.is_charge == is_charge);
        stated.zip(read).for_each(|(allowance, read)| allowance.amount_minor = minor(read.amount));
    }
    draft.prepaid_minor = optional(invoice.totals.paid);
    draft.rounding_minor = optional(invoice.totals.rounding);
    let rows: Vec<TaxTotal> = original
        .tax_totals()
        .iter()
        .zip(&invoice.vat_breakdown)
        .map(|(row, read)| TaxTotal {
            tax: row.tax.clone(),
            taxable_minor: minor(read.taxable_amount),
            tax_minor: minor(read.tax_amount),
        })
        .collect();
    assert_eq!((draft.lines.len(), rows.len()), (invoice.lines.len(), invoice.vat_breakdown.len()));
    let totals = Totals {
        lines_minor: minor(invoice.totals.line_total),
        allowances_minor: optional(invoice.totals.allowance_total),
        charges_minor: optional(invoice.totals.charge_total),
        net_minor: minor(invoice.totals.taxable_total),
        tax_minor: optional(invoice.totals.vat_total),
        gross_minor: minor(invoice.totals.gross_total),
        prepaid_minor: draft.prepaid_minor,
        rounding_minor: draft.rounding_minor,
        due_minor: minor(invoice.totals.due),
    };
    Document::with_stated_totals(draft, &rows, &totals)
}

#[test]
fn the_xml_reads_back_as_the_same_amounts() {
    for sample in samples::all().unwrap() {
        let xml = ubl::write(&sample.document, Profile::En16931).unwrap();
        let read = read_back(&xml, &sample.document).unwrap();
        assert_eq!(read.totals(), sample.document.totals(), "{}", sample.name);
        let nets = |document: &Document| document.draft().lines.iter().map(|line| line.net_minor).collect::<Vec<_>>();
        assert_eq!(nets(&read), nets(&sample.document), "{}", sample.name);
    }
}

/// CEN's rules allow for differences that this crate does not: a unit price is compared with nothing, and a taxable sum
/// within one major unit. So an amount that is off by one is refused by the oracle, or by this crate's checks on what
/// the XML says. Only the tax in the accounting currency can't be judged: its exchange rate is not in the document.
#[test]
fn an_amount_that_is_off_by_one_minor_unit_is_rejected() {
    let (mut by_oracle, mut by_model, mut accepted) = (0, 0, Vec::new());
    for sample in samples::all().unwrap() {
        for profile in PROFILES {
            let Some(xml) = written(&sample, profile) else { continue };
            let xml = String::from_utf8(xml).unwrap();
            for (range, name) in amounts(&xml) {
                if name == "cbc:TaxAmount" && in_accounting_currency(&xml, &range, &sample.document) {
                    continue;
                }
                for steps in [-1, 1] {
                    let mut mutant = xml.clone();
                    mutant.replace_range(
                        range.clone(),
                        &moved(&xml[range.clone()], steps, sample.document.draft().currency),
                    );
                    if !findings(mutant.as_bytes(), &sample.document, profile).is_empty() {
                        by_oracle += 1;
                    } else if read_back(mutant.as_bytes(), &sample.document).is_err() {
                        by_model += 1;
                    } else {
                        accepted.push(format!("{} {profile:?} {name} {}", sample.name, &xml[range.clone()]));
                    }
                }
            }
        }
    }
    println!("mutants: {by_oracle} rejected by the oracle, {by_model} by the model, {} accepted", accepted.len());
    assert_eq!(accepted, Vec::<String>::new());
    assert!(by_oracle > 4_000, "{by_oracle}");
}

fn in_accounting_currency(xml: &str, range: &std::ops::Range<usize>, document: &Document) -> bool {
    let currency = document.draft().accounting_tax.as_ref().map(|tax| tax.currency);
    currency.is_some_and(|currency| xml[..range.start].ends_with(&format!("currencyID=\"{}\">", currency.code())))
}
