//! What a draft must hold before its totals are computed, and after.

use super::{
    Account, DocumentError, Draft, MAX_ALLOWANCE_REASON_CHARS, MAX_ALLOWANCES, MAX_LINES, MAX_NUMBER_CHARS,
    MAX_REFERENCE_CHARS, MAX_ROUNDING_MINOR, MAX_TEXT_CHARS, Party, Payment, Text, Totals,
};
use crate::tax::{Category, FULL_RATE_BPS, LineTax, VatId, VatIdError};

/// A card number shows at most its last six digits (EN 16931 BT-87, PCI DSS).
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 4..=6;
const IBAN_CHARS: std::ops::RangeInclusive<usize> = 15..=34;

pub(super) fn check(draft: &Draft) -> Result<(), DocumentError> {
    if draft.lines.is_empty() || draft.lines.len() > MAX_LINES {
        return Err(DocumentError::LineCount(draft.lines.len()));
    }
    if draft.allowances.len() > MAX_ALLOWANCES {
        return Err(DocumentError::AllowanceCount(draft.allowances.len()));
    }
    check_texts(draft)?;
    check_party("seller", &draft.seller)?;
    check_party("buyer", &draft.buyer)?;
    check_dates(draft)?;
    if draft.kind.is_credit() && draft.preceding.is_none() {
        return Err(DocumentError::MissingPreceding);
    }
    for (index, line) in draft.lines.iter().enumerate() {
        check_line(draft, index, line)?;
    }
    for (index, allowance) in draft.allowances.iter().enumerate() {
        if allowance.amount_minor < 0 {
            return Err(DocumentError::NegativeAllowance { allowance: index + 1 });
        }
        check_tax(draft, &format!("allowance {}", index + 1), &allowance.tax)?;
    }
    if draft.accounting_tax.as_ref().is_some_and(|tax| tax.currency.code() == draft.currency.code()) {
        return Err(DocumentError::AccountingCurrency(draft.currency.code().to_owned()));
    }
    check_payment(&draft.payment)
}

pub(super) fn check_totals(draft: &Draft, totals: &Totals) -> Result<(), DocumentError> {
    let Totals { gross_minor, prepaid_minor, rounding_minor, due_minor, .. } = *totals;
    if !(-MAX_ROUNDING_MINOR..=MAX_ROUNDING_MINOR).contains(&rounding_minor) {
        return Err(DocumentError::Rounding { rounding_minor });
    }
    if gross_minor < 0 {
        return Err(DocumentError::NegativeTotal { gross_minor });
    }
    if prepaid_minor < 0 || due_minor < 0 {
        return Err(DocumentError::Prepaid { prepaid_minor, gross_minor });
    }
    if due_minor > 0 && draft.due_date.is_none() {
        return Err(DocumentError::MissingDueDate { due_minor });
    }
    Ok(())
}

fn check_line(draft: &Draft, index: usize, line: &super::Line) -> Result<(), DocumentError> {
    let number = index + 1;
    let unit_is_code = (2..=3).contains(&line.unit.len())
        && line.unit.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !unit_is_code {
        return Err(DocumentError::Unit { field: format!("line {number}"), unit: line.unit.clone() });
    }
    if line.unit_price.is_negative() {
        return Err(DocumentError::NegativePrice { line: number });
    }
    let what = "quantity times price of a line";
    let computed_minor =
        line.quantity.times(line.unit_price, draft.currency).ok_or(DocumentError::Overflow { what })?;
    if computed_minor != line.net_minor {
        return Err(DocumentError::LineNet { line: number, stated_minor: line.net_minor, computed_minor });
    }
    check_tax(draft, &format!("line {number}"), &line.tax)
}

fn check_tax(draft: &Draft, field: &str, tax: &LineTax) -> Result<(), DocumentError> {
    let (category, rate_bps) = (tax.category.code(), tax.rate_bps);
    if tax.category == Category::Standard {
        if !(1..=FULL_RATE_BPS).contains(&rate_bps) {
            return Err(DocumentError::StandardRate { field: field.to_owned(), rate_bps });
        }
    } else if rate_bps != 0 {
        return Err(DocumentError::Rate { field: field.to_owned(), category, rate_bps });
    }
    let reason = tax.exemption.as_ref().is_some_and(|exemption| !exemption.text.trim().is_empty());
    if tax.category.needs_reason() && !reason {
        return Err(DocumentError::MissingReason { field: field.to_owned(), category });
    }
    // EN 16931 BR-S-02, BR-Z-02, BR-E-02, BR-AE-02, BR-G-02.
    if tax.category != Category::OutOfScope && draft.seller.vat_id.is_none() {
        return Err(DocumentError::MissingVatId { party: "seller", category });
    }
    if tax.category == Category::ReverseCharge && draft.buyer.vat_id.is_none() {
        return Err(DocumentError::MissingVatId { party: "buyer", category });
    }
    Ok(())
}

