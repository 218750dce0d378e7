//! Readable A4 documents in the buyer's language, with embedded fonts and text that can be copied.
//!
//! Equal input gives equal bytes: the only date in the file is the document's own.

mod invoice;
mod labels;
mod locale;
mod page;
mod statement;
mod table;
mod text;

use crate::{model::Document, statement::Statement};

/// The language of labels, numbers and dates. Names and descriptions stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Language {
    #[serde(rename = "en")]
    English,
    #[serde(rename = "da")]
    Danish,
    #[serde(rename = "ja")]
    Japanese,
    #[serde(rename = "zh-Hant")]
    TraditionalChinese,
}

impl Language {
    pub const ALL: [Self; 4] = [Self::English, Self::Danish, Self::Japanese, Self::TraditionalChinese];

    /// The tag of BCP 47.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Danish => "da",
            Self::Japanese => "ja",
            Self::TraditionalChinese => "zh-Hant",
        }
    }

    /// The language for a tag such as `da-DK` or `zh-TW`; `None` for one without a table, such as `zh-Hans`.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let tag = tag.to_ascii_lowercase().replace('_', "-");
        let (language, rest) = tag.split_once('-').unwrap_or((&tag, ""));
        match language {
            "en" => Some(Self::English),
            "da" => Some(Self::Danish),
            "ja" => Some(Self::Japanese),
            "zh" if !["hans", "cn", "sg"].contains(&rest) => Some(Self::TraditionalChinese),
            _ => None,
        }
    }
}

/// A PDF that could not be made; neither depends on the document's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    #[error("the embedded fonts can't be read")]
    Fonts,
    #[error("the PDF could not be written")]
    Write,
}

/// Renders an invoice or credit note.
///
/// # Errors
/// [`PdfError`]
pub fn render(document: &Document, language: Language) -> Result<Vec<u8>, PdfError> {
    invoice::render(document, language)
}

/// Renders a provider's statement.
///
/// # Errors
/// [`PdfError`]
pub fn render_statement(statement: &Statement, language: Language) -> Result<Vec<u8>, PdfError> {
    statement::render(statement, language)
}

/// The characters of a text that no embedded font has: they would show as boxes.
#[must_use]
pub fn characters_without_glyph(text: &str) -> Vec<char> {
    let Some(typesetter) = text::Typesetter::new(Language::English) else { return text.chars().collect() };
    let mut missing: Vec<char> = text.chars().filter(|c| *c != '\n' && !typesetter.has(*c)).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

#[cfg(test)]
mod tests;
