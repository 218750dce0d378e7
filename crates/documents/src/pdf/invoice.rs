//! Layout of invoices and credit notes.

use super::{
    Language, PdfError,
    labels::Labels,
    locale::{amount, date, decimal, money, percent},
    page::{About, BOTTOM, LEADING, LEFT, Pages, RIGHT},
    table::{BODY, Column, HEADING, Row, SMALL, STRONG, Table},
    text::Style,
};
use crate::{
    model::{Document, Draft, Kind, Party, Payment},
    tax::{Category, LineTax},
};

const TITLE: Style = Style { size: 19.0, bold: true, lightness: 20 };
const NAME: Style = Style { size: 12.0, bold: true, lightness: 20 };
const TOTAL: Style = Style { size: 11.0, bold: true, lightness: 0 };
/// Where the right half of a page begins.
const MIDDLE: f32 = 318.0;
/// Where the values of the reference list begin.
const VALUES: f32 = 398.0;
const FOOTER_MIDDLE: f32 = 430.0;
const SECTION_GAP: f32 = 16.0;

pub(super) fn render(document: &Document, language: Language) -> Result<Vec<u8>, PdfError> {
    let (draft, labels) = (document.draft(), Labels::of(language));
    let pages = layout(document, language)?;
    let title = format!("{} {}", labels.title(draft.kind), draft.number);
    let about = About { title: title.clone(), author: draft.seller.legal_name.clone(), date: draft.issue_date };
    pages.finish(about, |pages, page, count| footer(pages, &title, &(labels.page)(page, count)))
}

/// Everything but the footers.
pub(super) fn layout(document: &Document, language: Language) -> Result<Pages, PdfError> {
    let (draft, labels) = (document.draft(), Labels::of(language));
    let mut pages = Pages::new(language)?;
    letterhead(&mut pages, draft, labels);
    pages.keep_together(|pages| addressee_and_references(pages, draft, labels));
    pages.y += SECTION_GAP;
    lines(&mut pages, draft, labels);
    pages.keep_together(|pages| totals(pages, document, labels));
    pages.y += SECTION_GAP;
    if draft.kind != Kind::ProForma {
        pages.keep_together(|pages| payment(pages, document, labels));
        pages.y += SECTION_GAP;
    }
    notes(&mut pages, document, labels);
    Ok(pages)
}

/// A line of small type at the foot of every page.
pub(super) fn footer(pages: &mut Pages, left: &str, right: &str) {
    let y = BOTTOM + 20.0;
    pages.rule(LEFT, RIGHT, y, 0.4, 180);
    pages.text_left(LEFT, FOOTER_MIDDLE, y + 5.0, left, SMALL);
    pages.text_right(FOOTER_MIDDLE + 10.0, RIGHT, y + 5.0, right, SMALL);
}

fn letterhead(pages: &mut Pages, draft: &Draft, labels: &Labels) {
    let top = pages.y;
    let title = labels.title(draft.kind);
    let mut right_y = top;
    for line in pages.typesetter.wrap(title, TITLE, RIGHT - MIDDLE) {
        pages.text_right(MIDDLE, RIGHT, right_y, &line, TITLE);
        right_y += TITLE.size * 1.2;
    }
    pages.text_right(MIDDLE, RIGHT, right_y + 3.0, &draft.number, Style { size: 11.0, ..BODY });
    right_y += 20.0;
    let remark = match draft.kind {
        Kind::ProForma => Some(labels.not_a_tax_document),
        kind if kind.is_self_billed() => Some(labels.self_billing),
        _ => None,
    };
    for line in remark.map(|text| pages.typesetter.wrap(text, SMALL, RIGHT - MIDDLE)).unwrap_or_default() {
        pages.text_right(MIDDLE, RIGHT, right_y, &line, SMALL);
        right_y += SMALL.size * LEADING;
    }
    let left_y = party(pages, &draft.seller, labels.seller, labels, LEFT, MIDDLE - 20.0, top);
    pages.y = left_y.max(right_y) + SECTION_GAP;
}

