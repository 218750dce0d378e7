//! Drafts of documents, before they have a number.

use entity::{
    ids::OrgId,
    states::{DocumentKind, DocumentLeg, TaxMode},
};
use time::{Date, OffsetDateTime};
use torv_documents::{
    Decimal,
    model::{Draft, Kind, Line, MAX_TEXT_CHARS, Payment, PrecedingInvoice},
    tax::{Category, Exemption, LineTax},
};
use uuid::Uuid;

use super::facts::Facts;
use crate::error::{Error, Result};

/// A document to be issued: everything but its number.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What it is.
    pub kind: DocumentKind,
    /// Which side of the sale it is about.
    pub leg: DocumentLeg,
    /// Who supplies; the number is from its series.
    pub seller: OrgId,
    /// Who is supplied.
    pub buyer: OrgId,
    /// The provider whose part it is about; absent where it is about the whole order.
    pub provider: Option<OrgId>,
    /// The order, refund or dispute it documents.
    pub source: Uuid,
    /// The country whose tax the operator owes, or is owed back, or the provider owes.
    pub tax_country: Option<String>,
    /// The tag of the language to show it in.
    pub language: &'static str,
    /// The document; its number is empty.
    pub draft: Draft,
}

/// The kind as the library calls it.
pub const fn kind_of(kind: DocumentKind) -> Kind {
    match kind {
        DocumentKind::Invoice => Kind::Invoice,
        DocumentKind::CreditNote => Kind::CreditNote,
        DocumentKind::SelfBilledInvoice => Kind::SelfBilledInvoice,
        DocumentKind::SelfBilledCreditNote => Kind::SelfBilledCreditNote,
        DocumentKind::ProForma => Kind::ProForma,
    }
}

/// Who a document is between, and when it is issued.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    pub kind: DocumentKind,
    pub leg: DocumentLeg,
    pub seller: OrgId,
    pub buyer: OrgId,
    pub issued_at: OffsetDateTime,
}

impl Frame {
    /// A draft with parties and references, and nothing to pay for yet.
    pub fn draft(self, facts: &Facts) -> Result<Draft> {
        let (seller, buyer) = (facts.profile(self.seller)?, facts.profile(self.buyer)?);
        let order = facts.order.id.to_string();
        // The share is between two who both know the order by its id; a buyer has a reference of its own or none.
        let fallback = (self.leg == DocumentLeg::Share).then(|| order.clone());
        let purchase_order = facts.order.purchase_order.clone().filter(|_| self.leg == DocumentLeg::Sale);
        Ok(Draft {
            kind: kind_of(self.kind),
            number: String::new(),
            issue_date: self.issued_at.date(),
            due_date: None,
            tax_point: tax_point(facts),
            period: None,
            currency: facts.currency,
            seller: seller.party()?,
            buyer: buyer.party()?,
            lines: Vec::new(),
            allowances: Vec::new(),
            prepaid_minor: 0,
            rounding_minor: 0,
            payment: Payment::Settled { how: "Settled through the exchange".to_owned() },
            preceding: None,
            buyer_reference: buyer.buyer_reference.clone().or(fallback),
            order_reference: Some(order),
            purchase_order,
            notes: self.notes(facts)?,
            accounting_tax: None,
        })
    }

    fn notes(self, facts: &Facts) -> Result<Vec<String>> {
        let operator = &facts.profile(facts.operator)?.legal_name;
        Ok(match (self.leg, facts.order.tax_mode, self.kind) {
            (_, _, DocumentKind::SelfBilledInvoice | DocumentKind::SelfBilledCreditNote) => {
                vec![format!("Self-billing: written by {operator} in the name of the supplier.")]
            }
            (DocumentLeg::Sale, TaxMode::Agent, _) => {
                vec![format!("Issued by {operator} in the name and on behalf of the seller.")]
            }
            _ => Vec::new(),
        })
    }
}

/// The day of the supply: when the order was completed.
fn tax_point(facts: &Facts) -> Option<Date> {
    facts.order.closed_at.map(|at| at.0.date())
}

/// A line of one piece at its net.
///
/// # Errors
/// Internal, for a net that does not fit.
pub fn one_piece(facts: &Facts, name: &str, net_minor: i64, tax: LineTax) -> Result<Line> {
    let name: String = name.chars().take(MAX_TEXT_CHARS).collect();
    let price = Decimal::from_minor(net_minor, facts.currency);
    Line::priced(&name, Decimal::ONE, price, facts.currency, tax).ok_or_else(|| Error::internal("a line does not fit"))
}

/// The tax that was frozen on a line.
///
/// # Errors
/// Internal, for a category or rate that is none.
pub fn frozen_tax(category: Option<&str>, bps: i32) -> Result<LineTax> {
    let Some(code) = category else {
        // Orders from before there was tax.
        let text = "No tax was charged on this order".to_owned();
        let exemption = Some(Exemption { text, vatex: Some("VATEX-EU-O".to_owned()) });
        return Ok(LineTax { category: Category::OutOfScope, rate_bps: 0, exemption });
    };
    let category = Category::from_code(code).ok_or_else(|| Error::internal(format!("no tax category {code}")))?;
    let rate_bps = u32::try_from(bps).map_err(Error::internal)?;
    Ok(LineTax { category, rate_bps, exemption: category.reason() })
}

/// The document that another takes back.
pub fn preceding(number: &str, issue_date: Date) -> PrecedingInvoice {
    PrecedingInvoice { number: number.to_owned(), issue_date }
}
