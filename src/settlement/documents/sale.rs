//! The documents of a sale, and the pro forma before it.

use entity::{
    ids::OrgId,
    order_line,
    states::{DocumentKind, DocumentLeg, TaxMode},
};
use time::OffsetDateTime;
use torv_documents::{
    Decimal,
    model::{Account, Line, Payment, Period},
    pdf::Language,
    tax::{Decision, LineTax, Nature, Supply, decide},
};

use super::{
    amounts::{fit, tax_inside},
    draft::{Frame, Planned, frozen_tax, one_piece},
    facts::Facts,
};
use crate::{
    base::MoneyError,
    error::{Error, Result},
};

/// The documents of a paid order.
///
/// # Errors
/// Internal, for frozen amounts that make no document.
pub fn of_order(facts: &Facts, now: OffsetDateTime) -> Result<Vec<Planned>> {
    let mut documents = sales(facts, DocumentKind::Invoice, now)?;
    for provider in facts.providers() {
        documents.extend(share(facts, provider, now)?);
    }
    Ok(documents)
}

/// What the buyer gets for its own accounts before it pays by bank transfer or purchase order: one from each seller.
///
/// # Errors
/// As [`of_order`].
pub fn pro_forma(facts: &Facts, now: OffsetDateTime) -> Result<Vec<Planned>> {
    let mut documents = sales(facts, DocumentKind::ProForma, now)?;
    for Planned { draft, .. } in &mut documents {
        draft.due_date = Some(facts.order.expires_at.0.date().max(draft.issue_date));
        draft.prepaid_minor = 0;
        draft.notes.clear();
        if let Some(to) = &facts.transfer {
            draft.payment = Payment::CreditTransfer {
                // Not every processor's account number is an IBAN, and only an IBAN is checked as one.
                account: Account::Local(to.iban.clone()),
                bic: Some(to.bic.clone()).filter(|bic| !bic.is_empty()),
                holder: to.holder.clone(),
                reference: to.reference.clone(),
            };
        }
    }
    Ok(documents)
}

/// One document for the buyer from each seller.
fn sales(facts: &Facts, kind: DocumentKind, now: OffsetDateTime) -> Result<Vec<Planned>> {
    let (leg, buyer) = (DocumentLeg::Sale, facts.order.buyer_id);
    let mut documents = Vec::new();
    if facts.order.tax_mode == TaxMode::DeemedSupplier {
        let frame = Frame { kind, leg, seller: facts.operator, buyer, issued_at: now };
        documents.extend(sale(facts, frame, None, &facts.lines.iter().collect::<Vec<_>>())?);
        return Ok(documents);
    }
    for provider in facts.providers() {
        let frame = Frame { kind, leg, seller: provider, buyer, issued_at: now };
        let own: Vec<_> = facts.lines.iter().filter(|line| line.provider_id == provider).collect();
        documents.extend(sale(facts, frame, Some(provider), &own)?);
    }
    Ok(documents)
}

fn sale(facts: &Facts, frame: Frame, provider: Option<OrgId>, lines: &[&order_line::Model]) -> Result<Option<Planned>> {
    let paid: Vec<_> = lines.iter().filter(|line| line.price_minor > 0).collect();
    if paid.is_empty() {
        return Ok(None);
    }
    let mut draft = frame.draft(facts)?;
    let mut payable = 0_i64;
    for line in &paid {
        draft.lines.push(invoice_line(facts, line)?);
        let sum = line.price_minor.checked_add(line.tax_minor).ok_or(MoneyError::Overflow)?;
        payable = payable.checked_add(sum).ok_or(MoneyError::Overflow)?;
    }
    draft.period = paid.first().and_then(|line| period(line));
    draft.prepaid_minor = payable;
    Ok(Some(Planned {
        kind: frame.kind,
        leg: frame.leg,
        seller: frame.seller,
        buyer: frame.buyer,
        provider,
        source: facts.order.id.0,
        tax_country: facts.order.tax_country.clone(),
        language: facts.language.tag(),
        draft,
    }))
}

