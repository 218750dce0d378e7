//! Fonts, widths and line breaks.
//!
//! One glyph a character: right for Latin, Greek, Cyrillic, kana and Han characters, which are the scripts the embedded
//! fonts have. A character of another script is drawn as the box of a missing glyph, and stays right when copied.

use std::sync::LazyLock;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::{
    FontRef, MetadataProvider,
    charmap::Charmap,
    instance::{LocationRef, Size},
    metrics::GlyphMetrics,
};

use super::Language;

/// A font with what is needed to place its glyphs.
struct Face {
    font: Font,
    characters: Charmap<'static>,
    metrics: GlyphMetrics<'static>,
    units_per_em: f32,
}

impl Face {
    fn load(bytes: &'static [u8]) -> Option<Self> {
        let reference = FontRef::new(bytes).ok()?;
        let font = Font::new(bytes.into(), 0)?;
        Some(Self {
            units_per_em: font.units_per_em(),
            font,
            characters: reference.charmap(),
            metrics: reference.glyph_metrics(Size::unscaled(), LocationRef::default()),
        })
    }

    fn glyph(&self, character: char) -> Option<skrifa::GlyphId> {
        self.characters.map(character).filter(|glyph| glyph.to_u32() != 0)
    }

    /// In ems.
    fn advance(&self, glyph: skrifa::GlyphId) -> f32 {
        self.metrics.advance_width(glyph).unwrap_or_default() / self.units_per_em
    }
}

/// The embedded fonts; see `fonts/OFL.txt`.
pub(super) struct Fonts {
    regular: Face,
    bold: Face,
    japanese: Face,
    taiwanese: Face,
}

static FONTS: LazyLock<Option<Fonts>> = LazyLock::new(|| {
    Some(Fonts {
        regular: Face::load(include_bytes!("../../fonts/NotoSans-Regular.ttf"))?,
        bold: Face::load(include_bytes!("../../fonts/NotoSans-Bold.ttf"))?,
        japanese: Face::load(include_bytes!("../../fonts/NotoSansJP-Regular.otf"))?,
        taiwanese: Face::load(include_bytes!("../../fonts/NotoSansTC-Regular.otf"))?,
    })
});

/// Size in points, and weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) bold: bool,
    /// 0 is black, 255 white.
    pub(super) lightness: u8,
}

/// Consecutive characters drawn with one font.
pub(super) struct Run {
    pub(super) font: Font,
    pub(super) text: String,
    pub(super) glyphs: Vec<KrillaGlyph>,
    pub(super) width: f32,
    /// The font has no bold cut, so the glyphs are drawn with an outline.
    pub(super) outlined: bool,
}

/// The fonts in the order a language looks for a character.
#[derive(Clone, Copy)]
pub(super) struct Typesetter {
    fonts: &'static Fonts,
    language: Language,
}

impl Typesetter {
    /// `None` where the embedded fonts can't be read.
    pub(super) fn new(language: Language) -> Option<Self> {
        FONTS.as_ref().map(|fonts| Self { fonts, language })
    }

    /// The face that has the character, its glyph, and whether bold has to be imitated.
    fn find(self, character: char, bold: bool) -> (&'static Face, skrifa::GlyphId, bool) {
        let fonts = self.fonts;
        let european = if bold { &fonts.bold } else { &fonts.regular };
        let east_asian = match self.language {
            Language::TraditionalChinese => [&fonts.taiwanese, &fonts.japanese],
            _ => [&fonts.japanese, &fonts.taiwanese],
        };
        if let Some(glyph) = european.glyph(character) {
            return (european, glyph, false);
        }
        let found = east_asian.into_iter().find_map(|face| Some((face, face.glyph(character)?)));
        found.map_or((european, skrifa::GlyphId::NOTDEF, false), |(face, glyph)| (face, glyph, bold))
    }

    /// Whether a font has the character.
    pub(super) fn has(self, character: char) -> bool {
        self.find(character, false).1 != skrifa::GlyphId::NOTDEF
    }

    fn advance(self, character: char, style: Style) -> f32 {
        let (face, glyph, _) = self.find(character, style.bold);
        face.advance(glyph) * style.size
    }

    /// Width of one line of text in points.
    pub(super) fn width(self, text: &str, style: Style) -> f32 {
        text.chars().map(|character| self.advance(character, style)).sum()
    }