/// Draws a party under its role; returns the y below.
pub(super) fn party(pages: &mut Pages, party: &Party, role: &str, labels: &Labels, x: f32, to_x: f32, y: f32) -> f32 {
    pages.text_at(x, y, role, HEADING);
    let mut y = pages.block_at(x, to_x, y + 13.0, &party.legal_name, NAME);
    if let Some(name) = &party.trading_name {
        y = pages.block_at(x, to_x, y, name, BODY);
    }
    y += 1.0;
    for line in address_lines(party, pages.language) {
        y = pages.block_at(x, to_x, y, &line, BODY);
    }
    let contact = party.contact.as_ref().map(|c| [c.name.as_str(), &c.phone, &c.email].join("  ·  "));
    let ids = [
        party.vat_id.as_deref().map(|id| format!("{}: {id}", labels.vat_id)),
        party.legal_id.as_ref().map(|id| format!("{}: {}", labels.legal_id, id.value)),
        contact,
    ];
    y += 3.0;
    for line in ids.into_iter().flatten() {
        y = pages.block_at(x, to_x, y, &line, SMALL);
    }
    y
}

/// East Asian addresses read from the country down in their own languages, others from the street up.
fn address_lines(party: &Party, language: Language) -> Vec<String> {
    let address = &party.address;
    let (region, street_2) = (address.region.as_deref().unwrap_or(""), address.street_2.as_deref().unwrap_or(""));
    let big_endian = matches!(party.country.as_str(), "JP" | "TW")
        && matches!(language, Language::Japanese | Language::TraditionalChinese);
    let mut lines = if big_endian {
        let mark = if party.country.as_str() == "JP" { "〒" } else { "" };
        vec![
            format!("{mark}{}", address.postal_code),
            format!("{region}{}{}", address.city, address.street),
            street_2.to_owned(),
        ]
    } else {
        vec![
            address.street.clone(),
            street_2.to_owned(),
            format!("{} {}", address.postal_code, address.city),
            region.to_owned(),
        ]
    };
    lines.push(party.country.as_str().to_owned());
    lines.retain(|line| !line.trim().is_empty());
    lines
}

fn addressee_and_references(pages: &mut Pages, draft: &Draft, labels: &Labels) {
    let (top, language) = (pages.y, pages.language);
    let role = if draft.kind.is_self_billed() { labels.buyer } else { labels.bill_to };
    let left_y = party(pages, &draft.buyer, role, labels, LEFT, MIDDLE - 20.0, top);
    let day = |day| date(day, language);
    let period = draft.period.map(|period| format!("{} – {}", day(period.from), day(period.to)));
    let preceding = draft.preceding.as_ref().map(|invoice| format!("{} ({})", invoice.number, day(invoice.issue_date)));
    let references = [
        (labels.number, Some(draft.number.clone())),
        (labels.issue_date, Some(day(draft.issue_date))),
        (labels.supply_date, draft.tax_point.map(day)),
        (labels.period, period),
        (labels.due_date, draft.due_date.map(day)),
        (labels.corrects, preceding),
        (labels.your_reference, draft.buyer_reference.clone()),
        (labels.purchase_order, draft.purchase_order.clone()),
        (labels.order, draft.order_reference.clone()),
    ];
    let mut y = top;
    for (label, value) in references {
        if let Some(value) = value {
            y = pair(pages, y, label, &value);
        }
    }
    pages.y = left_y.max(y);
}

/// A label and its wrapped value in the right half; returns the y below.
fn pair(pages: &mut Pages, y: f32, label: &str, value: &str) -> f32 {
    pages.text_at(MIDDLE, y + 1.0, label, SMALL);
    pages.block_at(VALUES, RIGHT, y, value, BODY)
}

