//! Credit notes: what a refund or a lost dispute takes back of each document of its order.

use entity::{
    document,
    ids::OrgId,
    order_reduction,
    states::{DisputeBearer, DocumentKind, DocumentLeg, TaxMode},
};
use time::OffsetDateTime;
use torv_documents::{model::Document, tax::LineTax};
use uuid::Uuid;

use super::{
    amounts::{cumulative, fit},
    draft::{Frame, Planned, preceding},
    facts::Facts,
    sale::share_line,
};
use crate::{
    base::MoneyError,
    error::{Error, Result},
};

/// What is taken back of one document, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenBack {
    /// With tax.
    pub payable_minor: i64,
    /// The tax, where the ledger says it; else the document's tax in proportion.
    pub tax_minor: Option<i64>,
}

/// What these parts of a reduction take back of a document of this leg and provider.
///
/// # Errors
/// [`MoneyError::Overflow`].
pub fn taken_back(
    mode: TaxMode,
    leg: DocumentLeg,
    provider: Option<OrgId>,
    parts: &[order_reduction::Model],
) -> Result<TakenBack, MoneyError> {
    let mine = parts.iter().filter(|part| provider.is_none_or(|provider| provider == part.provider_id));
    let (mut payable, mut tax) = (0_i64, 0_i64);
    for part in mine {
        let amounts = match (leg, mode) {
            (DocumentLeg::Sale, _) => [part.provider_minor, part.operator_minor, part.tax_minor],
            // Whoever bears a lost dispute leaves the other its share, and so what was invoiced for it.
            (DocumentLeg::Share, TaxMode::Agent) if part.bearer == Some(DisputeBearer::Provider) => [0; 3],
            (DocumentLeg::Share, TaxMode::DeemedSupplier) if part.bearer == Some(DisputeBearer::Operator) => [0; 3],
            (DocumentLeg::Share, TaxMode::Agent) => [part.operator_minor, 0, 0],
            (DocumentLeg::Share, TaxMode::DeemedSupplier) => [part.provider_minor, 0, 0],
        };
        for amount in amounts {
            payable = payable.checked_add(amount).ok_or(MoneyError::Overflow)?;
        }
        tax = tax.checked_add(part.tax_minor).ok_or(MoneyError::Overflow)?;
    }
    // Only a deemed supplier's sale has its tax in an account of the operator's.
    let stated = leg == DocumentLeg::Sale && mode == TaxMode::DeemedSupplier;
    Ok(TakenBack { payable_minor: payable, tax_minor: stated.then_some(tax) })
}

/// The credit notes of a reduction, from the order's invoices and the credit notes it has already.
///
/// # Errors
/// Internal, for a reduction that takes more than there is, or a stored document that can't be read.
pub fn of_reduction(
    facts: &Facts,
    source: Uuid,
    parts: &[order_reduction::Model],
    issued: &[document::Model],
    now: OffsetDateTime,
) -> Result<Vec<Planned>> {
    // The invoices of the sale; later ones only correct credit notes.
    let is_invoice = |row: &&document::Model| is_charge(row.kind) && row.source_id == facts.order.id.0;
    let mut notes = Vec::new();
    for invoice in issued.iter().filter(is_invoice) {
        let taken = taken_back(facts.order.tax_mode, invoice.leg, invoice.provider_id, parts)?;
        if taken.payable_minor > 0 {
            notes.push(credit_note(facts, source, invoice, issued, taken, now)?);
        }
    }
    Ok(notes)
}

/// The documents that take credit notes back whose refund was undone: the same amounts once more as invoices, each with
/// a number of its own and naming the note it corrects.
///
/// # Errors
/// Internal, for a stored document that can't be read.
pub fn of_undone(facts: &Facts, source: Uuid, issued: &[document::Model], now: OffsetDateTime) -> Result<Vec<Planned>> {
    let notes = issued.iter().filter(|row| row.source_id == source && !is_charge(row.kind));
    notes.map(|note| correction(facts, note, now)).collect()
}