    pub(super) fn runs(self, text: &str, style: Style) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for character in text.chars() {
            let (face, glyph, outlined) = self.find(character, style.bold);
            if runs.last().is_none_or(|run| run.font != face.font) {
                let font = face.font.clone();
                runs.push(Run { font, text: String::new(), glyphs: Vec::new(), width: 0.0, outlined });
            }
            if let Some(run) = runs.last_mut() {
                let start = run.text.len();
                run.text.push(character);
                let (advance, range) = (face.advance(glyph), start..run.text.len());
                run.glyphs.push(KrillaGlyph::new(GlyphId::new(glyph.to_u32()), advance, 0.0, 0.0, 0.0, range, None));
                run.width += advance * style.size;
            }
        }
        runs
    }

    /// Breaks a text into lines of at most `width` points: at line feeds, after spaces and hyphens, between Han
    /// characters and kana, and inside of a word only where it is longer than a line.
    pub(super) fn wrap(self, text: &str, style: Style, width: f32) -> Vec<String> {
        text.split('\n').flat_map(|paragraph| self.wrap_paragraph(paragraph, style, width)).collect()
    }

    fn wrap_paragraph(self, paragraph: &str, style: Style, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut rest = paragraph.trim();
        while let Some(end) = self.line_end(rest, style, width) {
            lines.push(rest[..end].trim_end().to_owned());
            rest = rest[end..].trim_start();
        }
        lines.push(rest.to_owned());
        lines
    }

    /// Where the first line of `text` ends, in bytes; `None` where all of it fits.
    fn line_end(self, text: &str, style: Style, width: f32) -> Option<usize> {
        let (mut used, mut last_break, mut before) = (0.0, None, None);
        for (at, character) in text.char_indices() {
            if before.is_some_and(|before| can_break(before, character)) {
                last_break = Some(at);
            }
            used += self.advance(character, style);
            if used > width && character != ' ' && at > 0 {
                return Some(last_break.unwrap_or(at));
            }
            before = Some(character);
        }
        None
    }
}

fn is_east_asian(character: char) -> bool {
    matches!(character, '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Punctuation that must not begin a line.
const NOT_FIRST: &str =
    "、。，．・：；！？）」』】〕〉》］｝％ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々,.:;!?)]}%";
/// Punctuation that must not end a line.
const NOT_LAST: &str = "（「『【〔〈《［｛([{￥＄";

fn can_break(before: char, after: char) -> bool {
    if NOT_FIRST.contains(after) || NOT_LAST.contains(before) || after == ' ' {
        return false;
    }
    matches!(before, ' ' | '-' | '/') && !after.is_ascii_digit()
        || before == ' '
        || is_east_asian(before)
        || is_east_asian(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: Style = Style { size: 10.0, bold: false, lightness: 0 };

    fn typesetter() -> Typesetter {
        Typesetter::new(Language::English).unwrap()
    }

    #[test]
    fn lines_fit_and_no_character_is_lost() {
        let long_word = "x".repeat(300);
        for text in
            ["Water levels of all gauges, hourly", "臺北市政府資訊局開放資料平臺，年度授權。", &long_word, "", "a b"]
        {
            for width in [40.0, 90.0, 200.0] {
                let lines = typesetter().wrap(text, BODY, width);
                assert!(lines.iter().all(|line| typesetter().width(line, BODY) <= width), "{lines:?}");
                let squeezed = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
                assert_eq!(squeezed(&lines.concat()), squeezed(text));
            }
        }
    }

    #[test]
    fn closing_punctuation_does_not_begin_a_line() {
        let text = "水位，雨量，風速，氣溫，濕度，氣壓。".repeat(5);
        for width in 30_u8..90 {
            let lines = typesetter().wrap(&text, BODY, f32::from(width));
            assert!(lines.iter().all(|line| !line.starts_with(['，', '。'])), "{lines:?}");
        }
    }

    #[test]
    fn every_script_of_the_labels_has_glyphs_and_others_do_not_fail() {
        for text in ["Ærø Žižek Őry", "Ελλάδα ά", "Бургас", "福井県 データ 髙﨑", "臺北 堃 喆 瀞", "€ £ ¥ − – …"]
        {
            assert!(text.chars().all(|character| typesetter().has(character)), "{text}");
        }
        assert!(!typesetter().has('ไ'));
        assert!(typesetter().width("ไทย", BODY) > 0.0);
    }
}
