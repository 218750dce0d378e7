//! One tokenizer for what is searched and for what is asked, so that both are folded alike.
//!
//! NFKC, lower case, a table of variant characters (臺 → 台, ø → oe), then whole words for scripts with spaces
//! and bigrams for Chinese, Japanese and Korean. A search engine can take its place without a change for callers.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization as _;

/// Characters of a word from which on it is also found by its beginning (`bike` finds `bikes`).
const PREFIX_CHARS_MIN: usize = 3;

/// Traditional and older forms with the form they are folded to; both spellings are common in titles.
static VARIANTS: &[(char, char)] = &[
    ('臺', '台'),
    ('會', '会'),
    ('國', '国'),
    ('區', '区'),
    ('縣', '県'),
    ('县', '県'),
    ('驛', '駅'),
    ('灣', '湾'),
    ('濱', '浜'),
    ('廣', '広'),
    ('广', '広'),
    ('澤', '沢'),
    ('邊', '辺'),
    ('學', '学'),
    ('體', '体'),
    ('氣', '気'),
    ('气', '気'),
    ('鐵', '鉄'),
    ('铁', '鉄'),
    ('櫻', '桜'),
    ('圖', '図'),
    ('图', '図'),
    ('數', '数'),
    ('號', '号'),
    ('點', '点'),
    ('藝', '芸'),
    ('艺', '芸'),
    ('發', '発'),
    ('发', '発'),
    ('電', '电'),
    ('車', '车'),
    ('場', '场'),
    ('資', '资'),
    ('訊', '讯'),
    ('環', '环'),
    ('測', '测'),
    ('統', '统'),
    ('計', '计'),
    ('動', '动'),
    ('運', '运'),
    ('業', '业'),
    ('產', '産'),
    ('产', '産'),
    ('價', '価'),
    ('价', '価'),
    ('醫', '医'),
    ('總', '総'),
    ('总', '総'),
    ('萬', '万'),
    ('與', '与'),
    ('島', '岛'),
    ('東', '东'),
    ('雲', '云'),
    ('風', '风'),
];

/// One thing to look for in a [`search_text`]: no character of it has a meaning in a `LIKE` pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needle {
    /// A whole token; a space on both sides belongs to it.
    Whole(String),
    /// The beginning of a token; a space in front belongs to it.
    Prefix(String),
    /// Anything that contains this one character.
    Inside(char),
}

impl Needle {
    /// The text that must occur in a [`search_text`].
    pub(super) fn text(&self) -> String {
        match self {
            Self::Whole(token) => format!(" {token} "),
            Self::Prefix(token) => format!(" {token}"),
            Self::Inside(character) => character.to_string(),
        }
    }
}

/// The distinct tokens of `texts`, each between spaces, as one text to be searched.
pub(super) fn search_text<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let tokens: BTreeSet<String> = texts.into_iter().flat_map(tokens).map(|token| token.text).collect();
    if tokens.is_empty() {
        return String::new();
    }
    format!(" {} ", tokens.into_iter().collect::<Vec<_>>().join(" "))
}

/// What must occur for `query` to match: every needle. Empty when the query holds no letter and no digit.
pub(super) fn needles(query: &str) -> BTreeSet<Needle> {
    tokens(query).map(Token::into_needle).collect()
}

struct Token {
    text: String,
    bigram: bool,
}

impl Token {
    fn into_needle(self) -> Needle {
        let mut letters = self.text.chars();
        match (letters.next(), letters.next()) {
            (Some(only), None) if self.bigram => Needle::Inside(only),
            _ if self.bigram || self.text.chars().count() < PREFIX_CHARS_MIN => Needle::Whole(self.text),
            _ => Needle::Prefix(self.text),
        }
    }
}

fn tokens(text: &str) -> impl Iterator<Item = Token> {
    let mut tokens = Vec::new();
    let mut run = String::new();
    let mut run_is_bigram = false;
    for character in fold(text).chars().chain([' ']) {
        let is_bigram = is_unspaced(character);
        if !run.is_empty() && (!character.is_alphanumeric() || is_bigram != run_is_bigram) {
            push_run(&mut tokens, &run, run_is_bigram);
            run.clear();
        }
        if character.is_alphanumeric() {
            run.push(character);
            run_is_bigram = is_bigram;
        }
    }
    tokens.into_iter()
}

fn push_run(tokens: &mut Vec<Token>, run: &str, bigram: bool) {
    let letters: Vec<char> = run.chars().collect();
    if !bigram || letters.len() == 1 {
        tokens.push(Token { text: run.to_owned(), bigram });
        return;
    }
    tokens.extend(letters.windows(2).map(|pair| Token { text: pair.iter().collect(), bigram }));
}

fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.nfkc().flat_map(char::to_lowercase).nfc() {
        match character {
            'æ' => folded.push_str("ae"),
            'ø' => folded.push_str("oe"),
            'å' => folded.push_str("aa"),
            other => folded.push(VARIANTS.iter().find(|(from, _)| *from == other).map_or(other, |(_, to)| *to)),
        }
    }
    folded
}

/// True for scripts written without spaces: Han, kana, hangul.
fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30FF}' | '\u{31F0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn finds(query: &str, text: &str) -> bool {
        let text = search_text([text]);
        let needles = needles(query);
        !needles.is_empty() && needles.iter().all(|needle| text.contains(&needle.text()))
    }

    #[test]
    fn variants_and_widths_are_one() {
        for (query, text) in [
            ("台北", "臺北市公共自行車"),
            ("臺北", "台北市"),
            ("ｗａｔｅｒ", "Water levels"),
            ("aarhus", "Århus Kommune"),
            ("århus", "AARHUS"),
            ("国", "國家公園"),
            ("a\u{30a}rhus", "Århus"),
        ] {
            assert!(finds(query, text), "{query} in {text}");
        }
    }

    #[test]
    fn words_match_from_their_beginning_and_never_from_their_middle() {
        assert!(finds("bike", "City bikes"));
        assert!(!finds("ikes", "City bikes"));
        assert!(!finds("ci", "City bikes"), "two letters are a whole word");
        assert!(finds("city bikes", "Bikes of the city"));
    }

    #[test]
    fn one_han_character_is_found_inside() {
        assert!(finds("位", "河川水位"));
        assert!(!finds("河水", "河川水位"));
    }

    #[test]
    fn signs_are_no_tokens() {
        assert!(needles("%_\\ '\"").is_empty());
    }

    proptest! {
        #[test]
        fn every_text_is_found_by_itself_and_no_needle_holds_a_wildcard(text in "\\PC{1,60}") {
            prop_assume!(!needles(&text).is_empty());
            prop_assert!(finds(&text, &text));
            for needle in needles(&text) {
                prop_assert!(!needle.text().contains(['%', '_', '\\']));
            }
        }
    }
}