fn correction(facts: &Facts, note: &document::Model, now: OffsetDateTime) -> Result<Planned> {
    let kind = match note.kind {
        DocumentKind::CreditNote => DocumentKind::Invoice,
        DocumentKind::SelfBilledCreditNote => DocumentKind::SelfBilledInvoice,
        other => return Err(Error::internal(format!("a {other} is not corrected"))),
    };
    let frame = Frame { kind, leg: note.leg, seller: note.seller_id, buyer: note.buyer_id, issued_at: now };
    let mut draft = frame.draft(facts)?;
    draft.lines = vec![share_line(facts, "Refund that came back,", note.net_minor, tax_of(note)?)?];
    draft.rounding_minor = note.payable_minor - note.net_minor - note.tax_minor;
    draft.prepaid_minor = note.payable_minor;
    draft.preceding = Some(preceding(&note.number, note.issued_at.0.date()));
    draft.notes.push(format!("Corrects credit note {}: its refund did not arrive and was undone.", note.number));
    Ok(Planned {
        kind,
        leg: note.leg,
        seller: note.seller_id,
        buyer: note.buyer_id,
        provider: note.provider_id,
        source: note.source_id,
        tax_country: note.tax_country.clone(),
        language: super::render::language_of(&note.language).tag(),
        draft,
    })
}

/// True for what asks for money, false for what takes it back.
pub const fn is_charge(kind: DocumentKind) -> bool {
    matches!(kind, DocumentKind::Invoice | DocumentKind::SelfBilledInvoice)
}

fn credit_note(
    facts: &Facts,
    source: Uuid,
    invoice: &document::Model,
    issued: &[document::Model],
    taken: TakenBack,
    now: OffsetDateTime,
) -> Result<Planned> {
    let kind = credit_of(invoice.kind)?;
    let same = |row: &&document::Model| row.leg == invoice.leg && row.provider_id == invoice.provider_id;
    let (mut payable, mut taxed) = (0_i64, 0_i64);
    for row in issued.iter().filter(same).filter(|row| row.source_id != facts.order.id.0) {
        // What was corrected is as if it had not been credited.
        let sign = if is_charge(row.kind) { -1 } else { 1 };
        payable = payable.checked_add(sign * row.payable_minor).ok_or(MoneyError::Overflow)?;
        taxed = taxed.checked_add(sign * row.tax_minor).ok_or(MoneyError::Overflow)?;
    }
    let tax_minor = match taken.tax_minor {
        Some(stated) => stated,
        // After a correction in between, more than its part may be credited already: then this one has none.
        None => cumulative(invoice.tax_minor, invoice.payable_minor, payable, taken.payable_minor, taxed)?.max(0),
    };
    let tax = tax_of(invoice)?;
    let fitted = fit(taken.payable_minor, tax_minor, tax.rate_bps)?;
    let frame = Frame { kind, leg: invoice.leg, seller: invoice.seller_id, buyer: invoice.buyer_id, issued_at: now };
    let mut draft = frame.draft(facts)?;
    draft.lines = vec![share_line(facts, "Refund", fitted.net_minor, tax)?];
    draft.rounding_minor = fitted.rounding_minor;
    draft.due_date = Some(draft.issue_date);
    draft.preceding = Some(preceding(&invoice.number, invoice.issued_at.0.date()));
    Ok(Planned {
        kind,
        leg: invoice.leg,
        seller: invoice.seller_id,
        buyer: invoice.buyer_id,
        provider: invoice.provider_id,
        source,
        tax_country: invoice.tax_country.clone(),
        language: super::render::language_of(&invoice.language).tag(),
        draft,
    })
}

fn credit_of(kind: DocumentKind) -> Result<DocumentKind> {
    match kind {
        DocumentKind::Invoice => Ok(DocumentKind::CreditNote),
        DocumentKind::SelfBilledInvoice => Ok(DocumentKind::SelfBilledCreditNote),
        other => Err(Error::internal(format!("a {other} is not credited"))),
    }
}

/// The one tax of an invoice: all its lines have the same seller, buyer and day.
fn tax_of(invoice: &document::Model) -> Result<LineTax> {
    let document: Document = serde_json::from_str(&invoice.body)?;
    let first = document.draft().lines.first().ok_or_else(|| Error::internal("an invoice without a line"))?;
    Ok(first.tax.clone())
}
