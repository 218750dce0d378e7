//! The licence document: what a buyer reads, what a machine reads, and the hash of both.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    model::Terms,
    odrl,
    render::{self, Clause, Language, Opening, RENDERER_VERSION},
    templates::OpenLicence,
    validate::{Fault, text_faults},
};
use crate::{
    base::{LangText, digest},
    limits::TITLE_CHARS_MAX,
};

/// A licence in every form it has. Stored whole, it can be read, shown and hashed again years later.
///
/// Its hash covers everything below, so that no wording can change behind an acceptance. Nothing is
/// rendered anew from a stored document: its text only joins its clauses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "title": {"en": "Data licence for internal use"},
    "terms": {
        "uses": ["internal", "benchmark"],
        "redistribution": "none",
        "derivatives": "internal",
        "attribution": "not_required",
        "territory": "worldwide",
        "duration": {"fixed": {"months": 12, "after_end": "delete"}},
        "seats": "organisation",
        "personal_data": {"level": "none", "re_identification_prohibited": true},
        "sublicense": false,
        "affiliates": false,
        "audit": false,
        "termination": {"on_breach": {"after_notice": {"cure_days": 30}}},
        "warranty": "as_described"
    },
    "clauses": {"en": [{"heading": "Territory", "text": "This licence applies worldwide."}]},
    "odrl": {"@context": "http://www.w3.org/ns/odrl.jsonld", "@type": "Set", "profile": "urn:torv:odrl-profile:1"},
    "renderer_version": 1
}))]
pub struct LicenceDocument {
    /// The name of the licence.
    pub title: LangText,
    /// SPDX identifier, or a `LicenseRef-`; absent for a licence of the provider's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spdx_id: Option<String>,
    /// Where the binding text is when this is only a summary of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonical_url: Option<String>,
    /// The terms everything else was made from.
    pub terms: Terms,
    /// The clauses by language tag; every language has the same clauses in the same order.
    pub clauses: BTreeMap<String, Vec<Clause>>,
    /// The terms as an ODRL policy of type `Set`.
    #[schema(value_type = Object)]
    pub odrl: Value,
    /// The version of the wording and of the ODRL form.
    pub renderer_version: u16,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The terms or the title contradict themselves or exceed a limit.
    #[error("the licence has {} faults", .0.len())]
    Invalid(Vec<Fault>),
    /// The terms can't be written as JSON.
    #[error("the licence can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl LicenceDocument {
    /// The document of a provider's own terms; it grants the licence itself.
    ///
    /// # Errors
    /// [`BuildError::Invalid`] with every fault; pointers begin with `/title` or `/terms`.
    pub fn commercial(title: LangText, terms: Terms) -> Result<Self, BuildError> {
        let mut faults = text_faults("/title", &title, TITLE_CHARS_MAX);
        if title.is_empty() {
            faults.push(Fault {
                pointer: "/title".to_owned(),
                detail: "Give a title in at least one language.".to_owned(),
            });
        }
        faults.extend(faults_in_terms(&terms));
        if !faults.is_empty() {
            return Err(BuildError::Invalid(faults));
        }
        Self::write(title, terms, Opening::Grant)
    }

    /// The summary of an open licence; `attribution` is how the provider wants to be named.
    ///
    /// # Errors
    /// [`BuildError::Invalid`] when the attribution exceeds a limit.
    pub fn open(licence: &OpenLicence, attribution: LangText) -> Result<Self, BuildError> {
        let terms = licence.terms(attribution);
        let faults = faults_in_terms(&terms);
        if !faults.is_empty() {
            return Err(BuildError::Invalid(faults));
        }
        let opening = Opening::SummaryOf { name: licence.name(), url: licence.url };
        let document = Self::write(licence.title(), terms, opening)?;
        let (spdx_id, canonical_url) = (Some(licence.spdx_id.to_owned()), Some(licence.url.to_owned()));
        Ok(Self { spdx_id, canonical_url, ..document })
    }

    fn write(title: LangText, terms: Terms, opening: Opening<'_>) -> Result<Self, BuildError> {
        let in_language = |language: Language| (language.tag().to_owned(), render::clauses(&terms, opening, language));
        let clauses = BTreeMap::from(Language::ALL.map(in_language));
        let uid = format!("urn:torv:terms:sha256:{}", digest::canonical_json_sha256(&terms)?);
        let odrl = odrl::set(&terms, &uid);
        let renderer_version = RENDERER_VERSION;
        Ok(Self { title, spdx_id: None, canonical_url: None, terms, clauses, odrl, renderer_version })
    }

    /// The document as it is kept for ever: canonical JSON, whose SHA-256 is [`LicenceDocument::hash`].
    ///
    /// # Errors
    /// When the document can't be written as JSON.
    pub fn canonical_json(&self) -> Result<String, serde_json::Error> {
        digest::canonical_json(self)
    }

    /// SHA-256 of the document's canonical JSON, as 64 hexadecimal digits: what a buyer accepts.
    ///
    /// # Errors
    /// As [`LicenceDocument::canonical_json`].
    pub fn hash(&self) -> Result<String, serde_json::Error> {
        digest::canonical_json_sha256(self)
    }

    /// Title and numbered clauses in `language`, as they were when the document was made.
    pub fn plain_text(&self, language: Language) -> String {
        let clauses = self.clauses.get(language.tag()).map(Vec::as_slice).unwrap_or_default();
        render::plain_text(self.title.best(language.tag()), clauses)
    }
}

