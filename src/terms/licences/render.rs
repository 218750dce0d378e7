//! From terms to numbered clauses people can read, in four languages.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::{
    model::Terms,
    phrases::{self, Subject},
};

/// Raise it whenever a clause, a phrase or the ODRL form changes: documents made before keep theirs.
pub const RENDERER_VERSION: u16 = 1;

/// A language licences are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = LicenceLanguage)]
pub enum Language {
    /// English.
    #[serde(rename = "en")]
    En,
    /// Traditional Chinese.
    #[serde(rename = "zh-Hant")]
    ZhHant,
    /// Japanese.
    #[serde(rename = "ja")]
    Ja,
    /// Danish.
    #[serde(rename = "da")]
    Da,
}

impl Language {
    /// Every language, English first.
    pub const ALL: [Self; 4] = [Self::En, Self::ZhHant, Self::Ja, Self::Da];

    /// The BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::ZhHant => "zh-Hant",
            Self::Ja => "ja",
            Self::Da => "da",
        }
    }

    /// The language a reader with this tag is served, by its base language: `zh-TW` reads Traditional Chinese.
    pub fn for_tag(tag: &str) -> Option<Self> {
        let base = tag.split('-').next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.tag().split('-').next() == Some(base))
    }
}

/// One numbered clause; its number is its place in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LicenceClause, example = json!({"heading": "Territory", "text": "This licence applies worldwide."}))]
pub struct Clause {
    /// What it is about.
    pub heading: String,
    /// What it says; list items stand on lines of their own, beginning with `- `.
    pub text: String,
}

/// How a document begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening<'a> {
    /// The document itself grants the licence.
    Grant,
    /// The document sums up a licence that is binding elsewhere.
    SummaryOf {
        /// Official name of that licence.
        name: &'a str,
        /// Where its text is.
        url: &'a str,
    },
}

/// What open licences are silent about, so that a summary of one is silent too.
const NOT_IN_OPEN: [Subject; 3] = [Subject::Affiliates, Subject::PersonalData, Subject::Audit];

/// The clauses of `terms` in `language`.
///
/// A document that grants a licence tells everything: terms that differ anywhere differ in their clauses.
pub fn clauses(terms: &Terms, opening: Opening<'_>, language: Language) -> Vec<Clause> {
    let phrases = phrases::of(language);
    let (subject, opening) = match opening {
        Opening::Grant => (Subject::Grant, phrases.grant().to_owned()),
        Opening::SummaryOf { name, url } => (Subject::Summary, phrases.summary(name, url)),
    };
    let clauses = [
        (subject, opening),
        (Subject::Uses, phrases.uses(&terms.uses)),
        (Subject::Derivatives, phrases.derivatives(terms.derivatives)),
        (Subject::Redistribution, phrases.redistribution(&terms.redistribution)),
        (Subject::Attribution, phrases.attribution(&terms.attribution)),
        (Subject::Territory, phrases.territory(&terms.territory)),
        (Subject::Duration, phrases.duration(terms.duration)),
        (Subject::Seats, phrases.seats(terms.seats)),
        (Subject::Affiliates, phrases.affiliates(terms.affiliates).to_owned()),
        (Subject::Sublicensing, phrases.sublicensing(terms.sublicense).to_owned()),
        (Subject::PersonalData, phrases.personal_data(&terms.personal_data)),
        (Subject::Audit, phrases.audit(terms.audit).to_owned()),
        (Subject::Termination, phrases.termination(terms.termination)),
        (Subject::Warranty, phrases.warranty(terms.warranty).to_owned()),
        (Subject::GoverningLaw, phrases.governing_law(terms.governing_law.as_deref())),
    ];
    let told = clauses.into_iter().filter(|(about, _)| subject == Subject::Grant || !NOT_IN_OPEN.contains(about));
    told.map(|(subject, text)| Clause { heading: phrases.heading(subject).to_owned(), text }).collect()
}

