//! Layout of provider statements.

use super::{
    Language, PdfError,
    invoice::{footer, party},
    labels::Labels,
    locale::{amount, date, money},
    page::{About, LEFT, Pages, RIGHT},
    table::{BODY, Column, Row, STRONG, Table},
    text::Style,
};
use crate::statement::Statement;

const TITLE: Style = Style { size: 19.0, bold: true, lightness: 20 };
const MIDDLE: f32 = 318.0;

pub(super) fn render(statement: &Statement, language: Language) -> Result<Vec<u8>, PdfError> {
    let labels = Labels::of(language);
    let mut pages = Pages::new(language)?;
    let top = pages.y;
    let parts = statement.parts();
    pages.text_right(MIDDLE, RIGHT, top, labels.statement, TITLE);
    pages.text_right(MIDDLE, RIGHT, top + 26.0, &parts.number, Style { size: 11.0, ..BODY });
    let period = format!("{} – {}", date(parts.period.from, language), date(parts.period.to, language));
    pages.text_right(MIDDLE, RIGHT, top + 43.0, &period, BODY);
    let y = party(&mut pages, &parts.operator, "", labels, LEFT, MIDDLE - 20.0, top - 13.0);
    pages.y = y.max(top + 60.0) + 16.0;
    let top = pages.y;
    pages.y = party(&mut pages, &parts.provider, labels.provider, labels, LEFT, RIGHT, top) + 16.0;
    movements(&mut pages, statement, labels);
    let title = format!("{} {}", labels.statement, parts.number);
    let about = About { title: title.clone(), author: parts.operator.legal_name.clone(), date: parts.issue_date };
    pages.finish(about, |pages, page, count| footer(pages, &title, &(labels.page)(page, count)))
}

fn movements(pages: &mut Pages, statement: &Statement, labels: &Labels) {
    let (parts, language) = (statement.parts(), pages.language);
    let show = |amount_minor: i64| amount(amount_minor, parts.currency, language);
    balance(pages, labels.opening, &money(parts.opening_minor, parts.currency, language));
    let columns = [
        Column { title: labels.date, x: LEFT, to_x: 146.0, right: false },
        Column { title: labels.description, x: 146.0, to_x: 386.0, right: false },
        Column { title: labels.amount, x: 388.0, to_x: 466.0, right: true },
        Column { title: labels.balance, x: 468.0, to_x: RIGHT, right: true },
    ];
    let rows: Vec<Row> = statement
        .balances()
        .zip(&parts.lines)
        .map(|(balance_minor, line)| Row {
            cells: vec![
                date(line.date, language),
                line.description.clone(),
                show(line.amount_minor),
                show(balance_minor),
            ],
            detail: line.reference.clone(),
            sum_after: show(balance_minor),
        })
        .collect();
    let (carried_forward, brought_forward) = (labels.carried_forward, labels.brought_forward);
    let table = Table { columns: &columns, wrapped: 1, carried_forward, brought_forward };
    table.draw(pages, &show(parts.opening_minor), &rows);
    pages.need(24.0);
    balance(pages, labels.closing, &money(parts.closing_minor, parts.currency, language));
}

fn balance(pages: &mut Pages, label: &str, value: &str) {
    pages.text_at(LEFT + 3.0, pages.y, label, STRONG);
    pages.text_right(MIDDLE, RIGHT - 3.0, pages.y, value, STRONG);
    pages.y += 18.0;
}