/// The units of a line at their price, where it divides; else one piece.
fn invoice_line(facts: &Facts, line: &order_line::Model) -> Result<Line> {
    let tax = frozen_tax(line.tax_category.as_deref(), line.tax_bps)?;
    let (title, quantity) = (facts.title(line), i64::from(line.quantity));
    if quantity <= 1 {
        return one_piece(facts, title, line.price_minor, tax);
    }
    if line.price_minor % quantity != 0 {
        return one_piece(facts, &format!("{title} ({quantity})"), line.price_minor, tax);
    }
    let pieces = Decimal::new(quantity, 0).map_err(Error::internal)?;
    let whole = one_piece(facts, title, line.price_minor / quantity, tax)?;
    Ok(Line { quantity: pieces, net_minor: line.price_minor, ..whole })
}

fn period(line: &order_line::Model) -> Option<Period> {
    let (from, until) = (line.period_from?.0.date(), line.period_until?.0.date());
    // The end is excluded, the last day of an invoice's period included.
    let to = until.previous_day().filter(|to| *to >= from).unwrap_or(from);
    Some(Period { from, to })
}

/// What operator and provider settle with each other: the commission, or the provider's share.
fn share(facts: &Facts, provider: OrgId, now: OffsetDateTime) -> Result<Option<Planned>> {
    let amount = |line: &order_line::Model| match facts.order.tax_mode {
        TaxMode::Agent => line.operator_minor,
        TaxMode::DeemedSupplier => line.provider_minor,
    };
    let own = facts.lines.iter().filter(|line| line.provider_id == provider).map(amount);
    let payable = own.into_iter().try_fold(0_i64, i64::checked_add).ok_or(MoneyError::Overflow)?;
    if payable == 0 {
        return Ok(None);
    }
    let (kind, seller, buyer, what) = match facts.order.tax_mode {
        TaxMode::Agent => (DocumentKind::Invoice, facts.operator, provider, "Commission"),
        TaxMode::DeemedSupplier => (DocumentKind::SelfBilledInvoice, provider, facts.operator, "Supplier's share"),
    };
    let Decision { tax, taxed_in, .. } = judge(facts, seller, buyer, payable)?;
    let inside = tax_inside(payable, tax.rate_bps)?;
    let fitted = fit(payable, inside, tax.rate_bps)?;
    let frame = Frame { kind, leg: DocumentLeg::Share, seller, buyer, issued_at: now };
    let mut draft = frame.draft(facts)?;
    draft.lines = vec![share_line(facts, what, fitted.net_minor, tax)?];
    draft.rounding_minor = fitted.rounding_minor;
    draft.prepaid_minor = payable;
    let country = taxed_in.map(|country| country.to_string()).filter(|_| inside != 0);
    // What a foreign country takes of the operator is not given back by its own.
    let ours = facts.profile(facts.operator)?;
    let tax_country = match facts.order.tax_mode {
        TaxMode::Agent => country,
        TaxMode::DeemedSupplier => country.filter(|code| ours.vat_id.is_some() && *code == ours.country),
    };
    Ok(Some(Planned {
        kind,
        leg: DocumentLeg::Share,
        seller,
        buyer,
        provider: Some(provider),
        source: facts.order.id.0,
        tax_country,
        language: Language::English.tag(),
        draft,
    }))
}

/// One line over what is settled for an order.
///
/// # Errors
/// Internal, for a net that does not fit.
pub fn share_line(facts: &Facts, what: &str, net_minor: i64, tax: LineTax) -> Result<Line> {
    one_piece(facts, &format!("{what} of order {}", facts.order.id), net_minor, tax)
}

fn judge(facts: &Facts, seller: OrgId, buyer: OrgId, sum_minor: i64) -> Result<Decision> {
    let supply = Supply { net_minor: sum_minor, date: facts.order.created_at.0.date(), nature: Nature::Taxable };
    let (seller, buyer) = (facts.profile(seller)?.tax_party()?, facts.profile(buyer)?.tax_party()?);
    decide(&seller, &buyer, &supply).map_err(Error::internal)
}