/// Title and numbered clauses as plain text that also reads as Markdown, with a line end after each.
pub fn plain_text(title: &str, clauses: &[Clause]) -> String {
    let mut text = format!("# {title}\n");
    for (number, Clause { heading, text: body }) in (1..).zip(clauses) {
        // Writing to a string can't fail.
        let _ = write!(text, "\n## {number}. {heading}\n\n{body}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terms::licences::{
        presets::Preset,
        strategies::{FIELDS, any_terms, with_field_of},
    };

    fn render(terms: &Terms, language: Language) -> Vec<Clause> {
        clauses(terms, Opening::Grant, language)
    }

    #[test]
    fn every_language_has_every_clause_with_its_own_heading() {
        for preset in Preset::ALL {
            let number = render(&preset.terms(), Language::En).len();
            for language in Language::ALL {
                let found = render(&preset.terms(), language);
                let mut headings: Vec<_> = found.iter().map(|clause| &clause.heading).collect();
                headings.sort();
                headings.dedup();
                assert_eq!((found.len(), headings.len()), (number, number), "{language:?}");
                assert!(found.iter().all(|clause| !clause.text.is_empty()));
            }
        }
    }

    #[test]
    fn no_sentence_is_left_in_another_language() {
        let texts = Language::ALL.map(|language| render(&Preset::Research.terms(), language));
        for (index, one) in texts.iter().enumerate() {
            for other in &texts[index + 1..] {
                assert!(one.iter().zip(other).all(|(a, b)| a.text != b.text));
            }
        }
    }

    #[test]
    fn tags_name_languages_and_variants_fall_back_to_their_base() {
        for language in Language::ALL {
            assert_eq!(Language::for_tag(language.tag()), Some(language));
            assert_eq!(serde_json::to_value(language).expect("a tag"), language.tag());
        }
        assert_eq!(Language::for_tag("zh-TW"), Some(Language::ZhHant));
        assert_eq!(Language::for_tag("fr"), None);
    }

    #[test]
    fn a_single_day_month_or_person_is_written_in_the_singular() {
        use crate::terms::licences::model::{AfterEnd, LicenceDuration, OnBreach, Seats, Termination};
        let terms = Terms {
            duration: LicenceDuration::Fixed { months: 1, after_end: AfterEnd::Delete },
            seats: Seats::Limited { persons: 1 },
            termination: Termination {
                on_breach: OnBreach::AfterNotice { cure_days: 1 },
                convenience_notice_days: Some(1),
            },
            ..Preset::InternalUse.terms()
        };
        for (language, wrong) in [
            (Language::En, ["1 months", "1 days", "1 named persons"]),
            (Language::Da, ["1 måneder", "1 dage", "1 navngivne personer"]),
        ] {
            let text = plain_text("", &render(&terms, language));
            assert!(wrong.iter().all(|plural| !text.contains(plural)), "{text}");
        }
    }

    #[test]
    fn clauses_are_numbered_from_one_under_the_title() {
        let clause = |heading: &str| Clause { heading: heading.to_owned(), text: "Text.".to_owned() };
        let text = plain_text("Title", &[clause("A"), clause("B")]);
        assert_eq!(text, "# Title\n\n## 1. A\n\nText.\n\n## 2. B\n\nText.\n");
    }

    proptest! {
        #[test]
        fn terms_that_differ_in_one_field_differ_in_exactly_one_clause(
            terms in any_terms(),
            other in any_terms(),
            field in 0..FIELDS,
        ) {
            let changed = with_field_of(&terms, &other, field);
            for language in Language::ALL {
                let (before, after) = (render(&terms, language), render(&changed, language));
                let differing = before.iter().zip(&after).filter(|(a, b)| a != b).count();
                prop_assert_eq!(differing, usize::from(terms != changed), "{:?}", language);
            }
        }

        #[test]
        fn different_terms_read_differently_in_each_language(one in any_terms(), two in any_terms()) {
            for language in Language::ALL {
                prop_assert_eq!(render(&one, language) == render(&two, language), one == two);
            }
        }
    }
}
