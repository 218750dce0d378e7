//! Pages as lists of marks, so that the number of pages is known before the first is written.

use krilla::{
    Document as PdfDocument, SerializeSettings,
    color::luma,
    geom::{PathBuilder, Point, Rect},
    metadata::{DateTime, Metadata},
    num::NormalizedF32,
    page::PageSettings,
    paint::{Fill, FillRule, Stroke},
    surface::Surface,
};
use time::Date;

use super::{
    Language, PdfError,
    text::{Style, Typesetter},
};

/// A4 in points.
pub(super) const PAGE_WIDTH: f32 = 595.28;
pub(super) const PAGE_HEIGHT: f32 = 841.89;
pub(super) const LEFT: f32 = 50.0;
pub(super) const RIGHT: f32 = PAGE_WIDTH - 50.0;
pub(super) const TOP: f32 = 52.0;
/// Below this the footer begins.
pub(super) const BOTTOM: f32 = PAGE_HEIGHT - 62.0;
/// Line height as a multiple of the type size.
pub(super) const LEADING: f32 = 1.36;

/// Imitated bold: the outline's width as a part of the type size.
const OUTLINE: f32 = 0.022;

enum Mark {
    /// `y` is the baseline.
    Text {
        x: f32,
        y: f32,
        text: String,
        style: Style,
    },
    Rule {
        x: f32,
        y: f32,
        to_x: f32,
        weight: f32,
        lightness: u8,
    },
    Shade {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        lightness: u8,
    },
}

/// What a PDF says about itself.
pub(super) struct About {
    pub(super) title: String,
    pub(super) author: String,
    pub(super) date: Date,
}

/// Marks on pages, and where the next one goes.
pub(super) struct Pages {
    pub(super) typesetter: Typesetter,
    pub(super) language: Language,
    pages: Vec<Vec<Mark>>,
    /// Top of the free space on the last page.
    pub(super) y: f32,
}

impl Pages {
    pub(super) fn new(language: Language) -> Result<Self, PdfError> {
        let typesetter = Typesetter::new(language).ok_or(PdfError::Fonts)?;
        Ok(Self { typesetter, language, pages: vec![Vec::new()], y: TOP })
    }

    pub(super) fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    pub(super) fn fits(&self, height: f32) -> bool {
        self.y + height <= BOTTOM
    }

    /// Begins a page unless `height` points are left on this one.
    pub(super) fn need(&mut self, height: f32) {
        if !self.fits(height) && self.y > TOP {
            self.new_page();
        }
    }

    fn mark(&mut self, mark: Mark) {
        if let Some(page) = self.pages.last_mut() {
            page.push(mark);
        }
    }

    /// Text with its top at `y`.
    pub(super) fn text_at(&mut self, x: f32, y: f32, text: &str, style: Style) {
        if !text.is_empty() {
            self.mark(Mark::Text { x, y: y + style.size, text: text.to_owned(), style });
        }
    }

    /// The style made as small as the text needs to be at most `width` wide.
    fn fit(&self, text: &str, style: Style, width: f32) -> Style {
        let natural = self.typesetter.width(text, style);
        if natural > width { Style { size: style.size * width / natural, ..style } } else { style }
    }

    /// One line that begins at `x`, made smaller where it would end after `to_x`.
    pub(super) fn text_left(&mut self, x: f32, to_x: f32, y: f32, text: &str, style: Style) {
        let fitted = self.fit(text, style, to_x - x);
        self.text_at(x, y + style.size - fitted.size, text, fitted);
    }

    /// One line that ends at `x`, made smaller where it would begin before `from_x`.
    pub(super) fn text_right(&mut self, from_x: f32, x: f32, y: f32, text: &str, style: Style) {
        let fitted = self.fit(text, style, x - from_x);
        let width = self.typesetter.width(text, fitted);
        // The baseline stays that of the neighbours.
        self.text_at(x - width, y + style.size - fitted.size, text, fitted);
    }

    /// Draws a block on this page, or on a new one where it would reach below the margin.
    pub(super) fn keep_together(&mut self, draw: impl Fn(&mut Self)) {
        let (y, marks) = (self.y, self.pages.last().map_or(0, Vec::len));
        draw(self);
        if self.y > BOTTOM && y > TOP {
            if let Some(page) = self.pages.last_mut() {
                page.truncate(marks);
            }
            self.new_page();
            draw(self);
        }
    }

    /// Wrapped text between `x` and `to_x` from `y` on; returns the y below it. Does not begin pages.
    pub(super) fn block_at(&mut self, x: f32, to_x: f32, y: f32, text: &str, style: Style) -> f32 {
        let mut y = y;
        for line in self.typesetter.wrap(text, style, to_x - x) {
            self.text_at(x, y, &line, style);
            y += style.size * LEADING;
        }
        y
    }

