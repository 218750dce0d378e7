//! Tables whose rows wrap and run over pages, with the sum carried from page to page.

use super::{
    page::{LEADING, LEFT, Pages, RIGHT},
    text::Style,
};

pub(super) const BODY: Style = Style { size: 9.0, bold: false, lightness: 20 };
pub(super) const STRONG: Style = Style { bold: true, ..BODY };
pub(super) const SMALL: Style = Style { size: 7.8, bold: false, lightness: 95 };
pub(super) const HEADING: Style = Style { size: 7.8, bold: true, lightness: 95 };

/// A row taller than this may be broken between two of its lines.
const MAX_UNBROKEN_HEIGHT: f32 = 150.0;
const ROW_PADDING: f32 = 3.5;
const HEAD_HEIGHT: f32 = 17.0;
const CARRY_HEIGHT: f32 = 17.0;
/// Space between a column's text and its neighbour's.
const GAP: f32 = 8.0;

pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) x: f32,
    pub(super) to_x: f32,
    pub(super) right: bool,
}

/// Cells by column; the wrapped column has a second, smaller text.
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    pub(super) detail: Option<String>,
    /// Sum after this row, as it is carried to the next page.
    pub(super) sum_after: String,
}

pub(super) struct Table<'a> {
    pub(super) columns: &'a [Column],
    /// Index of the column whose text is wrapped.
    pub(super) wrapped: usize,
    pub(super) carried_forward: &'static str,
    pub(super) brought_forward: &'static str,
}

impl Table<'_> {
    /// Draws the table from the cursor on.
    pub(super) fn draw(&self, pages: &mut Pages, opening_sum: &str, rows: &[Row]) {
        pages.need(HEAD_HEIGHT + 2.0 * BODY.size * LEADING + CARRY_HEIGHT);
        self.head(pages);
        let mut sum = opening_sum;
        for row in rows {
            self.row(pages, row, sum);
            sum = &row.sum_after;
        }
        pages.rule(LEFT, RIGHT, pages.y, 0.8, 60);
        pages.y += 6.0;
    }

    fn head(&self, pages: &mut Pages) {
        pages.shade(LEFT, RIGHT, pages.y, HEAD_HEIGHT, 238);
        let y = pages.y + 4.0;
        for column in self.columns {
            self.cell(pages, column, y, column.title, HEADING);
        }
        pages.y += HEAD_HEIGHT;
    }

    fn cell(&self, pages: &mut Pages, column: &Column, y: f32, text: &str, style: Style) {
        if column.right {
            pages.text_right(column.x, column.to_x - 3.0, y, text, style);
        } else {
            pages.text_at(column.x + 3.0, y, text, style);
        }
    }

    fn row(&self, pages: &mut Pages, row: &Row, sum_before: &str) {
        let Some(column) = self.columns.get(self.wrapped) else { return };
        let width = column.to_x - column.x - GAP;
        let wrap = |text: &str, style: Style| {
            pages.typesetter.wrap(text, style, width).into_iter().map(move |line| (line, style)).collect::<Vec<_>>()
        };
        let mut lines = row.cells.get(self.wrapped).map(|text| wrap(text, BODY)).unwrap_or_default();
        lines.extend(row.detail.as_deref().map(|text| wrap(text, SMALL)).unwrap_or_default());
        let height: f32 = lines.iter().map(|(_, style)| style.size * LEADING).sum();
        let together = if height <= MAX_UNBROKEN_HEIGHT { height } else { 2.0 * BODY.size * LEADING };
        if !pages.fits(together + 2.0 * ROW_PADDING + CARRY_HEIGHT) {
            self.turn_page(pages, sum_before);
        }
        pages.y += ROW_PADDING;
        for (index, (line, style)) in lines.iter().enumerate() {
            if index > 0 && !pages.fits(style.size * LEADING + ROW_PADDING + CARRY_HEIGHT) {
                self.turn_page(pages, sum_before);
                pages.y += ROW_PADDING;
            }
            if index == 0 {
                self.other_cells(pages, row);
            }
            self.cell(pages, column, pages.y, line, *style);
            pages.y += style.size * LEADING;
        }
        pages.y += ROW_PADDING;
        pages.rule(LEFT, RIGHT, pages.y, 0.3, 205);
    }

    fn other_cells(&self, pages: &mut Pages, row: &Row) {
        for (index, (column, text)) in self.columns.iter().zip(&row.cells).enumerate() {
            if index != self.wrapped {
                self.cell(pages, column, pages.y, text, BODY);
            }
        }
    }

    fn turn_page(&self, pages: &mut Pages, sum: &str) {
        self.carry(pages, self.carried_forward, sum);
        pages.new_page();
        self.head(pages);
        self.carry(pages, self.brought_forward, sum);
        pages.rule(LEFT, RIGHT, pages.y, 0.3, 205);
    }

    fn carry(&self, pages: &mut Pages, label: &str, sum: &str) {
        let (Some(wrapped), Some(last)) = (self.columns.get(self.wrapped), self.columns.last()) else { return };
        let y = pages.y + 4.0;
        pages.text_at(wrapped.x + 3.0, y, label, HEADING);
        pages.text_right(last.x, last.to_x - 3.0, y, sum, HEADING);
        pages.y += CARRY_HEIGHT;
    }
}
