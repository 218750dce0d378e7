//! Text in several languages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One text in one or more languages, keyed by BCP 47 tag (`en`, `zh-Hant`, `ja`, `da`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(example = json!({"en": "River levels", "ja": "河川水位"}))]
pub struct LangText(pub BTreeMap<String, String>);

impl LangText {
    /// A text in one language.
    pub fn of(language: &str, text: &str) -> Self {
        Self(BTreeMap::from([(language.to_owned(), text.to_owned())]))
    }

    /// The same text with one language more.
    #[must_use]
    pub fn and(mut self, language: &str, text: &str) -> Self {
        self.0.insert(language.to_owned(), text.to_owned());
        self
    }

    /// The text in `language`, else in its base language, else in English, else in any.
    pub fn best(&self, language: &str) -> &str {
        let base = language.split('-').next().unwrap_or(language);
        let exact = self.0.get(language);
        let same_base = || self.0.iter().find(|(tag, _)| tag.split('-').next() == Some(base)).map(|(_, text)| text);
        let any = || self.0.get("en").or_else(|| self.0.values().next());
        exact.or_else(same_base).or_else(any).map_or("", String::as_str)
    }

    /// Every language's text, for search.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// True without any language.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// True for a tag of the shape this exchange takes: `xx`, `xxx`, `xx-Script` or `xx-RG`.
pub fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    let base_ok = (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_lowercase());
    base_ok && parts.all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// True for a character that can't be seen but changes how the text around it is read: a name with
/// one can pass for another.
///
/// Source: Unicode Technical Report 36, sections 2.4 and 2.5 (bidirectional and invisible text).
pub const fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_language_answers() {
        let text = LangText::of("en", "water").and("zh-Hant", "水");
        assert_eq!(text.best("zh-Hant"), "水");
        assert_eq!(text.best("zh"), "水");
        assert_eq!(text.best("da"), "water");
        assert_eq!(LangText::default().best("en"), "");
    }

    #[test]
    fn tags_have_a_shape() {
        for good in ["en", "da", "zh-Hant", "pt-BR"] {
            assert!(is_language_tag(good), "{good}");
        }
        for bad in ["", "EN", "e", "english", "en-", "en_US"] {
            assert!(!is_language_tag(bad), "{bad}");
        }
    }
}