fn faults_in_terms(terms: &Terms) -> Vec<Fault> {
    let faults = terms.validate().into_iter();
    faults.map(|fault| Fault { pointer: format!("/terms{}", fault.pointer), ..fault }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::terms::licences::{
        model::{Attribution, Seats},
        presets::Preset,
        strategies::{any_terms, every_variant},
        templates::resolve,
    };

    fn commercial(preset: Preset) -> LicenceDocument {
        LicenceDocument::commercial(preset.title(), preset.terms()).expect("presets are valid")
    }

    fn open(name: &str) -> LicenceDocument {
        let licence = resolve(name).expect("in the table");
        LicenceDocument::open(licence, LangText::of("en", "City of X")).expect("open licences are valid")
    }

    /// A change here means that wording or form changed: raise `RENDERER_VERSION` and take the new values.
    #[test]
    fn the_hash_of_known_documents_does_not_move() {
        let hashes = [commercial(Preset::ProductUse), open("CC-BY-4.0")].map(|document| document.hash().expect("JSON"));
        assert_eq!(RENDERER_VERSION, 1);
        assert_eq!(
            hashes,
            [
                "6f5394699ab1209eb9b4cfddff0ff9f50aaf7e779fdb6607eb1004967400617c",
                "40c5e3ab1def2dfa623691b927b1b8f45171d3ee7305ff8e102d91a0f60c59f3",
            ]
        );
    }

    /// As above, for the wordings and rules the two documents don't have.
    #[test]
    fn the_hash_of_every_variant_does_not_move() {
        let rendered = every_variant().into_iter().map(|terms| {
            let clauses = Language::ALL.map(|language| render::clauses(&terms, Opening::Grant, language));
            (clauses, odrl::set(&terms, "urn:x"))
        });
        let all = (Preset::ALL.map(Preset::title), rendered.collect::<Vec<_>>());
        assert_eq!(RENDERER_VERSION, 1);
        let expected = "45fc28e421fb0894a28be5ab16ec05ceb467b730e89a6f865b6529e77cc71365";
        assert_eq!(digest::canonical_json_sha256(&all).expect("JSON"), expected);
    }

    #[test]
    fn a_stored_document_gives_the_same_hash_and_text_again() {
        for document in [commercial(Preset::Research), open("OGDL-Taiwan-1.0")] {
            let stored = document.canonical_json().expect("JSON");
            // Even where the types have moved on, the bare text is enough to prove what was accepted.
            assert_eq!(digest::sha256_hex(stored.as_bytes()), document.hash().expect("JSON"));
            let read: LicenceDocument = serde_json::from_str(&stored).expect("and back");
            assert_eq!(read.hash().expect("JSON"), document.hash().expect("JSON"));
            for language in Language::ALL {
                assert_eq!(read.plain_text(language), document.plain_text(language));
            }
        }
    }

    #[test]
    fn a_single_changed_letter_changes_the_hash() {
        let mut document = open("CC-BY-4.0");
        let before = document.hash().expect("JSON");
        let clauses = document.clauses.get_mut("ja").expect("Japanese is there");
        clauses[3].text.pop();
        assert_ne!(document.hash().expect("JSON"), before);
    }

    #[test]
    fn an_open_licence_is_a_summary_with_a_link_and_a_commercial_one_grants() {
        for licence in OpenLicence::all() {
            let document = LicenceDocument::open(licence, LangText::default()).expect("valid");
            for language in Language::ALL {
                let first = &document.clauses[language.tag()][0].text;
                assert!(first.contains(licence.url) && first.contains(licence.name()), "{first}");
            }
            assert_eq!(document.canonical_url.as_deref(), Some(licence.url));
        }
        let document = commercial(Preset::InternalUse);
        assert_eq!((&document.spdx_id, &document.canonical_url), (&None, &None));
        assert!(document.plain_text(Language::En).contains("## 1. Grant"));
    }

    #[test]
    fn documents_with_faults_are_not_written() {
        let mut terms = Preset::InternalUse.terms();
        terms.seats = Seats::Limited { persons: 0 };
        let Err(BuildError::Invalid(faults)) = LicenceDocument::commercial(LangText::default(), terms) else {
            panic!("a document without a title or a seat")
        };
        let pointers: Vec<_> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        assert_eq!(pointers, ["/title", "/terms/seats/limited/persons"]);
        let licence = resolve("CC-BY-4.0").expect("in the table");
        assert!(LicenceDocument::open(licence, LangText::of("en", "two\nlines")).is_err());
    }

    #[test]
    fn a_reader_of_each_language_gets_the_title_in_it() {
        let document = commercial(Preset::Research);
        assert!(document.plain_text(Language::Da).starts_with("# Datalicens til forskning\n"));
        assert!(document.plain_text(Language::Ja).starts_with("# データ利用許諾条件（研究利用）\n"));
        assert!(open("OGDL-Taiwan-1.0").plain_text(Language::Da).starts_with("# Taiwan Open Government Data License"));
    }

    proptest! {
        #[test]
        fn documents_have_the_same_hash_only_for_the_same_terms(one in any_attribution(), two in any_attribution()) {
            let hash = |attribution: &LangText| {
                let licence = resolve("CC-BY-4.0").expect("in the table");
                let document = LicenceDocument::open(licence, attribution.clone()).ok();
                document.map(|document| document.hash().expect("JSON"))
            };
            if let (Some(first), Some(second)) = (hash(&one), hash(&two)) {
                prop_assert_eq!(first == second, one == two);
            }
        }
    }

    fn any_attribution() -> impl Strategy<Value = LangText> {
        any_terms().prop_map(|terms| match terms.attribution {
            Attribution::Required { text, .. } => text,
            Attribution::NotRequired => LangText::default(),
        })
    }
}