    /// Wrapped text over the whole width at the cursor, over as many pages as it takes.
    pub(super) fn paragraph(&mut self, text: &str, style: Style) {
        for line in self.typesetter.wrap(text, style, RIGHT - LEFT) {
            self.need(style.size * LEADING);
            self.text_at(LEFT, self.y, &line, style);
            self.y += style.size * LEADING;
        }
    }

    pub(super) fn rule(&mut self, x: f32, to_x: f32, y: f32, weight: f32, lightness: u8) {
        self.mark(Mark::Rule { x, y, to_x, weight, lightness });
    }

    pub(super) fn shade(&mut self, x: f32, to_x: f32, y: f32, height: f32, lightness: u8) {
        self.mark(Mark::Shade { x, y, width: to_x - x, height, lightness });
    }

    /// Writes the PDF. `footer` adds its marks to each page, knowing its number, from 1, and the count.
    pub(super) fn finish(
        mut self,
        about: About,
        footer: impl Fn(&mut Self, usize, usize),
    ) -> Result<Vec<u8>, PdfError> {
        let count = self.pages.len();
        let bodies = std::mem::take(&mut self.pages);
        let settings = SerializeSettings { enable_tagging: false, ..SerializeSettings::default() };
        let mut pdf = PdfDocument::new_with(settings);
        for (index, body) in bodies.into_iter().enumerate() {
            self.pages = vec![body];
            footer(&mut self, index + 1, count);
            let size = PageSettings::from_wh(PAGE_WIDTH, PAGE_HEIGHT).ok_or(PdfError::Write)?;
            let mut page = pdf.start_page_with(size);
            let mut surface = page.surface();
            for mark in self.pages.iter().flatten() {
                draw(&mut surface, mark, self.typesetter);
            }
            surface.finish();
            page.finish();
        }
        pdf.set_metadata(metadata(about, self.language));
        pdf.finish().map_err(|_| PdfError::Write)
    }
}

fn metadata(about: About, language: Language) -> Metadata {
    let year = u16::try_from(about.date.year()).unwrap_or_default();
    // The time of day is not known and must not be: equal documents give equal bytes.
    let date = DateTime::new(year).month(u8::from(about.date.month())).day(about.date.day());
    Metadata::new()
        .title(about.title)
        .authors(vec![about.author])
        .language(language.tag().to_owned())
        .creator("Torv".to_owned())
        .creation_date(date)
}

fn fill(lightness: u8) -> Fill {
    Fill { paint: luma::Color::new(lightness).into(), opacity: NormalizedF32::ONE, rule: FillRule::default() }
}

fn stroke(lightness: u8, width: f32) -> Stroke {
    Stroke { paint: luma::Color::new(lightness).into(), width, ..Stroke::default() }
}

fn draw(surface: &mut Surface<'_>, mark: &Mark, typesetter: Typesetter) {
    match mark {
        Mark::Text { x, y, text, style } => {
            let mut x = *x;
            for run in typesetter.runs(text, *style) {
                surface.set_fill(Some(fill(style.lightness)));
                surface.set_stroke(run.outlined.then(|| stroke(style.lightness, style.size * OUTLINE)));
                surface.draw_glyphs(Point::from_xy(x, *y), &run.glyphs, run.font, &run.text, style.size, false);
                x += run.width;
            }
        }
        Mark::Rule { x, y, to_x, weight, lightness } => {
            let mut path = PathBuilder::new();
            path.move_to(*x, *y);
            path.line_to(*to_x, *y);
            surface.set_fill(None);
            surface.set_stroke(Some(stroke(*lightness, *weight)));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Mark::Shade { x, y, width, height, lightness } => {
            let mut path = PathBuilder::new();
            if let Some(rectangle) = Rect::from_xywh(*x, *y, *width, *height) {
                path.push_rect(rectangle);
            }
            surface.set_stroke(None);
            surface.set_fill(Some(fill(*lightness)));
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
    }
}

#[cfg(test)]
impl Pages {
    /// Texts outside of the margins, or over each other: page, text, and the other text.
    pub(super) fn collisions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (index, page) in self.pages.iter().enumerate() {
            let boxes: Vec<(f32, f32, f32, f32, &str)> = page
                .iter()
                .filter_map(|mark| {
                    let Mark::Text { x, y, text, style } = mark else { return None };
                    // From the top of the capitals to the baseline.
                    Some((*x, x + self.typesetter.width(text, *style), y - style.size * 0.72, *y, text.as_str()))
                })
                .collect();
            for (at, (x, to_x, y, to_y, text)) in boxes.iter().enumerate() {
                if *x < LEFT - 0.1 || *to_x > RIGHT + 0.1 || *y < TOP - 1.0 || *to_y > BOTTOM + 1.0 {
                    found.push(format!("page {}: {text:?} is outside", index + 1));
                }
                for (x2, to_x2, y2, to_y2, other) in &boxes[at + 1..] {
                    if x < to_x2 && x2 < to_x && y < to_y2 && y2 < to_y {
                        found.push(format!("page {}: {text:?} is over {other:?}", index + 1));
                    }
                }
            }
        }
        found
    }
}
