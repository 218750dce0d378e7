//! The document in the order of the UBL schema.

use std::io;

use time::Date;

use super::{Profile, party, xml::Xml};
use crate::{
    Decimal,
    model::{Allowance, Document, Draft, Line, Period, TaxTotal},
    tax::{Category, LineTax},
};

const COMPONENTS: (&str, &str) =
    ("xmlns:cac", "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2");
const BASICS: (&str, &str) = ("xmlns:cbc", "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2");

/// What differs between the two schemas.
struct Shape {
    root: &'static str,
    namespace: &'static str,
    type_code: &'static str,
    line: &'static str,
    quantity: &'static str,
}

static INVOICE: Shape = Shape {
    root: "Invoice",
    namespace: "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2",
    type_code: "cbc:InvoiceTypeCode",
    line: "cac:InvoiceLine",
    quantity: "cbc:InvoicedQuantity",
};

static CREDIT_NOTE: Shape = Shape {
    root: "CreditNote",
    namespace: "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2",
    type_code: "cbc:CreditNoteTypeCode",
    line: "cac:CreditNoteLine",
    quantity: "cbc:CreditedQuantity",
};

/// An ISO 8601 calendar date.
pub(super) fn date(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

pub(super) fn document(document: &Document, profile: Profile) -> io::Result<Vec<u8>> {
    let draft = document.draft();
    let shape = if draft.kind.is_credit() { &CREDIT_NOTE } else { &INVOICE };
    let mut xml = Xml::new()?;
    xml.element(shape.root, &[("xmlns", shape.namespace), COMPONENTS, BASICS], |xml| {
        head(xml, draft, profile, shape)?;
        references(xml, draft)?;
        party::seller(xml, draft)?;
        party::buyer(xml, draft)?;
        if draft.period.is_none() {
            let supplied = draft.tax_point.unwrap_or(draft.issue_date);
            xml.group("cac:Delivery", |xml| xml.text("cbc:ActualDeliveryDate", &date(supplied)))?;
        }
        party::payment(xml, draft, profile)?;
        for item in &draft.allowances {
            allowance(xml, draft, item)?;
        }
        tax_totals(xml, document, profile)?;
        totals(xml, document)?;
        for (index, item) in draft.lines.iter().enumerate() {
            line(xml, draft, shape, index + 1, item)?;
        }
        Ok(())
    })?;
    Ok(xml.into_bytes())
}

fn head(xml: &mut Xml, draft: &Draft, profile: Profile, shape: &Shape) -> io::Result<()> {
    xml.text("cbc:CustomizationID", profile.customization_id(draft.kind))?;
    xml.optional("cbc:ProfileID", profile.profile_id(draft.kind))?;
    xml.text("cbc:ID", &draft.number)?;
    xml.text("cbc:IssueDate", &date(draft.issue_date))?;
    let tax_point = draft.tax_point.filter(|day| *day != draft.issue_date).map(date);
    // The two schemas have date, code and note in different orders.
    if draft.kind.is_credit() {
        xml.optional("cbc:TaxPointDate", tax_point.as_deref())?;
        xml.text(shape.type_code, draft.kind.code())?;
        notes(xml, draft)?;
    } else {
        let due = draft.due_date.map(date);
        xml.optional("cbc:DueDate", due.as_deref())?;
        xml.text(shape.type_code, draft.kind.code())?;
        notes(xml, draft)?;
        xml.optional("cbc:TaxPointDate", tax_point.as_deref())?;
    }
    xml.text("cbc:DocumentCurrencyCode", draft.currency.code())?;
    xml.optional("cbc:TaxCurrencyCode", draft.accounting_tax.as_ref().map(|tax| tax.currency.code()))?;
    xml.optional("cbc:BuyerReference", draft.buyer_reference.as_deref())
}

/// One note for all: Peppol allows a second only between German parties (`PEPPOL-EN16931-R002`).
fn notes(xml: &mut Xml, draft: &Draft) -> io::Result<()> {
    xml.optional("cbc:Note", Some(&draft.notes.join("\n")))
}

fn references(xml: &mut Xml, draft: &Draft) -> io::Result<()> {
    if let Some(Period { from, to }) = draft.period {
        xml.group("cac:InvoicePeriod", |xml| {
            xml.text("cbc:StartDate", &date(from))?;
            xml.text("cbc:EndDate", &date(to))
        })?;
    }
    if draft.purchase_order.is_some() || draft.order_reference.is_some() {
        xml.group("cac:OrderReference", |xml| {
            // The schema asks for an id even where only the seller's order is known; "NA" is Peppol's word for none.
            xml.text("cbc:ID", draft.purchase_order.as_deref().unwrap_or("NA"))?;
            xml.optional("cbc:SalesOrderID", draft.order_reference.as_deref())
        })?;
    }
    let Some(preceding) = &draft.preceding else { return Ok(()) };
    xml.group("cac:BillingReference", |xml| {
        xml.group("cac:InvoiceDocumentReference", |xml| {
            xml.text("cbc:ID", &preceding.number)?;
            xml.text("cbc:IssueDate", &date(preceding.issue_date))
        })
    })
}

/// A rate in per cent without trailing zeros: `25`, `25.5`, `8.1`.
fn percent(rate_bps: u32) -> String {
    let text = format!("{}.{:02}", rate_bps / 100, rate_bps % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Category and rate; O has none (`BR-O-05`).
fn tax_category(xml: &mut Xml, name: &str, tax: &LineTax) -> io::Result<()> {
    xml.group(name, |xml| {
        xml.text("cbc:ID", tax.category.code())?;
        if tax.category != Category::OutOfScope {
            xml.text("cbc:Percent", &percent(tax.rate_bps))?;
        }
        vat_scheme(xml)
    })
}

fn vat_scheme(xml: &mut Xml) -> io::Result<()> {
    xml.group("cac:TaxScheme", |xml| xml.text("cbc:ID", "VAT"))
}

fn allowance(xml: &mut Xml, draft: &Draft, item: &Allowance) -> io::Result<()> {
    xml.group("cac:AllowanceCharge", |xml| {
        xml.text("cbc:ChargeIndicator", if item.is_charge { "true" } else { "false" })?;
        xml.text("cbc:AllowanceChargeReason", &item.reason)?;
        xml.amount("cbc:Amount", item.amount_minor, draft.currency)?;
        tax_category(xml, "cac:TaxCategory", &item.tax)
    })
}

fn tax_totals(xml: &mut Xml, document: &Document, profile: Profile) -> io::Result<()> {
    let draft = document.draft();
    xml.group("cac:TaxTotal", |xml| {
        xml.amount("cbc:TaxAmount", document.totals().tax_minor, draft.currency)?;
        for row in document.tax_totals() {
            tax_subtotal(xml, draft, row, profile)?;
        }
        Ok(())
    })?;
    let Some(accounting) = &draft.accounting_tax else { return Ok(()) };
    xml.group("cac:TaxTotal", |xml| xml.amount("cbc:TaxAmount", accounting.tax_minor, accounting.currency))
}

fn tax_subtotal(xml: &mut Xml, draft: &Draft, row: &TaxTotal, profile: Profile) -> io::Result<()> {
    xml.group("cac:TaxSubtotal", |xml| {
        xml.amount("cbc:TaxableAmount", row.taxable_minor, draft.currency)?;
        xml.amount("cbc:TaxAmount", row.tax_minor, draft.currency)?;
        xml.group("cac:TaxCategory", |xml| {
            xml.text("cbc:ID", row.tax.category.code())?;
            // XRechnung wants a rate in every row (BR-DE-14), category O included.
            if row.tax.category != Category::OutOfScope || profile == Profile::XRechnung {
                xml.text("cbc:Percent", &percent(row.tax.rate_bps))?;
            }
            if let Some(exemption) = &row.tax.exemption {
                xml.optional("cbc:TaxExemptionReasonCode", exemption.vatex.as_deref())?;
                xml.text("cbc:TaxExemptionReason", &exemption.text)?;
            }
            vat_scheme(xml)
        })
    })
}

fn totals(xml: &mut Xml, document: &Document) -> io::Result<()> {
    let (totals, currency) = (document.totals(), document.draft().currency);
    xml.group("cac:LegalMonetaryTotal", |xml| {
        xml.amount("cbc:LineExtensionAmount", totals.lines_minor, currency)?;
        xml.amount("cbc:TaxExclusiveAmount", totals.net_minor, currency)?;
        xml.amount("cbc:TaxInclusiveAmount", totals.gross_minor, currency)?;
        let given = |is_charge: bool| document.draft().allowances.iter().any(|item| item.is_charge == is_charge);
        if given(false) {
            xml.amount("cbc:AllowanceTotalAmount", totals.allowances_minor, currency)?;
        }
        if given(true) {
            xml.amount("cbc:ChargeTotalAmount", totals.charges_minor, currency)?;
        }
        if totals.prepaid_minor != 0 {
            xml.amount("cbc:PrepaidAmount", totals.prepaid_minor, currency)?;
        }
        if totals.rounding_minor != 0 {
            xml.amount("cbc:PayableRoundingAmount", totals.rounding_minor, currency)?;
        }
        xml.amount("cbc:PayableAmount", totals.due_minor, currency)
    })
}

fn line(xml: &mut Xml, draft: &Draft, shape: &Shape, number: usize, item: &Line) -> io::Result<()> {
    xml.group(shape.line, |xml| {
        xml.text("cbc:ID", &number.to_string())?;
        xml.text_with(shape.quantity, &[("unitCode", &item.unit)], &item.quantity.to_string())?;
        xml.amount("cbc:LineExtensionAmount", item.net_minor, draft.currency)?;
        xml.group("cac:Item", |xml| {
            xml.optional("cbc:Description", item.description.as_deref())?;
            xml.text("cbc:Name", &item.name)?;
            tax_category(xml, "cac:ClassifiedTaxCategory", &item.tax)
        })?;
        xml.group("cac:Price", |xml| price(xml, draft, item.unit_price))
    })
}

/// A unit price may have more digits than the currency.
fn price(xml: &mut Xml, draft: &Draft, unit_price: Decimal) -> io::Result<()> {
    xml.text_with("cbc:PriceAmount", &[("currencyID", draft.currency.code())], &unit_price.to_string())
}