fn check_party(party: &'static str, who: &Party) -> Result<(), DocumentError> {
    let parsed = who.vat_id.as_deref().map(|id| VatId::parse(who.country, id));
    match parsed {
        // A country without a row: any id is taken as it stands.
        None | Some(Ok(_) | Err(VatIdError::Country(_))) => Ok(()),
        Some(Err(source)) => Err(DocumentError::VatId { party, source }),
    }
}

fn check_dates(draft: &Draft) -> Result<(), DocumentError> {
    if let Some(to) = draft.due_date.filter(|due| *due < draft.issue_date) {
        return Err(DocumentError::Dates { field: "term of payment", from: draft.issue_date, to });
    }
    if let Some(period) = draft.period.filter(|period| period.to < period.from) {
        return Err(DocumentError::Dates { field: "period", from: period.from, to: period.to });
    }
    Ok(())
}

fn check_payment(payment: &Payment) -> Result<(), DocumentError> {
    match payment {
        Payment::CreditTransfer { account: Account::Iban(iban), .. } if !is_iban(iban) => {
            Err(DocumentError::Iban(iban.clone()))
        }
        Payment::Card { last_digits, .. }
            if !CARD_DIGITS.contains(&last_digits.len()) || !last_digits.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Err(DocumentError::CardDigits(last_digits.clone()))
        }
        _ => Ok(()),
    }
}

/// ISO 13616: moved four characters to the end and read letters as numbers, the remainder by 97 is 1.
fn is_iban(text: &str) -> bool {
    if !IBAN_CHARS.contains(&text.len()) || !text.is_ascii() {
        return false;
    }
    let (head, tail) = text.split_at(4);
    let remainder = tail.bytes().chain(head.bytes()).try_fold(0_u32, |sum, byte| match byte {
        b'0'..=b'9' => Some((sum * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((sum * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    });
    remainder == Some(1)
}

fn check_texts(draft: &Draft) -> Result<(), DocumentError> {
    texts(draft).into_iter().try_for_each(Text::check)
}

fn texts(draft: &Draft) -> Vec<Text<'_>> {
    let mut texts = vec![Text::required("number", &draft.number, MAX_NUMBER_CHARS)];
    texts.extend(draft.seller.texts("seller"));
    texts.extend(draft.buyer.texts("buyer"));
    for (index, line) in draft.lines.iter().enumerate() {
        let number = index + 1;
        texts.push(Text::required(format!("line {number} name"), &line.name, MAX_TEXT_CHARS));
        let description = line.description.as_deref();
        texts
            .extend(description.map(|text| Text::optional(format!("line {number} description"), text, MAX_TEXT_CHARS)));
    }
    for (index, allowance) in draft.allowances.iter().enumerate() {
        let field = format!("allowance {} reason", index + 1);
        texts.push(Text::required(field, &allowance.reason, MAX_ALLOWANCE_REASON_CHARS));
    }
    let taxes = draft.lines.iter().map(|line| &line.tax).chain(draft.allowances.iter().map(|a| &a.tax));
    let reasons = taxes.filter_map(|tax| tax.exemption.as_ref());
    texts.extend(reasons.map(|reason| Text::optional("exemption reason", &reason.text, MAX_TEXT_CHARS)));
    let references = [
        ("buyer_reference", draft.buyer_reference.as_deref()),
        ("order_reference", draft.order_reference.as_deref()),
        ("purchase_order", draft.purchase_order.as_deref()),
        ("preceding.number", draft.preceding.as_ref().map(|preceding| preceding.number.as_str())),
    ];
    let references = references.into_iter().filter_map(|(field, text)| Some((field, text?)));
    let references = references.chain(payment_texts(&draft.payment));
    texts.extend(references.map(|(field, text)| Text::required(field, text, MAX_REFERENCE_CHARS)));
    texts.extend(draft.notes.iter().map(|note| Text::optional("notes", note, MAX_TEXT_CHARS)));
    texts
}

fn payment_texts(payment: &Payment) -> Vec<(&'static str, &str)> {
    match payment {
        Payment::Card { network, .. } => vec![("payment.network", network)],
        Payment::CreditTransfer { account, bic, holder, reference } => {
            let mut texts = vec![
                ("payment.account", account.as_str()),
                ("payment.holder", holder),
                ("payment.reference", reference),
            ];
            texts.extend(bic.as_deref().map(|bic| ("payment.bic", bic)));
            texts
        }
        Payment::Settled { how } => vec![("payment.how", how)],
    }
}