fn lines(pages: &mut Pages, draft: &Draft, labels: &Labels) {
    let (language, currency) = (pages.language, draft.currency);
    let columns = [
        Column { title: "#", x: LEFT, to_x: 76.0, right: false },
        Column { title: labels.description, x: 76.0, to_x: 302.0, right: false },
        Column { title: labels.quantity, x: 302.0, to_x: 366.0, right: true },
        Column { title: labels.unit_price, x: 370.0, to_x: 436.0, right: true },
        Column { title: labels.tax, x: 440.0, to_x: 476.0, right: true },
        Column { title: labels.net, x: 478.0, to_x: RIGHT, right: true },
    ];
    let mut sum: i64 = 0;
    let rows: Vec<Row> = draft
        .lines
        .iter()
        .enumerate()
        .map(|(index, line)| {
            sum = sum.saturating_add(line.net_minor);
            let quantity = format!("{} {}", decimal(line.quantity, language), labels.unit(&line.unit));
            Row {
                cells: vec![
                    (index + 1).to_string(),
                    line.name.clone(),
                    quantity.trim_end().to_owned(),
                    decimal(line.unit_price.with_scale_of(currency), language),
                    short_tax(&line.tax, language),
                    amount(line.net_minor, currency, language),
                ],
                detail: line.description.clone(),
                sum_after: amount(sum, currency, language),
            }
        })
        .collect();
    let (carried_forward, brought_forward) = (labels.carried_forward, labels.brought_forward);
    let table = Table { columns: &columns, wrapped: 1, carried_forward, brought_forward };
    table.draw(pages, &amount(0, currency, language), &rows);
}

/// The rate, or the category's code where there is none; the tax table says what the code means.
fn short_tax(tax: &LineTax, language: Language) -> String {
    match tax.category {
        Category::Standard | Category::ZeroRated => percent(tax.rate_bps, language),
        other => other.code().to_owned(),
    }
}

fn totals(pages: &mut Pages, document: &Document, labels: &Labels) {
    let (draft, totals, language) = (document.draft(), document.totals(), pages.language);
    let show = |amount_minor: i64| amount(amount_minor, draft.currency, language);
    let mut rows: Vec<(String, String, Style)> = vec![(labels.sum_of_lines.to_owned(), show(totals.lines_minor), BODY)];
    for allowance in &draft.allowances {
        let signed = if allowance.is_charge { allowance.amount_minor } else { -allowance.amount_minor };
        let label = format!("{} ({})", allowance.reason, short_tax(&allowance.tax, language));
        rows.push((label, show(signed), BODY));
    }
    rows.push((labels.total_net.to_owned(), show(totals.net_minor), BODY));
    rows.push((labels.total_tax.to_owned(), show(totals.tax_minor), BODY));
    rows.push((labels.total_gross.to_owned(), money(totals.gross_minor, draft.currency, language), STRONG));
    if totals.prepaid_minor > 0 {
        rows.push((labels.prepaid.to_owned(), show(-totals.prepaid_minor), BODY));
    }
    if totals.rounding_minor != 0 {
        rows.push((labels.rounding.to_owned(), show(totals.rounding_minor), BODY));
    }
    let due = if draft.kind.is_credit() { labels.amount_credited } else { labels.amount_due };
    rows.push((due.to_owned(), money(totals.due_minor, draft.currency, language), TOTAL));

    let top = pages.y + 4.0;
    let tax_y = tax_table(pages, document, labels, top);
    let mut y = top;
    for (label, value, style) in rows {
        y = total_row(pages, y, &label, &value, style);
    }
    pages.y = tax_y.max(y);
}

fn total_row(pages: &mut Pages, y: f32, label: &str, value: &str, style: Style) -> f32 {
    let strong = style.bold;
    if strong {
        pages.rule(MIDDLE, RIGHT, y, 0.5, 120);
    }
    let y = if strong { y + 3.0 } else { y };
    pages.text_right(VALUES + 45.0, RIGHT - 3.0, y, value, style);
    pages.block_at(MIDDLE, VALUES + 40.0, y, label, style) + 1.0
}

/// Category, taxable sum and tax, left of the totals; returns the y below.
fn tax_table(pages: &mut Pages, document: &Document, labels: &Labels, top: f32) -> f32 {
    const TAXABLE: f32 = 222.0;
    const TAX: f32 = 296.0;
    let (draft, language) = (document.draft(), pages.language);
    pages.text_at(LEFT, top, labels.tax, HEADING);
    pages.text_right(LEFT + 40.0, TAXABLE, top, labels.taxable, HEADING);
    pages.text_right(TAXABLE + 4.0, TAX, top, labels.total_tax, HEADING);
    let mut y = top + 13.0;
    pages.rule(LEFT, TAX, y, 0.4, 150);
    y += 3.0;
    for row in document.tax_totals() {
        let name = labels.category(row.tax.category);
        let label = match row.tax.category {
            Category::Standard | Category::ZeroRated => format!("{name} {}", percent(row.tax.rate_bps, language)),
            other => format!("{} – {name}", other.code()),
        };
        pages.text_right(TAXABLE - 62.0, TAXABLE, y, &amount(row.taxable_minor, draft.currency, language), SMALL);
        pages.text_right(TAXABLE + 4.0, TAX, y, &amount(row.tax_minor, draft.currency, language), SMALL);
        y = pages.block_at(LEFT, TAXABLE - 64.0, y, &label, SMALL) + 2.0;
    }
    if let Some(accounting) = &draft.accounting_tax {
        let label = format!("{} {}", labels.tax_in, accounting.currency.code());
        pages.text_right(TAXABLE + 4.0, TAX, y, &amount(accounting.tax_minor, accounting.currency, language), SMALL);
        y = pages.block_at(LEFT, TAXABLE - 64.0, y, &label, SMALL) + 2.0;
    }
    y
}

fn payment(pages: &mut Pages, document: &Document, labels: &Labels) {
    let draft = document.draft();
    let rows: Vec<(&str, &str)> = match &draft.payment {
        Payment::Card { .. } => Vec::new(),
        Payment::CreditTransfer { account, bic, holder, reference } => [
            Some((labels.account, account.as_str())),
            bic.as_deref().map(|bic| (labels.bic, bic)),
            Some((labels.holder, holder.as_str())),
            Some((labels.payment_reference, reference.as_str())),
        ]
        .into_iter()
        .flatten()
        .collect(),
        Payment::Settled { how } => vec![("", how.as_str())],
    };
    pages.text_at(LEFT, pages.y, labels.payment, HEADING);
    pages.y += 13.0;
    if let Payment::Card { network, last_digits } = &draft.payment {
        let text = format!("{}: {network} •••• {last_digits}", labels.card);
        pages.y = pages.block_at(LEFT, RIGHT, pages.y, &text, BODY);
    }
    for (label, value) in rows {
        let value_x = if label.is_empty() { LEFT } else { LEFT + 105.0 };
        pages.text_at(LEFT, pages.y + 1.0, label, SMALL);
        pages.y = pages.block_at(value_x, RIGHT, pages.y, value, BODY);
    }
    if document.totals().due_minor == 0 && !draft.kind.is_credit() {
        pages.y = pages.block_at(LEFT, RIGHT, pages.y, labels.paid, BODY);
    }
}

fn notes(pages: &mut Pages, document: &Document, labels: &Labels) {
    let reasons = document.tax_totals().iter().filter_map(|row| {
        let reason = row.tax.exemption.as_ref()?;
        let code = reason.vatex.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
        let category = labels.category(row.tax.category);
        Some(format!("{} – {category}: {}{code}", row.tax.category.code(), reason.text))
    });
    let texts: Vec<String> = reasons.chain(document.draft().notes.iter().cloned()).collect();
    if texts.is_empty() {
        return;
    }
    pages.need(13.0 + 2.0 * BODY.size * LEADING);
    pages.text_at(LEFT, pages.y, labels.notes, HEADING);
    pages.y += 13.0;
    for text in texts {
        pages.paragraph(&text, BODY);
    }
}
